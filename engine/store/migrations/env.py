"""Alembic's entry: runs the steps on the connection `engine.store.schema` hands over, in one transaction."""

from alembic import context
from sqlmodel import SQLModel

from engine.store import lawful_tables, message_tables, rights_tables, tables

TABLES = (tables, message_tables, lawful_tables, rights_tables)  # importing them fills SQLModel.metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
    transaction_per_migration=True,
    compare_type=False,
)
with context.begin_transaction():
    context.run_migrations()
