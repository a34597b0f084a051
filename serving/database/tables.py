"""Every table of the operational database, each column with what it means. Migrations make what is declared here.

Times are UTC; JSON is text, so that both databases hold the same bytes.
"""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator


class Moment(TypeDecorator[datetime]):
    """An aware moment, kept in UTC to the microsecond: SQLite has no timezones, and would give back naive ones."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """In UTC; ValueError for a naive moment, which could mean anything."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no timezone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """Aware, in UTC."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


METADATA = sa.MetaData()
# SQLite counts by itself only in an INTEGER PRIMARY KEY.
COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _column(name: str, kind: Any, meaning: str, **how: Any) -> sa.Column[Any]:
    """A column that must be filled unless `nullable` says otherwise."""
    return sa.Column(name, kind, nullable=how.pop("nullable", False), comment=meaning, **how)


def _account(**how: Any) -> sa.Column[Any]:
    return _column("account_id", sa.Text, "the account", **how)


account_states = sa.Table(
    "account_states",
    METADATA,
    _account(primary_key=True),
    _column("bucket", sa.Integer, "the bucket of the history that the account is in"),
    _column("first_known", Moment, "when the account was first heard of"),
    _column("as_of", Moment, "the moment of the night that wrote it"),
    _column("state", sa.LargeBinary, "all that is known of it, compact: see features/engine/account_state.py"),
    sa.Index("account_states_by_bucket", "bucket"),
    comment="Grain: one row per account. What the service computes features, profile and timeline from.",
)

state_buckets = sa.Table(
    "state_buckets",
    METADATA,
    _column("bucket", sa.Integer, "the bucket of the history", primary_key=True, autoincrement=False),
    _column("files", sa.Text, "SHA-256 of the names of the files that its states were made of, hex"),
    _column("as_of", Moment, "the moment of the night that wrote them"),
    comment="Grain: one bucket of account_states, so that one whose files are the same is not written again.",
)

event_inbox = sa.Table(
    "event_inbox",
    METADATA,
    _column("position", COUNTER, "the order in which they came", primary_key=True, autoincrement=True),
    _account(),
    _column("stream", sa.Text, "the stream it belongs to"),
    _column("event_id", sa.Text, "what identifies it, with stream and account"),
    _column("occurred_at", Moment, "when it happened"),
    _column("known_at", Moment, "when it could have been known: when it was posted, unless it says otherwise"),
    _column("received_at", Moment, "when it was posted"),
    _column("row", sa.Text, "the checked row as JSON: the stream's columns, defaults filled, times in ISO 8601"),
    _column("key_id", sa.Text, "the API key that posted it; null where none was needed", nullable=True),
    sa.UniqueConstraint("account_id", "stream", "event_id", name="event_inbox_once"),
    # A position is never given again: a night that was killed removes what it folded, and nothing that came since.
    sqlite_autoincrement=True,
    comment="Grain: one event that was posted and is not yet in the history.",
)

scores = sa.Table(
    "scores",
    METADATA,
    _account(primary_key=True),
    _column("target", sa.Text, "the target", primary_key=True),
    _column("as_of", Moment, "the moment that it speaks for"),
    _column("horizon_days", sa.Integer, "how far it looks ahead"),
    _column("probability", sa.Float, "calibrated, of a target that asks for one", nullable=True),
    _column("amount", sa.Float, "expected, in the project's currency, of a target that asks for one", nullable=True),
    _column("days", sa.Float, "median days, of a target that asks for them", nullable=True),
    _column("days_low", sa.Float, "one in ten comes sooner", nullable=True),
    _column("days_high", sa.Float, "one in ten comes later", nullable=True),
    _column("percentile", sa.Float, "mid-rank in the model's reference population, 0 to 1", nullable=True),
    _column("band", sa.Text, "low, medium or high", nullable=True),
    _column("value_at_stake", sa.Float, "of a risk: probability × predicted value", nullable=True),
    _column("severity", sa.Text, "of a risk: low, medium, high or critical, by value at stake", nullable=True),
    _column("previous_as_of", Moment, "the moment of the score before", nullable=True),
    _column("previous", sa.Float, "the answer of the score before: probability, amount or days", nullable=True),
    _column("model", sa.Text, "name of the registered model"),
    _column("model_version", sa.Text, "its version"),
    _column("grade", sa.Text, "how far the model can be relied on: A, B, C or none", nullable=True),
    _column("reasons", sa.Text, "JSON list, the largest first; null where none were computed", nullable=True),
    _column("why_not", sa.Text, "why there is no score", nullable=True),
    _column("data_as_of", Moment, "up to when every source was read; null where one never was", nullable=True),
    sa.Index("scores_by_stake", "target", "value_at_stake"),
    comment="Grain: one row per account and target, of the last night.",
)

