"""Scores on the terminal: who is most worth a call, and why."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from foresail.show.answers import Shown, grid, without_nan
from foresail.show.appraisals import graded
from foresail.workflow.scoring import in_words

if TYPE_CHECKING:
    import pandas as pd

    from foresail.workflow import Scored

BAND_STYLES = {"high": "bold red", "medium": "yellow", "low": "green"}


def scored(result: "Scored", currency: str, out: Path | None) -> Shown:
    """Who is most worth a call and why, how many accounts are in each band, and where the file is."""
    parts: list[RenderableType] = []
    facts = []
    for target, calls in result.calls.items():
        own = result.scores[result.scores["target"] == target]
        known = own[own["probability"].notna()]
        bands = {band: int((known["band"] == band).sum()) for band in BAND_STYLES}
        counts = ", ".join(f"{count:,} {band}" for band, count in bands.items())
        parts += [
            call_list(calls, f"{target}: most worth a call", currency),
            *_grade(own),
            f"{target}: {len(known):,} scored ({counts}); {len(own) - len(known):,} not eligible",
        ]
        facts.append({
            "target": target, "scored": len(known), "not_eligible": len(own) - len(known), "bands": bands,
            "grade": _letter(own), "calls": calls.to_dict("records"),
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


def _letter(scores: "pd.DataFrame") -> str | None:
    """The grade of the model that gave these scores."""
    letters = scores["grade"].dropna()
    return None if letters.empty else str(letters.iloc[0])


def _grade(scores: "pd.DataFrame") -> list[RenderableType]:
    if scores.empty:
        return []
    from training.grade import MEANINGS

    letter, version = _letter(scores), scores["model_version"].iloc[0]
    meaning = MEANINGS.get(letter or "") or "train it again to see how far its scores can be relied on"
    return [graded(letter, f"{meaning} (model version {version})")]


def call_list(calls: "pd.DataFrame", title: str, currency: str) -> Table:
    """Accounts with the most at stake first: risk × what a year of the account brings, and the reasons in words."""
    headings = "account", "at stake", "= risk", "× net of a year", "band", "why"
    shown = grid(*headings, numbers=(1, 2, 3))
    shown.title, shown.show_lines = f"{title} (amounts in {currency})", True
    for row in calls.to_dict("records"):
        why = "\n".join(in_words(reason) for reason in row["reasons"] or ())
        band = Text(row["band"], style=BAND_STYLES[row["band"]])
        amounts = f"{row['at_stake']:,.0f}", f"{row['probability']:.0%}", f"{row['net_365d']:,.0f}"
        shown.add_row(row["account_id"], *amounts, band, why)
    return shown
