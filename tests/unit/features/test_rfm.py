"""RFM quintiles: five is best, equal accounts are equal, who never bought has none."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from features.rfm import SCORED, rfm_scores

AS_OF = pd.Timestamp("2020-01-01", tz="UTC")


def table_of(recency, frequency, monetary, as_of=AS_OF):
    accounts = [str(number) for number in range(len(recency))]
    index = pd.MultiIndex.from_product([accounts, [as_of]], names=["account_id", "as_of"])
    columns = dict(zip((feature for feature, _ in SCORED.values()), (recency, frequency, monetary), strict=True))
    return pd.DataFrame(columns, index=index, dtype=float)


def test__ten_accounts__two_in_each_fifth_best_first():
    """Bought today is 5, bought longest ago is 1; the largest spender is 5."""
    days = list(range(10))
    scores = rfm_scores(table_of(days, days, days))
    assert scores["rfm_recency"].tolist() == [5, 5, 4, 4, 3, 3, 2, 2, 1, 1]
    assert scores["rfm_monetary"].tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


def test__equal_values__share_the_score_of_their_average_rank():
    """Two at the bottom of five stand between first and second fifth, three at the top between third and fifth."""
    assert rfm_scores(table_of([1] * 5, [1] * 5, [0, 0, 1, 1, 1]))["rfm_monetary"].tolist() == [2, 2, 4, 4, 4]


def test__never_bought__has_no_score_and_takes_no_place():
    """Absent is not the worst fifth."""
    scores = rfm_scores(table_of([np.nan, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5]))
    assert np.isnan(scores.iloc[0]).all()
    assert scores["rfm_frequency"].tolist()[1:] == [1, 2, 3, 4, 5]


def test__two_dates__are_ranked_apart():
    """A quintile compares accounts at one moment."""
    early = table_of([1, 2, 3, 4, 5], [1] * 5, [1] * 5, AS_OF)
    late = table_of([100, 200, 300, 400, 500], [1] * 5, [1] * 5, AS_OF + pd.Timedelta(days=30))
    scores = rfm_scores(pd.concat([early, late]))
    assert scores["rfm_recency"].tolist() == [5, 4, 3, 2, 1] * 2


@given(st.lists(st.integers(0, 6), min_size=1, max_size=40))
def test__scores__keep_the_order_of_the_values_and_lie_between_1_and_5(values):
    """Never does more spend score less, and equal spend scores equal."""
    score = rfm_scores(table_of([1] * len(values), values, values))["rfm_monetary"].tolist()
    assert set(score) <= {1, 2, 3, 4, 5}
    for one, its in zip(values, score, strict=True):
        for other, theirs in zip(values, score, strict=True):
            assert its == theirs if one == other else one > other or its <= theirs
