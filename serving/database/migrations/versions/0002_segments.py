"""Where accounts stand: quadrant, tier, segment, health, and every move."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "cuts",
        sa.Column("name", sa.Text(), nullable=False, comment="what is cut: value, potential, severity_critical ..."),
        sa.Column("value", sa.Float(), nullable=False, comment="where"),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False, comment="the night that drew it"),
        sa.PrimaryKeyConstraint("name"),
        comment="Grain: one threshold of the last night, so that a score on demand is ranked as the night ranks.",
    )
    op.create_table(
        "interventions",
        sa.Column("intervention_id", sa.Text(), nullable=False, comment="stable id"),
        sa.Column("account_id", sa.Text(), nullable=False, comment="the account"),
        sa.Column("playbook", sa.Text(), nullable=False, comment="the playbook that prescribes it"),
        sa.Column("status", sa.Text(), nullable=False, comment="open, claimed, done or cancelled"),
        sa.Column("owner", sa.Text(), nullable=True, comment="who is to do it"),
        sa.Column("reason", sa.Text(), nullable=False, comment="why, in words"),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False, comment="the as_of of the decision"),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True, comment="until when"),
        sa.PrimaryKeyConstraint("intervention_id"),
        comment="Grain: one decided response for one account.",
    )
    op.create_index("interventions_by_account", "interventions", ["account_id", "status"], unique=False)
    op.create_table(
        "standings",
        sa.Column("account_id", sa.Text(), nullable=False, comment="the account"),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False, comment="the moment that it speaks for"),
        sa.Column("name", sa.Text(), nullable=True, comment="what people call the account"),
        sa.Column("owner", sa.Text(), nullable=True, comment="who of us looks after it"),
        sa.Column("region", sa.Text(), nullable=True, comment="where it is"),
        sa.Column("industry", sa.Text(), nullable=True, comment="its industry"),
        sa.Column("value", sa.Float(), nullable=True, comment="predicted value over a year, in the project's currency"),
        sa.Column(
            "potential",
            sa.Float(),
            nullable=True,
            comment="how far it could grow, 0 to 1, independent of today's revenue",
        ),
        sa.Column(
            "quadrant",
            sa.Text(),
            nullable=True,
            comment="strategic_core, stable_contributor, high_potential_growth or routine",
        ),
        sa.Column("tier", sa.Text(), nullable=True, comment="strategic, growth or potential"),
        sa.Column(
            "segment", sa.Text(), nullable=True, comment="high_value, potential, at_risk, low_frequency, new or silent"
        ),
        sa.Column("health", sa.Float(), nullable=True, comment="0 to 100, of the three parts"),
        sa.Column("satisfaction", sa.Float(), nullable=True, comment="part of health, 0 to 100"),
        sa.Column("contribution", sa.Float(), nullable=True, comment="part of health, 0 to 100"),
        sa.Column("exposure", sa.Float(), nullable=True, comment="part of health, 0 to 100: 100 is no risk"),
        sa.Column("risk", sa.Float(), nullable=True, comment="the highest percentile of its risks"),
        sa.Column("band", sa.Text(), nullable=True, comment="the band of that risk"),
        sa.Column(
            "value_at_stake",
            sa.Float(),
            nullable=True,
            comment="the largest of its risks: probability × predicted value",
        ),
        sa.Column("severity", sa.Text(), nullable=True, comment="low, medium, high or critical, by value at stake"),
        sa.PrimaryKeyConstraint("account_id"),
        comment="Grain: one row per account, of the last night. What lists are filtered and sorted by.",
    )
    op.create_index("standings_by_owner", "standings", ["owner"], unique=False)
    op.create_index("standings_by_stake", "standings", ["value_at_stake", "account_id"], unique=False)
    op.create_table(
        "tier_moves",
        sa.Column("account_id", sa.Text(), nullable=False, comment="the account"),
        sa.Column("scheme", sa.Text(), nullable=False, comment="quadrant, tier or segment"),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False, comment="the night that moved it"),
        sa.Column("before", sa.Text(), nullable=True, comment="where it stood; null for its first standing"),
        sa.Column("after", sa.Text(), nullable=True, comment="where it stands; null where it stands nowhere any more"),
        sa.Column("why", sa.Text(), nullable=False, comment="in words"),
        sa.PrimaryKeyConstraint("account_id", "scheme", "as_of"),
        comment="Grain: one move of one account in one scheme. Only ever added to.",
    )
