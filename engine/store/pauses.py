"""What the owner has paused: single campaigns, or all of them."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session

from engine.store.message_tables import Pause
from engine.store.upsert import insert_new

ALL = "*"
_TABLE: sa.Table = Pause.__table__  # type: ignore[attr-defined]


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
    rows = session.connection().execute(sa.select(_TABLE.c.campaign, _TABLE.c.at))
    return {campaign: at for campaign, at in rows}  # noqa: C416  (rows are not pairs to the type checker)
