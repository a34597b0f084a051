"""The table `standings` is called `account_segments`."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_INDEXES = {"by_stake": ["value_at_stake", "account_id"], "by_owner": ["owner"]}


def upgrade() -> None:
    """Rename the table and what is named after it; rows stay."""
    for name in _INDEXES:
        op.drop_index(f"standings_{name}", "standings")
    op.rename_table("standings", "account_segments")
    for name, columns in _INDEXES.items():
        op.create_index(f"account_segments_{name}", "account_segments", columns)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("alter table account_segments rename constraint standings_pkey to account_segments_pkey")
        comment = "where it stood; null for its first segmentation"
        op.alter_column("tier_moves", "before", existing_type=sa.Text(), comment=comment)
