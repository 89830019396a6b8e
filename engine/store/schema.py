"""Brings the store's schema to this program's, and says which one it has."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from engine.errors import SchemaMismatch
from engine.store.database import Database

_FOLDER = Path(__file__).parent / "migrations"


def known() -> str:
    """Return the newest step this program knows."""
    return ScriptDirectory(str(_FOLDER)).get_current_head() or ""


def present(database: Database) -> str:
    """Return the step the store is at; empty for a store without tables."""
    with database.connection() as connection:
        return MigrationContext.configure(connection).get_current_revision() or ""


def upgrade(database: Database) -> tuple[str, str]:
    """Run every missing step and return where the store was and is. Each step is one transaction."""
    before = present(database)
    _refuse_newer(before)
    with database.connection() as connection:
        config = AlembicConfig()
        config.set_main_option("script_location", str(_FOLDER))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
    return before, present(database)


def require(database: Database) -> None:
    """Refuse a store whose schema is not this program's."""
    at = present(database)
    _refuse_newer(at)
    if at != known():
        raise SchemaMismatch(
            f"The store's schema is {at or 'empty'}, this program needs {known()}.",
            "Run `treuepost db upgrade`.",
        )


def _refuse_newer(at: str) -> None:
    steps = {step.revision for step in ScriptDirectory(str(_FOLDER)).walk_revisions()}
    if at and at not in steps:
        raise SchemaMismatch(
            f"The store's schema is {at}; this program knows it only up to {known()}.",
            "The store was used by a newer Treuepost. Install that version again.",
        )


def is_empty(database: Database) -> bool:
    """Say whether the store has no tables yet."""
    with database.connection() as connection:
        return not sa.inspect(connection).get_table_names()