score_history = sa.Table(
    "score_history",
    METADATA,
    _account(primary_key=True),
    _column("target", sa.Text, "the target", primary_key=True),
    _column("as_of", Moment, "the moment that it speaks for", primary_key=True),
    _column("answer", sa.Float, "probability, amount or days; null where it was not scored", nullable=True),
    _column("percentile", sa.Float, "mid-rank in the model's reference population, 0 to 1", nullable=True),
    _column("band", sa.Text, "low, medium or high", nullable=True),
    _column("model_version", sa.Text, "the version that said so"),
    comment="Grain: one row per account, target and night.",
)

account_segments = sa.Table(
    "account_segments",
    METADATA,
    _account(primary_key=True),
    _column("as_of", Moment, "the moment that it speaks for"),
    _column("name", sa.Text, "what people call the account", nullable=True),
    _column("owner", sa.Text, "who of us looks after it", nullable=True),
    _column("region", sa.Text, "where it is", nullable=True),
    _column("industry", sa.Text, "its industry", nullable=True),
    _column("value", sa.Float, "predicted value over a year, in the project's currency", nullable=True),
    _column("potential", sa.Float, "how far it could grow, 0 to 1, independent of today's revenue", nullable=True),
    _column("quadrant", sa.Text, "strategic_core, stable_contributor, high_potential_growth or routine", nullable=True),
    _column("tier", sa.Text, "strategic, growth or potential", nullable=True),
    _column("segment", sa.Text, "high_value, potential, at_risk, low_frequency, new or silent", nullable=True),
    _column("health", sa.Float, "0 to 100, of the three parts", nullable=True),
    _column("satisfaction", sa.Float, "part of health, 0 to 100", nullable=True),
    _column("contribution", sa.Float, "part of health, 0 to 100", nullable=True),
    _column("exposure", sa.Float, "part of health, 0 to 100: 100 is no risk", nullable=True),
    _column("risk", sa.Float, "the highest percentile of its risks", nullable=True),
    _column("band", sa.Text, "the band of that risk", nullable=True),
    _column("value_at_stake", sa.Float, "the largest of its risks: probability × predicted value", nullable=True),
    _column("severity", sa.Text, "low, medium, high or critical, by value at stake", nullable=True),
    sa.Index("account_segments_by_stake", "value_at_stake", "account_id"),
    sa.Index("account_segments_by_owner", "owner"),
    comment="Grain: one row per account, of the last night. What lists are filtered and sorted by.",
)

tier_moves = sa.Table(
    "tier_moves",
    METADATA,
    _account(primary_key=True),
    _column("scheme", sa.Text, "quadrant, tier or segment", primary_key=True),
    _column("as_of", Moment, "the night that moved it", primary_key=True),
    _column("before", sa.Text, "where it stood; null for its first segmentation", nullable=True),
    _column("after", sa.Text, "where it stands; null where it stands nowhere any more", nullable=True),
    _column("why", sa.Text, "in words"),
    comment="Grain: one move of one account in one scheme. Only ever added to.",
)

cuts = sa.Table(
    "cuts",
    METADATA,
    _column("name", sa.Text, "what is cut: value, potential, severity_critical ...", primary_key=True),
    _column("value", sa.Float, "where"),
    _column("as_of", Moment, "the night that drew it"),
    comment="Grain: one threshold of the last night, so that a score on demand is ranked as the night ranks.",
)

interventions = sa.Table(
    "interventions",
    METADATA,
    _column("intervention_id", sa.Text, "stable id: the same decision has the same one", primary_key=True),
    _account(),
    _column("playbook", sa.Text, "the playbook or SLA that prescribes it"),
    _column("origin", sa.Text, "decision, rule or sla"),
    _column("status", sa.Text, "proposed, assigned, claimed, in_progress, done, dismissed or expired"),
    _column("role", sa.Text, "the role that is to do it"),
    _column("owner", sa.Text, "who of the role is to do it; null while anybody may", nullable=True),
    _column("severity", sa.Text, "low, medium, high or critical"),
    _column("reason", sa.Text, "why, in words"),
    _column("say", sa.Text, "what to tell the account, or how to go about it", nullable=True),
    _column("decided_at", Moment, "the as_of of the decision, or when the event was posted"),
    _column("due_at", Moment, "until when it is to be done", nullable=True),
    _column("cost", sa.Float, "what doing it costs, in the project's currency"),
    _column("expected", sa.Float, "what it should bring, its cost taken off; null of an SLA", nullable=True),
    _column("effect", sa.Float, "the share of what is at stake that it should keep or win", nullable=True),
    _column("effect_source", sa.Text, "assumed or learnt; null of an SLA", nullable=True),
    _column("value_at_stake", sa.Float, "what was at stake when it was decided", nullable=True),
    _column("outcome", sa.Text, "what came of it, as the one who did it says: a word", nullable=True),
    _column("outcome_note", sa.Text, "the same in a sentence", nullable=True),
    _column("changed_at", Moment, "when its status or owner last changed"),
    _column("closed_at", Moment, "when it was done, dismissed or expired", nullable=True),
    sa.Index("interventions_by_account", "account_id", "status"),
    sa.Index("interventions_by_owner", "owner", "status"),
    sa.Index("interventions_by_moment", "decided_at"),
    comment="Grain: one decided response for one account.",
)

