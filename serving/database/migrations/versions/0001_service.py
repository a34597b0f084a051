"""What the service needs: states, inbox, scores, keys, runs, audit."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "account_states",
        sa.Column("account_id", sa.Text(), nullable=False, comment="the account"),
        sa.Column("bucket", sa.Integer(), nullable=False, comment="the bucket of the history that the account is in"),
        sa.Column(
            "first_known", sa.DateTime(timezone=True), nullable=False, comment="when the account was first heard of"
        ),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False, comment="the moment of the night that wrote it"),
        sa.Column(
            "state",
            sa.LargeBinary(),
            nullable=False,
            comment="all that is known of it, compact: see features/engine/account_state.py",
        ),
        sa.PrimaryKeyConstraint("account_id"),
        comment="Grain: one row per account. What the service computes features, profile and timeline from.",
    )
    op.create_index("account_states_by_bucket", "account_states", ["bucket"], unique=False)
    op.create_table(
        "state_buckets",
        sa.Column("bucket", sa.Integer(), autoincrement=False, nullable=False, comment="the bucket of the history"),
        sa.Column(
            "files",
            sa.Text(),
            nullable=False,
            comment="SHA-256 of the names of the files that its states were made of, hex",
        ),
        sa.Column(
            "as_of", sa.DateTime(timezone=True), nullable=False, comment="the moment of the night that wrote them"
        ),
        sa.PrimaryKeyConstraint("bucket"),
        comment="Grain: one bucket of account_states, so that one whose files are the same is not written again.",
    )
    op.create_table(
        "api_keys",
        sa.Column("key_id", sa.Text(), nullable=False, comment="the public part of the key"),
        sa.Column("name", sa.Text(), nullable=False, comment="whose it is, for people"),
        sa.Column(
            "hash", sa.Text(), nullable=False, comment="SHA-256 of the secret part, hex: the key itself is never stored"
        ),
        sa.Column("scopes", sa.Text(), nullable=False, comment="score, events, admin, separated by blanks"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="when it was made"),
        sa.Column(
            "revoked_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when it was revoked; null while it is good",
        ),
        sa.PrimaryKeyConstraint("key_id"),
        comment="Grain: one key of the HTTP service.",
    )
    op.create_table(
        "audit_log",
        sa.Column("position", COUNTER, autoincrement=True, nullable=False, comment="the order of writing"),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, comment="when"),
        sa.Column("actor", sa.Text(), nullable=False, comment="who: a key's id, a command, the night"),
        sa.Column(
            "action",
            sa.Text(),
            nullable=False,
            comment="what: key_created, key_revoked, events_posted, account_forgotten ...",
        ),
        sa.Column("subject", sa.Text(), nullable=False, comment="of what or whom"),
        sa.Column("detail", sa.Text(), nullable=True, comment="JSON"),
        sa.PrimaryKeyConstraint("position"),
        comment="Grain: one act. Only ever added to.",
    )
    op.create_table(
        "event_inbox",
        sa.Column("position", COUNTER, autoincrement=True, nullable=False, comment="the order in which they came"),
        sa.Column("account_id", sa.Text(), nullable=False, comment="the account"),
        sa.Column("stream", sa.Text(), nullable=False, comment="the stream it belongs to"),
        sa.Column("event_id", sa.Text(), nullable=False, comment="what identifies it, with stream and account"),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False, comment="when it happened"),
        sa.Column(
            "known_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="when it could have been known: when it was posted, unless it says otherwise",
        ),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False, comment="when it was posted"),
        sa.Column(
            "row",
            sa.Text(),
            nullable=False,
            comment="the checked row as JSON: the stream's columns, defaults filled, times in ISO 8601",
        ),
        sa.Column("key_id", sa.Text(), nullable=True, comment="the API key that posted it; null where none was needed"),
        sa.PrimaryKeyConstraint("position"),
        sa.UniqueConstraint("account_id", "stream", "event_id", name="event_inbox_once"),
        sqlite_autoincrement=True,
        comment="Grain: one event that was posted and is not yet in the history.",
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("caller", sa.Text(), nullable=False, comment="the API key's id, or '' where none was needed"),
        sa.Column("key", sa.Text(), nullable=False, comment="the Idempotency-Key that the caller sent"),
        sa.Column("request", sa.Text(), nullable=False, comment="SHA-256 of method, path and body, hex"),
        sa.Column("status", sa.Integer(), nullable=False, comment="the status that was answered"),
        sa.Column("answer", sa.Text(), nullable=False, comment="the body that was answered"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="when"),
        sa.PrimaryKeyConstraint("caller", "key"),
        comment="Grain: one request that must not be done twice.",
    )
    op.create_index("idempotency_keys_by_age", "idempotency_keys", ["created_at"], unique=False)
    op.create_table(
        "job_runs",
        sa.Column("job", sa.Text(), nullable=False, comment="the job: nightly"),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False, comment="the moment that it speaks for"),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False, comment="when it was first started"),
        sa.Column(
            "ended_at", sa.DateTime(timezone=True), nullable=True, comment="when it was complete; null until then"
        ),
        sa.Column(
            "pinned", sa.Text(), nullable=True, comment="JSON: the versions of history and models that it rests on"
        ),
        sa.Column("summary", sa.Text(), nullable=True, comment="JSON: what it did; null until it is complete"),
        sa.PrimaryKeyConstraint("job", "as_of"),
        comment="Grain: one run of a job for a moment, however often it was killed and started again.",
    )
    op.create_table(
        "job_steps",
        sa.Column("job", sa.Text(), nullable=False, comment="the job"),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False, comment="its moment"),
        sa.Column("step", sa.Text(), nullable=False, comment="the step"),
        sa.Column(
            "part",
            sa.Text(),
            nullable=False,
            comment="the part of the step: a source, a bucket, a table; '' for a step in one piece",
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False, comment="when it was complete"),
        sa.Column("outcome", sa.Text(), nullable=True, comment="JSON: what it found"),
        sa.PrimaryKeyConstraint("job", "as_of", "step", "part"),
        comment="Grain: one finished part of a run; what is here is not done again.",
    )
    op.create_table(
        "score_history",
        sa.Column("account_id", sa.Text(), nullable=False, comment="the account"),
        sa.Column("target", sa.Text(), nullable=False, comment="the target"),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False, comment="the moment that it speaks for"),
        sa.Column(
            "answer", sa.Float(), nullable=True, comment="probability, amount or days; null where it was not scored"
        ),
        sa.Column(
            "percentile", sa.Float(), nullable=True, comment="mid-rank in the model's reference population, 0 to 1"
        ),
        sa.Column("band", sa.Text(), nullable=True, comment="low, medium or high"),
        sa.Column("model_version", sa.Text(), nullable=False, comment="the version that said so"),
        sa.PrimaryKeyConstraint("account_id", "target", "as_of"),
        comment="Grain: one row per account, target and night.",
    )
    op.create_table(
        "scores",
        sa.Column("account_id", sa.Text(), nullable=False, comment="the account"),
        sa.Column("target", sa.Text(), nullable=False, comment="the target"),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False, comment="the moment that it speaks for"),
        sa.Column("horizon_days", sa.Integer(), nullable=False, comment="how far it looks ahead"),
        sa.Column("probability", sa.Float(), nullable=True, comment="calibrated, of a target that asks for one"),
        sa.Column(
            "amount",
            sa.Float(),
            nullable=True,
            comment="expected, in the project's currency, of a target that asks for one",
        ),
        sa.Column("days", sa.Float(), nullable=True, comment="median days, of a target that asks for them"),
        sa.Column("days_low", sa.Float(), nullable=True, comment="one in ten comes sooner"),
        sa.Column("days_high", sa.Float(), nullable=True, comment="one in ten comes later"),
        sa.Column(
            "percentile", sa.Float(), nullable=True, comment="mid-rank in the model's reference population, 0 to 1"
        ),
        sa.Column("band", sa.Text(), nullable=True, comment="low, medium or high"),
        sa.Column("value_at_stake", sa.Float(), nullable=True, comment="of a risk: probability × predicted value"),
        sa.Column(
            "severity", sa.Text(), nullable=True, comment="of a risk: low, medium, high or critical, by value at stake"
        ),
        sa.Column(
            "previous_as_of", sa.DateTime(timezone=True), nullable=True, comment="the moment of the score before"
        ),
        sa.Column(
            "previous", sa.Float(), nullable=True, comment="the answer of the score before: probability, amount or days"
        ),
        sa.Column("model", sa.Text(), nullable=False, comment="name of the registered model"),
        sa.Column("model_version", sa.Text(), nullable=False, comment="its version"),
        sa.Column("grade", sa.Text(), nullable=True, comment="how far the model can be relied on: A, B, C or none"),
        sa.Column(
            "reasons", sa.Text(), nullable=True, comment="JSON list, the largest first; null where none were computed"
        ),
        sa.Column("why_not", sa.Text(), nullable=True, comment="why there is no score"),
        sa.Column(
            "data_as_of",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="up to when every source was read; null where one never was",
        ),
        sa.PrimaryKeyConstraint("account_id", "target"),
        comment="Grain: one row per account and target, of the last night.",
    )
    op.create_index("scores_by_stake", "scores", ["target", "value_at_stake"], unique=False)
