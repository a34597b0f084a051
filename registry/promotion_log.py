"""What was decided about the versions of a model, and the line of champions that follows from it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

PROMOTED, FORCED, ROLLED_BACK = "promoted", "forced", "rolled back"
REFUSED, OVERTAKEN = "refused", "overtaken"
MOVES = (PROMOTED, FORCED, ROLLED_BACK)


@dataclass(frozen=True)
class Check:
    """One question of the gate, answered: `words` hold the figures that people need, `figures` those for machines."""

    name: str
    passed: bool
    words: str
    figures: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """Who is to be champion, who was (`before`, None if nobody), and why: as it is kept with the registered model."""

    kind: str
    """promoted, forced (though a check failed), rolled back, refused, or overtaken (another decision came first)."""
    version: int
    before: int | None
    decided_at: datetime
    by: str = ""
    reason: str = ""
    """The words of the person who decided."""
    judged_on: datetime | None = None
    """The as_of whose horizon both models were judged on; None if nothing was to be compared."""
    checks: tuple[Check, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def moves(self) -> bool:
        """Whether the champion's alias moves by it."""
        return self.kind in MOVES

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that were not passed."""
        return tuple(check for check in self.checks if not check.passed)

    @property
    def why(self) -> str:
        """The reason given, and what failed: one line for a list."""
        said = [self.reason, *(f"{check.name}: {check.words}" for check in self.failed)]
        if self.kind == OVERTAKEN:
            said += self.notes
        return "; ".join(part for part in said if part)

    def overtaken_by(self, champion: int | None, last: "Decision | None") -> "Decision":
        """The same wish, recorded as come too late."""
        who = "there is none now" if champion is None else f"version {champion} is"
        if last is not None and last.moves and last.version == champion:
            who += f", {last.kind} at {last.decided_at.isoformat()}" + (f" by {last.by}" if last.by else "")
            who += f" ({last.reason})" if last.reason else ""
        was = "no champion" if self.before is None else f"version {self.before} as the champion"
        return replace(self, kind=OVERTAKEN, notes=(*self.notes, f"this was decided with {was} in view, but {who}"))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; moments as ISO 8601."""
        judged_on = self.judged_on and self.judged_on.isoformat()
        return asdict(self) | {"decided_at": self.decided_at.isoformat(), "judged_on": judged_on}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Decision":
        """The inverse of `to_json`."""
        moments = {key: kept[key] and datetime.fromisoformat(kept[key]) for key in ("decided_at", "judged_on")}
        lists = {"checks": tuple(Check(**one) for one in kept["checks"]), "notes": tuple(kept["notes"])}
        return cls(**{**kept, **moments, **lists})


@dataclass(frozen=True)
class Standing:
    """Who is champion of a registered model, and every decision about it, oldest first."""

    champion: int | None
    decisions: tuple[Decision, ...] = ()

    @property
    def first(self) -> int | None:
        """The champion before the first move on record: the one that had nobody to beat."""
        moved = [one.before for one in self.decisions if one.moves]
        return moved[0] if moved else self.champion

    @property
    def line(self) -> tuple[int, ...]:
        """The champions that a rollback walks back through, the present one last.

        A promotion adds one at the end, a rollback takes the end off, so two rollbacks go two champions back. Where the
        alias was moved by another hand (MLflow's own page), the line goes on from where it was found.
        """
        line: tuple[int, ...] = ()
        for one in self.decisions:
            if one.moves:
                line = _back_to(line, one.before)
                line = _back_to(line, one.version) if one.kind == ROLLED_BACK else (*line, one.version)
        return _back_to(line, self.champion)

    @property
    def unrecorded(self) -> bool:
        """Whether the alias stands elsewhere than the last recorded move has left it."""
        moved = [one.version for one in self.decisions if one.moves]
        return bool(moved) and moved[-1] != self.champion


def _back_to(line: Sequence[int], version: int | None) -> tuple[int, ...]:
    """The line cut behind the last mention of a version, or with it at the end if it has none."""
    if version is None:
        return tuple(line)
    places = [place for place, one in enumerate(line) if one == version]
    return tuple(line[: places[-1] + 1]) if places else (*line, version)
