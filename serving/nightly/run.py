"""A night from beginning to end: `STEPS` in their order, alone, resumed where it stopped, with a summary at the end."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from features.progress import StepProgress
from serving.database.upgrade import upgrade
from serving.nightly.night.journal import REFUSED, Journal, NightRefused
from serving.nightly.night.lock import only_night
from serving.nightly.night.night import Night, Plan
from serving.nightly.steps.decide import act, decide
from serving.nightly.steps.explain import explain
from serving.nightly.steps.fold import fold_inbox
from serving.nightly.steps.ingest import ingest
from serving.nightly.steps.load import load
from serving.nightly.steps.look_back import look_back
from serving.nightly.steps.pin import pin
from serving.nightly.steps.score import score
from serving.nightly.steps.segment import segment
from serving.nightly.steps.states import states
from serving.nightly.steps.tables import publish_tables

STEPS: Mapping[str, Callable[[Night], None]] = {
    "ingest": ingest,
    "fold": fold_inbox,
    "pin": pin,
    "look back": look_back,
    "score": score,
    "segment": segment,
    "explain": explain,
    "decide": decide,
    "states": states,
    "load": load,
    "act": act,
    "publish": publish_tables,
}
"""The steps of a night by name, in their order; nothing is published that is not loaded. Interventions are decided when all scores and segments are
known and nobody has seen them yet, and begun when the service knows what they rest on."""


@dataclass(frozen=True)
class NightResult:
    """The summary of a night, and the seconds that this run spent by step: none if it was complete before."""

    summary: Mapping[str, Any]
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def was_complete(self) -> bool:
        return not self.seconds

    @property
    def failures(self) -> Mapping[str, str]:
        """By source, why it could not be read."""
        return dict(self.summary["failures"])


def run_night(
    plan: Plan, engine: sa.Engine, clock: Callable[[], datetime], *, again: bool = False, progress: StepProgress
) -> NightResult:
    """Run the night, or finish it where an earlier run was interrupted; of a complete one nothing, unless `again`.

    Raises NightRunning while another one runs, NightRefused for a moment that cannot have a night and for one begun
    with a target that the project has lost since, NoChampion for a target without a model, DatabaseUnavailable, HistoryError and OSError for what they say. Whatever it was, the next run
    goes on where this one stopped.
    """
    with only_night(plan.folder, engine):
        upgrade(engine)
        journal = Journal.opened(engine, plan.as_of, clock, again=again)
        night = Night(plan, journal, progress)
        if journal.summary is not None:
            night.folder.remove_all()
            return NightResult(journal.summary)
        if again:
            night.folder.remove_all()
        _refuse_lost_targets(night)
        _work(night)
        summary = summarised(night)
        journal.end(summary)
        night.folder.remove_all()
        return NightResult(summary, night.seconds)


def _refuse_lost_targets(night: Night) -> None:
    """Without one of its targets, a night could neither end as it was begun nor say so."""
    begun_with = night.journal.pinned.models if night.journal.pinned else ()
    lost = [f"'{target}'" for target in begun_with if target not in night.plan.models]
    if lost:
        raise NightRefused(
            f"the night of {night.as_of:%Y-%m-%d %H:%M} UTC was begun with the target {', '.join(lost)}, which the project has "
            "no longer: put it back into foresail.toml to finish the night, or begin the night anew without it by --again"
        )


def _work(night: Night) -> None:
    for name, step in STEPS.items():
        with night.timed(name):
            step(night)


def summarised(night: Night) -> dict[str, Any]:
    """What a night did, as JSON can hold it."""
    pinned = night.pinned
    scored = sum((Counter(found) for found in night.journal.outcomes("score").values()), Counter[str]())
    return {
        "as_of": night.as_of.isoformat(),
        "data_as_of": pinned.data_as_of.isoformat() if pinned.data_as_of else None,
        "accounts": night.journal.outcomes("segment")[""]["accounts"],
        "scored": {target: scored[target] for target in pinned.models},
        "models": dict(pinned.models),
        "moves": night.journal.outcomes("segment")[""]["moves"],
        "explained": sum(night.journal.outcomes("explain").values()),
        "folded": pinned.folded,
        "refused": night.journal.outcomes(REFUSED).get("", {}),
        "failures": dict(pinned.failures),
        "decided": night.journal.outcomes("decide").get(""),
    }
