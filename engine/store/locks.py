"""Locks that die with their holder: a file's `flock`, or a PostgreSQL session's advisory lock.

The kernel lets a file lock go when the process dies, however it dies; the server lets a session's locks go when its
connection ends. Both are proof: a lock somebody else can take has no living holder.
"""

from __future__ import annotations

import fcntl
import os
import threading
from contextlib import suppress
from enum import IntEnum
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from engine.errors import StoreError
from engine.store.database import Database, plain_errors


class Kind(IntEnum):
    """What an advisory lock is about: the first of its two keys. The second is a number of that kind."""

    SOLE_SENDER = 7_283_339
    WORKER = 7_283_340
    PROBE = 7_283_341


_KEPT_ALIVE = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "idle_session_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}
"""Seconds: the server lets the locks of a machine without power go in half a minute, and never those of an idle one."""

_KEEP_ALIVE = sa.text("SELECT set_config(name, :value, false) FROM pg_settings WHERE name = :name")
_TRY = sa.text("SELECT pg_try_advisory_lock(:kind, :number)")
_UNLOCK = sa.text("SELECT pg_advisory_unlock(:kind, :number)")
_MINE = sa.text(
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = pg_backend_pid()"
    " AND classid::bigint = :kind AND objid::bigint = :number AND objsubid = 2"
)
_HOLDER = sa.text(
    "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid::bigint = :kind"
    " AND objid::bigint = :number AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


class FileLock:
    """A lock file. It stays when it is let go: deleting one that is used again lets two processes lock two files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    def take(self) -> bool:
        """Take the lock and write down who has it; False where somebody else has it."""
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _not_opened(self.path, error) from error
        if not _locked(handle, fcntl.LOCK_EX):
            os.close(handle)
            return False
        self._handle = handle
        with suppress(OSError):  # the pid is for people; a full disk must not stop whoever only wants to look
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        return True

    def holds(self) -> bool:
        """Say whether the file we have locked is still the one others would look at."""
        if self._handle is None:
            return False
        try:
            seen, mine = self.path.stat(), os.fstat(self._handle)
        except OSError:
            return False
        return (seen.st_dev, seen.st_ino) == (mine.st_dev, mine.st_ino)

    def holder(self) -> str:
        """Return who says to hold it, for people."""
        try:
            text = self.path.read_text(encoding="ascii", errors="replace").strip()
        except OSError:
            text = ""
        return f"pid {text or '?'}"

    def is_free(self) -> bool:
        """Say whether nobody holds it. Only looks: two who look at once do not see each other."""
        try:
            handle = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        except OSError as error:
            raise _not_opened(self.path, error) from error
        try:
            return _locked(handle, fcntl.LOCK_SH)
        finally:
            os.close(handle)

    def let_go(self) -> None:
        """Release the lock."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _not_opened(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"The lock file {path} cannot be opened: {error.strerror}.",
        "Check the permissions of the folder and of the file, and the space left.",
    )


def _locked(handle: int, how: int) -> bool:
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class SessionLock:
    """An advisory lock on a connection of its own, which serves nothing else."""

    def __init__(self, database: Database, kind: Kind) -> None:
        self._database = database
        self._kind = kind
        self._number = 0
        self._guard = threading.Lock()
        self._line: sa.Connection | None = None

    def open(self) -> sa.Connection:
        """Return the connection, opened at the first call: it commits each statement by itself."""
        if self._line is None:
            with plain_errors():
                line = self._database.line()
                for name, value in _KEPT_ALIVE.items():
                    line.execute(_KEEP_ALIVE, {"name": name, "value": value})
            self._line = line
        return self._line

    def take(self, number: int = 0) -> bool:
        """Take the lock with this number; False where another session has it."""
        with plain_errors():
            taken = self.open().execute(_TRY, {"kind": self._kind, "number": number}).scalar_one()
        self._number = number
        return bool(taken)

    def holds(self) -> bool:
        """Say whether this session lives and has its lock; the server lets it go with the session."""
        with self._guard:
            if self._line is None:
                return False
            try:
                mine = self._line.execute(_MINE, {"kind": self._kind, "number": self._number}).scalar_one()
            except SQLAlchemyError:
                self._drop()
                return False
            return bool(mine)

    def holder(self) -> str:
        """Return who holds it, for people."""
        with plain_errors():
            pid = self.open().execute(_HOLDER, {"kind": self._kind, "number": self._number}).scalar()
        return f"database connection {pid or '?'}"

    def let_go(self) -> None:
        """Release the lock and end the session."""
        with self._guard:
            if self._line is not None:
                with suppress(SQLAlchemyError):
                    self._line.execute(_UNLOCK, {"kind": self._kind, "number": self._number})
            self._drop()

    def _drop(self) -> None:
        if self._line is not None:
            with suppress(SQLAlchemyError):
                self._line.close()
            self._line = None
