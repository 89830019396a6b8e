"""What the store knows of a group of messages, read in a handful of statements however large the group.

Plain rows, nothing decided: the steps turn them into the gates' facts and into the words of a mail.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain.permission import ConsentState
from engine.domain.states import MAY_HAVE_LEFT, OPEN
from engine.store.message_tables import Attempt, Enrolment
from engine.store.messages import COLUMNS, TABLE, WAITING, MessageRow
from engine.store.tables import Address, ConsentEvent, Customer, CustomerAddress, Purchase, ServiceItem, Visit

_ENROLMENT: sa.Table = Enrolment.__table__  # type: ignore[attr-defined]
_ATTEMPT: sa.Table = Attempt.__table__  # type: ignore[attr-defined]
_CUSTOMER: sa.Table = Customer.__table__  # type: ignore[attr-defined]
_ADDRESS: sa.Table = Address.__table__  # type: ignore[attr-defined]
_PURCHASE: sa.Table = Purchase.__table__  # type: ignore[attr-defined]
_ITEM: sa.Table = ServiceItem.__table__  # type: ignore[attr-defined]
_VISIT: sa.Table = Visit.__table__  # type: ignore[attr-defined]
_KNOWN: sa.Table = CustomerAddress.__table__  # type: ignore[attr-defined]
_CONSENT: sa.Table = ConsentEvent.__table__  # type: ignore[attr-defined]

Row = sa.Row[Any]
_OVERTAKES = OPEN | MAY_HAVE_LEFT


class Written(NamedTuple):
    """A mail an address was written, or may have been."""

    message: int
    campaign: str
    kind: str
    at: datetime


class Person(NamedTuple):
    """The customer a message is for, with the address it would go to now, and the occasion."""

    message: int
    occasion: str
    purchase_id: int | None
    service_item_id: int | None
    enrolled_at: datetime
    address_id: int | None
    email: str | None
    first_name: str
    last_name: str
    salutation: str
    company: str
    birth_md: int | None
    language: str
    address_form: str
    timezone: str
    customer_since: date | None
    tags: str
    not_in_source: bool


@dataclass(frozen=True, slots=True)
class Known:
    """Everything about a group, by message, purchase, item or address."""

    people: dict[int, Person]
    purchases: dict[int, Row]
    items: dict[int, Row]
    visits: dict[int, Row]
    written: dict[int, list[Written]] = field(default_factory=dict)
    overtaken: frozenset[int] = frozenset()


def load(session: Session, rows: Sequence[MessageRow], now: datetime, today: date, *, rehearsal: bool) -> Known:
    """Read what gates and rendering need to know of these messages."""
    people = _people(session, [row.id for row in rows])
    items = {person.service_item_id for person in people.values() if person.service_item_id}
    purchases = {person.purchase_id for person in people.values() if person.purchase_id}
    visits = sa.select(_VISIT).where(_VISIT.c.service_item_id.in_(sorted(items))).order_by(_VISIT.c.done_on)
    return Known(
        people=people,
        purchases=_by_id(session, _PURCHASE, purchases),
        items=_by_id(session, _ITEM, items),
        visits={row.service_item_id: row for row in session.connection().execute(visits)} if items else {},
        written=_written(session, {person.address_id for person in people.values()}, rehearsal=rehearsal),
        overtaken=_overtaken(session, [row.id for row in rows], now, today),
    )


def _people(session: Session, messages: Sequence[int]) -> dict[int, Person]:
    own = {"message": TABLE.c.id, "enrolled_at": _ENROLMENT.c.created_at, "email": _ADDRESS.c.email}
    of_enrolment = {name: _ENROLMENT.c[name] for name in ("occasion", "purchase_id", "service_item_id")}
    columns = own | of_enrolment
    statement = (
        sa.select(*((columns[name] if name in columns else _CUSTOMER.c[name]).label(name) for name in Person._fields))
        .select_from(TABLE)
        .join(_ENROLMENT, _ENROLMENT.c.id == TABLE.c.enrolment_id)
        .join(_CUSTOMER, _CUSTOMER.c.id == TABLE.c.customer_id)
        .outerjoin(_ADDRESS, _ADDRESS.c.id == _CUSTOMER.c.address_id)
        .where(TABLE.c.id.in_(messages))
    )
    return {row.message: Person._make(row) for row in session.connection().execute(statement)}


def _by_id(session: Session, table: sa.Table, ids: Collection[int]) -> dict[int, Row]:
    if not ids:
        return {}
    return {row.id: row for row in session.connection().execute(sa.select(table).where(table.c.id.in_(sorted(ids))))}


def _written(session: Session, addresses: Iterable[int | None], *, rehearsal: bool) -> dict[int, list[Written]]:
    """Return what each address was written: a rehearsal counts only for rehearsals."""
    last_call = sa.select(sa.func.max(_ATTEMPT.c.started_at)).where(_ATTEMPT.c.message == TABLE.c.id).scalar_subquery()
    at = sa.func.coalesce(TABLE.c.sent_at, last_call, TABLE.c.first_call_at)
    statement = sa.select(TABLE.c.address_id, TABLE.c.id, TABLE.c.campaign, TABLE.c.kind, at).where(
        TABLE.c.address_id.in_(sorted(number for number in set(addresses) if number is not None)),
        TABLE.c.state.in_(sorted(MAY_HAVE_LEFT)),
        TABLE.c.rehearsal == rehearsal,
        at.is_not(None),
    )
    found: dict[int, list[Written]] = defaultdict(list)
    for address, *mail in session.connection().execute(statement):
        found[address].append(Written(*mail))
    return found


def _overtaken(session: Session, messages: Sequence[int], now: datetime, today: date) -> frozenset[int]:
    """Return the messages of which a later step of the same occasion is due or gone already."""
    later = TABLE.alias("later")
    statement = (
        sa.select(TABLE.c.id)
        .join(later, sa.and_(later.c.enrolment_id == TABLE.c.enrolment_id, later.c.step_index > TABLE.c.step_index))
        .where(
            TABLE.c.id.in_(messages),
            later.c.state.in_(sorted(_OVERTAKES)),
            sa.or_(later.c.send_after <= now, later.c.due < today),
        )
    )
    return frozenset(session.connection().execute(statement).scalars())


def siblings(session: Session, rows: Sequence[MessageRow], now: datetime) -> list[MessageRow]:
    """Return the other due messages of the same campaigns to the same addresses, that nobody has claimed."""
    people = _people(session, [row.id for row in rows]).values()
    mailboxes = {person.address_id for person in people if person.address_id is not None}
    if not mailboxes:
        return []
    statement = (
        sa.select(*COLUMNS)
        .join(_CUSTOMER, _CUSTOMER.c.id == TABLE.c.customer_id)
        .where(
            WAITING,
            TABLE.c.send_after <= now,
            TABLE.c.expires_at > now,
            _CUSTOMER.c.address_id.in_(sorted(mailboxes)),
            TABLE.c.campaign.in_({row.campaign for row in rows}),
            TABLE.c.rehearsal == rows[0].rehearsal,
            TABLE.c.id.not_in([row.id for row in rows]),
        )
        .order_by(TABLE.c.send_after, TABLE.c.id)
    )
    return [MessageRow(*found) for found in session.connection().execute(statement)]


@dataclass(frozen=True, slots=True)
class Happened:
    """The latest of each thing that can stop a campaign's further steps, by customer or item."""

    purchases: dict[int, datetime]
    visits: dict[int, date]
    bookings: dict[int, date]
    objections: dict[int, datetime]


