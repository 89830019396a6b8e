"""Who sends: one process at a time per store. Every command may write beside it; nobody else may send.

SQLite: `flock` on `<store>.lock`, which the kernel lets go when the process dies, however it dies. PostgreSQL: an
advisory lock on a connection of its own, which the server lets go when that connection ends. Whoever holds it knows
that every message found `claimed` or `sending` has a dead owner.
"""

from __future__ import annotations

import fcntl
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from engine.errors import AlreadyRunning, StoreError
from engine.store.database import Database

SENDING = threading.Lock()
"""Held while this process sends: whoever gets it knows that nothing of its own is under way."""

_SENDER_LOCK = 7_283_339
_INCARNATION = uuid4().hex[:8]  # a process id comes again, in a container at once


def owner_name() -> str:
    """Return the name under which this process claims messages."""
    return f"{socket.gethostname()}:{os.getpid()}:{_INCARNATION}"


@dataclass(frozen=True, slots=True)
class Sender:
    """Who may send: the name to claim under. `holds` says whether the lock is still ours: a server can end it."""

    name: str
    holds: Callable[[], bool]


@contextmanager
def sole_sender(database: Database) -> Iterator[Sender]:
    """Be the only process that sends from this store, until the end of the block."""
    path = database.path
    with _held_file(path.with_name(path.name + ".lock")) if path else _held_row(database) as holds:
        yield Sender(owner_name(), holds)


@contextmanager
def _held_file(path: Path) -> Iterator[Callable[[], bool]]:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(
            f"The lock file {path} cannot be opened: {error.strerror}.",
            "Check the folder's permissions and the space left.",
        ) from error
    try:
        _lock_file(handle, path)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield lambda: True  # the kernel takes it from nobody who lives
    finally:
        os.close(handle)  # the file stays: deleting a lock file lets two processes lock two files of one name


def _lock_file(handle: int, path: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(handle, 32, 0).decode(errors="replace").strip() or "?"
        raise _already_running(f"pid {holder}", str(path)) from error


@contextmanager
def _held_row(database: Database) -> Iterator[Callable[[], bool]]:
    with database.connection() as connection:
        if not connection.execute(sa.select(sa.func.pg_try_advisory_lock(_SENDER_LOCK))).scalar_one():
            raise _already_running(_holder(connection), database.url.render_as_string())
        connection.commit()
        try:
            yield partial(_answers, connection)
        finally:
            with suppress(DBAPIError):  # a connection that was cut off has let go of it already
                connection.rollback()
                connection.execute(sa.select(sa.func.pg_advisory_unlock(_SENDER_LOCK)))
                connection.commit()


def _answers(connection: sa.Connection) -> bool:
    """Say whether this connection lives; the server lets its lock go with it."""
    try:
        connection.execute(sa.select(sa.literal(1)))
        connection.rollback()
    except DBAPIError:
        return False
    return True


def _holder(connection: sa.Connection) -> str:
    asked = sa.text("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = :lock AND granted")
    pid = connection.execute(asked, {"lock": _SENDER_LOCK}).scalar()
    return f"database connection {pid}"


def _already_running(holder: str, where: str) -> AlreadyRunning:
    return AlreadyRunning(
        f"Another process is sending from this store already ({holder}, {where}).",
        "One is enough. Stop that one first, or leave this one.",
    )