intervention_steps = sa.Table(
    "intervention_steps",
    METADATA,
    _column("intervention_id", sa.Text, "the intervention", primary_key=True),
    _column("number", sa.Integer, "its place among the steps, from 1", primary_key=True, autoincrement=False),
    _account(),
    _column("do", sa.Text, "what is to be done"),
    _column("due_at", Moment, "until when"),
    _column("done_at", Moment, "when it was done", nullable=True),
    _column("done_by", sa.Text, "who did it", nullable=True),
    comment="Grain: one step of one intervention.",
)

intervention_comments = sa.Table(
    "intervention_comments",
    METADATA,
    _column("comment_id", sa.Text, "stable id", primary_key=True),
    _column("intervention_id", sa.Text, "the intervention"),
    _account(),
    _column("at", Moment, "when"),
    _column("actor", sa.Text, "who"),
    _column("text", sa.Text, "what was said"),
    sa.Index("intervention_comments_by_intervention", "intervention_id", "at"),
    comment="Grain: one remark of somebody on one intervention.",
)

deadlines = sa.Table(
    "deadlines",
    METADATA,
    _column("deadline_id", sa.Text, "intervention_id/claim, /resolve, /step-1 ...", primary_key=True),
    _column("intervention_id", sa.Text, "the intervention"),
    _account(),
    _column("kind", sa.Text, "claim, resolve, step or expire"),
    _column("step", sa.Integer, "the step that it is for", nullable=True),
    _column("due_at", Moment, "the moment, business hours counted when it was written"),
    _column("escalate_to", sa.Text, "the role that is told if it is missed", nullable=True),
    _column("settled_at", Moment, "when it was met, missed or became void; null while it runs", nullable=True),
    _column("result", sa.Text, "met, missed or void; null while it runs", nullable=True),
    sa.Index("deadlines_running", "settled_at", "due_at"),
    sa.Index("deadlines_by_intervention", "intervention_id"),
    comment="Grain: one due moment of one intervention.",
)

assignments = sa.Table(
    "assignments",
    METADATA,
    _column("playbook", sa.Text, "the playbook; '' for the holdout of all of them", primary_key=True),
    _account(primary_key=True),
    _column("assigned_at", Moment, "the as_of of the decision that would have acted", primary_key=True),
    _column("arm", sa.Text, "treatment, control or holdout"),
    _column("control", sa.Float, "the share that is kept as control"),
    _column("target", sa.Text, "the target that it should change"),
    _column("value_at_stake", sa.Float, "what was at stake", nullable=True),
    _column("probability", sa.Float, "the score of that target", nullable=True),
    _column("cost", sa.Float, "what acting costs"),
    _column("quadrant", sa.Text, "where the account stood", nullable=True),
    _column("intervention_id", sa.Text, "what was decided; null of control and holdout", nullable=True),
    sa.Index("assignments_by_account", "account_id"),
    comment="Grain: one account that a playbook would act on, and whether it does. Written before anything is sent. Only ever added to.",
)

outbox = sa.Table(
    "outbox",
    METADATA,
    _column("message_id", sa.Text, "stable id, the same at every attempt", primary_key=True),
    _column("channel", sa.Text, "the channel of [channels]"),
    _column("type", sa.Text, "intervention.assigned, intervention.escalated, intervention.closed ..."),
    _column("intervention_id", sa.Text, "what it is about", nullable=True),
    _column("account_id", sa.Text, "whom it is about", nullable=True),
    _column("urgent", sa.Boolean, "whether it may not wait for a digest"),
    _column("payload", sa.Text, "JSON: what is told"),
    _column("created_at", Moment, "when it was written"),
    _column("next_at", Moment, "not to be tried before"),
    _column("attempts", sa.Integer, "how often it was tried"),
    _column("state", sa.Text, "pending, delivered, dead or gone (nobody wants it any more)"),
    _column("delivered_at", Moment, "when it was accepted", nullable=True),
    _column("problem", sa.Text, "what went wrong at the last attempt", nullable=True),
    sa.Index("outbox_due", "channel", "state", "next_at"),
    sa.Index("outbox_by_intervention", "intervention_id"),
    comment="Grain: one message to one channel, written in the transaction that decided it.",
)

