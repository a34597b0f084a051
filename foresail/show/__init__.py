"""What people see on the terminal, and the same facts for machines: a module for each room of the work."""

from foresail.show.answers import Shown, console, progress, written
from foresail.show.audit import acts, audit_verified
from foresail.show.decisions import plan
from foresail.show.dispatch import dispatched, outbox, replayed
from foresail.show.effects import effects
from foresail.show.features import audited, catalog, concentration, rebuilt
from foresail.show.health import health
from foresail.show.history import forgotten, ingested, merged, quarantined, status, vacuumed
from foresail.show.interventions import interventions
from foresail.show.keys import key_created, key_list, key_revoked
from foresail.show.kpis import kpis
from foresail.show.models import decided, hindsight, judged, models, track_record, trained
from foresail.show.nightly import nightly
from foresail.show.rules import rule_list, rules_tested
from foresail.show.scores import call_list, scored
from foresail.show.simulation import opened, parameters, simulated

__all__ = [
    "Shown",
    "acts",
    "audit_verified",
    "audited",
    "call_list",
    "catalog",
    "concentration",
    "console",
    "decided",
    "dispatched",
    "effects",
    "forgotten",
    "health",
    "hindsight",
    "ingested",
    "interventions",
    "judged",
    "key_created",
    "key_list",
    "key_revoked",
    "kpis",
    "merged",
    "models",
    "nightly",
    "opened",
    "outbox",
    "parameters",
    "plan",
    "progress",
    "quarantined",
    "rebuilt",
    "replayed",
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
