"""The decisions about the versions of a model, the line of champions that follows from them, and where both are kept.

Decisions are tags of the registered model in MLflow; the champion is its alias.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from registry.store import CHALLENGER, CHAMPION, NOT_THERE, is_missing, readable_store, turn

DECISION = "decision "
"""How the tag of a decision begins."""
PROMOTED, FORCED, ROLLED_BACK = "promoted", "forced", "rolled back"
REFUSED, OVERTAKEN = "refused", "overtaken"
MOVES = (PROMOTED, FORCED, ROLLED_BACK)


@dataclass(frozen=True)
class Check:
    """One check of the gate and its result: `words` hold the figures that people need, `figures` those for machines."""

    name: str
    passed: bool
    words: str
    figures: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """Which version is to be champion, which one was (`before`, None if none), and why: as kept with the registered model."""

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
        parts = [self.reason, *(f"{check.name}: {check.words}" for check in self.failed)]
        if self.kind == OVERTAKEN:
            parts += self.notes
        return "; ".join(part for part in parts if part)

    def overtaken_by(self, champion: int | None, last: "Decision | None") -> "Decision":
        """The same decision, recorded as come too late."""
        now = "there is none now" if champion is None else f"version {champion} is"
        if last is not None and last.moves and last.version == champion:
            now += f", {last.kind} at {last.decided_at.isoformat()}" + (f" by {last.by}" if last.by else "")
            now += f" ({last.reason})" if last.reason else ""
        was = "no champion" if self.before is None else f"version {self.before} as the champion"
        return replace(self, kind=OVERTAKEN, notes=(*self.notes, f"this was decided with {was} in view, but {now}"))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; moments as ISO 8601."""
        judged_on = self.judged_on and self.judged_on.isoformat()
        return asdict(self) | {"decided_at": self.decided_at.isoformat(), "judged_on": judged_on}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Decision":
        """The inverse of `to_json`."""
        moments = {key: kept[key] and datetime.fromisoformat(kept[key]) for key in ("decided_at", "judged_on")}
        lists = {"checks": tuple(Check(**check) for check in kept["checks"]), "notes": tuple(kept["notes"])}
        return cls(**{**kept, **moments, **lists})


@dataclass(frozen=True)
class VersionHistory:
    """The champion of a registered model, and every decision about its versions, oldest first."""

    champion: int | None
    decisions: tuple[Decision, ...] = ()

    @property
    def first(self) -> int | None:
        """The champion before the first recorded move: the one that had no model to beat."""
        before = [decision.before for decision in self.decisions if decision.moves]
        return before[0] if before else self.champion

    @property
    def last_move(self) -> Decision | None:
        """The newest decision that moved the alias."""
        return next((decision for decision in reversed(self.decisions) if decision.moves), None)

    @property
    def line(self) -> tuple[int, ...]:
        """The champions that a rollback walks back through, the present one last.

        A promotion adds one at the end, a rollback takes the end off, so two rollbacks go two champions back. Where the
        alias was moved by another hand (MLflow's own page), the line goes on from where it was found.
        """
        line: tuple[int, ...] = ()
        for decision in self.decisions:
            if decision.moves:
                line = _back_to(line, decision.before)
                back = decision.kind == ROLLED_BACK
                line = _back_to(line, decision.version) if back else (*line, decision.version)
        return _back_to(line, self.champion)

    @property
    def unrecorded(self) -> bool:
        """Whether the alias is on another version than the one where the last recorded move has put it."""
        return self.last_move is not None and self.last_move.version != self.champion


def version_history(tracking_uri: str, name: str) -> VersionHistory:
    """The champion and the decisions of a registered model; none of both if the name is not registered."""
    if is_missing(tracking_uri):
        return VersionHistory(None)
    with readable_store(tracking_uri) as mlflow:
        try:
            return _history(mlflow.MlflowClient(), name)
        except mlflow.exceptions.MlflowException as error:
            if error.error_code in NOT_THERE:
                return VersionHistory(None)
            raise


def settle(tracking_uri: str, name: str, decision: Decision) -> Decision:
    """Keep a decision with the registered model, moving the champion's alias if it says so; the decision as it was kept.

    If the champion is no longer the one that the decision was made with in view, nothing moves, and the decision is kept, and
    returned, as overtaken. A service that looks meanwhile finds the one champion or the other.

    MLflow has no compare-and-swap on an alias. In a local store a lock makes one of it: of any number of decisions at
    once exactly one moves the alias. On a server nothing can: the alias is read before and again after it is written, so
    the second writer is told unless both write between each other's readings; then the later one is champion, and
    the line shows both decisions.
    """
    with readable_store(tracking_uri) as mlflow, turn(tracking_uri):
        client = mlflow.MlflowClient()
        before = _history(client, name)
        if decision.moves and before.champion != decision.before:
            decision = decision.overtaken_by(before.champion, before.last_move)
        if decision.moves:
            _make_champion(client, name, decision.version)
            after = _history(client, name)
            if after.champion != decision.version:
                decision = decision.overtaken_by(after.champion, after.last_move)
        _keep(client, name, decision, len(before.decisions) + 1)
        return decision


def _history(client: Any, name: str) -> VersionHistory:
    """Alias and decisions by one reading, so that they belong together."""
    model = client.get_registered_model(name)
    kept = sorted((key, text) for key, text in model.tags.items() if key.startswith(DECISION))
    champion = model.aliases.get(CHAMPION)
    return VersionHistory(champion and int(champion), tuple(Decision.from_json(json.loads(text)) for _, text in kept))


def _make_champion(client: Any, name: str, version: int) -> None:
    aliases = client.get_registered_model(name).aliases
    client.set_registered_model_alias(name, CHAMPION, str(version))
    if str(aliases.get(CHALLENGER)) == str(version):
        client.delete_registered_model_alias(name, CHALLENGER)


def _keep(client: Any, name: str, decision: Decision, number: int) -> None:
    """With the model, for the line; with the version, in words, for readers of MLflow's own page."""
    text = json.dumps(decision.to_json(), allow_nan=False)
    client.set_registered_model_tag(name, f"{DECISION}{number:04} version {decision.version}", text)
    words = f"{decision.kind} {decision.decided_at.isoformat()}: {decision.why}"
    client.set_model_version_tag(name, str(decision.version), "decision", words)


def _back_to(line: Sequence[int], version: int | None) -> tuple[int, ...]:
    """The line cut behind the last mention of a version, or with it at the end if it has none."""
    if version is None:
        return tuple(line)
    places = [place for place, champion in enumerate(line) if champion == version]
    return tuple(line[: places[-1] + 1]) if places else (*line, version)
