"""How the SQLite library and this store's file really stand, read back and not assumed."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from engine.store.database import Database

_SYNCHRONOUS = ("off", "normal", "full", "extra")


@dataclass(frozen=True, slots=True)
class Soundness:
    """What SQLite says of itself and of the store."""

    version: tuple[int, ...]
    journal: str
    synchronous: str


def of_sqlite(database: Database) -> Soundness:
    """Ask SQLite for its version and for the modes that decide whether a commit survives a power cut."""
    with database.read() as session:
        connection = session.connection()
        version = str(connection.execute(sa.text("SELECT sqlite_version()")).scalar_one())
        journal = str(connection.execute(sa.text("PRAGMA journal_mode")).scalar_one())
        synchronous = int(connection.execute(sa.text("PRAGMA synchronous")).scalar_one())
    return Soundness(tuple(int(part) for part in version.split(".")), journal, _SYNCHRONOUS[synchronous])
