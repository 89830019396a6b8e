"""The owner's hand: a message released, cancelled, or tried again at once. Each is a transition with actor `owner`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlmodel import Session

from engine.domain.states import AT_REST
from engine.domain.words import Reason, State
from engine.errors import NothingFound, UsageError
from engine.store import messages
from engine.store.messages import MessageRow, Move

_OWNER = "owner"

Act = Callable[[Session, MessageRow, datetime], State]
"""What is done with one message; returns the state it is in afterwards."""


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
