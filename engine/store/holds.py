"""Messages that wait for the owner's word, and the figures that decide whether they should.

The owner's word on a message is in its history (held → planned by `owner`): what was released once is not held again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain.words import Reason, State
from engine.store import messages
from engine.store.message_tables import MessageEvent
from engine.store.messages import TABLE, UNDER_WAY, WAITING, MessageRow

FOR_A_WORD = (Reason.CONFIRM_ABOVE, Reason.UNUSUALLY_MANY)
_EVENTS: sa.Table = MessageEvent.__table__  # type: ignore[attr-defined]
_COUNT = sa.func.count()
_HELD = sa.and_(UNDER_WAY, TABLE.c.state == State.HELD)


@dataclass(frozen=True, slots=True)
class Lot:
    """Messages of one campaign that are held for one reason: how many, the first of them, and the numbers why."""

    campaign: str
    reason: Reason | None
    count: int
    first: datetime
    detail: str


@dataclass(frozen=True, slots=True)
class Scope:
    """One campaign in one mode, and the instants between which its messages may go (the second excluded)."""

    campaign: str
    rehearsal: bool
    first: datetime
    last: datetime

    @property
    def condition(self) -> sa.ColumnElement[bool]:
        """Return what is true of these messages."""
        return sa.and_(
            TABLE.c.campaign == self.campaign,
            TABLE.c.rehearsal == self.rehearsal,
            TABLE.c.send_after >= self.first,
            TABLE.c.send_after < self.last,
        )


def lots(session: Session, *, rehearsal: bool | None = None) -> list[Lot]:
    """Return what is held, one line per campaign and reason."""
    columns = (TABLE.c.campaign, TABLE.c.reason)
    figures = (_COUNT, sa.func.min(TABLE.c.send_after), sa.func.max(TABLE.c.detail))
    query = sa.select(*columns, *figures).where(_HELD).group_by(*columns).order_by(TABLE.c.campaign)
    if rehearsal is not None:
        query = query.where(TABLE.c.rehearsal == rehearsal)
    return [Lot(*row) for row in session.connection().execute(query)]


def besides(session: Session, states: Iterable[State], told: Sequence[Lot], limit: int) -> list[MessageRow]:
    """Return the messages in these states, without the lots that are told already."""
    lots = [sa.and_(TABLE.c.campaign == lot.campaign, TABLE.c.reason.is_not_distinct_from(lot.reason)) for lot in told]
    mine = TABLE.c.state.in_(list(states))
    return messages.find(session, sa.and_(mine, ~sa.and_(_HELD, sa.or_(*lots))) if lots else mine, limit)


def of_campaign(session: Session, campaign: str, reasons: Sequence[Reason | None], limit: int) -> list[MessageRow]:
    """Return messages of a campaign that are held for one of these reasons."""
    named = [reason for reason in reasons if reason is not None]
    why = TABLE.c.reason.in_(named)
    return messages.find(
        session,
        sa.and_(_HELD, TABLE.c.campaign == campaign, sa.or_(why, TABLE.c.reason.is_(None)) if None in reasons else why),
        limit,
    )


def all_held(session: Session, until: datetime, *, rehearsal: bool) -> list[tuple[int, Reason | None]]:
    """Return every held message that was to go before this instant, with its reason."""
    mine = (_HELD, TABLE.c.rehearsal == rehearsal, TABLE.c.send_after < until)
    return [tuple(row) for row in session.connection().execute(sa.select(TABLE.c.id, TABLE.c.reason).where(*mine))]


def detail(session: Session, message: int) -> str:
    """Return the numbers why a message is held."""
    numbers: str = session.connection().execute(sa.select(TABLE.c.detail).where(TABLE.c.id == message)).scalar_one()
    return numbers


def is_any_new(session: Session, campaign: str, since: datetime, *, rehearsal: bool) -> bool:
    """Say whether anything of a campaign was planned since then."""
    mine = (TABLE.c.campaign == campaign, TABLE.c.planned_at >= since, TABLE.c.rehearsal == rehearsal)
    return session.connection().execute(sa.select(TABLE.c.id).where(*mine).limit(1)).first() is not None


def waiting(session: Session, campaign: str, *, rehearsal: bool) -> list[tuple[datetime, int]]:
    """Return how many messages of a campaign wait for each instant."""
    mine = (WAITING, TABLE.c.campaign == campaign, TABLE.c.rehearsal == rehearsal)
    query = sa.select(TABLE.c.send_after, _COUNT).where(*mine).group_by(TABLE.c.send_after)
    return [tuple(row) for row in session.connection().execute(query)]


def unspoken(session: Session, scope: Scope, after: int, limit: int) -> list[MessageRow]:
    """Return planned messages beyond the row `after` on which the owner has not spoken yet, in the order of rows."""
    mine = sa.and_(WAITING, TABLE.c.state == State.PLANNED, scope.condition, TABLE.c.id > after, ~spoken())
    query = sa.select(*messages.COLUMNS).where(mine).order_by(TABLE.c.id).limit(limit)
    return [MessageRow(*row) for row in session.connection().execute(query)]


def count_held(session: Session, scope: Scope) -> int:
    """Return how many messages wait for a word because they are many."""
    query = sa.select(_COUNT).select_from(TABLE).where(_HELD, scope.condition, TABLE.c.reason.in_(FOR_A_WORD))
    return session.connection().execute(query).scalar_one()


def count_gone(session: Session, scope: Scope, since: datetime) -> int:
    """Return how many messages planned since then have left, or may have, without the owner's word."""
    mine = (TABLE.c.campaign == scope.campaign, TABLE.c.planned_at >= since, TABLE.c.rehearsal == scope.rehearsal)
    left = (TABLE.c.first_call_at.is_not(None), ~spoken())
    return session.connection().execute(sa.select(_COUNT).select_from(TABLE).where(*mine, *left)).scalar_one()


def history(session: Session, scope: Scope, since: datetime, until: datetime) -> tuple[int, datetime | None]:
    """Return how many messages of a campaign planned in this time have left, and when it planned its first ever."""
    mine = (TABLE.c.campaign == scope.campaign, TABLE.c.rehearsal == scope.rehearsal)
    of_late = (TABLE.c.planned_at >= since, TABLE.c.planned_at < until, TABLE.c.first_call_at.is_not(None))
    left = sa.select(_COUNT).select_from(TABLE).where(*mine, *of_late)
    first = sa.select(TABLE.c.planned_at).where(*mine).order_by(TABLE.c.planned_at).limit(1)
    connection = session.connection()
    return connection.execute(left).scalar_one(), connection.execute(first).scalar_one_or_none()


def spoken() -> sa.ColumnElement[bool]:
    """Return what is true of messages that the owner has released once."""
    word = (_EVENTS.c.actor == "owner", _EVENTS.c.before == State.HELD.value, _EVENTS.c.after == State.PLANNED.value)
    return sa.select(_EVENTS.c.id).where(_EVENTS.c.message == TABLE.c.id, *word).correlate(TABLE).exists()
