"""Picks up what a process that died has left, and ends doubts nobody can resolve.

Only the one process that may send comes here (it holds the store's lock), so every other owner is dead; its own
messages are dead when it is not sending. A claimed message goes back. One whose call may have begun is in doubt, and,
until a later version can ask the provider, ends as `unknown`, or is sent again where its campaign says so.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from sqlmodel import Session

from engine.domain import retry
from engine.domain.words import OnDoubt, Reason, State
from engine.steps.releasing import resting
from engine.store import attempts, messages, ownership
from engine.store.database import Database
from engine.store.messages import MessageRow, Move

_AT_ONCE = 500


class Shop(Protocol):
    """What recovery needs of the program."""

    @property
    def database(self) -> Database: ...  # noqa: D102


def recover(app: Shop, now: datetime) -> int:
    """Recover everything whose owner is dead; return how many messages moved. For the holder of the store's lock."""
    quiet = ownership.SENDING.acquire(blocking=False)
    try:
        return recover_now(app, now, everything=quiet)
    finally:
        if quiet:
            ownership.SENDING.release()


def recover_now(app: Shop, now: datetime, *, everything: bool) -> int:
    """Recover in short transactions; `everything` says that nothing of this process is under way either."""
    total = 0
    while True:
        with app.database.write() as session:
            moved = _recover_some(session, now, everything=everything)
        total += moved
        if not moved:
            return total


def _recover_some(session: Session, now: datetime, *, everything: bool) -> int:
    me = ownership.owner_name()
    left = messages.under_way(session, [State.CLAIMED, State.SENDING, State.IN_DOUBT], _AT_ONCE)
    dead = [row for row in left if row.state is State.IN_DOUBT or everything or row.owner != me]
    made = messages.transition(session, [_fate(row, now) for row in dead], now=now, actor="recovery")
    for move in made:
        if move.message.state is State.SENDING:
            attempts.abandon(session, move.message, Reason.OWNER_DIED.value, now)
    return len(made)


def _fate(row: MessageRow, now: datetime) -> Move:
    if row.state is State.CLAIMED and row.carried_by is not None:  # its mail was released, and may have left
        return Move(row, State.SKIPPED, Reason.SAME_ADDRESS, values={"owner": ""})
    if row.state is State.CLAIMED:
        return Move(row, resting(row), Reason.GIVEN_BACK, "its process died", {"owner": ""})
    if row.state is State.SENDING:
        return Move(row, State.IN_DOUBT, Reason.OWNER_DIED, values={"owner": ""})
    if row.on_doubt is OnDoubt.RESEND and not retry.is_hopeless(row.attempts):
        again = retry.next_try(now, row.attempts, row.message_id)
        return Move(row, State.RETRYING, row.reason, "sent again, as on_doubt says", {"send_after": again})
    return Move(row, State.UNKNOWN, Reason.NO_PROOF, row.reason.value if row.reason else "")
