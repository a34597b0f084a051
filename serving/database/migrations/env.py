"""Called by Alembic: runs migrations on the connection that `serving.database.upgrade` holds."""

from alembic import context

from serving.database.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
    transaction_per_migration=False,
)
context.run_migrations()
