"""Cases for which somebody's data is kept: while one stands, nothing of theirs is mailed, erased or purged."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session

from engine.keys import Keyring
from engine.store import suppressions
from engine.store.lawful_tables import LegalHold
from engine.store.tables import Address, Customer, CustomerAddress
from engine.store.upsert import append, chunks

_HOLD: sa.Table = LegalHold.__table__  # type: ignore[attr-defined]
_KNOWN: sa.Table = CustomerAddress.__table__  # type: ignore[attr-defined]
_CUSTOMER: sa.Table = Customer.__table__  # type: ignore[attr-defined]
_ADDRESS: sa.Table = Address.__table__  # type: ignore[attr-defined]
_STANDS = _HOLD.c.lifted_at.is_(None)


@dataclass(frozen=True, slots=True)
class Held:
    """One case: whose data, under which reference, since when and by whose word."""

    id: int
    customer_id: int | None
    case_ref: str
    operator: str
    at: datetime


@dataclass(frozen=True, slots=True)
class NewHold:
    """A case that begins: `address_key` where nobody but an address is meant."""

    customer_id: int | None
    address_key: str
    case_ref: str
    operator: str
    at: datetime


def place(session: Session, hold: NewHold) -> None:
    """Keep somebody's data for a case."""
    names = ("customer_id", "address_key", "case_ref", "operator", "at")
    append(session, _HOLD, [{name: getattr(hold, name) for name in names} | {"lifted_at": None}])


def standing(session: Session, customer: int | None, address_keys: Collection[str]) -> list[Held]:
    """Return the cases that stand for a customer or at one of these addresses."""
    theirs: sa.ColumnElement[bool] = _HOLD.c.address_key.in_([key for key in address_keys if key])
    if customer is not None:
        theirs = sa.or_(theirs, _HOLD.c.customer_id == customer)
    names = ("id", "customer_id", "case_ref", "operator", "at")
    query = sa.select(*(_HOLD.c[name] for name in names)).where(_STANDS, theirs).order_by(_HOLD.c.id)
    return [Held(*row) for row in session.connection().execute(query)]


def lift(session: Session, holds: Collection[int], now: datetime) -> None:
    """End these cases."""
    session.connection().execute(sa.update(_HOLD).where(_HOLD.c.id.in_(holds)).values(lifted_at=now))


@dataclass(frozen=True, slots=True)
class Kept:
    """Everybody whose data must stay as it is: their numbers, and their addresses'."""

    customers: frozenset[int] = frozenset()
    addresses: frozenset[int] = frozenset()


def kept(session: Session, keyring: Keyring) -> Kept:
    """Return whose data stays: of whom a case stands, and who asked that it be kept and not used (Art. 18 GDPR)."""
    held = sa.select(_HOLD.c.customer_id).where(_STANDS, _HOLD.c.customer_id.is_not(None))
    restricted = sa.select(_CUSTOMER.c.id).where(
        _CUSTOMER.c.restricted_at.is_not(None), _CUSTOMER.c.erased_at.is_(None)
    )
    connection = session.connection()
    customers = {*connection.execute(held).scalars(), *connection.execute(restricted).scalars()}
    found: set[int] = set()
    for part in chunks(sorted(customers)):
        theirs = sa.select(_KNOWN.c.address_id).where(_KNOWN.c.customer_id.in_(part))
        found.update(connection.execute(theirs).scalars())
    return Kept(frozenset(customers), frozenset(found | _named(session, keyring)))


def _named(session: Session, keyring: Keyring) -> set[int]:
    """Return the addresses that are held by themselves: only their hashes are noted, so all are hashed."""
    keys = set(
        session.connection().execute(sa.select(_HOLD.c.address_key).where(_STANDS, _HOLD.c.address_key != "")).scalars()
    )
    if not keys:
        return set()
    everybody = session.connection().execute(sa.select(_ADDRESS.c.id, _ADDRESS.c.exact, _ADDRESS.c.canonical))
    return {
        number
        for number, exact, canonical in everybody
        if keys.intersection(suppressions.address_marks(keyring, exact, canonical))
    }
