"""The step `pin`: the versions that the night rests on are fixed."""

from serving.nightly.night.journal import Pinned
from serving.nightly.night.night import Night
from serving.nightly.night.pins import champions, data_as_of, learnt_effects


def pin(night: Night) -> None:
    """Fix the versions of history and champions that the night rests on."""
    if night.journal.pinned:
        return
    plan = night.plan
    night.journal.pin(
        Pinned(
            versions=plan.history.versions(),
            models=champions(plan.tracking_uri, plan.models),
            data_as_of=data_as_of(plan.history, plan.sources, plan.as_of),
            failures=night.problems,
            folded=len(night.journal.outcomes("fold")[""]),
            effects=learnt_effects(plan.tracking_uri, plan.effects, plan.as_of),
        )
    )
