"""Labels: what happened in (as_of, as_of + horizon], from what was known when the training spoke."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from storing import store

from features.catalog import named
from training.data.dataset import labelled, unlabelled
from training.data.targets import ChurnTarget, HorizonOpen, target_from

AS_OF = datetime(2023, 3, 1, tzinfo=UTC)
CLOSES = AS_OF + timedelta(days=90)
LONDON = ZoneInfo("Europe/London")  # summer time begins on 2023-03-26, inside the horizon
MICROSECOND = timedelta(microseconds=1)
TARGET = ChurnTarget("churn", horizon_days=90, active_within_days=365)


def bought(*moments, kind="order", known_at=None):
    rows = [{"occurred_at": one, "known_at": known_at or one, "kind": kind, "amount": 1.0} for one in moments]
    return {"purchases": [*before(), *rows]}


def before():
    """Everybody bought a month before as_of, and so is known and eligible."""
    moment = AS_OF - timedelta(days=30)
    return [{"occurred_at": moment, "known_at": moment, "kind": "order", "amount": 1.0}]


def labels(history, known_by=CLOSES, as_of=(AS_OF,)):
    churned = TARGET.labels(history, as_of, known_by)
    assert churned.index.names == ["account_id", "as_of"]
    return {account: label for (account, _), label in churned.items()}


def test__labels__orders_on_the_edges__fall_on_the_documented_side(tmp_path):
    """The horizon is (as_of, as_of + 90 days]: open where it begins, closed where it ends."""
    accounts = {
        "silent": bought(),
        "at as_of": bought(AS_OF),
        "just after": bought(AS_OF + MICROSECOND),
        "at the end": bought(CLOSES),
        "too late": bought(CLOSES + MICROSECOND),
        "returned only": bought(AS_OF + timedelta(days=3), kind="return"),
    }
    known_by = CLOSES + timedelta(days=1)
    assert labels(store(tmp_path, accounts), known_by) == {
        "silent": 1.0,
        "at as_of": 1.0,
        "just after": 0.0,
        "at the end": 0.0,
        "too late": 1.0,
        "returned only": 1.0,
    }


def test__labels__order_known_late__counts_from_when_it_is_known(tmp_path):
    """An order inside the horizon that is entered 20 days after its end: churned by what is known at the end, not later."""
    history = store(tmp_path, {"late": bought(AS_OF + timedelta(days=5), known_at=CLOSES + timedelta(days=20))})
    assert labels(history, CLOSES) == {"late": 1.0}
    assert labels(history, CLOSES + timedelta(days=19)) == {"late": 1.0}
    assert labels(history, CLOSES + timedelta(days=20)) == {"late": 0.0}


def test__labels__several_dates__each_belongs_to_its_own_as_of(tmp_path):
    """One order 100 days after the first as_of: inside the horizon of the second date (day 60), outside the first's."""
    history = store(tmp_path, {"a": bought(AS_OF + timedelta(days=100))})
    second = AS_OF + timedelta(days=60)
    churned = TARGET.labels(history, [AS_OF, second], second + timedelta(days=90))
    assert churned.to_dict() == {("a", AS_OF): 1.0, ("a", second): 0.0}


def test__labels__horizon_open_by_a_microsecond__refused_with_the_latest_date_that_works(tmp_path):
    """Silence before the horizon closes is no churn."""
    history = store(tmp_path, {"a": bought()})
    with pytest.raises(HorizonOpen, match=r"closes at 2023-05-30T00:00:00\+00:00.*no later than 2023-02-28T23:59:59"):
        labels(history, CLOSES - MICROSECOND)
    assert labels(history, CLOSES) == {"a": 1.0}


def test__labels__moment_of_another_zone__horizon_is_elapsed_time(tmp_path):
    """90 days on the clocks of London end an hour early in spring; the label is that of the same moment in UTC."""
    history = store(tmp_path, {"at the end": bought(CLOSES), "silent": bought()})
    churned = TARGET.labels(history, [AS_OF.astimezone(LONDON)], CLOSES.astimezone(LONDON))
    assert churned.to_dict() == {("at the end", AS_OF): 0.0, ("silent", AS_OF): 1.0}


def test__closed__moment_of_another_zone__not_an_hour_early():
    """The horizon closes at a moment, whatever the clock on the wall shows."""
    local = AS_OF.astimezone(LONDON)
    assert TARGET.closed(local, CLOSES)
    assert TARGET.closed(local, CLOSES.astimezone(LONDON))
    assert not TARGET.closed(local, CLOSES - MICROSECOND)
    assert not TARGET.closed(local, (CLOSES - MICROSECOND).astimezone(LONDON))


