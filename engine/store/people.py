"""Finding people: by what somebody typed, by the mailbox they share, or all of them in order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain import addresses as forms
from engine.domain.contracts import Contract
from engine.domain.words import State
from engine.store import messages
from engine.store.messages import MessageRow
from engine.store.tables import Address, Customer, CustomerAddress, ServiceItem
from engine.store.upsert import chunks

_CUSTOMER: sa.Table = Customer.__table__  # type: ignore[attr-defined]
_KNOWN: sa.Table = CustomerAddress.__table__  # type: ignore[attr-defined]
_ADDRESS: sa.Table = Address.__table__  # type: ignore[attr-defined]
_ITEM: sa.Table = ServiceItem.__table__  # type: ignore[attr-defined]

MOST_NAMESAKES = 20


@dataclass(frozen=True, slots=True)
class Person:
    """A customer as commands name one."""

    id: int
    uid: str
    customer_id: str | None
    first_name: str
    last_name: str
    address_id: int | None
    email: str | None

    @property
    def name(self) -> str:
        """Return the name as far as it is known, else the shop's number."""
        return f"{self.first_name} {self.last_name}".strip() or self.customer_id or ""


def find(session: Session, who: str) -> list[Person]:
    """Return whom somebody means: by the shop's number, else by address (all on that mailbox), else by name."""
    who = who.strip()
    if by_number := _people(session, _CUSTOMER.c.customer_id == who):
        return by_number
    if "@" in who:
        at = sa.select(_KNOWN.c.customer_id).join(_ADDRESS, _ADDRESS.c.id == _KNOWN.c.address_id)
        return _people(session, _CUSTOMER.c.id.in_(at.where(_ADDRESS.c.exact == forms.exact(who))))
    return _people(session, _is_called(who), MOST_NAMESAKES) if who else []


def find_by_number(session: Session, number: int) -> list[Person]:
    """Return the customer of this row."""
    return by_numbers(session, [number])


def by_numbers(session: Session, customers: Collection[int]) -> list[Person]:
    """Return these customers."""
    return _people(session, _CUSTOMER.c.id.in_(list(customers)))


def at_addresses(session: Session, address_ids: Collection[int]) -> list[Person]:
    """Return everybody who is or ever was at these mailboxes."""
    at = sa.select(_KNOWN.c.customer_id).where(_KNOWN.c.address_id.in_(list(address_ids)))
    return _people(session, _CUSTOMER.c.id.in_(at))


def addresses_of(session: Session, customers: Collection[int]) -> set[int]:
    """Return every address these customers ever had."""
    found: set[int] = set()
    for part in chunks(sorted(customers)):
        query = sa.select(_KNOWN.c.address_id).where(_KNOWN.c.customer_id.in_(part))
        found.update(session.connection().execute(query).scalars())
    return found


def mailboxes_like(session: Session, emails: Iterable[str]) -> set[int]:
    """Return the addresses that are one of these in either form: those a suppression of them reaches."""
    found: set[int] = set()
    for part in chunks(sorted(emails)):
        exacts, canonicals = [forms.exact(email) for email in part], [forms.canonical(email) for email in part]
        same = sa.or_(_ADDRESS.c.exact.in_(exacts), _ADDRESS.c.canonical.in_(canonicals))
        found.update(session.connection().execute(sa.select(_ADDRESS.c.id).where(same)).scalars())
    return found


def everybody(session: Session, chunk: int) -> Iterator[list[tuple[int, int | None]]]:
    """Yield all customers as (id, address id), in chunks: the memory needed does not grow with the shop."""
    last = 0
    while True:
        query = sa.select(_CUSTOMER.c.id, _CUSTOMER.c.address_id)
        query = query.where(_CUSTOMER.c.id > last, _CUSTOMER.c.erased_at.is_(None))
        rows = [
            (number, address)
            for number, address in session.connection().execute(query.order_by(_CUSTOMER.c.id).limit(chunk))
        ]
        if not rows:
            return
        yield rows
        last = rows[-1][0]


def contracts_of(session: Session, customers: Collection[int]) -> dict[int, list[tuple[str, Contract]]]:
    """Return these customers' contracts, each with the type of the item it is about."""
    names = ("customer_id", "item_type", "contract_ref", "contract_from", "contract_until")
    found: dict[int, list[tuple[str, Contract]]] = defaultdict(list)
    for part in chunks(sorted(customers)):
        query = sa.select(*(_ITEM.c[name] for name in names))
        query = query.where(_ITEM.c.customer_id.in_(part), _ITEM.c.contract_ref != "")
        for customer, item_type, ref, first, last in session.connection().execute(query.order_by(_ITEM.c.id)):
            found[customer].append((item_type, Contract(ref, first, last)))
    return found


def mail_of(
    session: Session, customers: Collection[int], mailboxes: Collection[int], states: Collection[State]
) -> list[MessageRow]:
    """Return the messages in these states to these people or mailboxes."""
    theirs = sa.or_(messages.TABLE.c.customer_id.in_(customers), messages.TABLE.c.address_id.in_(mailboxes))
    return messages.find(session, sa.and_(theirs, messages.TABLE.c.state.in_(states)))


def _is_called(who: str) -> sa.ColumnElement[bool]:
    """Compare names however they are capitalised; SQLite lowers only ASCII, so the usual spellings are asked for."""
    full = _CUSTOMER.c.first_name + " " + _CUSTOMER.c.last_name
    spellings = sorted({who, who.lower(), who.upper(), who.title()})
    return sa.or_(
        *(name.in_(spellings) for name in (full, _CUSTOMER.c.last_name)),
        *(sa.func.lower(name) == who.lower() for name in (full, _CUSTOMER.c.last_name)),
    )


def _people(session: Session, condition: sa.ColumnElement[bool], limit: int | None = None) -> list[Person]:
    names = ("id", "uid", "customer_id", "first_name", "last_name", "address_id")
    query = (
        sa.select(*(_CUSTOMER.c[name] for name in names), _ADDRESS.c.email)
        .select_from(_CUSTOMER.outerjoin(_ADDRESS, _ADDRESS.c.id == _CUSTOMER.c.address_id))
        .where(condition)
        .order_by(_CUSTOMER.c.id)
        .limit(limit)
    )
    return [Person(**row._asdict()) for row in session.connection().execute(query)]
