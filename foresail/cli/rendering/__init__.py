"""What people see on the terminal, and the same facts for machines: a module for each room of the work."""

from foresail.cli.rendering.answers import Shown, console, progress, written
from foresail.cli.rendering.audit import acts, audit_verified
from foresail.cli.rendering.decisions import plan
from foresail.cli.rendering.dispatch import dispatched, outbox, replayed
from foresail.cli.rendering.effects import effects
from foresail.cli.rendering.features import audited, catalog, concentration, rebuilt
from foresail.cli.rendering.health import health
from foresail.cli.rendering.history import forgotten, ingested, merged, quarantined, status, vacuumed
from foresail.cli.rendering.interventions import interventions
from foresail.cli.rendering.keys import key_created, key_list, key_revoked
from foresail.cli.rendering.kpis import kpis
from foresail.cli.rendering.models import decided, hindsight, judged, models, track_record, trained
from foresail.cli.rendering.nightly import nightly
from foresail.cli.rendering.rules import rule_list, rules_tested
from foresail.cli.rendering.scores import call_list, scored
from foresail.cli.rendering.simulation import opened, parameters, simulated

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
