"""What the store knows of a group of messages, read in a handful of statements however large the group.

Plain rows, nothing decided: the steps turn them into the gates' facts and into the words of a mail.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain.permission import ConsentState
from engine.domain.states import MAY_HAVE_LEFT, OPEN
from engine.store.lookups import Lookup
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


def load(
    session: Session,
    rows: Sequence[MessageRow],
    now: datetime,
    today: date,
    *,
    rehearsal: bool,
    people: dict[int, Person] | None = None,
) -> Known:
    """Read what gates and rendering need to know of these messages; `people` where it is known whom they are for."""
    people = people_of(session, rows) if people is None else people
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


def _asking_for_people() -> Lookup:
    own = {"message": TABLE.c.id, "enrolled_at": _ENROLMENT.c.created_at, "email": _ADDRESS.c.email}
    of_enrolment = {name: _ENROLMENT.c[name] for name in ("occasion", "purchase_id", "service_item_id")}
    columns = own | of_enrolment
    statement = (
        sa.select(*((columns[name] if name in columns else _CUSTOMER.c[name]).label(name) for name in Person._fields))
        .select_from(TABLE)
        .join(_ENROLMENT, _ENROLMENT.c.id == TABLE.c.enrolment_id)
        .join(_CUSTOMER, _CUSTOMER.c.id == TABLE.c.customer_id)
        .outerjoin(_ADDRESS, _ADDRESS.c.id == _CUSTOMER.c.address_id)
    )
    return Lookup(statement, TABLE.c.id)


_PEOPLE = _asking_for_people()


def people_of(session: Session, rows: Sequence[MessageRow]) -> dict[int, Person]:
    """Return whom each of these messages is for, by message."""
    return {row[0]: Person._make(row) for row in _PEOPLE.rows(session, [row.id for row in rows])}


def _by_id(session: Session, table: sa.Table, ids: Collection[int]) -> dict[int, Row]:
    if not ids:
        return {}
    return {row.id: row for row in session.connection().execute(sa.select(table).where(table.c.id.in_(sorted(ids))))}


def _asking_what_was_written() -> Lookup:
    last_call = sa.select(sa.func.max(_ATTEMPT.c.started_at)).where(_ATTEMPT.c.message == TABLE.c.id).scalar_subquery()
    at = sa.func.coalesce(TABLE.c.sent_at, last_call, TABLE.c.first_call_at)
    statement = sa.select(TABLE.c.address_id, TABLE.c.id, TABLE.c.campaign, TABLE.c.kind, at).where(
        TABLE.c.state.in_(sorted(MAY_HAVE_LEFT)),
        TABLE.c.rehearsal == sa.bindparam("rehearsal", required=False, type_=sa.Boolean),
        at.is_not(None),
    )
    return Lookup(statement, TABLE.c.address_id)


_WRITTEN = _asking_what_was_written()


def _written(session: Session, addresses: Iterable[int | None], *, rehearsal: bool) -> dict[int, list[Written]]:
    """Return what each address was written: a rehearsal counts only for rehearsals."""
    found: dict[int, list[Written]] = defaultdict(list)
    wanted = sorted(number for number in set(addresses) if number is not None)
    for address, *mail in _WRITTEN.rows(session, wanted, rehearsal=rehearsal):
        found[address].append(Written(*mail))
    return found


def _asking_who_is_overtaken() -> Lookup:
    later = TABLE.alias("later")
    due = later.c.send_after <= sa.bindparam("now", required=False, type_=TABLE.c.send_after.type)
    past = later.c.due < sa.bindparam("today", required=False, type_=TABLE.c.due.type)
    statement = (
        sa.select(TABLE.c.id)
        .join(later, sa.and_(later.c.enrolment_id == TABLE.c.enrolment_id, later.c.step_index > TABLE.c.step_index))
        .where(later.c.state.in_(sorted(_OVERTAKES)), sa.or_(due, past))
    )
    return Lookup(statement, TABLE.c.id)


_OVERTAKEN = _asking_who_is_overtaken()


def _overtaken(session: Session, messages: Sequence[int], now: datetime, today: date) -> frozenset[int]:
    """Return the messages of which a later step of the same occasion is due or gone already."""
    return frozenset(row[0] for row in _OVERTAKEN.rows(session, messages, now=now, today=today))


def _asking_for_siblings() -> Lookup:
    now = sa.bindparam("now", required=False, type_=TABLE.c.send_after.type)
    statement = (
        sa.select(*COLUMNS)
        .join(_CUSTOMER, _CUSTOMER.c.id == TABLE.c.customer_id)
        .where(
            WAITING,
            TABLE.c.send_after <= now,
            TABLE.c.expires_at > now,
            TABLE.c.rehearsal == sa.bindparam("rehearsal", required=False, type_=sa.Boolean),
        )
    )
    return Lookup(statement, _CUSTOMER.c.address_id)


_SIBLINGS = _asking_for_siblings()


def siblings(
    session: Session, rows: Sequence[MessageRow], now: datetime, people: Mapping[int, Person] | None = None
) -> list[MessageRow]:
    """Return the other due messages of the same campaigns to the same addresses, that nobody has claimed."""
    known = people_of(session, rows) if people is None else people
    mailboxes = {person.address_id for person in known.values() if person.address_id is not None}
    if not mailboxes:
        return []
    own, campaigns = {row.id for row in rows}, {row.campaign for row in rows}
    found = map(MessageRow._make, _SIBLINGS.rows(session, sorted(mailboxes), now=now, rehearsal=rows[0].rehearsal))
    others = (row for row in found if row.id not in own and row.campaign in campaigns)
    return sorted(others, key=lambda row: (row.send_after, row.id))


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
