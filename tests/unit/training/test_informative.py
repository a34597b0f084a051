"""Features that are the same in every row are left out before the trees: they could tell no two accounts apart."""

import numpy as np

from training.data.dataset import Dataset
from training.models.boosting import ROWS_AT_ONCE, informative

NAN = np.nan


def data(**columns):
    matrix = np.array(list(columns.values()), dtype=np.float64).T
    row = np.arange(len(matrix))
    return Dataset(
        tuple(columns), matrix, np.zeros(len(row)), row.astype(str), row, np.full(len(row), np.datetime64("2024-01-01", "us"))
    )  # fmt: skip


def test__informative__constant_and_absent_columns__are_left_out():
    """A stream without events gives zeros and NaN; that something is absent for some only is worth knowing."""
    found = data(zeros=[0, 0, 0], absent=[NAN, NAN, NAN], varies=[1, 2, 1], sometimes=[NAN, 5, 5])
    assert informative(found, found.features) == ("varies", "sometimes")


def test__informative__names__keep_their_order_and_nothing_is_added():
    """Those that were left out before stay out."""
    found = data(a=[1, 2], b=[1, 2], c=[3, 3])
    assert informative(found, ["c", "b"]) == ("b",)


def test__informative__difference_in_the_last_of_many_rows__is_seen():
    """Rows are looked at in blocks, each against the first row of all."""
    column = np.zeros(2 * ROWS_AT_ONCE + 1)
    late = column.copy()
    late[-1] = 1.0
    assert informative(data(same=column, late=late), ["same", "late"]) == ("late",)
