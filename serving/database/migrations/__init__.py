"""Alembic's migrations: each brings the tables one step further and is never changed once released."""