def test__labelled__moment_of_another_zone__same_rows_as_in_utc(tmp_path):
    """An as_of from `astimezone` once gave NaN for every label."""
    history, features = store(tmp_path, {"a": bought(CLOSES), "b": bought()}), named(["purchases_days_since_last"])
    local = labelled(history, TARGET, [AS_OF.astimezone(LONDON)], features, CLOSES)
    utc = labelled(history, TARGET, [AS_OF], features, CLOSES)
    assert local.labels.tolist() == utc.labels.tolist() == [0.0, 1.0]
    assert (local.as_of == utc.as_of).all()
    assert (
        len(local.at([AS_OF.astimezone(LONDON)]))
        == len(unlabelled(history, TARGET, AS_OF.astimezone(LONDON), features))
        == 2
    )


def test__moments__naive__refused_in_words(tmp_path):
    """A moment without a zone would be read in that of the machine."""
    history, naive = store(tmp_path, {"a": bought()}), AS_OF.replace(tzinfo=None)
    for ask in (
        lambda: TARGET.closed(naive, CLOSES),
        lambda: TARGET.labels(history, [naive], CLOSES),
        lambda: TARGET.labels(history, [AS_OF], naive),
        lambda: labelled(history, TARGET, [naive], (), CLOSES),
        lambda: unlabelled(history, TARGET, naive, ()),
    ):
        with pytest.raises(ValueError, match="2023-03-01 00:00:00 has no timezone"):
            ask()


class Forgetful(ChurnTarget):
    """A target that has no label for an account that it calls eligible."""

    def labels(self, *args, **kwargs):
        return super().labels(*args, **kwargs).drop("b", level="account_id")


def test__labelled__eligible_account_without_label__refused(tmp_path):
    """A NaN among the labels would be counted as stayed by one metric and lost by another."""
    history = store(tmp_path, {"a": bought(), "b": bought()})
    with pytest.raises(ValueError, match=r"1 of 2 eligible accounts have no label.*'b' at 2023-03-01T00:00:00\+00:00"):
        labelled(history, Forgetful("churn", 90, 365), [AS_OF], (), CLOSES)


def test__labelled__ineligible_accounts__not_in_the_dataset(tmp_path):
    """Who had not bought in (as_of − 365 days, as_of] cannot churn any more; who had never bought cannot yet."""
    old = AS_OF - timedelta(days=365)
    accounts = {
        "active": bought(CLOSES),
        "gone": {"purchases": [{"occurred_at": old, "known_at": old, "kind": "order", "amount": 1.0}]},
        "barely active": {
            "purchases": [
                {"occurred_at": old + MICROSECOND, "known_at": old + MICROSECOND, "kind": "order", "amount": 1.0}
            ]
        },
        "not yet": {"purchases": [{"occurred_at": CLOSES, "known_at": CLOSES, "kind": "order", "amount": 1.0}]},
    }
    data = labelled(store(tmp_path, accounts), TARGET, [AS_OF], named(["purchases_days_since_last"]), CLOSES)
    assert dict(zip(data.account_id, data.labels, strict=True)) == {"active": 0.0, "barely active": 1.0}
    assert data.columns(["purchases_days_since_last"])[0, 0] == pytest.approx(30.0)


def test__labelled__several_dates__rows_keep_their_account_and_date(history):
    """An account at three dates is one account thrice; `at` finds the rows of a date again."""
    dates = [datetime(2023, month, 1, tzinfo=UTC) for month in (2, 3, 4)]
    data = labelled(history, TARGET, dates, named(["purchases_orders_distinct"]), datetime(2023, 8, 1, tzinfo=UTC))
    assert sum(len(data.at([date])) for date in dates) == len(data)
    assert len(np.unique(data.account)) == len(set(data.account_id)) < len(data)
    for date in dates:
        alone = labelled(
            history, TARGET, [date], named(["purchases_orders_distinct"]), datetime(2023, 8, 1, tzinfo=UTC)
        )
        assert (data.at([date]).matrix == alone.matrix).all()
        assert (data.at([date]).labels == alone.labels).all()
        assert 0 < alone.labels.mean() < 1


def test__unlabelled__today__labels_are_nan(history):
    """What has not happened yet has no label."""
    data = unlabelled(history, TARGET, AS_OF, named(["purchases_days_since_last"]))
    assert len(data)
    assert np.isnan(data.labels).all()


def test__target__json_and_back__same_target():
    """The card keeps the target; its words are written from the numbers, never stored apart from them."""
    card = TARGET.to_json()
    assert target_from(card) == TARGET
    assert card["definition"] == (
        "churned: no order in (as_of, as_of + 90 days]; eligible: at least one order in (as_of − 365 days, as_of]"
    )


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"horizon_days": 0}, "horizon_days is 0"),
        ({"active_within_days": 0}, "active_within_days is 0"),
        ({"band_medium": 0.9, "band_high": 0.7}, "must rise between 0 and 1"),
    ],
)
def test__target__impossible_number__named(wrong, said):
    """A wrong number must not wait for the training to show."""
    with pytest.raises(ValueError, match=said):
        ChurnTarget(**{"name": "churn", "horizon_days": 90, "active_within_days": 365} | wrong)
