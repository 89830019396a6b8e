"""The ledger of erasures in the store, and finding whom a line of `erasures.log` is about."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain.states import FINAL
from engine.keys import Keyring
from engine.store import erasure_log, suppressions
from engine.store.erasure_log import Tombstone
from engine.store.message_tables import Message
from engine.store.rights_tables import Erasure
from engine.store.tables import Address, Customer
from engine.store.upsert import chunks, insert_new

_ERASURE: sa.Table = Erasure.__table__  # type: ignore[attr-defined]
_MESSAGE: sa.Table = Message.__table__  # type: ignore[attr-defined]
_CUSTOMER: sa.Table = Customer.__table__  # type: ignore[attr-defined]
_ADDRESS: sa.Table = Address.__table__  # type: ignore[attr-defined]
_PAGE = 5000


@dataclass(frozen=True, slots=True)
class Found:
    """Whom a tombstone is about, as a restored backup has them again."""

    tombstone: Tombstone
    customers: tuple[int, ...]
    addresses: tuple[int, ...]


def note(session: Session, entry: Tombstone, customer: int | None, finished: datetime | None = None) -> None:
    """Note that somebody was erased; it is finished once the files are overwritten too, and no mail keeps a rest."""
    row = {"mark": entry.mark, "customer_id": customer, "at": entry.at, "finished_at": finished}
    insert_new(session, _ERASURE, [row], ["mark"])


def unfinished(session: Session) -> list[tuple[int, int | None]]:
    """Return the erasures that are not finished, each with its customer; a bare address has none."""
    query = sa.select(_ERASURE.c.id, _ERASURE.c.customer_id).where(_ERASURE.c.finished_at.is_(None))
    return [(number, customer) for number, customer in session.connection().execute(query.order_by(_ERASURE.c.id))]


def ready(session: Session) -> bool:
    """Say whether an erasure waits for nothing but its end: no mail of the person is unsettled."""
    unsettled = sa.select(_MESSAGE.c.id).where(
        _MESSAGE.c.customer_id == _ERASURE.c.customer_id, _MESSAGE.c.state.not_in(FINAL)
    )
    query = sa.select(_ERASURE.c.id).where(_ERASURE.c.finished_at.is_(None), ~unsettled.exists())
    return session.connection().execute(query.limit(1)).first() is not None


def finish(session: Session, numbers: Collection[int], now: datetime) -> None:
    """Note that nothing is left of those whom these erasures are about."""
    mine = _ERASURE.c.id.in_(numbers)
    session.connection().execute(sa.update(_ERASURE).where(mine).values(finished_at=now))


def missing(session: Session, entries: Sequence[Tombstone]) -> list[Tombstone]:
    """Return the erasures the store knows nothing of: it is an older state of itself."""
    known: set[str] = set()
    for part in chunks([entry.mark for entry in entries]):
        query = sa.select(_ERASURE.c.mark).where(_ERASURE.c.mark.in_(part))
        known.update(session.connection().execute(query).scalars())
    return [entry for entry in entries if entry.mark not in known]


def customers_of(session: Session, marks: Collection[str]) -> list[int]:
    """Return the nameless customers these erasures left."""
    query = sa.select(_ERASURE.c.customer_id).where(_ERASURE.c.mark.in_(marks), _ERASURE.c.customer_id.is_not(None))
    return list(session.connection().execute(query.distinct()).scalars())


def mailboxes_of(session: Session, customers: Collection[int]) -> set[int]:
    """Return what stands where the addresses of erased customers stood, as far as mails went there."""
    theirs = sa.and_(_MESSAGE.c.customer_id.in_(customers), _MESSAGE.c.address_id.is_not(None))
    return set(session.connection().execute(sa.select(_MESSAGE.c.address_id).where(theirs)).scalars())


def find(session: Session, keyring: Keyring, entries: Sequence[Tombstone]) -> list[Found]:
    """Return whom these tombstones are about. Reads everybody: a hash tells nothing but "the same"."""
    by_uid = {entry.uid: entry for entry in entries if entry.uid}
    by_number = {entry.number: entry for entry in entries if entry.number}
    by_address = {key: entry for entry in entries for key in entry.addresses}
    customers: dict[str, list[int]] = {}
    for number, uid, customer_id in _everybody(session):
        marks = suppressions.person_marks(keyring, uid)
        numbers = erasure_log.number_marks(keyring, customer_id) if customer_id else ()
        entry = _first(by_uid, marks) or _first(by_number, numbers)
        if entry is not None:
            customers.setdefault(entry.mark, []).append(number)
    addresses: dict[str, list[int]] = {}
    for number, exact, canonical in _mailboxes(session):
        entry = _first(by_address, suppressions.address_marks(keyring, exact, canonical))
        if entry is not None:
            addresses.setdefault(entry.mark, []).append(number)
    return [
        Found(entry, tuple(customers.get(entry.mark, ())), tuple(addresses.get(entry.mark, ()))) for entry in entries
    ]


def _first(known: dict[str, Tombstone], marks: Sequence[str]) -> Tombstone | None:
    return next((known[mark] for mark in marks if mark in known), None)


def _everybody(session: Session) -> Iterator[tuple[int, str, str | None]]:
    query = sa.select(_CUSTOMER.c.id, _CUSTOMER.c.uid, _CUSTOMER.c.customer_id).where(_CUSTOMER.c.erased_at.is_(None))
    for row in session.connection().execute(query, execution_options={"yield_per": _PAGE}):
        yield row.id, row.uid, row.customer_id


def _mailboxes(session: Session) -> Iterator[tuple[int, str, str]]:
    query = sa.select(_ADDRESS.c.id, _ADDRESS.c.exact, _ADDRESS.c.canonical)
    for row in session.connection().execute(query, execution_options={"yield_per": _PAGE}):
        yield row.id, row.exact, row.canonical
