"""Everything the store knows of one customer, as plain rows: the answer to "what do you know of me?" (Art. 15 GDPR).

Only rows that are this customer's own. What hangs on an address others share is theirs as well: it is told only where
it names this customer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from engine.store import consents, delivery_events
from engine.store.consents import ConsentEntry
from engine.store.lawful_tables import Reply, Wording
from engine.store.message_tables import Enrolment, Message, MessageBody, MessageEvent
from engine.store.tables import (
    Address,
    ConsentEvent,
    Customer,
    CustomerAddress,
    ImportRun,
    Purchase,
    ServiceItem,
    Visit,
)
from engine.store.upsert import chunks

_CUSTOMER: sa.Table = Customer.__table__  # type: ignore[attr-defined]
_ADDRESS: sa.Table = Address.__table__  # type: ignore[attr-defined]
_KNOWN: sa.Table = CustomerAddress.__table__  # type: ignore[attr-defined]
_PURCHASE: sa.Table = Purchase.__table__  # type: ignore[attr-defined]
_ITEM: sa.Table = ServiceItem.__table__  # type: ignore[attr-defined]
_VISIT: sa.Table = Visit.__table__  # type: ignore[attr-defined]
_EVENT: sa.Table = ConsentEvent.__table__  # type: ignore[attr-defined]
_RUN: sa.Table = ImportRun.__table__  # type: ignore[attr-defined]
_MESSAGE: sa.Table = Message.__table__  # type: ignore[attr-defined]
_ENROLMENT: sa.Table = Enrolment.__table__  # type: ignore[attr-defined]
_BODY: sa.Table = MessageBody.__table__  # type: ignore[attr-defined]
_STEP: sa.Table = MessageEvent.__table__  # type: ignore[attr-defined]
_REPLY: sa.Table = Reply.__table__  # type: ignore[attr-defined]
_WORDING: sa.Table = Wording.__table__  # type: ignore[attr-defined]

Row = dict[str, Any]


def _rows(session: Session, query: sa.Select[Any]) -> list[Row]:
    return [dict(row) for row in session.connection().execute(query).mappings()]


def _columns(table: sa.Table, but: Collection[str] = ()) -> list[sa.Column[Any]]:
    return [column for column in table.columns if column.name not in but]


def customer(session: Session, number: int) -> Row:
    """Return the customer's row, with the address that counts now."""
    query = (
        sa.select(*_columns(_CUSTOMER, ("id", "address_id")), _ADDRESS.c.email)
        .select_from(_CUSTOMER.outerjoin(_ADDRESS, _ADDRESS.c.id == _CUSTOMER.c.address_id))
        .where(_CUSTOMER.c.id == number)
    )
    return _rows(session, query)[0]


def addresses(session: Session, number: int) -> list[Row]:
    """Return every address the customer has had; `present` is the one that counts now."""
    now = sa.select(_CUSTOMER.c.address_id).where(_CUSTOMER.c.id == number).scalar_subquery()
    columns = (
        _ADDRESS.c.email,
        _ADDRESS.c.created_at,
        _ADDRESS.c.paused_until,
        (_ADDRESS.c.id == now).label("present"),
    )
    query = sa.select(*columns).join(_KNOWN, _KNOWN.c.address_id == _ADDRESS.c.id)
    rows = _rows(session, query.where(_KNOWN.c.customer_id == number).order_by(_ADDRESS.c.id))
    return [{**row, "present": bool(row["present"])} for row in rows]


def purchases(session: Session, number: int) -> list[Row]:
    """Return the customer's purchases."""
    query = sa.select(*_columns(_PURCHASE, ("id", "customer_id"))).where(_PURCHASE.c.customer_id == number)
    return _rows(session, query.order_by(_PURCHASE.c.purchased_at, _PURCHASE.c.id))


def service_items(session: Session, number: int) -> list[Row]:
    """Return the customer's things that need service."""
    query = sa.select(*_columns(_ITEM, ("id", "customer_id"))).where(_ITEM.c.customer_id == number)
    return _rows(session, query.order_by(_ITEM.c.id))


def visits(session: Session, number: int) -> list[Row]:
    """Return the services that were done at the customer's."""
    query = (
        sa.select(*_columns(_VISIT, ("id", "service_item_id")), _ITEM.c.service_item_id)
        .join(_ITEM, _ITEM.c.id == _VISIT.c.service_item_id)
        .where(_ITEM.c.customer_id == number)
    )
    return _rows(session, query.order_by(_VISIT.c.done_on, _VISIT.c.id))


