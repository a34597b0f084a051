"""What each command does, without the terminal: the command line, the demo and notebooks call the same functions.

A module for each room of the work; all of them can be had from here. Libraries that take long to import are imported
where they are needed, so that `foresail --help` answers at once.
"""

from features.progress import StepProgress
from foresail.operations.audit import acts, verify_audit
from foresail.operations.decide import decide
from foresail.operations.dispatch import dispatch, dispatch_once, outbox, reopen, replay, replay_dead
from foresail.operations.effect_report import EffectReport, PlaybookReport, effects
from foresail.operations.effects import NoExperiment, PlaybookTrial, playbook_trial
from foresail.operations.erasure import Forgotten, forget
from foresail.operations.features import TABLE_FORMATS, TrainingTable, audit, feature_table, training_table, write_table
from foresail.operations.health import draw_health, health
from foresail.operations.history import (
    SourceFailure,
    concentration,
    draw_concentration,
    has_failed,
    ingest_sources,
    merge,
    quarantined,
    status,
    vacuum,
)
from foresail.operations.interventions import interventions
from foresail.operations.keys import create_key, listed_keys, revoke_key
from foresail.operations.kpis import kpis, write_kpis
from foresail.operations.models import (
    budget,
    evaluate,
    model_name,
    models,
    promote,
    report_path,
    rollback,
    standings,
    track,
    train,
)
from foresail.operations.nightly import beginning_of_today, nightly
from foresail.operations.rules import entries, rules_left_out, try_rules
from foresail.operations.scoring import Scored, score, write_scores
from foresail.operations.serving import bring_up_to_date, check_startable, serve, serving_settings
from foresail.operations.simulation import open_truth, simulate, simulation_settings, truth_beside

__all__ = [
    "TABLE_FORMATS",
    "EffectReport",
    "Forgotten",
    "NoExperiment",
    "PlaybookReport",
    "PlaybookTrial",
    "Scored",
    "SourceFailure",
    "StepProgress",
    "TrainingTable",
    "acts",
    "audit",
    "beginning_of_today",
    "bring_up_to_date",
    "budget",
    "check_startable",
    "concentration",
    "create_key",
    "decide",
    "dispatch",
    "dispatch_once",
    "draw_concentration",
    "draw_health",
    "effects",
    "entries",
    "evaluate",
    "feature_table",
    "forget",
    "has_failed",
    "health",
    "ingest_sources",
    "interventions",
    "kpis",
    "listed_keys",
    "merge",
    "model_name",
    "models",
    "nightly",
    "open_truth",
    "outbox",
    "playbook_trial",
    "promote",
    "quarantined",
    "reopen",
    "replay",
    "replay_dead",
    "report_path",
    "revoke_key",
    "rollback",
    "rules_left_out",
    "score",
    "serve",
    "serving_settings",
    "simulate",
    "simulation_settings",
    "standings",
    "status",
    "track",
    "train",
    "training_table",
    "truth_beside",
    "try_rules",
    "vacuum",
    "verify_audit",
    "write_kpis",
    "write_scores",
    "write_table",
]