def happened(session: Session, customers: Collection[int]) -> Happened:
    """Return what these customers have done lately; visits and bookings by service item."""
    wanted = sorted(customers)
    purchases = sa.select(_PURCHASE.c.customer_id, sa.func.max(_PURCHASE.c.purchased_at)).where(
        _PURCHASE.c.customer_id.in_(wanted), _PURCHASE.c.status == "concluded"
    )
    visits = (
        sa.select(_VISIT.c.service_item_id, sa.func.max(_VISIT.c.done_on))
        .join(_ITEM, _ITEM.c.id == _VISIT.c.service_item_id)
        .where(_ITEM.c.customer_id.in_(wanted))
    )
    bookings = sa.select(_ITEM.c.id, _ITEM.c.booked_for).where(
        _ITEM.c.customer_id.in_(wanted), _ITEM.c.booked_for.is_not(None)
    )
    objections = (
        sa.select(_KNOWN.c.customer_id, sa.func.max(_CONSENT.c.at))
        .join(_CONSENT, _CONSENT.c.address_id == _KNOWN.c.address_id)
        .where(_KNOWN.c.customer_id.in_(wanted), _CONSENT.c.state == ConsentState.OBJECTED)
    )
    return Happened(
        _pairs(session, purchases.group_by(_PURCHASE.c.customer_id)),
        _pairs(session, visits.group_by(_VISIT.c.service_item_id)),
        _pairs(session, bookings),
        _pairs(session, objections.group_by(_KNOWN.c.customer_id)),
    )


def _pairs(session: Session, statement: sa.Select[Any]) -> dict[int, Any]:
    return {key: value for key, value in session.connection().execute(statement)}  # noqa: C416  (rows are no pairs)


def items_of(session: Session, customers: Collection[int]) -> dict[int, list[int]]:
    """Return the service items of each customer."""
    found: dict[int, list[int]] = defaultdict(list)
    statement = sa.select(_ITEM.c.customer_id, _ITEM.c.id).where(_ITEM.c.customer_id.in_(sorted(customers)))
    for customer, item in session.connection().execute(statement):
        found[customer].append(item)
    return found
