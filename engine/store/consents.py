"""What people allowed and forbade: events that are only ever added, and the facts that permission is decided on.

A "yes" belongs to one exact address. A "no" reaches every address its person ever had, and everybody who has been at
such a mailbox: so facts are read over all mailboxes that touch one another.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain.permission import Block, ConsentFact, ConsentState, Contract, PermissionFacts
from engine.keys import Keyring
from engine.store import addresses, order, suppressions
from engine.store.lookups import Lookup
from engine.store.tables import Address, ConsentEvent, Customer, CustomerAddress, ServiceItem
from engine.store.upsert import chunks, insert_new

_EVENT: sa.Table = ConsentEvent.__table__  # type: ignore[attr-defined]
_KNOWN: sa.Table = CustomerAddress.__table__  # type: ignore[attr-defined]
_ADDRESS: sa.Table = Address.__table__  # type: ignore[attr-defined]
_CUSTOMER: sa.Table = Customer.__table__  # type: ignore[attr-defined]
_ITEM: sa.Table = ServiceItem.__table__  # type: ignore[attr-defined]

_NEGATIVE = frozenset({ConsentState.WITHDRAWN, ConsentState.OBJECTED})

Subject = tuple[int, int | None, int | None]
"""Whom and what a mail is about: (customer id, address id, service item id)."""


@dataclass(frozen=True, slots=True)
class NewConsent:
    """One thing that happened to an address's permission, as it is to be appended.

    `at` may be missing where the source does not say (a bare claim); then the time of recording is kept. `details` say
    how it came about and name nobody; `personal` is what can be erased without breaking the evidence.
    """

    address_id: int
    state: ConsentState
    at: datetime | None = None
    kinds: frozenset[str] = frozenset()
    wording: str = ""
    requested_at: datetime | None = None
    source: str = ""
    proof: str = ""
    proven: bool = False
    customer_id: int | None = None
    details: Mapping[str, str | int | bool | None] = field(default_factory=dict)
    personal: Mapping[str, str] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Return what makes this event the same when it is brought again."""
        content = {
            "address": self.address_id,
            "state": self.state.value,
            "at": _canonical_time(self.at),
            "kinds": sorted(self.kinds),
            "wording": self.wording,
            "requested_at": _canonical_time(self.requested_at),
            "source": self.source,
            "proof": self.proof,
            "proven": self.proven,
        }
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ConsentEntry:
    """One event as people read it."""

    id: int
    email: str
    state: str
    at: datetime
    recorded_at: datetime
    kinds: frozenset[str]
    wording: str
    source: str
    proof: str
    proven: bool
    actor: str


def append(session: Session, events: Sequence[NewConsent], now: datetime, actor: str) -> int:
    """Add the events that are not there yet; return how many. Locks every address they can have a say in."""
    addresses.lock(session, touching(session, {event.address_id for event in events}))
    latest = order.last_attempt(session)
    rows = [
        {
            "fingerprint": event.fingerprint,
            "address_id": event.address_id,
            "customer_id": event.customer_id,
            "state": event.state.value,
            "at": event.at or now,
            "recorded_at": now,
            "kinds": _cell(event.kinds),
            "wording": event.wording,
            "requested_at": event.requested_at,
            "source": event.source,
            "proof": event.proof,
            "proven": event.proven,
            "actor": actor,
            "after_attempt": latest,
        }
        for event in events
    ]
    return insert_new(session, _EVENT, rows, ["fingerprint"])


def after_all_said(session: Session, address_ids: Collection[int], now: datetime) -> datetime:
    """Return `now`, or the latest instant any event at these addresses bears: what is said now is said after it.

    A clock that was set back must not let an older "yes" outlive a "no".
    """
    instants: list[datetime] = [at for _, _, _, at, *_ in _EVENTS.rows(session, sorted(address_ids))]
    return max([now, *instants])


def touching(session: Session, address_ids: Collection[int]) -> set[int]:
    """Return these addresses and all others their people ever had."""
    return set(address_ids).union(*_neighbours(session, address_ids).values())


def timeline(session: Session, address_ids: Collection[int]) -> list[ConsentEntry]:
    """Return everything that was recorded for these addresses, the oldest first."""
    names = ("state", "at", "recorded_at", "kinds", "wording", "source", "proof", "proven", "actor")
    query = (
        sa.select(_EVENT.c.id, _ADDRESS.c.email, *(_EVENT.c[name] for name in names))
        .join(_ADDRESS, _ADDRESS.c.id == _EVENT.c.address_id)
        .where(_EVENT.c.address_id.in_(list(address_ids)))
        .order_by(_EVENT.c.at, _EVENT.c.id)
    )
    return [
        ConsentEntry(**{**row._asdict(), "kinds": _kinds(row.kinds)}) for row in session.connection().execute(query)
    ]


def permission_facts(
    session: Session, keyring: Keyring, rows: Sequence[Subject], now: datetime | None = None
) -> list[PermissionFacts]:
    """Return what bears on each mail, in the order of `rows`; with `now`, without what is dated after it."""
    keys_hold = suppressions.keys_hold(session, keyring)
    found: list[PermissionFacts] = []
    for part in chunks(rows):
        group = _read_group(session, keyring, part, now)
        found.extend(_facts_of(row, group, keys_hold=keys_hold) for row in part)
    return found


@dataclass(frozen=True, slots=True)
class _Group:
    """What one chunk of subjects needs, read in a handful of statements."""

    known: Mapping[int, set[int]]
    neighbours: Mapping[int, set[int]]
    emails: Mapping[int, str]
    events: Mapping[int, list[ConsentFact]]
    blocks: Mapping[int, list[Block]]
    personal: Mapping[int, list[Block]]
    contracts: Mapping[tuple[int, int], Contract] = field(default_factory=dict)


