"""The owner's hand: a message released, cancelled, or tried again at once. Each is a transition with actor `owner`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlmodel import Session

from engine.domain.states import AT_REST
from engine.domain.words import Reason, State
from engine.errors import NothingFound, UsageError
from engine.store import holds, messages
from engine.store.database import Database
from engine.store.holds import Lot
from engine.store.messages import MessageRow, Move

_OWNER = "owner"
_AT_ONCE = 500

Act = Callable[[Session, MessageRow, datetime], State]
"""What is done with one message; returns the state it is in afterwards."""
ActOnLot = Callable[[Database, Lot, datetime], list[tuple[MessageRow, State]]]
"""What is done with everything that is held of a campaign for one reason."""


def release(session: Session, row: MessageRow, now: datetime) -> State:
    """Let a held message go on its way; the gates decide as ever."""
    if row.state is not State.HELD:
        raise _unable(row, "release", "Only a held message can be released.")
    return _moved(session, Move(row, State.PLANNED, values={"send_after": max(now, row.send_after)}), now)


def cancel(session: Session, row: MessageRow, now: datetime) -> State:
    """End a message that has not begun to go out."""
    if row.state not in AT_REST:
        raise _unable(row, "cancel", "Only a planned, retrying or held message can be cancelled.")
    return _moved(session, Move(row, State.CANCELLED, Reason.BY_OWNER), now)


def retry(session: Session, row: MessageRow, now: datetime) -> State:
    """Let a message that waits be looked at in the next pass instead of later."""
    if row.state not in {State.RETRYING, State.PLANNED} or row.due > now.date():
        hint = "Only a message that is due and waits can be tried at once. What may have left is never sent again."
        raise _unable(row, "retry", hint)
    messages.hasten(session, row, now, _OWNER)
    return row.state


def act_on(session: Session, ids: Sequence[str], act: Act, now: datetime) -> list[tuple[MessageRow, State]]:
    """Do the same with several messages, named by the first letters of their ids: all of them or none."""
    return [(row, act(session, row, now)) for row in [find(session, name) for name in ids]]


def held_lots(session: Session, campaign: str) -> list[Lot]:
    """Return what is held of a campaign, one lot per reason; nothing where no campaign of this name waits."""
    return [lot for lot in holds.lots(session) if lot.campaign == campaign]


def release_lot(database: Database, lot: Lot, now: datetime) -> list[tuple[MessageRow, State]]:
    """Let a whole lot go on its way, in short transactions; what was released once is not held again."""
    return _whole(database, lot, lambda session, rows: _released(session, rows, now))


def cancel_lot(database: Database, lot: Lot, now: datetime) -> list[tuple[MessageRow, State]]:
    """End a whole lot, in short transactions."""
    why = {"reason": Reason.BY_OWNER}
    return _whole(
        database,
        lot,
        lambda session, rows: messages.move_all(session, rows, State.CANCELLED, now=now, actor=_OWNER, **why),
    )


def _whole(
    database: Database, lot: Lot, act: Callable[[Session, list[MessageRow]], list[MessageRow]]
) -> list[tuple[MessageRow, State]]:
    done: list[tuple[MessageRow, State]] = []
    while True:
        with database.write() as session:
            rows = holds.of_campaign(session, lot.campaign, [lot.reason], _AT_ONCE)
            moved = {row.id: row.state for row in act(session, rows)}
        if not moved:
            return done
        done += [(row, moved[row.id]) for row in rows if row.id in moved]


def _released(session: Session, rows: list[MessageRow], now: datetime) -> list[MessageRow]:
    late = [row for row in rows if row.send_after < now]
    ahead = [row for row in rows if row.send_after >= now]
    moved = messages.move_all(session, late, State.PLANNED, now=now, actor=_OWNER, send_after=now)
    return moved + messages.move_all(session, ahead, State.PLANNED, now=now, actor=_OWNER)


def find(session: Session, name: str) -> MessageRow:
    """Return the one message whose id begins with `name`."""
    found = messages.named(session, name)
    if not found:
        raise NothingFound(f'No message has an id that begins with "{name}".', "`treuepost messages list` shows them.")
    if len(found) > 1:
        raise UsageError(f'Several messages have ids that begin with "{name}".', "Give more letters of the id.")
    return found[0]


def _moved(session: Session, move: Move, now: datetime) -> State:
    if not messages.transition(session, [move], now=now, actor=_OWNER):
        raise _unable(move.message, "change", "It has just moved on. Look again.")
    return move.after


def _unable(row: MessageRow, word: str, hint: str) -> UsageError:
    return UsageError(f"Cannot {word} message {row.message_id}: it is {row.state.value}.", hint)
