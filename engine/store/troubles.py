"""What has gone wrong for so long that the owner should hear of it, and which of it was told on which day."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlmodel import Session

from engine.store.message_tables import Attempt, OwnerNotice
from engine.store.tables import ImportRun
from engine.store.upsert import insert_new

_ATTEMPT: sa.Table = Attempt.__table__  # type: ignore[attr-defined]
_RUN: sa.Table = ImportRun.__table__  # type: ignore[attr-defined]
_NOTICE: sa.Table = OwnerNotice.__table__  # type: ignore[attr-defined]
_ANSWERED = ("accepted", "refused")


def failing_since(session: Session, provider: str) -> tuple[datetime, str] | None:
    """Return since when every call to this provider has failed, with the last fault; None where the last one worked."""
    mine = _ATTEMPT.c.provider == provider
    worked = sa.select(_ATTEMPT.c.id).where(mine, _ATTEMPT.c.result.in_(_ANSWERED))
    last = session.connection().execute(worked.order_by(_ATTEMPT.c.id.desc()).limit(1)).scalar() or 0
    failed = sa.select(_ATTEMPT.c.started_at, _ATTEMPT.c.detail).where(
        mine, _ATTEMPT.c.id > last, _ATTEMPT.c.result.not_in((*_ANSWERED, ""))
    )
    first = session.connection().execute(failed.order_by(_ATTEMPT.c.id).limit(1)).first()
    newest = session.connection().execute(failed.order_by(_ATTEMPT.c.id.desc()).limit(1)).first()
    return (first.started_at, newest.detail) if first and newest else None


def not_pulled_since(session: Session, source: str) -> tuple[datetime, str] | None:
    """Return since when this source could not be pulled, with the last reason; None where the last pull was good."""
    mine = _RUN.c.source == source
    good = sa.select(sa.func.max(_RUN.c.id)).where(mine, _RUN.c.good.is_(True))
    last = session.connection().execute(good).scalar() or 0
    failed = sa.select(_RUN.c.at, _RUN.c.detail).where(mine, _RUN.c.id > last)
    first = session.connection().execute(failed.order_by(_RUN.c.id).limit(1)).first()
    newest = session.connection().execute(failed.order_by(_RUN.c.id.desc()).limit(1)).first()
    return (first.at, newest.detail) if first and newest else None


def was_told(session: Session, topic: str, day: date) -> bool:
    """Say whether the owner was told of this today."""
    query = sa.select(_NOTICE.c.topic).where(_NOTICE.c.topic == topic, _NOTICE.c.on == day)
    return session.connection().execute(query).first() is not None


def last_told(session: Session, topic: str) -> datetime | None:
    """Return when the owner was last told of this."""
    query = sa.select(sa.func.max(_NOTICE.c.at)).where(_NOTICE.c.topic == topic)
    found: datetime | None = session.connection().execute(query).scalar_one_or_none()
    return found


def note_told(session: Session, topic: str, day: date, now: datetime) -> None:
    """Note that the owner was told."""
    insert_new(session, _NOTICE, [{"topic": topic, "on": day, "at": now}], conflict=["topic", "on"])
