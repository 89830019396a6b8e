"""Who may claim: every process that sends works under a name, with a lock as proof that it lives.

`sole_sender` is for the daemon and `tick`: one of them per store. `one_of_many` is for the sender processes beside a
daemon. Each is a new name with a row and a lock of its own (`workers`); what is found `claimed` or `sending` under a
name whose lock is free has a dead owner, and anybody may recover it (`dead`). On PostgreSQL a lock ends with its
connection, which can be lost while the process lives and its call is under way: there a message is recovered only
once its lease has run out as well.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from uuid import uuid4

from engine.clock import Clock, system_clock
from engine.domain.retry import LEASE, LONGEST_CALL
from engine.errors import AlreadyRunning, StoreError
from engine.store import soundness, workers
from engine.store.database import Database
from engine.store.locks import FileLock, Kind, SessionLock

SENDING = threading.Lock()
"""Held while this process sends: whoever gets it knows that nothing of its own is under way."""

_CALLS_IN_A_LEASE = 3
_name = ""


def owner_name() -> str:
    """Return the name under which this process claims messages: that of its latest registration."""
    return _name or _new_name()


def _new_name() -> str:
    """Take a name nobody had before: a process id comes again, in a container at once."""
    global _name  # noqa: PLW0603  (a process has one name at a time)
    _name = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:12]}"
    return _name


def dead(database: Database, names: Collection[str]) -> frozenset[str]:
    """Return those of these owners whose process is provably dead: its lock is free, or it has no row at all.

    The process that asks is among the living while it is registered. PostgreSQL: look at the lease too.
    """
    return workers.dead(database, names)


def check_lease(longest_call: timedelta = LONGEST_CALL) -> None:
    """Refuse a lease that a few of the provider's slowest calls could outlive."""
    if _CALLS_IN_A_LEASE * longest_call > LEASE:
        raise StoreError(
            f"A call may take {longest_call.total_seconds():.0f} s, but a lease is {LEASE.total_seconds():.0f} s.",
            f"A lease must last at least {_CALLS_IN_A_LEASE} of the longest calls: let calls end sooner.",
        )


class Sender:
    """This process as one that may claim: its name and its proof of life."""

    def __init__(self, database: Database, clock: Clock, sole: FileLock | SessionLock | None = None) -> None:
        self._database = database
        self._clock = clock
        self._sole = sole
        self._proof: FileLock | SessionLock | None = None
        self.name = ""

    def holds(self) -> bool:
        """Say whether the proof is still ours: a server can end its session, somebody can delete its file."""
        sole = self._sole is None or self._sole.holds()
        return sole and self._proof is not None and self._proof.holds()

    def renew(self) -> None:
        """Go on under a new name once the proof is gone; only while nothing of this process is under way.

        Raises AlreadyRunning where another sole sender has come in meanwhile, StoreError where the store cannot be
        reached.
        """
        if self._sole is not None and not self._sole.holds():
            self._sole.let_go()
            _take(self._sole, self._database)
        if self._proof is not None:
            self._proof.let_go()
        self._proof = workers.register(self._database, name := _new_name(), self._clock())
        self.name = name

    def close(self) -> None:
        """Let go; the row goes too, unless a message still names it."""
        if self._proof is not None:
            self._proof.let_go()
            self._proof = None
            with suppress(StoreError):  # a store that cannot be written: the next one tidies up
                workers.tidy(self._database)


@contextmanager
def sole_sender(database: Database, clock: Clock = system_clock) -> Iterator[Sender]:
    """Be the only daemon or `tick` of this store, until the end of the block."""
    lock = _sole_lock(database)
    try:
        soundness.require_sound(database)
        _take(lock, database)
        with _registered(Sender(database, clock, lock)) as sender:
            yield sender
    finally:
        lock.let_go()


@contextmanager
def one_of_many(database: Database, clock: Clock = system_clock) -> Iterator[Sender]:
    """Be one of the processes that send from this store, until the end of the block."""
    soundness.require_sound(database)
    with _registered(Sender(database, clock)) as sender:
        yield sender


@contextmanager
def nobody_sends(database: Database) -> Iterator[None]:
    """Keep every daemon and `tick` from sending until the end of the block; refuse where anybody is sending now."""
    lock = _sole_lock(database)
    try:
        _take(lock, database)
        if living := workers.living(database):
            raise AlreadyRunning(
                f"Other processes send from this store ({', '.join(living)}, {database.url.render_as_string()}).",
                "Stop every `treuepost worker` first.",
            )
        yield
    finally:
        lock.let_go()


def _sole_lock(database: Database) -> FileLock | SessionLock:
    path = database.path
    return FileLock(path.with_name(path.name + ".lock")) if path else SessionLock(database, Kind.SOLE_SENDER)


@contextmanager
def _registered(sender: Sender) -> Iterator[Sender]:
    check_lease()
    sender.renew()
    try:
        yield sender
    finally:
        sender.close()


def _take(lock: FileLock | SessionLock, database: Database) -> None:
    if not lock.take():
        where = lock.path if isinstance(lock, FileLock) else database.url.render_as_string()
        raise AlreadyRunning(
            f"Another process is sending from this store already ({lock.holder()}, {where}).",
            "One is enough. Stop that one first, or leave this one.",
        )