channel_states = sa.Table(
    "channel_states",
    METADATA,
    _column("channel", sa.Text, "the channel of [channels]", primary_key=True),
    _column("tokens", sa.Float, "how many messages its pace had left at filled_at; null without a pace", nullable=True),
    _column("filled_at", Moment, "the moment of tokens"),
    _column("quiet_until", Moment, "until when its receiver asked to be left alone", nullable=True),
    _column("gone_at", Moment, "when its receiver answered that it wants no more; null while it does", nullable=True),
    comment="Grain: one channel that was ever used, as all dispatchers share it.",
)

warnings = sa.Table(
    "warnings",
    METADATA,
    _account(primary_key=True),
    _column("rule", sa.Text, "the rule of [rules]", primary_key=True),
    _column("severity", sa.Text, "low, medium, high or critical"),
    _column("since", Moment, "the night from which on it has held without a break"),
    _column("as_of", Moment, "the night that said so last"),
    comment="Grain: one rule that holds for one account, of the last night.",
)

not_chosen = sa.Table(
    "not_chosen",
    METADATA,
    _account(primary_key=True),
    _column("playbook", sa.Text, "the playbook", primary_key=True),
    _column("as_of", Moment, "the night that did not choose it"),
    _column("expected", sa.Float, "what it should have brought, its cost taken off"),
    _column("why", sa.Text, "in words"),
    comment="Grain: one playbook that would have paid for one account and was not chosen, of the last night.",
)

api_keys = sa.Table(
    "api_keys",
    METADATA,
    _column("key_id", sa.Text, "the public part of the key", primary_key=True),
    _column("name", sa.Text, "whose it is, for people"),
    _column("hash", sa.Text, "SHA-256 of the secret part, hex: the key itself is never stored"),
    _column("scopes", sa.Text, "score, events, admin, separated by blanks"),
    _column("created_at", Moment, "when it was made"),
    _column("revoked_at", Moment, "when it was revoked; null while it is good", nullable=True),
    comment="Grain: one key of the HTTP service.",
)

idempotency_keys = sa.Table(
    "idempotency_keys",
    METADATA,
    _column("caller", sa.Text, "the API key's id, or '' where none was needed", primary_key=True),
    _column("key", sa.Text, "the Idempotency-Key that the caller sent", primary_key=True),
    _column("request", sa.Text, "SHA-256 of method, path and body, hex"),
    _column("status", sa.Integer, "the status that was answered"),
    _column("answer", sa.Text, "the body that was answered"),
    _column("created_at", Moment, "when"),
    sa.Index("idempotency_keys_by_age", "created_at"),
    comment="Grain: one request that must not be done twice.",
)

job_runs = sa.Table(
    "job_runs",
    METADATA,
    _column("job", sa.Text, "the job: nightly", primary_key=True),
    _column("as_of", Moment, "the moment that it speaks for", primary_key=True),
    _column("started_at", Moment, "when it was first started"),
    _column("ended_at", Moment, "when it was complete; null until then", nullable=True),
    _column("pinned", sa.Text, "JSON: the versions of history and models that it rests on", nullable=True),
    _column("summary", sa.Text, "JSON: what it did; null until it is complete", nullable=True),
    comment="Grain: one run of a job for a moment, however often it was killed and started again.",
)

job_steps = sa.Table(
    "job_steps",
    METADATA,
    _column("job", sa.Text, "the job", primary_key=True),
    _column("as_of", Moment, "its moment", primary_key=True),
    _column("step", sa.Text, "the step", primary_key=True),
    _column(
        "part",
        sa.Text,
        "the part of the step: a source, a bucket, a table; '' for a step in one piece",
        primary_key=True,
    ),
    _column("ended_at", Moment, "when it was complete"),
    _column("outcome", sa.Text, "JSON: what it found", nullable=True),
    comment="Grain: one finished part of a run; what is here is not done again.",
)

audit_log = sa.Table(
    "audit_log",
    METADATA,
    _column("position", COUNTER, "the order of writing", primary_key=True, autoincrement=True),
    _column("at", Moment, "when"),
    _column("actor", sa.Text, "who: a key's id, a command, the night"),
    _column("action", sa.Text, "what: key_created, key_revoked, events_posted, account_forgotten ..."),
    _column("subject", sa.Text, "of what or whom"),
    _column("detail", sa.Text, "JSON", nullable=True),
    _column("hash", sa.Text, "SHA-256 of the hash before and of this act, hex: see serving/database/audit_log.py"),
    comment="Grain: one act. Only ever added to.",
)
