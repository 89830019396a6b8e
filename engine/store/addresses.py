"""The mailboxes: one row per exact form. Consent, suppression and caps hang on it, and a release locks it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain import addresses as forms
from engine.domain.permission import ConsentState
from engine.store.lookups import Lookup
from engine.store.message_tables import Message
from engine.store.tables import Address, ConsentEvent, Customer, CustomerAddress, Suppression
from engine.store.upsert import chunks, insert_new, is_sqlite

_ADDRESS: sa.Table = Address.__table__  # type: ignore[attr-defined]
_KNOWN: sa.Table = CustomerAddress.__table__  # type: ignore[attr-defined]
_CUSTOMER: sa.Table = Customer.__table__  # type: ignore[attr-defined]
_MESSAGE: sa.Table = Message.__table__  # type: ignore[attr-defined]
_SUPPRESSION: sa.Table = Suppression.__table__  # type: ignore[attr-defined]
_EVENT: sa.Table = ConsentEvent.__table__  # type: ignore[attr-defined]
_BY_EXACT = Lookup(sa.select(_ADDRESS.c.exact, _ADDRESS.c.id), _ADDRESS.c.exact)


def find_or_add(session: Session, emails: Iterable[str], now: datetime) -> dict[str, int]:
    """Return the id of each address by its exact form; an address not seen before gets a row.

    The spelling of the first sighting is kept for sending: a mailbox's local part may be case-sensitive.
    """
    spelling: dict[str, str] = {}
    for email in emails:
        spelling.setdefault(forms.exact(email), email.strip())
    known = find(session, list(spelling))
    # Sorted, so that two imports on PostgreSQL wait for each other in the same order.
    missing = sorted(set(spelling) - known.keys())
    if not missing:
        return known
    rows = [
        {"exact": exact, "canonical": forms.canonical(exact), "email": spelling[exact], "created_at": now}
        for exact in missing
    ]
    insert_new(session, _ADDRESS, rows, ["exact"])
    return known | find(session, missing)


def find(session: Session, exacts: Sequence[str]) -> dict[str, int]:
    """Return the ids of the addresses that are known, by exact form."""
    return dict(_BY_EXACT.rows(session, exacts))


def lock(session: Session, address_ids: Iterable[int]) -> None:
    """Hold these addresses until the transaction ends, so that permission read from now on stays true.

    Always in sorted order: two transactions then never wait for each other in a circle. On SQLite a writer began
    IMMEDIATE and is alone already.
    """
    if is_sqlite(session):
        return
    for part in chunks(sorted(set(address_ids))):
        query: sa.Select[Any] = sa.select(_ADDRESS.c.id).where(_ADDRESS.c.id.in_(part))
        session.connection().execute(query.order_by(_ADDRESS.c.id).with_for_update())


def emails_of(session: Session, address_ids: Sequence[int]) -> dict[int, str]:
    """Return the spelling to send to, by address id."""
    found: dict[int, str] = {}
    for part in chunks(address_ids):
        query = sa.select(_ADDRESS.c.id, _ADDRESS.c.email).where(_ADDRESS.c.id.in_(part))
        found.update((number, email) for number, email in session.connection().execute(query))
    return found


def nobodys(session: Session, address_ids: Iterable[int]) -> set[int]:
    """Return those of these addresses that no customer has or ever had."""
    wanted = set(address_ids)
    known = sa.select(_KNOWN.c.address_id).where(_KNOWN.c.address_id.in_(wanted))
    return wanted - set(session.connection().execute(known).scalars())


def erase_unused(session: Session, address_ids: Iterable[int]) -> list[int]:
    """Erase those addresses to which nothing belongs but requests that were never confirmed; return them.

    Their rows stay, empty, for the events that name them: who asks again is a new address.
    """
    wanted = sorted(set(address_ids))
    unused = sa.select(_ADDRESS.c.id).where(_ADDRESS.c.id.in_(wanted), ~_is_used())
    found = list(session.connection().execute(unused).scalars())
    for number in found:
        gone = {"exact": f"erased:{number}", "canonical": f"erased:{number}", "email": ""}
        session.connection().execute(sa.update(_ADDRESS).where(_ADDRESS.c.id == number).values(**gone))
    return found


def only_requested(session: Session, address_ids: Iterable[int]) -> list[int]:
    """Return those addresses of which nothing was ever recorded but requests."""
    more = sa.exists().where(_EVENT.c.address_id == _ADDRESS.c.id, _EVENT.c.state != ConsentState.REQUESTED.value)
    query = sa.select(_ADDRESS.c.id).where(_ADDRESS.c.id.in_(sorted(set(address_ids))), ~more)
    return list(session.connection().execute(query).scalars())


def _is_used() -> sa.ColumnElement[bool]:
    owned = (table.c.address_id == _ADDRESS.c.id for table in (_KNOWN, _CUSTOMER, _MESSAGE, _SUPPRESSION))
    more = sa.and_(_EVENT.c.address_id == _ADDRESS.c.id, _EVENT.c.state != ConsentState.REQUESTED.value)
    return sa.or_(*(sa.exists().where(condition) for condition in (*owned, more)))
