"""Message rows for the store's tests."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain.words import OnDoubt, State
from engine.store import messages
from engine.store.message_tables import Enrolment
from engine.store.messages import MessageRow
from engine.store.tables import Customer
from tests.people import NOW, add_customer

_TABLE: sa.Table = messages.TABLE
_ENROLMENTS: sa.Table = Enrolment.__table__  # type: ignore[attr-defined]


def add_messages(session: Session, count: int, customer: Customer | None = None, **columns: Any) -> list[int]:
    """Add planned messages, one per enrolment, all due since a minute; return their ids."""
    customer = customer or add_customer(session)
    kept = {
        "customer_id": customer.id,
        "address_id": customer.address_id,
        "campaign": "birthday",
        "step": "message",
        "kind": "birthday",
        "on_doubt": OnDoubt.HOLD,
        "rehearsal": False,
        "due": NOW.date(),
        "send_after": NOW - timedelta(minutes=1),
        "expires_at": NOW + timedelta(days=3),
        "planned_at": NOW,
        "state": State.PLANNED,
    } | columns
    connection = session.connection()
    taken = connection.execute(sa.select(sa.func.count()).select_from(_ENROLMENTS)).scalar_one()
    ids = range(taken + 1, taken + 1 + count)
    enrolment = {
        "campaign": kept["campaign"],
        "customer_id": customer.id,
        "customer_uid": customer.uid,
        "rehearsal": kept["rehearsal"],
        "created_at": NOW,
    }
    connection.execute(sa.insert(_ENROLMENTS), [{"id": i, "occasion": f"{i}"} | enrolment for i in ids])
    names = {i: str(uuid5(NAMESPACE_URL, f"message-{i}")) for i in ids}
    rows = [{"id": i, "message_id": names[i], "enrolment_id": i} | kept for i in ids]
    connection.execute(sa.insert(_TABLE), rows)
    return list(ids)


def row_of(session: Session, message: int) -> MessageRow:
    """Return one message."""
    return messages.by_ids(session, [message])[0]
