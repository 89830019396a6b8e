"""What a restored store holds of the time it has lost: messages that may have been sent without its knowing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain.words import Reason, State
from engine.store import holds, messages
from engine.store.messages import TABLE, UNDER_WAY, WAITING, MessageRow

_REAL: sa.ColumnElement[bool] = TABLE.c.rehearsal.is_(False)


def has_mailed(session: Session) -> bool:
    """Say whether this store has ever really written to a customer."""
    query = sa.select(TABLE.c.id).where(_REAL, TABLE.c.first_call_at.is_not(None)).limit(1)
    return session.connection().execute(query).first() is not None


class End(NamedTuple):
    """Where the lost time ends: the instant, and the shop's day it lies in.

    What was due on a lost day may have gone at any hour of it: the owner can have hastened it, an import or a changed
    campaign can have moved it.
    """

    until: datetime
    day: date

    @property
    def reaches(self) -> sa.ColumnElement[bool]:
        """Return what is true of messages that may have gone before it."""
        return sa.or_(TABLE.c.send_after <= self.until, TABLE.c.due <= self.day)


def waiting(session: Session, end: End, limit: int) -> list[MessageRow]:
    """Return messages no sender has in hand that may have gone in the lost time."""
    return messages.find(session, sa.and_(WAITING, _REAL, end.reaches), limit)


def planned_anew(session: Session, end: End, limit: int) -> list[MessageRow]:
    """Return the same without those that the owner has released since then."""
    mine = sa.or_(TABLE.c.send_after <= end.until, ~holds.spoken())
    return messages.find(session, sa.and_(WAITING, _REAL, end.reaches, mine), limit)


def claimed(session: Session, end: End, limit: int) -> list[MessageRow]:
    """Return messages that a sender had in hand when the backup was made."""
    return messages.find(session, sa.and_(UNDER_WAY, _REAL, TABLE.c.state == State.CLAIMED, end.reaches), limit)


def called(session: Session, state: State, limit: int) -> list[MessageRow]:
    """Return messages whose call was made and not settled when the backup was made."""
    return messages.find(session, sa.and_(UNDER_WAY, _REAL, TABLE.c.state == state), limit)


def rename_held(session: Session, end: End, now: datetime) -> int:
    """Say of what was held already that it may have been released and sent since; return how many there are."""
    old = sa.and_(UNDER_WAY, _REAL, TABLE.c.state == State.HELD, end.reaches)
    rows = messages.find(session, sa.and_(old, TABLE.c.reason.is_distinct_from(Reason.STORE_RESTORED)))
    session.connection().execute(sa.update(TABLE).where(old).values(reason=Reason.STORE_RESTORED))
    messages.note_events(session, _renamed(rows, now))
    return len(rows)


def _renamed(rows: Sequence[MessageRow], now: datetime) -> list[dict[str, object]]:
    held, why = State.HELD.value, Reason.STORE_RESTORED.value
    event = {"at": now, "before": held, "after": held, "actor": "owner", "reason": why, "detail": ""}
    return [event | {"message": row.id, "fence": row.fence} for row in rows]
