"""Interventions with their steps, deadlines, assignments and messages; the audit log in a chain that nobody can edit."""

import sqlalchemy as sa
from alembic import op

from serving.database.audit_log import BEGINNING, hash_of
from serving.database.tables import Moment

revision = "0003"
down_revision = "0002"

_HASH = "SHA-256 of the hash before and of this act, hex: see serving/database/audit_log.py"
_FINAL = "the audit log is only ever added to"


def upgrade() -> None:
    """Make them. Nothing has written interventions before, so the old table goes."""
    op.drop_table("interventions")

    op.create_table(
        "assignments",
        sa.Column("playbook", sa.Text(), nullable=False, comment="the playbook; '' for the holdout of all of them"),
        sa.Column("account_id", sa.Text(), nullable=False, comment="the account"),
        sa.Column(
            "assigned_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="the as_of of the decision that would have acted",
        ),
        sa.Column("arm", sa.Text(), nullable=False, comment="treatment, control or holdout"),
        sa.Column("control", sa.Float(), nullable=False, comment="the share that is kept as control"),
        sa.Column("target", sa.Text(), nullable=False, comment="the target that it should change"),
        sa.Column("value_at_stake", sa.Float(), nullable=True, comment="what was at stake"),
        sa.Column("probability", sa.Float(), nullable=True, comment="the score of that target"),
        sa.Column("cost", sa.Float(), nullable=False, comment="what acting costs"),
        sa.Column("quadrant", sa.Text(), nullable=True, comment="where the account stood"),
        sa.Column("intervention_id", sa.Text(), nullable=True, comment="what was decided; null of control and holdout"),
        sa.PrimaryKeyConstraint("playbook", "account_id", "assigned_at"),
        comment="Grain: one account that a playbook would act on, and whether it does. Written before anything is sent. Only ever added to.",
    )
    op.create_index("assignments_by_account", "assignments", ["account_id"], unique=False)
    op.create_table(
        "deadlines",
        sa.Column("deadline_id", sa.Text(), nullable=False, comment="intervention_id/claim, /resolve, /step-1 ..."),
        sa.Column("intervention_id", sa.Text(), nullable=False, comment="the intervention"),
        sa.Column("account_id", sa.Text(), nullable=False, comment="the account"),
        sa.Column("kind", sa.Text(), nullable=False, comment="claim, resolve, step or expire"),
        sa.Column("step", sa.Integer(), nullable=True, comment="the step that it is for"),
        sa.Column(
            "due_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="the moment, business hours counted when it was written",
        ),
        sa.Column("escalate_to", sa.Text(), nullable=True, comment="the role that is told if it is missed"),
        sa.Column(
            "settled_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when it was met, missed or became void; null while it runs",
        ),
        sa.Column("result", sa.Text(), nullable=True, comment="met, missed or void; null while it runs"),
        sa.PrimaryKeyConstraint("deadline_id"),
        comment="Grain: one due moment of one intervention.",
    )
    op.create_index("deadlines_by_intervention", "deadlines", ["intervention_id"], unique=False)
    op.create_index("deadlines_running", "deadlines", ["settled_at", "due_at"], unique=False)
    op.create_table(
        "intervention_comments",
        sa.Column("comment_id", sa.Text(), nullable=False, comment="stable id"),
        sa.Column("intervention_id", sa.Text(), nullable=False, comment="the intervention"),
        sa.Column("account_id", sa.Text(), nullable=False, comment="the account"),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, comment="when"),
        sa.Column("actor", sa.Text(), nullable=False, comment="who"),
        sa.Column("text", sa.Text(), nullable=False, comment="what was said"),
        sa.PrimaryKeyConstraint("comment_id"),
        comment="Grain: one remark of somebody on one intervention.",
    )
    op.create_index(
        "intervention_comments_by_intervention", "intervention_comments", ["intervention_id", "at"], unique=False
    )
    op.create_table(
        "intervention_steps",
        sa.Column("intervention_id", sa.Text(), nullable=False, comment="the intervention"),
        sa.Column(
            "number", sa.Integer(), autoincrement=False, nullable=False, comment="its place among the steps, from 1"
        ),
        sa.Column("account_id", sa.Text(), nullable=False, comment="the account"),
        sa.Column("do", sa.Text(), nullable=False, comment="what is to be done"),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False, comment="until when"),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True, comment="when it was done"),
        sa.Column("done_by", sa.Text(), nullable=True, comment="who did it"),
        sa.PrimaryKeyConstraint("intervention_id", "number"),
        comment="Grain: one step of one intervention.",
    )
    op.create_table(
        "interventions",
        sa.Column(
            "intervention_id", sa.Text(), nullable=False, comment="stable id: the same decision has the same one"
        ),
        sa.Column("account_id", sa.Text(), nullable=False, comment="the account"),
        sa.Column("playbook", sa.Text(), nullable=False, comment="the playbook or SLA that prescribes it"),
        sa.Column("origin", sa.Text(), nullable=False, comment="decision, rule or sla"),
        sa.Column(
            "status",
            sa.Text(),
            nullable=False,
            comment="proposed, assigned, claimed, in_progress, done, dismissed or expired",
        ),
        sa.Column("role", sa.Text(), nullable=False, comment="the role that is to do it"),
        sa.Column("owner", sa.Text(), nullable=True, comment="who of the role is to do it; null while anybody may"),
        sa.Column("severity", sa.Text(), nullable=False, comment="low, medium, high or critical"),
        sa.Column("reason", sa.Text(), nullable=False, comment="why, in words"),
        sa.Column("say", sa.Text(), nullable=True, comment="what to tell the account, or how to go about it"),
        sa.Column(
            "decided_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="the as_of of the decision, or when the event was posted",
        ),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True, comment="until when it is to be done"),
        sa.Column("cost", sa.Float(), nullable=False, comment="what doing it costs, in the project's currency"),
        sa.Column(
            "expected", sa.Float(), nullable=True, comment="what it should bring, its cost taken off; null of an SLA"
        ),
        sa.Column(
            "effect", sa.Float(), nullable=True, comment="the share of what is at stake that it should keep or win"
        ),
        sa.Column("effect_source", sa.Text(), nullable=True, comment="assumed or learnt; null of an SLA"),
        sa.Column("value_at_stake", sa.Float(), nullable=True, comment="what was at stake when it was decided"),
        sa.Column("outcome", sa.Text(), nullable=True, comment="what came of it, as the one who did it says: a word"),
        sa.Column("outcome_note", sa.Text(), nullable=True, comment="the same in a sentence"),
        sa.Column(
            "changed_at", sa.DateTime(timezone=True), nullable=False, comment="when its status or owner last changed"
        ),
        sa.Column(
            "closed_at", sa.DateTime(timezone=True), nullable=True, comment="when it was done, dismissed or expired"
        ),
        sa.PrimaryKeyConstraint("intervention_id"),
        comment="Grain: one decided response for one account.",
    )
    op.create_index("interventions_by_account", "interventions", ["account_id", "status"], unique=False)
    op.create_index("interventions_by_moment", "interventions", ["decided_at"], unique=False)
    op.create_index("interventions_by_owner", "interventions", ["owner", "status"], unique=False)
    op.create_table(
        "not_chosen",
        sa.Column("account_id", sa.Text(), nullable=False, comment="the account"),
        sa.Column("playbook", sa.Text(), nullable=False, comment="the playbook"),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False, comment="the night that did not choose it"),
        sa.Column("expected", sa.Float(), nullable=False, comment="what it should have brought, its cost taken off"),
        sa.Column("why", sa.Text(), nullable=False, comment="in words"),
        sa.PrimaryKeyConstraint("account_id", "playbook"),
        comment="Grain: one playbook that would have paid for one account and was not chosen, of the last night.",
    )
    op.create_table(
        "outbox",
        sa.Column("message_id", sa.Text(), nullable=False, comment="stable id, the same at every attempt"),
        sa.Column("channel", sa.Text(), nullable=False, comment="the channel of [channels]"),
        sa.Column(
            "type",
            sa.Text(),
            nullable=False,
            comment="intervention.assigned, intervention.escalated, intervention.closed ...",
        ),
        sa.Column("intervention_id", sa.Text(), nullable=True, comment="what it is about"),
        sa.Column("account_id", sa.Text(), nullable=True, comment="whom it is about"),
        sa.Column("urgent", sa.Boolean(), nullable=False, comment="whether it may not wait for a digest"),
        sa.Column("payload", sa.Text(), nullable=False, comment="JSON: what is told"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="when it was written"),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False, comment="not to be tried before"),
        sa.Column("attempts", sa.Integer(), nullable=False, comment="how often it was tried"),
        sa.Column(
            "state", sa.Text(), nullable=False, comment="pending, delivered, dead or gone (nobody wants it any more)"
        ),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True, comment="when it was accepted"),
        sa.Column("problem", sa.Text(), nullable=True, comment="what went wrong at the last attempt"),
        sa.PrimaryKeyConstraint("message_id"),
        comment="Grain: one message to one channel, written in the transaction that decided it.",
    )
    op.create_index("outbox_by_intervention", "outbox", ["intervention_id"], unique=False)
    op.create_index("outbox_due", "outbox", ["channel", "state", "next_at"], unique=False)
    op.create_table(
        "channel_states",
        sa.Column("channel", sa.Text(), nullable=False, comment="the channel of [channels]"),
        sa.Column(
            "tokens",
            sa.Float(),
            nullable=True,
            comment="how many messages its pace had left at filled_at; null without a pace",
        ),
        sa.Column("filled_at", sa.DateTime(timezone=True), nullable=False, comment="the moment of tokens"),
        sa.Column(
            "quiet_until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="until when its receiver asked to be left alone",
        ),
        sa.Column(
            "gone_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when its receiver answered that it wants no more; null while it does",
        ),
        sa.PrimaryKeyConstraint("channel"),
        comment="Grain: one channel that was ever used, as all dispatchers share it.",
    )
    op.create_table(
        "warnings",
        sa.Column("account_id", sa.Text(), nullable=False, comment="the account"),
        sa.Column("rule", sa.Text(), nullable=False, comment="the rule of [rules]"),
        sa.Column("severity", sa.Text(), nullable=False, comment="low, medium, high or critical"),
        sa.Column(
            "since",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="the night from which on it has held without a break",
        ),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False, comment="the night that said so last"),
        sa.PrimaryKeyConstraint("account_id", "rule"),
        comment="Grain: one rule that holds for one account, of the last night.",
    )
    _chain()
    _lock_up(op.get_bind().dialect.name)


