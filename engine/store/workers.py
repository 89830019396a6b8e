"""Who is at work: a row for every process that claims, and the lock by the row's id that dies with the process.

An id is never given twice, so a lock that is free, or a lock file that is gone, belongs to a process that is dead. The
row becomes visible only after its lock is held: nobody can take a process for dead that is just beginning.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Iterable
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.sql.dml import ReturningInsert

from engine.store.database import Database, plain_errors
from engine.store.locks import FileLock, Kind, SessionLock
from engine.store.message_tables import Worker
from engine.store.messages import TABLE as MESSAGES
from engine.store.messages import UNDER_WAY

_TABLE: sa.Table = Worker.__table__  # type: ignore[attr-defined]
_NEXT = sa.text("SELECT nextval(pg_get_serial_sequence('worker', 'id'))")
_FREE = sa.select(_TABLE.c.name).where(
    sa.func.pg_try_advisory_xact_lock_shared(sa.literal(int(Kind.WORKER), sa.Integer), _TABLE.c.id)
)
"""Shared, and let go with the transaction: two who look at once do not take each other for the worker."""


def register(database: Database, name: str, now: datetime) -> FileLock | SessionLock:
    """Write down that a process works under `name`; the lock that comes back is its proof of life."""
    return _with_file(database, database.path, name, now) if database.path else _with_session(database, name, now)


def _with_file(database: Database, store: Path, name: str, now: datetime) -> FileLock:
    lock: FileLock | None = None
    try:
        with database.write() as session:
            while lock is None or not lock.take():  # taken: a process that knows the store as it was before a restore
                session.connection().execute(sa.delete(_TABLE).where(_TABLE.c.name == name))
                number = session.connection().execute(_insert(name, now)).scalar_one()
                lock = lock_file(store, number)
    except BaseException:
        if lock is not None:
            lock.let_go()
        raise
    return lock


def _with_session(database: Database, name: str, now: datetime) -> SessionLock:
    lock = SessionLock(database, Kind.WORKER)
    try:
        with plain_errors():
            line = lock.open()
            while not lock.take(number := line.execute(_NEXT).scalar_one()):
                pass
            line.execute(_insert(name, now).values(id=number))
    except BaseException:
        lock.let_go()
        raise
    return lock


def _insert(name: str, now: datetime) -> ReturningInsert[int]:
    row = {"name": name, "host": socket.gethostname(), "pid": os.getpid(), "started_at": now, "seen_at": now}
    return sa.insert(_TABLE).values(row).returning(_TABLE.c.id)


def lock_file(store: Path, number: int) -> FileLock:
    """Return the lock file of the worker with this id."""
    return FileLock(store.with_name(f"{store.name}.sender-{number}.lock"))


def dead(database: Database, names: Collection[str]) -> frozenset[str]:
    """Return those of the names whose process is provably dead: its lock is free, or it never had a row."""
    wanted = set(names)
    if not wanted:
        return frozenset()
    known = _TABLE.c.name.in_(sorted(wanted))
    with database.read() as session:
        rows = {row.name: row.id for row in session.connection().execute(_ids().where(known))}
        if database.path is None:
            freed = set(session.connection().execute(_FREE.where(known)).scalars())
        else:
            freed = {name for name, number in rows.items() if lock_file(database.path, number).is_free()}
    return frozenset((wanted - rows.keys()) | freed)


def living(database: Database) -> list[str]:
    """Return the names of those at work now, the longest first; none in a store without tables."""
    with database.read() as session:
        if not sa.inspect(session.connection()).has_table(_TABLE.name):
            return []
        rows = [row.name for row in session.connection().execute(_ids().order_by(_TABLE.c.id))]
    gone = dead(database, rows)
    return [name for name in rows if name not in gone]


def tidy(database: Database) -> int:
    """Forget the dead no open message names any more, with their lock files; return how many."""
    with database.read() as session:
        rows = {row.name: row.id for row in session.connection().execute(_ids())}
    gone = {name: rows[name] for name in dead(database, rows)}
    forgotten = _forget(database, gone.values()) if gone else []
    for number in forgotten:
        if database.path is not None:
            lock_file(database.path, number).path.unlink(missing_ok=True)
    return len(forgotten)


def _forget(database: Database, numbers: Iterable[int]) -> list[int]:
    at_work = sa.select(MESSAGES.c.owner).where(UNDER_WAY)
    unnamed = sa.and_(_TABLE.c.id.in_(list(numbers)), _TABLE.c.name.not_in(at_work))
    with database.write() as session:
        return list(session.connection().execute(sa.delete(_TABLE).where(unnamed).returning(_TABLE.c.id)).scalars())


def note_seen(database: Database, name: str, now: datetime) -> None:
    """Note when a worker was last at work: for people who look; nothing is decided by it."""
    with database.write() as session:
        session.connection().execute(sa.update(_TABLE).where(_TABLE.c.name == name).values(seen_at=now))


def _ids() -> sa.Select[tuple[int, str]]:
    return sa.select(_TABLE.c.id, _TABLE.c.name)
