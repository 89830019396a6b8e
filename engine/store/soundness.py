"""How the database really stands, read back and not assumed: whether a commit survives a power cut, a lock a pooler."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from engine.errors import StoreError
from engine.store.database import Database, plain_errors
from engine.store.locks import Kind, SessionLock

_SYNCHRONOUS = ("off", "normal", "full", "extra")
_DURABLE = ("fsync", "full_page_writes", "synchronous_commit")
_ROUNDS = 12
"""Statements until a pooler has shown its hand: each may go to another of its connections."""

_SETTINGS = sa.text("SELECT name, setting FROM pg_settings WHERE name IN :names")
_OUR_PID = sa.text("SELECT pg_backend_pid()")


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


def require_sound(database: Database) -> None:
    """Refuse a PostgreSQL that may lose commits it has reported, or a pooler in front of it that lends sessions out.

    Either would let a second mail go out. SQLite is set up by the program itself (`database`).
    """
    if not database.sqlite:
        _require_durable(database)
        _require_own_session(database)


def _require_durable(database: Database) -> None:
    asked = _SETTINGS.bindparams(sa.bindparam("names", _DURABLE, expanding=True))
    with database.read() as session:
        settings = session.connection().execute(asked).all()
    off = [str(name) for name, setting in settings if setting == "off"]
    if off:
        raise StoreError(
            f"PostgreSQL runs with {' and '.join(f'{name} = off' for name in sorted(off))}.",
            "After a power cut it would have forgotten mails that went out. Turn it on (ALTER SYSTEM, ALTER ROLE or"
            " postgresql.conf), then start again.",
        )


def _require_own_session(database: Database) -> None:
    """Take a lock, and see whether it stays this connection's own: poolers in transaction mode lend it to others."""
    mine, other = SessionLock(database, Kind.PROBE), SessionLock(database, Kind.PROBE)
    try:
        with plain_errors():
            number = mine.open().execute(_OUR_PID).scalar_one()
            kept = mine.take(number)
            for _ in range(_ROUNDS):
                kept = kept and mine.holds() and not other.take(number)
    finally:
        other.let_go()
        mine.let_go()
    if not kept:
        raise StoreError(
            "The database connection does not keep its session: a pooler in transaction mode stands in between.",
            "Connect to PostgreSQL itself, or set the pooler to session mode (pgbouncer: pool_mode = session).",
        )
