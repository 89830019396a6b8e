"""Messages and their way. `transition` and `move_all` are the only writers of `message.state`.

Every change names the state and the fence it was decided on; a row that moved on in the meantime is left alone. Every
change leaves a `message_event` with actor and reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain.states import CLAIMABLE, may_go
from engine.domain.words import OnDoubt, Reason, State
from engine.store.lookups import Lookup
from engine.store.message_tables import Message, MessageEvent
from engine.store.upsert import append, change, chunks, is_sqlite

TABLE: sa.Table = Message.__table__  # type: ignore[attr-defined]
_EVENTS: sa.Table = MessageEvent.__table__  # type: ignore[attr-defined]


class MessageRow(NamedTuple):
    """A message as the steps carry it: plain values, read once."""

    id: int
    message_id: str
    enrolment_id: int
    customer_id: int
    address_id: int | None
    campaign: str
    step: str
    step_index: int
    kind: str
    on_doubt: OnDoubt
    rehearsal: bool
    due: date
    send_after: datetime
    expires_at: datetime
    state: State
    reason: Reason | None
    language: str
    owner: str
    fence: int
    attempts: int
    first_call_at: datetime | None
    carried_by: int | None


_PLACES = {name: place for place, name in enumerate(MessageRow._fields)}
_STATE, _REASON = _PLACES["state"], _PLACES["reason"]
WAITING: sa.ColumnElement[bool] = sa.literal_column("message.state IN ('planned', 'retrying')")
UNDER_WAY: sa.ColumnElement[bool] = sa.literal_column(
    "(message.state IN ('claimed', 'sending') OR message.state IN ('in_doubt', 'held'))"
)
"""Spelled as in the partial indexes, so that both databases read the open messages and not the history."""

_IN_HAND = sa.and_(UNDER_WAY, TABLE.c.state.in_([State.CLAIMED, State.SENDING]))
COLUMNS = tuple(TABLE.c[name] for name in MessageRow._fields)
_BY_ID = Lookup(sa.select(*COLUMNS), TABLE.c.id)
_STANDING = Lookup(sa.select(TABLE.c.id, TABLE.c.state, TABLE.c.fence), TABLE.c.id)


@dataclass(frozen=True, slots=True)
class Move:
    """One message's next step: the row it was decided on, where it goes, why, and what else is written with it."""

    message: MessageRow
    after: State
    reason: Reason | None = None
    detail: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


class ForbiddenMove(Exception):
    """The program asked for a way no message may go: a fault of ours, never of the data."""


def transition(session: Session, moves: Iterable[Move], *, now: datetime, actor: str) -> list[Move]:
    """Move messages, each only if it still stands where its row says; return the moves that were made."""
    wanted = list(moves)
    for move in wanted:
        _refuse_forbidden(move.message, move.after)
    standing = _standing(session, [move.message.id for move in wanted])
    made = [move for move in wanted if standing.get(move.message.id) == (move.message.state, move.message.fence)]
    by_columns: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for move in made:
        values = {"id": move.message.id, "state": move.after, "reason": move.reason, "detail": move.detail}
        by_columns.setdefault(tuple(move.values), []).append({**values, **move.values})
    for rows in by_columns.values():
        change(session, TABLE, rows)
    note_events(session, [_event(move, now, actor) for move in made])
    return made


def _refuse_forbidden(row: MessageRow, after: State) -> None:
    if not may_go(row.state, after):
        raise ForbiddenMove(f"message {row.message_id} may not go from {row.state} to {after}")


def _standing(session: Session, ids: Sequence[int]) -> dict[int, tuple[str, int]]:
    """Return where these messages stand, and keep them there until the transaction ends."""
    if not ids:
        return {}
    if is_sqlite(session):  # its one writer is this transaction
        return {number: (state, fence) for number, state, fence in _STANDING.rows(session, list(ids))}
    locked = sa.select(TABLE.c.id, TABLE.c.state, TABLE.c.fence).where(TABLE.c.id.in_(ids)).order_by(TABLE.c.id)
    return {row.id: (row.state, row.fence) for row in session.connection().execute(locked.with_for_update())}


def _event(move: Move, now: datetime, actor: str) -> dict[str, object]:
    row = move.message
    return {
        "message": row.id,
        "at": now,
        "before": row.state.value,
        "after": move.after.value,
        "actor": actor,
        "reason": move.reason.value if move.reason else "",
        "detail": move.detail,
        "fence": move.values.get("fence", row.fence),
    }


def note_events(session: Session, events: Sequence[Mapping[str, object]]) -> None:
    """Append rows to the messages' history."""
    append(session, _EVENTS, events)


def move_all(
    session: Session, rows: Sequence[MessageRow], after: State, *, now: datetime, actor: str, **values: Any
) -> list[MessageRow]:
    """Move many messages the same way, in two statements; return the rows that moved, as they are now."""
    reason, detail = values.pop("reason", None), str(values.pop("detail", ""))
    for row in rows:
        _refuse_forbidden(row, after)
    standing = _standing(session, [row.id for row in rows])
    made = [row for row in rows if standing.get(row.id) == (row.state, row.fence)]
    for part in chunks([row.id for row in made]):
        mine = TABLE.c.id.in_(part)
        told = {"at": now, "after": after.value, "actor": actor, "reason": reason.value if reason else ""}
        _note_alike(
            session, mine, told | {"detail": detail} | ({"fence": values["fence"]} if "fence" in values else {})
        )
        session.connection().execute(
            sa.update(TABLE).where(mine).values(state=after, reason=reason, detail=detail, **values)
        )
    return [moved(Move(row, after, reason, detail, values)) for row in made]


