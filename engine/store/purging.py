"""Deletes what was kept as long as it may be, some hundred rows at a time; each function is safe to repeat.

`Kept` are the people whose data must stay. Every function returns how many things went; zero says that it is done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

from engine.domain.calendar import local_day
from engine.domain.states import FINAL
from engine.domain.words import State
from engine.store.lawful_tables import RefusalCount
from engine.store.legal_holds import Kept
from engine.store.message_tables import (
    Attempt,
    DeliveryEvent,
    Enrolment,
    Message,
    MessageBody,
    MessageEvent,
    ProviderCall,
)
from engine.store.permits import shortening
from engine.store.scrubbing import bodies
from engine.store.upsert import is_sqlite

AT_ONCE = 500

_MESSAGE: sa.Table = Message.__table__  # type: ignore[attr-defined]
_BODY: sa.Table = MessageBody.__table__  # type: ignore[attr-defined]
_EVENT: sa.Table = MessageEvent.__table__  # type: ignore[attr-defined]
_ATTEMPT: sa.Table = Attempt.__table__  # type: ignore[attr-defined]
_CALL: sa.Table = ProviderCall.__table__  # type: ignore[attr-defined]
_NEWS: sa.Table = DeliveryEvent.__table__  # type: ignore[attr-defined]
_ENROLMENT: sa.Table = Enrolment.__table__  # type: ignore[attr-defined]
_COUNT: sa.Table = RefusalCount.__table__  # type: ignore[attr-defined]

_REFUSED = (State.SKIPPED, State.EXPIRED, State.CANCELLED)
_NEVER_TRIED = sa.and_(_MESSAGE.c.state.in_(_REFUSED), _MESSAGE.c.first_call_at.is_(None))
_ENDED = sa.select(sa.func.max(_EVENT.c.at)).where(_EVENT.c.message == _MESSAGE.c.id).scalar_subquery()
_LAST_CALL = sa.func.coalesce(_MESSAGE.c.sent_at, _MESSAGE.c.first_call_at, _MESSAGE.c.planned_at)


class Cut(NamedTuple):
    """What is too old: whatever lies before `before`, as it is deleted `now`."""

    before: datetime
    now: datetime


class Mail(NamedTuple):
    """One message that went, or whose text went."""

    id: int
    message_id: str


def _free(kept: Kept) -> sa.ColumnElement[bool]:
    """Return the condition that a message is nobody's whose data must stay."""
    theirs = _MESSAGE.c.customer_id.in_(kept.customers)
    at_them = sa.and_(_MESSAGE.c.address_id.is_not(None), _MESSAGE.c.address_id.in_(kept.addresses))
    return sa.not_(sa.or_(theirs, at_them))


def refusals(session: Session, cut: Cut, kept: Kept, zone: ZoneInfo) -> list[Mail]:
    """Turn who got no mail and why into counts, where it was decided that long ago (law H: 90 days).

    The row of the occasion stays, so that nobody is mailed for it later after all.
    """
    names = ("id", "message_id", "campaign", "state", "reason", "rehearsal")
    old = sa.select(*(_MESSAGE.c[name] for name in names), _ENDED.label("ended")).where(
        _NEVER_TRIED, _MESSAGE.c.planned_at < cut.before, _free(kept)
    )
    rows = session.connection().execute(old.where(cut.before > _ENDED).order_by(_MESSAGE.c.id).limit(AT_ONCE)).all()
    counts = Counter(
        (f"{local_day(row.ended, zone):%Y-%m}", row.campaign, row.state.value, row.reason.value if row.reason else "")
        for row in rows
        if not row.rehearsal
    )
    _count(session, counts)
    _delete(session, [row.id for row in rows], cut.now)
    return [Mail(row.id, row.message_id) for row in rows]


def _count(session: Session, counts: Counter[tuple[str, str, str, str]]) -> None:
    names = ("month", "campaign", "state", "reason")
    dialect = sqlite if is_sqlite(session) else postgresql
    insert: Any = dialect.insert(_COUNT)
    added = insert.on_conflict_do_update(
        index_elements=list(names), set_={"count": _COUNT.c.count + insert.excluded["count"]}
    )
    for key, count in sorted(counts.items()):
        session.connection().execute(added, dict(zip(names, key, strict=True)) | {"count": count})


