"""Pictures that commands write: they say what the facts say, and the same facts give the same picture."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from matplotlib.figure import Figure

from features.history.store import HistoryError
from features.kpis.concentration import Concentration, gini, lorenz
from foresail.operations import plots

REVENUE = np.array([500.0, 300.0, 200.0, 0.0, 0.0])
FOUND = Concentration(
    datetime(2020, 6, 1, tzinfo=UTC), 365, 5, 2, 1000.0, (), 2, 0.4, gini(REVENUE), lorenz(REVENUE), ()
)  # fmt: skip


def test__concentration__svg__tells_the_accounts_that_bring_most(tmp_path):
    """Text stays text, so that it can be read, searched and tested."""
    plots.concentration(FOUND, tmp_path / "new" / "concentration.svg")
    drawn = (tmp_path / "new" / "concentration.svg").read_text()
    for said in ("2 accounts (40.0%)", "bring 80% of the revenue", "share of 5 accounts, largest first", "Gini 0.52"):
        assert said in drawn
    assert "2 accounts without a purchase" in drawn


def test__concentration__curve__begins_with_the_largest_accounts():
    """One of five brings half, two bring four fifths, three bring all."""
    axes = Figure().subplots()
    plots._curve(axes, FOUND)
    accounts, revenue = axes.get_lines()[1].get_data()
    assert np.interp([0.0, 0.2, 0.4, 0.6, 1.0], accounts, revenue) == pytest.approx([0.0, 0.5, 0.8, 1.0, 1.0])


@pytest.mark.parametrize(("suffix", "begins"), [(".png", b"\x89PNG"), (".pdf", b"%PDF")])
def test__concentration__suffix__decides_the_format(tmp_path, suffix, begins):
    plots.concentration(FOUND, tmp_path / f"one{suffix}")
    assert (tmp_path / f"one{suffix}").read_bytes().startswith(begins)


def test__concentration__no_revenue__is_refused_with_words(tmp_path):
    """An empty picture would be taken for a broken one."""
    with pytest.raises(HistoryError, match="no revenue in the 365 days up to 2020-06-01: there is nothing to draw"):
        plots.concentration(replace(FOUND, lorenz=()), tmp_path / "one.png")
    assert not (tmp_path / "one.png").exists()