def _note_alike(session: Session, mine: sa.ColumnElement[bool], told: Mapping[str, object]) -> None:
    """Append the same event to the history of many messages that are still where they were."""
    said = {name: sa.literal(value, _EVENTS.c[name].type) for name, value in told.items()}
    columns = {"message": TABLE.c.id, "before": TABLE.c.state, "fence": TABLE.c.fence} | said
    rows = sa.select(*columns.values()).where(mine).order_by(TABLE.c.id)
    session.connection().execute(sa.insert(_EVENTS).from_select(list(columns), rows))


def moved(move: Move) -> MessageRow:
    """Return a message's row as it stands after a move."""
    row: list[Any] = list(move.message)
    row[_STATE], row[_REASON] = move.after, move.reason
    for name, value in move.values.items():
        if (place := _PLACES.get(name)) is not None:
            row[place] = value
    return MessageRow._make(row)


def bind(session: Session, rows: Sequence[MessageRow], lead: int, *, now: datetime, actor: str) -> list[MessageRow]:
    """Tie messages to the mail that carries them until its result is known; return those that are tied."""
    waiting = [row for row in rows if row.state in CLAIMABLE]
    move_all(session, waiting, State.CLAIMED, now=now, actor=actor, owner=actor)
    mine = sa.and_(TABLE.c.id.in_([row.id for row in rows]), TABLE.c.state == State.CLAIMED, TABLE.c.owner == actor)
    tied = sa.update(TABLE).where(mine).values(carried_by=lead).returning(*COLUMNS)
    return [MessageRow(*found) for found in session.connection().execute(tied)]


def find(session: Session, condition: sa.ColumnElement[bool], limit: int | None = None) -> list[MessageRow]:
    """Return messages in the order in which they are sent."""
    statement = sa.select(*COLUMNS).where(condition).order_by(TABLE.c.send_after, TABLE.c.id).limit(limit)
    return [MessageRow(*found) for found in session.connection().execute(statement)]


def by_ids(session: Session, ids: Iterable[int]) -> list[MessageRow]:
    """Return these messages in the order in which they are sent."""
    found = [MessageRow._make(row) for row in _BY_ID.rows(session, list(ids))]
    return sorted(found, key=lambda row: (row.send_after, row.id))


def by_message_id(session: Session, message_id: str) -> MessageRow | None:
    """Return the message with this public name."""
    found = find(session, TABLE.c.message_id == message_id, 1)
    return found[0] if found else None


def under_way(session: Session, states: Iterable[State], limit: int | None = None) -> list[MessageRow]:
    """Return the messages in these of the states `claimed`, `sending`, `in_doubt` and `held`."""
    return find(session, sa.and_(UNDER_WAY, TABLE.c.state.in_(list(states))), limit)


def owners(session: Session) -> set[str]:
    """Return the names of all who have a message in hand."""
    taken = sa.select(TABLE.c.owner).where(_IN_HAND).distinct()
    return set(session.connection().execute(taken).scalars())


def in_hand(session: Session, whose: Iterable[str], ended: datetime | None, limit: int) -> list[MessageRow]:
    """Return messages in the hand of these owners; with `ended` only those whose lease was over then."""
    theirs = sa.and_(_IN_HAND, TABLE.c.owner.in_(sorted(whose)))
    if ended is not None:
        theirs = sa.and_(theirs, sa.or_(TABLE.c.lease_until.is_(None), TABLE.c.lease_until < ended))
    return find(session, theirs, limit)


def overdue(session: Session, now: datetime, limit: int) -> list[MessageRow]:
    """Return the waiting messages whose time is over; a `claimed` one is decided by its gates instead."""
    late = TABLE.c.expires_at <= now
    waiting = find(session, sa.and_(WAITING, late), limit)
    return waiting or find(session, sa.and_(UNDER_WAY, TABLE.c.state == State.HELD, late), limit)


def listing(session: Session, states: Iterable[State], limit: int | None = None) -> list[MessageRow]:
    """Return the messages in these states, whatever their number."""
    return find(session, TABLE.c.state.in_(list(states)), limit)


def named(session: Session, prefix: str) -> list[MessageRow]:
    """Return the messages whose id begins like this (people type the first letters), at most two."""
    letters = "".join(sign for sign in prefix.lower() if sign in "0123456789abcdef-")
    return find(session, TABLE.c.message_id.like(f"{letters}%"), 2) if letters == prefix.lower() != "" else []


def hasten(session: Session, row: MessageRow, now: datetime, actor: str) -> None:
    """Let a waiting message be looked at now; its state stays, and the history says who asked."""
    mine = sa.and_(TABLE.c.id == row.id, TABLE.c.state == row.state, TABLE.c.fence == row.fence)
    session.connection().execute(sa.update(TABLE).where(mine).values(send_after=now))
    note_events(session, [_event(Move(row, row.state, None, "to be tried at once"), now, actor)])
