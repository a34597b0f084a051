"""Scores on the terminal: who is most worth a call, and why."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from foresail.cli.rendering.answers import Shown, grid, without_nan
from foresail.cli.rendering.summaries import graded
from foresail.operations.scoring import in_words

if TYPE_CHECKING:
    import pandas as pd

    from foresail.operations.scoring import Scored

BAND_STYLES = {"high": "bold red", "medium": "yellow", "low": "green"}


def scores(result: "Scored", currency: str, out: Path | None) -> Shown:
    """Who is most worth a call and why, how many accounts are in each band, and where the file is."""
    parts: list[RenderableType] = []
    facts = []
    for target, rows in result.scores.groupby("target"):
        answered = rows.loc[rows["why_not"].isna()]
        bands = {band: int((answered["band"] == band).sum()) for band in BAND_STYLES}
        counts = ", ".join(f"{count:,} {band}" for band, count in bands.items())
        calls = result.calls.get(str(target))
        if calls is not None:
            parts.append(call_list(calls, f"{target}: most worth a call", currency))
        total = f"{target}: {len(answered):,} scored ({counts}); {len(rows) - len(answered):,} not eligible"
        parts += [*_grade(rows), f"{total}{_in_all(answered, currency)}"]
        facts.append({
            "target": target, "scored": len(answered), "not_eligible": len(rows) - len(answered), "bands": bands,
            "grade": _letter(rows), "calls": [] if calls is None else calls.to_dict("records"),
        })  # fmt: skip
    parts += [Text(f"note: {note}", style="yellow") for note in result.notes]
    if out is not None:
        parts.append(f"wrote {out}: {len(result.scores):,} rows")
    return Shown(
        parts,
        without_nan(
            {
                "targets": facts,
                "notes": list(result.notes),
                "rows": len(result.scores),
                "out": str(out) if out else None,
            }
        ),
    )


def _in_all(answered: "pd.DataFrame", currency: str) -> str:
    """What amounts and days come to over all accounts; nothing of probabilities."""
    if answered["amount"].notna().any():
        return f"; {answered['amount'].sum():,.0f} {currency} to expect in all"
    within = answered["days"].notna()
    if within.any():
        horizon = answered["horizon_days"].iloc[0]
        return f"; {within.mean():.0%} are likelier than not to order within {horizon} days"
    return ""


def _letter(scores: "pd.DataFrame") -> str | None:
    """The grade of the model that gave these scores."""
    letters = scores["grade"].dropna()
    return None if letters.empty else str(letters.iloc[0])


def _grade(scores: "pd.DataFrame") -> list[RenderableType]:
    if scores.empty:
        return []
    from training.evaluation.grade import MEANINGS

    letter, version = _letter(scores), scores["model_version"].iloc[0]
    meaning = MEANINGS.get(letter or "") or "train it again to see how far its scores can be relied on"
    return [graded(letter, f"{meaning} (model version {version})")]


def call_list(calls: "pd.DataFrame", title: str, currency: str) -> Table:
    """Accounts with the most at stake first: risk × what it should bring in a year, and the reasons in words."""
    headings = "account", "at stake", "= risk", "× value a year", "band", "why"
    shown = grid(*headings, numbers=(1, 2, 3))
    shown.title, shown.show_lines = f"{title} (amounts in {currency})", True
    for row in calls.to_dict("records"):
        why = "\n".join(in_words(reason) for reason in row["reasons"] or ())
        band = Text(row["band"], style=BAND_STYLES[row["band"]])
        amounts = f"{row['at_stake']:,.0f}", f"{row['probability']:.0%}", f"{row['value']:,.0f}"
        shown.add_row(row["account_id"], *amounts, band, why)
    return shown
