"""The claim: who takes which due messages. Two senders never take the same one."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain.retry import LEASE
from engine.domain.words import State
from engine.store import messages, scans, tuples
from engine.store.messages import COLUMNS, TABLE, WAITING, MessageRow
from engine.store.upsert import is_sqlite


def claim(
    session: Session, *, owner: str, now: datetime, limit: int, campaigns: Collection[str], rehearsal: bool
) -> list[MessageRow]:
    """Take up to `limit` due messages of these campaigns, the longest waiting first.

    The rows come back as they are now (`claimed`). PostgreSQL skips rows another sender has locked; SQLite lets one
    writer in at a time.
    """
    due = _due(now, limit, campaigns, rehearsal=rehearsal)
    found = tuples.Asked(due).rows(session) if is_sqlite(session) else session.connection().execute(due)
    rows = [MessageRow._make(row) for row in found]
    lease = now + LEASE
    return messages.move_all(session, rows, State.CLAIMED, now=now, actor=owner, owner=owner, lease_until=lease)


def _due(now: datetime, limit: int, campaigns: Collection[str], *, rehearsal: bool) -> sa.Select[Any]:
    """Return the question for the messages to take."""
    # The text with nothing added keeps a database from reading a campaign's whole history for its open messages.
    campaign = TABLE.c.campaign.concat("")
    return (
        sa.select(*COLUMNS)
        .where(
            WAITING,
            TABLE.c.send_after <= now,
            TABLE.c.expires_at > now,
            campaign.in_(sorted(campaigns)),
            TABLE.c.rehearsal == rehearsal,
            scans.checked(TABLE),
        )
        .order_by(TABLE.c.send_after, TABLE.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )


def count_due(session: Session, now: datetime) -> int:
    """Return how many messages wait although they are due."""
    waiting = sa.select(sa.func.count()).select_from(TABLE).where(WAITING, TABLE.c.send_after <= now)
    return session.connection().execute(waiting).scalar_one()


def is_any_due(session: Session, now: datetime) -> bool:
    """Say whether anything waits that is due, without asking for more than one."""
    first = sa.select(TABLE.c.id).where(WAITING, TABLE.c.send_after <= now).limit(1)
    return session.connection().execute(first).first() is not None
