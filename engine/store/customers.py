"""The shop's customers: found by the shop's own id or by their mailbox, written in bulk, marked when dropped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain import addresses as forms
from engine.domain import identity
from engine.store import addresses
from engine.store.lookups import Lookup
from engine.store.tables import Address, Customer, CustomerAddress
from engine.store.upsert import change, chunks, differs, insert_new, stored

_CUSTOMER: sa.Table = Customer.__table__  # type: ignore[attr-defined]
_ADDRESS: sa.Table = Address.__table__  # type: ignore[attr-defined]
_HISTORY: sa.Table = CustomerAddress.__table__  # type: ignore[attr-defined]

_KNOWN = (_CUSTOMER.c.id, _CUSTOMER.c.customer_id, _CUSTOMER.c.timezone)
_BY_ID = Lookup(sa.select(*_KNOWN), _CUSTOMER.c.customer_id)
_BY_ADDRESS = Lookup(
    sa.select(_ADDRESS.c.exact, *_KNOWN).join_from(_ADDRESS, _CUSTOMER, _CUSTOMER.c.address_id == _ADDRESS.c.id),
    _ADDRESS.c.exact,
)

_EMPTY: dict[str, object] = {
    "customer_id": None,
    "address_id": None,
    "first_name": "",
    "last_name": "",
    "salutation": "",
    "company": "",
    "birth_md": None,
    "birth_year": None,
    "language": "",
    "address_form": "",
    "timezone": "",
    "country": "",
    "customer_since": None,
    "tags": "",
    "purchase_count": 0,
    "not_in_source": False,
}


class Known(NamedTuple):
    """As much of a stored customer as it takes to recognise one."""

    id: int
    customer_id: str | None
    zone: str


@dataclass(frozen=True, slots=True)
class Directory:
    """The stored customers that a batch of rows may mean, by the shop's id and by exact address."""

    by_id: dict[str, Known]
    by_address: dict[str, list[Known]]


@dataclass(frozen=True, slots=True)
class Incoming:
    """One customer to write: `known` is the row it was recognised as, `values` only what the file gives.

    `email` is None where the file leaves the address as it is, and "" where it clears it.
    """

    known: int | None
    customer_id: str | None
    email: str | None
    values: dict[str, object]


@dataclass(slots=True)
class Written:
    """What came of a batch; `moved` are the customers whose time zone changed."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    moved: list[int] = field(default_factory=list)


def directory(session: Session, customer_ids: Sequence[str], exacts: Sequence[str]) -> Directory:
    """Look up, in bulk, whom these ids and addresses belong to."""
    by_id = {row[1]: Known(*row) for row in _BY_ID.rows(session, customer_ids)}
    by_address: dict[str, list[Known]] = {}
    for exact, *row in _BY_ADDRESS.rows(session, exacts):
        by_address.setdefault(exact, []).append(Known(*row))
    return Directory(by_id, by_address)


def write(session: Session, installation: UUID, rows: Sequence[Incoming], now: datetime) -> Written:
    """Write a batch: recognised customers change where the file differs, the others are new."""
    mailboxes = addresses.find_or_add(session, [row.email for row in rows if row.email], now)
    fresh = [row for row in rows if row.known is None]
    written = _change_known(session, [row for row in rows if row.known is not None], mailboxes, now)
    written.created = _add(session, installation, fresh, mailboxes, now)
    return written


def _add(
    session: Session, installation: UUID, rows: Sequence[Incoming], mailboxes: Mapping[str, int], now: datetime
) -> int:
    new: dict[str, dict[str, object]] = {}
    for row in rows:
        exact = forms.exact(row.email) if row.email else None
        uid = str(identity.customer_uid(installation, row.customer_id, exact))
        known_by = {"uid": uid, "customer_id": row.customer_id, "address_id": mailboxes[exact] if exact else None}
        new[uid] = _EMPTY | row.values | known_by | {"updated_at": now}
    created = insert_new(session, _CUSTOMER, list(new.values()), ["uid"])
    numbers = stored(session, _CUSTOMER, "uid", list(new), [])
    _remember(session, [(numbers[uid]["id"], row["address_id"]) for uid, row in new.items()])
    return created


def _change_known(session: Session, rows: Sequence[Incoming], mailboxes: Mapping[str, int], now: datetime) -> Written:
    written = Written()
    before = stored(session, _CUSTOMER, "id", [row.known for row in rows], list(_EMPTY))
    changed: list[dict[str, object]] = []
    for row in rows:
        old = before[row.known]
        new = dict(row.values) | {"not_in_source": False}
        if row.customer_id:
            new["customer_id"] = row.customer_id
        if row.email is not None:
            new["address_id"] = mailboxes[forms.exact(row.email)] if row.email else None
        if not differs(new, old):
            written.unchanged += 1
            continue
        if new.get("timezone", old["timezone"]) != old["timezone"]:
            written.moved.append(int(old["id"]))
        changed.append({**{name: old[name] for name in ("id", *_EMPTY)}, **new, "updated_at": now})
    change(session, _CUSTOMER, [{k: v for k, v in row.items() if k != "purchase_count"} for row in changed])
    _remember(session, [(row["id"], row["address_id"]) for row in changed])
    written.updated = len(changed)
    return written


def _remember(session: Session, pairs: Sequence[tuple[object, object]]) -> None:
    """Keep every address a customer has had: an objection is for the person and all of them."""
    rows = [{"customer_id": customer, "address_id": address} for customer, address in pairs if address is not None]
    insert_new(session, _HISTORY, rows, ["customer_id", "address_id"])


def numbers_after(session: Session, after: int, limit: int) -> list[tuple[int, bool]]:
    """Return the next customers in order of number, each with whether the shop's list already lacks them."""
    query = sa.select(_CUSTOMER.c.id, _CUSTOMER.c.not_in_source).where(_CUSTOMER.c.id > after)
    found = session.connection().execute(query.order_by(_CUSTOMER.c.id).limit(limit))
    return [(number, gone) for number, gone in found]


def mark_gone(session: Session, numbers: Sequence[int], now: datetime) -> None:
    """Note that the shop's complete list no longer names these customers."""
    for part in chunks(numbers):
        marked = sa.update(_CUSTOMER).where(_CUSTOMER.c.id.in_(part)).values(not_in_source=True, updated_at=now)
        session.connection().execute(marked)


def zones(session: Session, numbers: Sequence[int]) -> dict[int, str]:
    """Return the customers' own time zones; empty where they live by the shop's clock."""
    found: dict[int, str] = {}
    for part in chunks(numbers):
        query = sa.select(_CUSTOMER.c.id, _CUSTOMER.c.timezone).where(_CUSTOMER.c.id.in_(part))
        found.update((number, zone) for number, zone in session.connection().execute(query))
    return found


def restrict(session: Session, number: int, since: datetime | None, now: datetime) -> None:
    """Note since when a customer's data may only be kept; None lifts it."""
    marked = sa.update(_CUSTOMER).where(_CUSTOMER.c.id == number).values(restricted_at=since, updated_at=now)
    session.connection().execute(marked)