def _chain() -> None:
    """The acts that are there become the beginning of the chain."""
    with op.batch_alter_table("audit_log") as table:
        table.add_column(sa.Column("hash", sa.Text(), nullable=True, comment=_HASH))
    log = sa.table(
        "audit_log",
        *(sa.column(name) for name in ("position", "actor", "action", "subject", "detail", "hash")),
        sa.column("at", Moment()),
    )
    before = BEGINNING
    for row in op.get_bind().execute(sa.select(log).order_by(log.c.position)).all():
        before = hash_of(before, row.at, row.actor, row.action, row.subject, row.detail)
        op.get_bind().execute(sa.update(log).where(log.c.position == row.position).values(hash=before))
    with op.batch_alter_table("audit_log") as table:
        table.alter_column("hash", nullable=False, existing_type=sa.Text(), existing_comment=_HASH)


def _lock_up(dialect: str) -> None:
    """Nobody alters or removes an act, whatever rights he has on rows."""
    if dialect == "sqlite":
        for act in ("update", "delete"):
            op.execute(
                f"create trigger audit_log_no_{act} before {act} on audit_log begin select raise(abort, '{_FINAL}'); end"
            )
        # What `insert or replace` removes fires no trigger of removal.
        op.execute(
            "create trigger audit_log_no_replace before insert on audit_log when new.position in "  # noqa: S608  both are ours
            f"(select position from audit_log) begin select raise(abort, '{_FINAL}'); end"
        )
        return
    op.execute(
        f"create or replace function audit_log_is_final() returns trigger language plpgsql as $$ begin raise exception '{_FINAL}'; end $$"
    )
    op.execute(
        "create trigger audit_log_no_change before update or delete or truncate on audit_log "
        "for each statement execute function audit_log_is_final()"
    )
