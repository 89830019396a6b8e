"""What is paused: single campaigns or all of them by the owner, and advertising by a brake nobody had to pull."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain.complaints import Brake
from engine.domain.permission import is_advertising
from engine.store.lookups import Question
from engine.store.message_tables import Pause
from engine.store.upsert import insert_new

ALL = "*"
_TABLE: sa.Table = Pause.__table__  # type: ignore[attr-defined]
_PAUSED = Question(sa.select(_TABLE.c.campaign, _TABLE.c.at))


def brake_name(brake: Brake) -> str:
    """Return the name a brake is kept under; no campaign can be called that."""
    return f"{ALL}{brake.value}"


def brakes(paused: Collection[str]) -> list[Brake]:
    """Return which brakes stop all advertising."""
    return [brake for brake in Brake if brake_name(brake) in paused]


def stops(paused: Collection[str], campaign: str, kind: str) -> bool:
    """Say whether a campaign's mails of this kind are stopped."""
    return ALL in paused or campaign in paused or (is_advertising(kind) and bool(brakes(paused)))


def pause(session: Session, campaign: str, now: datetime) -> bool:
    """Pause a campaign, or ALL; False where it was paused already."""
    return insert_new(session, _TABLE, [{"campaign": campaign, "at": now}], conflict=["campaign"]) == 1


def resume(session: Session, campaign: str) -> bool:
    """Let a campaign go on; False where it was not paused."""
    statement = sa.delete(_TABLE).where(_TABLE.c.campaign == campaign)
    return session.connection().execute(statement).rowcount == 1


def resume_all(session: Session) -> int:
    """Let everything go on; return how many pauses were lifted."""
    return session.connection().execute(sa.delete(_TABLE)).rowcount


def paused(session: Session) -> dict[str, datetime]:
    """Return what is paused, and since when."""
    return {row[0]: row[1] for row in _PAUSED.rows(session)}
