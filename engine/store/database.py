"""Two doors to the store: `write()` and `read()`. Nobody else opens a connection.

SQLite runs in WAL with synchronous=FULL: with NORMAL a power cut loses commits that were already reported, and a
lost intent is a second mail. Writers begin IMMEDIATE, so that a writer waits instead of failing half-way; readers go
through a door of their own and never wait for a writer. Only the daemon checkpoints the log while it runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from sqlite3 import SQLITE_BUSY, sqlite_version_info
from sqlite3 import Connection as SqliteConnection
from sqlite3 import Error as SqliteError
from threading import Event
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlmodel import Session

from engine.clock import stopwatch
from engine.errors import StoreBusy, StoreError, StoreFull
from engine.store.tuples import DRIVER

WAIT_SECONDS = 30
_WAL_RESET_MENDED = (3, 51, 3)


class Database:
    """The store behind one URL (`sqlite:///shop.db` or `postgresql://user@host/name`)."""

    def __init__(self, url: str, *, connections: int = 16, wait_seconds: float | None = None) -> None:
        self.url = sa.make_url(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        wait = WAIT_SECONDS if wait_seconds is None else wait_seconds
        self._engine = sa.create_engine(
            self.url,
            pool_size=connections,
            max_overflow=4,
            pool_pre_ping=not self.sqlite,
            hide_parameters=True,  # a fault's text goes to the log, where nobody is named
            connect_args={"timeout": wait, "check_same_thread": False} if self.sqlite else _kept_alive(self.url),
        )
        if self.sqlite:
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", partial(_begin_sqlite, wait))
        self._readers = self._engine.execution_options(treuepost_reads=True)

    @property
    def path(self) -> Path | None:
        """Return the SQLite file, or None on PostgreSQL."""
        return Path(self.url.database) if self.sqlite and self.url.database else None

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a transaction that may write; it commits at the end of the block, or not at all."""
        with plain_errors(), Session(self._engine, expire_on_commit=False) as session, session.begin():
            self._begin(session)  # now: a writer waits at the door, not half-way
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a view that only reads; it sees one moment and never waits for a writer."""
        with plain_errors(), Session(self._readers, expire_on_commit=False) as session:
            self._begin(session)
            yield session
            session.rollback()

    @contextmanager
    def pretend(self) -> Iterator[Session]:
        """Open a transaction that is always rolled back: what would happen, by the code that makes it happen."""
        with plain_errors(), Session(self._engine, expire_on_commit=False) as session:
            try:
                self._begin(session)
                yield session
            finally:
                session.rollback()

    def _begin(self, session: Session) -> None:
        connection = session.connection()
        if self.sqlite:
            session.info[DRIVER] = connection.connection.driver_connection

    @contextmanager
    def connection(self) -> Iterator[sa.Connection]:
        """Lend a bare connection: for migrations and locks that outlive a transaction."""
        with plain_errors(), self._engine.connect() as connection:
            yield connection

    def line(self) -> sa.Connection:
        """Open a connection of its own that commits each statement by itself: for a lock that is a proof of life.

        PostgreSQL only. It is not the pool's: whoever opens it closes it, and its locks end with it.
        """
        line = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        driver: Any = line.connection.driver_connection
        driver.prepare_threshold = None  # a pooler may not know a statement another session has prepared
        line.detach()
        return line

    def checkpoint(self) -> None:
        """Fold SQLite's log into the file; readers go on. Nothing to do on PostgreSQL.

        Only the daemon does this. Where the library has the fault that a commit which begins the log anew can mislead
        a checkpoint (sqlite.org/wal.html#walresetbug), nobody may commit meanwhile.
        """
        if self.sqlite:
            with plain_errors(), self._nobody_commits(), self._readers.connect() as connection:
                connection.connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)")

    def overwrite(self, tables: Sequence[str], *, anew: bool = False) -> bool:
        """Let nothing that was erased be read in the files any more; return False where others held the log open.

        SQLite: the log is folded in and cut to nothing (freed pages are overwritten by secure_delete); with `anew` the
        whole file is written again. Emptying the log takes the writer's place itself, so nobody commits meanwhile.
        PostgreSQL: the old versions of the rows go (VACUUM); its own log goes with the server's retention.
        """
        with plain_errors(), self._engine.connect() as connection:
            if not self.sqlite:
                whole = connection.execution_options(isolation_level="AUTOCOMMIT")
                for name in tables:
                    whole.exec_driver_sql(f'VACUUM "{name}"')
                return True
            cursor = connection.connection.cursor()
            if anew:
                cursor.execute("VACUUM")
            return bool(cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)

    @contextmanager
    def _nobody_commits(self) -> Iterator[None]:
        if sqlite_version_info >= _WAL_RESET_MENDED:
            yield
            return
        with self._engine.connect() as gate, gate.begin():
            yield

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def _kept_alive(url: sa.URL) -> dict[str, Any]:
    """Return how a dead line to PostgreSQL is noticed, in seconds; what the URL says itself stands."""
    wanted = {
        "connect_timeout": 10,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,  # milliseconds
    }
    return {name: value for name, value in wanted.items() if name not in url.query}


def _prepare_sqlite(connection: SqliteConnection, _record: Any) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "secure_delete=ON",
        "wal_autocheckpoint=0",
        "cache_size=-8000",  # KiB for each connection that needs it: a scan walks the same inner pages again and again
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(wait: float, connection: sa.Connection) -> None:
    if connection.get_execution_options().get("treuepost_reads"):
        connection.exec_driver_sql("BEGIN")
        return
    line: Any = connection.connection.driver_connection
    line.execute("PRAGMA busy_timeout=0")
    try:
        _take_writers_place(line, stopwatch() + wait)
    finally:
        line.execute(f"PRAGMA busy_timeout={int(1000 * wait)}")


def _take_writers_place(line: SqliteConnection, until: float) -> None:
    """Begin as the one writer, and ask for that place often while another has it.

    SQLite's own waiting asks ever more rarely, in the end every tenth of a second (sqlite3.c,
    sqliteDefaultBusyCallback): two senders would leave the place free for a third of the time.
    """
    while True:
        try:
            line.execute("BEGIN IMMEDIATE")
        except SqliteError as held:
            if held.sqlite_errorcode & 0xFF != SQLITE_BUSY or stopwatch() >= until:
                raise
            _NEVER.wait(_ASKS_AGAIN)
        else:
            return


_ASKS_AGAIN = 0.0005
_NEVER = Event()


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn what the driver raises into an error a person can act on, where there is one."""
    try:
        yield
    except (SQLAlchemyError, SqliteError) as error:
        plain = _plain(error)
        if plain is None:
            raise
        raise plain from error


