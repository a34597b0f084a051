"""Effects as a night comes by them: the version that it is pinned to, then the model."""

from datetime import UTC, datetime

from features.catalog import CATALOG
from registry.loader import load_effect
from serving.interventions.decide.effects import LearntEffect
from serving.nightly.night.pins import learnt_effects

LATER = datetime(2100, 1, 1, tzinfo=UTC)


def learnt_by_night(uri, slug, playbooks, catalog=CATALOG):
    """By playbook what was learnt, of those that experiments have spoken of."""
    names = {playbook: f"{slug}-effect-{playbook}" for playbook in playbooks}
    versions = learnt_effects(uri, names, LATER)
    return {
        playbook: LearntEffect(playbook, *load_effect(uri, names[playbook], catalog, version))
        for playbook, version in versions.items()
    }