def consent_events(
    session: Session, number: int | None, own: Collection[int], shared: Collection[int]
) -> list[ConsentEntry]:
    """Return what was said about mail at the customer's own addresses, and at shared ones what names the customer."""
    theirs: sa.ColumnElement[bool] = _EVENT.c.address_id.in_(own)
    if number is not None:
        elses = sa.and_(_EVENT.c.customer_id.is_not(None), _EVENT.c.customer_id != number)
        named = sa.and_(_EVENT.c.address_id.in_(shared), _EVENT.c.customer_id == number)
        theirs = sa.or_(sa.and_(theirs, sa.not_(elses)), named)
    ids = set(session.connection().execute(sa.select(_EVENT.c.id).where(theirs)).scalars())
    return [entry for entry in consents.timeline(session, {*own, *shared}) if entry.id in ids]


def wording_texts(session: Session, names: Collection[str]) -> dict[str, list[tuple[datetime, str]]]:
    """Return the registered versions of these wordings, the oldest first, as (first seen, content)."""
    found: dict[str, list[tuple[datetime, str]]] = {}
    query = sa.select(_WORDING.c.name, _WORDING.c.seen_at, _WORDING.c.content).where(_WORDING.c.name.in_(names))
    for name, seen, content in session.connection().execute(query.order_by(_WORDING.c.seen_at)):
        found.setdefault(name, []).append((seen, content))
    return found


_MAIL = (
    *(
        "message_id",
        "campaign",
        "step",
        "kind",
        "rehearsal",
        "due",
        "planned_at",
        "sent_at",
        "state",
        "reason",
        "detail",
    ),
    *("basis", "evidence", "language", "provider", "provider_id", "subject"),
)


def mails(session: Session, number: int) -> list[Row]:
    """Return every mail that was planned for the customer, with what became of it and what the provider told."""
    query = (
        sa.select(
            _MESSAGE.c.id, *(_MESSAGE.c[name] for name in _MAIL), _ENROLMENT.c.occasion, _BODY.c.recipient, _BODY.c.text
        )
        .join(_ENROLMENT, _ENROLMENT.c.id == _MESSAGE.c.enrolment_id)
        .outerjoin(_BODY, _BODY.c.message == _MESSAGE.c.id)
        .where(_MESSAGE.c.customer_id == number)
        .order_by(_MESSAGE.c.id)
    )
    rows = _rows(session, query)
    numbers = [row["id"] for row in rows]
    steps, told = _steps(session, numbers), delivery_events.told(session, numbers)
    for row in rows:
        mail = row.pop("id")
        row["events"] = [
            *steps.get(mail, ()),
            *({"at": one.at, "what": one.kind, "by": one.provider, "detail": one.detail} for one in told.get(mail, ())),
        ]
    return rows


def _steps(session: Session, numbers: Sequence[int]) -> Mapping[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for part in chunks(numbers):
        names = ("message", "at", "after", "actor", "reason", "detail")
        query = sa.select(*(_STEP.c[name] for name in names)).where(_STEP.c.message.in_(part)).order_by(_STEP.c.id)
        for message, at, after, actor, reason, detail in session.connection().execute(query):
            row = {"at": at, "what": after, "by": _role(actor), "reason": reason, "detail": detail}
            found.setdefault(message, []).append(row)
    return found


def _role(actor: str) -> str:
    """Return who did it; of a sender, named after its machine and process, no more than that it was one."""
    return "worker" if ":" in actor else actor


def replies(session: Session, emails: Collection[str], keys: Collection[str]) -> list[Row]:
    """Return the mails that were asked for on a page from these addresses."""
    names = ("kind", "state", "email", "wording", "asked_at", "ended_at", "used_at", "evidence")
    theirs = sa.or_(_REPLY.c.email.in_(emails), _REPLY.c.address_key.in_(keys))
    return _rows(session, sa.select(*(_REPLY.c[name] for name in names)).where(theirs).order_by(_REPLY.c.id))


def sources(session: Session) -> list[Row]:
    """Return the files customers' data came from, each with when it was last read whole."""
    latest = sa.func.max(_RUN.c.at).label("last_read_at")
    query = sa.select(_RUN.c.what, _RUN.c.source, _RUN.c.file, latest).where(_RUN.c.good.is_(True))
    return _rows(session, query.group_by(_RUN.c.what, _RUN.c.source, _RUN.c.file).order_by(_RUN.c.what, latest))


def present_at(session: Session, address: int) -> list[int]:
    """Return the customers whose address this is now."""
    query = sa.select(_CUSTOMER.c.id).where(_CUSTOMER.c.address_id == address).order_by(_CUSTOMER.c.id)
    return list(session.connection().execute(query).scalars())