_Fault = tuple[type[StoreError], str, str]
_UNREACHED: _Fault = (StoreError, "The store cannot be reached: %s", "Is PostgreSQL running? See [store] url.")
_ALL_IN_USE: _Fault = (
    StoreBusy,
    "The store cannot be reached: all connections of this process are in use (%s).",
    "Try again; where it comes back, something holds them: `treuepost doctor`.",
)
_NO_SPACE: _Fault = (
    StoreFull,
    "No space is left where the store lies.",
    "Free some space; nothing was written, nothing sent.",
)
_FAILING: _Fault = (
    StoreFull,
    "The disk the store lies on cannot be written: it is full or failing.",
    "Free some space or look at the disk; what was under way was not written.",
)
_NOT_WRITABLE: _Fault = (
    StoreError,
    "The store cannot be opened for writing: %s.",
    "Check the path in [store] url and its permissions.",
)
_STATES: tuple[tuple[str, _Fault], ...] = (
    (
        "40001|40P01|55P03",  # serialization failure, deadlock, a lock that was not waited for
        (
            StoreBusy,
            "The store was wanted by two programs at once, and this one had to give way (%s).",
            "Try again; nothing was written.",
        ),
    ),
    ("53100", _NO_SPACE),
    ("58030", _FAILING),
    ("25006", _NOT_WRITABLE),  # a server that only reads: a standby
    ("08...|25P03|53300|57P0[1235]", _UNREACHED),  # the line, its session or its server has ended
)
"""PostgreSQL's own code for what happened (SQLSTATE), which is the same in every language it speaks."""

_FAULTS: tuple[tuple[str, _Fault], ...] = (
    (
        "locked|busy|locking protocol",  # the last where others were in the way for long (SQLITE_PROTOCOL)
        (
            StoreBusy,
            "The store is held by another program (%s).",
            "Close what has it open (a database browser, a backup) and try again; nothing was written.",
        ),
    ),
    ("disk is full|No space left", _NO_SPACE),
    ("disk I/O error", _FAILING),  # what SQLite says too when no room is left for its shared index
    (
        "not a database|malformed|disk image",
        (
            StoreError,
            "The store's file cannot be read: %s.",
            "Restore it: stop the daemon and put the newest file from backups/ in its place (docs/commands.md, The"
            " store).",
        ),
    ),
    ("unable to open|readonly", _NOT_WRITABLE),
    ("reconnect until", _UNREACHED),
)
"""What SQLite and SQLAlchemy say, and the error a person can act on; the first that fits."""


def _plain(error: SQLAlchemyError | SqliteError) -> StoreError | None:
    """Return the error a person can act on, or None where the fault is ours and deserves its traceback."""
    said: Any = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(error, PoolTimeout):
        fault: _Fault | None = _ALL_IN_USE
    elif isinstance(error, DBAPIError) and hasattr(said, "sqlstate"):
        fault = _fault_of_server(error, said.sqlstate or "")
    else:
        fault = _first(_FAULTS, str(said))
    if fault is None:
        return None
    kind, message, hint = fault
    return kind(message.replace("%s", str(said).strip()), hint)


def _fault_of_server(error: DBAPIError, state: str) -> _Fault | None:
    unanswered = isinstance(error, OperationalError) and error.statement is None and not state
    lost = error.connection_invalidated or unanswered
    return _first(_STATES, state) or (_UNREACHED if lost else None)


def _first(faults: tuple[tuple[str, _Fault], ...], text: str) -> _Fault | None:
    return next((fault for pattern, fault in faults if re.search(pattern, text, re.DOTALL)), None)
