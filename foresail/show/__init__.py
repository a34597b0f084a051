"""What people see on the terminal, and the same facts for machines: a module for each room of the work."""

from foresail.show.answers import Shown, console, progress, written
from foresail.show.decisions import plan
from foresail.show.effects import effects
from foresail.show.features import audited, catalog, concentration, rebuilt
from foresail.show.health import health
from foresail.show.history import forgotten, ingested, merged, quarantined, status, vacuumed
from foresail.show.keys import key_created, key_list, key_revoked
from foresail.show.kpis import kpis
from foresail.show.models import decided, hindsight, judged, models, track_record, trained
from foresail.show.nightly import nightly
from foresail.show.rules import rule_list, rules_tested
from foresail.show.scores import call_list, scored
from foresail.show.simulation import opened, parameters, simulated

__all__ = [
    "Shown",
    "audited",
    "call_list",
    "catalog",
    "concentration",
    "console",
    "decided",
    "effects",
    "forgotten",
    "health",
    "hindsight",
    "ingested",
    "judged",
    "key_created",
    "key_list",
    "key_revoked",
    "kpis",
    "merged",
    "models",
    "nightly",
    "opened",
    "parameters",
    "plan",
    "progress",
    "quarantined",
    "rebuilt",
    "rule_list",
    "rules_tested",
    "scored",
    "simulated",
    "status",
    "track_record",
    "trained",
    "vacuumed",
    "written",
]
