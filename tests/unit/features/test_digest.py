"""Whether two tables are the same to the last bit, told by 64 characters."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from histories import AS_OF

from features.engine.digest import digest, table_digest


def table(seed=0, accounts=50):
    """Two dates, holes, and values of both signs."""
    rng = np.random.default_rng(seed)
    dates = [pd.Timestamp(AS_OF - timedelta(days=days)) for days in (30, 0)]
    index = pd.MultiIndex.from_product(
        [[f"account {n}" for n in range(accounts)], dates], names=["account_id", "as_of"]
    )
    values = rng.normal(size=(len(index), 3))
    values[rng.random(values.shape) < 0.2] = np.nan
    return pd.DataFrame(values, index=index, columns=["a", "b", "c"])


def test__digest__rows_in_another_order__is_the_same():
    """Training makes its table date by date, a table built again comes account by account."""
    assert table_digest(table().sample(frac=1, random_state=1)) == table_digest(table())


def test__digest__more_rows_than_are_read_at_once__is_the_same_in_any_order():
    """Blocks are cut after sorting."""
    large = table(accounts=20_000)
    assert table_digest(large.iloc[::-1]) == table_digest(large)


def test__digest__another_bit_of_nan__is_the_same():
    """Absent is absent; which bits a processor gives it means nothing."""
    account, as_of, canonical = np.array(["a"], dtype=object), np.array([0]), np.array([[np.nan, 1.0]])
    other = canonical.copy()
    other.view(np.uint64)[0, 0] = 0xFFF8000000000001
    assert other.tobytes() != canonical.tobytes()
    assert digest(["x", "y"], account, as_of, other) == digest(["x", "y"], account, as_of, canonical)


def changed(how):
    other = table()
    how(other)
    return other


@pytest.mark.parametrize(
    "other",
    [
        changed(lambda row: row.__setitem__("b", np.nextafter(row["b"], np.inf))),
        changed(lambda row: row.__setitem__("b", row["b"].fillna(0.0))),
        table().rename(columns={"c": "d"}),
        table()[["b", "a", "c"]],
        table().iloc[1:],
        table().rename(index={"account 3": "account 3x"}, level=0),
        table().set_axis(table().index.set_levels(table().index.levels[1] + timedelta(microseconds=1), level=1)),
    ],
    ids=["one bit", "absent is not zero", "name", "order of columns", "a row less", "account", "moment"],
)
def test__digest__anything_else__is_another(other):
    """All that a model could learn differently from."""
    assert table_digest(other) != table_digest(table())


def test__digest__zero_of_the_other_sign__is_another():
    """The same bits means the same bits."""
    row, other = (
        digest(["a"], np.array(["x"], dtype=object), np.array([0]), np.array([[zero]])) for zero in (0.0, -0.0)
    )
    assert row != other


def test__digest__names_that_run_together__are_told_apart():
    """ab, c and a, bc are different columns."""
    empty = np.empty((0, 2))
    of = [digest(names, np.empty(0, object), np.empty(0, np.int64), empty) for names in (["ab", "c"], ["a", "bc"])]
    assert of[0] != of[1]
