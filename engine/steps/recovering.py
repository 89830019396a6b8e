"""Picks up what a process that died has left: a claimed message goes back, one whose call may have begun is in doubt.

Nothing is taken from a process that lives: its lock is the proof, which the kernel or the database lets go when it
dies, however it dies. On PostgreSQL, where a line can be cut while its process lives on, the lease must be over too.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from sqlmodel import Session

from engine.domain.words import Reason, State
from engine.steps.releasing import resting
from engine.store import attempts, calls, messages, ownership
from engine.store.database import Database
from engine.store.messages import MessageRow, Move

_AT_ONCE = 500


class Store(Protocol):
    """What recovery needs of the program."""

    @property
    def database(self) -> Database: ...  # noqa: D102


def recover(app: Store, now: datetime) -> int:
    """Recover everything whose owner is dead; return how many messages moved."""
    quiet = ownership.SENDING.acquire(blocking=False)
    try:
        return recover_now(app, now, everything=quiet)
    finally:
        if quiet:
            ownership.SENDING.release()


def recover_now(app: Store, now: datetime, *, everything: bool) -> int:
    """Recover in short transactions; `everything` says that nothing of this process is under way either."""
    total = 0
    while moved := _recover_some(app.database, now, everything=everything):
        total += moved
    return total


def _recover_some(database: Database, now: datetime, *, everything: bool) -> int:
    me = ownership.owner_name()
    with database.read() as session:
        others = messages.owners(session) - {me}
    dead = ownership.dead(database, others) if others else frozenset()
    with database.read() as session:
        orphans = messages.in_hand(session, dead, None if database.sqlite else now, _AT_ONCE) if dead else []
        orphans += messages.in_hand(session, {me}, None, _AT_ONCE) if everything else []
    if not orphans:
        return 0
    with database.write() as session:
        return _take(session, orphans, now)


def _take(session: Session, orphans: list[MessageRow], now: datetime) -> int:
    made = messages.transition(session, [_fate(row) for row in orphans], now=now, actor="recovery")
    called = [move.message for move in made if move.message.state is State.SENDING]
    along = calls.gone_along(session, called)
    attempts.abandon(session, [*called, *along], Reason.OWNER_DIED.value, now)
    return len(made)


def _fate(row: MessageRow) -> Move:
    if row.state is State.SENDING:
        return Move(row, State.IN_DOUBT, Reason.OWNER_DIED, values={"owner": ""})
    if row.carried_by is not None:  # its mail was released, and may have left
        return Move(row, State.SKIPPED, Reason.SAME_ADDRESS, values={"owner": ""})
    return Move(row, resting(row), Reason.GIVEN_BACK, "its process died", {"owner": ""})