def _read_group(session: Session, keyring: Keyring, rows: Sequence[Subject], now: datetime | None) -> _Group:
    customers = {customer for customer, _, _ in rows}
    mailboxes = {address for _, address, _ in rows if address is not None}
    known = _addresses_of(session, customers)
    neighbours = _neighbours(session, mailboxes)
    involved = mailboxes.union(*known.values(), *neighbours.values())
    forms = list(_FORMS.rows(session, sorted(involved)))
    marks = {number: suppressions.address_marks(keyring, exact, canonical) for number, exact, canonical, _ in forms}
    people = _UIDS.rows(session, sorted(customers))
    persons = {number: suppressions.person_marks(keyring, uid) for number, uid in people}
    said = suppressions.blocks(session, {mark for each in (*marks.values(), *persons.values()) for mark in each})
    items = {item for _, _, item in rows if item is not None}
    return _Group(
        known=known,
        neighbours=neighbours,
        emails={number: email for number, _, _, email in forms},
        events=_events(session, involved, now),
        blocks=_under(marks, said),
        personal=_under(persons, said),
        contracts=_contracts(session, items) if items else {},
    )


def _under(marks: Mapping[int, Iterable[str]], said: Mapping[str, list[Block]]) -> dict[int, list[Block]]:
    """Return the blocks found under each row's hashes; most rows have none."""
    if not said:
        return {}
    found = {number: list(dict.fromkeys(b for m in each for b in said.get(m, ()))) for number, each in marks.items()}
    return {number: blocks for number, blocks in found.items() if blocks}


def _facts_of(row: Subject, group: _Group, *, keys_hold: bool) -> PermissionFacts:
    customer, address, item = row
    mailbox = address or 0
    blocks = [*group.personal.get(customer, ()), *group.blocks.get(mailbox, ())]
    events = list(group.events.get(mailbox, ()))
    for other in group.known.get(customer, _NONE) | group.neighbours.get(mailbox, _NONE):
        if other != mailbox:
            blocks += [block for block in group.blocks.get(other, ()) if suppressions.is_personal(block)]
            events += [_elsewhere(event) for event in group.events.get(other, ()) if event.state in _NEGATIVE]
    return PermissionFacts(
        email=group.emails.get(mailbox),
        keys_hold=keys_hold,
        blocks=tuple(blocks),
        events=tuple(events),
        contract=group.contracts.get((customer, item)) if item is not None else None,
    )


_NONE: frozenset[int] = frozenset()


def _elsewhere(event: ConsentFact) -> ConsentFact:
    return ConsentFact(event.id, event.state, event.at, event.kinds, own=False)


def _columns(table: sa.Table, *names: str) -> list[sa.Column[Any]]:
    return [table.c[name] for name in names]


_SAID = _columns(_EVENT, "address_id", "id", "state", "at", "kinds", "wording", "proven")
_HERE, _THERE = _KNOWN.alias("here"), _KNOWN.alias("there")
_EVENTS = Lookup(sa.select(*_SAID), _EVENT.c.address_id)
_FORMS = Lookup(sa.select(*_columns(_ADDRESS, "id", "exact", "canonical", "email")), _ADDRESS.c.id)
_UIDS = Lookup(sa.select(_CUSTOMER.c.id, _CUSTOMER.c.uid), _CUSTOMER.c.id)
_MAILBOXES = Lookup(sa.select(_KNOWN.c.customer_id, _KNOWN.c.address_id), _KNOWN.c.customer_id)
_OTHERS = Lookup(
    sa.select(_HERE.c.address_id, _THERE.c.address_id.label("other"))
    .join(_THERE, _HERE.c.customer_id == _THERE.c.customer_id)
    .where(_THERE.c.address_id != _HERE.c.address_id),
    _HERE.c.address_id,
)
_BEHIND = Lookup(
    sa.select(*_columns(_ITEM, "id", "customer_id", "contract_ref", "contract_from", "contract_until")), _ITEM.c.id
)


def _addresses_of(session: Session, customers: Collection[int]) -> dict[int, set[int]]:
    return _together(_MAILBOXES.rows(session, sorted(customers)))


def _neighbours(session: Session, mailboxes: Collection[int]) -> dict[int, set[int]]:
    """Return, for each mailbox, every other address of anybody who has been at it."""
    return _together(_OTHERS.rows(session, sorted(mailboxes)))


def _together(pairs: Iterable[tuple[Any, ...]]) -> dict[int, set[int]]:
    found: dict[int, set[int]] = defaultdict(set)
    for one, other in pairs:
        found[one].add(other)
    return found


def _events(session: Session, involved: Collection[int], now: datetime | None) -> dict[int, list[ConsentFact]]:
    found: dict[int, list[ConsentFact]] = defaultdict(list)
    for address, number, state, at, kinds, wording, proven in _EVENTS.rows(session, sorted(involved)):
        if now is None or at <= now:
            found[address].append(ConsentFact(number, state, at, _kinds(kinds), wording, proven))
    return found


def _contracts(session: Session, items: Collection[int]) -> dict[tuple[int, int], Contract]:
    return {
        (customer, number): Contract(ref, first, last)
        for number, customer, ref, first, last in _BEHIND.rows(session, sorted(items))
    }


@lru_cache(maxsize=1024)
def _kinds(cell: str) -> frozenset[str]:
    return frozenset(kind for kind in cell.split(";") if kind)


def _cell(kinds: Iterable[str]) -> str:
    listed = ";".join(sorted(kinds))
    return f";{listed};" if listed else ""


def _canonical_time(at: datetime | None) -> str:
    return "" if at is None else at.astimezone(UTC).isoformat(timespec="seconds")