def old_bodies(session: Session, before: datetime, kept: Kept) -> list[Mail]:
    """Empty the texts of mails that were frozen before this instant; their hash stays (law H: 30 days)."""
    old = (
        sa.select(_MESSAGE.c.id, _MESSAGE.c.message_id)
        .join(_BODY, _BODY.c.message == _MESSAGE.c.id)
        .where(_BODY.c.frozen_at < before, _BODY.c.recipient != "", _MESSAGE.c.state.in_(FINAL), _free(kept))
    )
    found = [Mail(*row) for row in session.connection().execute(old.order_by(_MESSAGE.c.id).limit(AT_ONCE))]
    bodies(session, [mail.id for mail in found])
    return found


def news(session: Session, before: datetime, kept: Kept) -> int:
    """Empty what providers told in words before this instant (law H: 30 days); what happened stays."""
    held = sa.select(_MESSAGE.c.id).where(sa.not_(_free(kept)))
    old = sa.and_(_NEWS.c.received_at < before, _NEWS.c.detail != "")
    if kept.customers or kept.addresses:
        old = sa.and_(old, sa.or_(_NEWS.c.message.is_(None), _NEWS.c.message.not_in(held)))
    return int(session.connection().execute(sa.update(_NEWS).where(old).values(detail="")).rowcount)


def mails(session: Session, cut: Cut, kept: Kept) -> list[Mail]:
    """Delete what was sent, or tried, that long ago, with its history (law H: the third year's end).

    The latest call stays: later ones are numbered after it, and every "no" is dated by those numbers.
    """
    latest = sa.select(_ATTEMPT.c.message).order_by(_ATTEMPT.c.id.desc()).limit(1).scalar_subquery()
    old = sa.select(_MESSAGE.c.id, _MESSAGE.c.message_id).where(
        _MESSAGE.c.state.in_(FINAL),
        sa.not_(_NEVER_TRIED),
        cut.before > _LAST_CALL,
        sa.or_(latest.is_(None), _MESSAGE.c.id != latest),
        _free(kept),
    )
    found = [Mail(*row) for row in session.connection().execute(old.order_by(_MESSAGE.c.id).limit(AT_ONCE))]
    _delete(session, [mail.id for mail in found], cut.now)
    return found


def _delete(session: Session, numbers: Sequence[int], now: datetime) -> None:
    """Delete messages with everything that hangs on them; what others share with them is marked as incomplete."""
    if not numbers:
        return
    connection = session.connection()
    mine = _ATTEMPT.c.message.in_(numbers)
    calls = set(connection.execute(sa.select(_ATTEMPT.c.call_id).where(mine)).scalars()) - {None}
    enrolled = _MESSAGE.c.id.in_(numbers)
    occasions = list(connection.execute(sa.select(_MESSAGE.c.enrolment_id).where(enrolled).distinct()).scalars())
    with shortening(session, numbers):
        connection.execute(sa.delete(_EVENT).where(_EVENT.c.message.in_(numbers)))
    for table, column in ((_NEWS, _NEWS.c.message), (_BODY, _BODY.c.message), (_ATTEMPT, _ATTEMPT.c.message)):
        connection.execute(sa.delete(table).where(column.in_(numbers)))
    connection.execute(sa.update(_MESSAGE).where(_MESSAGE.c.carried_by.in_(numbers)).values(carried_by=None))
    connection.execute(sa.delete(_MESSAGE).where(enrolled))
    connection.execute(sa.update(_ENROLMENT).where(_ENROLMENT.c.id.in_(occasions)).values(purged_at=now))
    left = sa.select(_ATTEMPT.c.id).where(_ATTEMPT.c.call_id == _CALL.c.id).exists()
    connection.execute(sa.delete(_CALL).where(_CALL.c.id.in_(calls), ~left))
    connection.execute(sa.update(_CALL).where(_CALL.c.id.in_(calls)).values(purged_at=now))
