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

from engine.domain.addresses import unless_erased
from engine.domain.chain import Value, canonical
from engine.domain.contracts import Contract
from engine.domain.existing_customer import Sale
from engine.domain.permission import Block, ConsentFact, ConsentState, PermissionFacts, Policy
from engine.keys import Keyring
from engine.store import addresses, consent_log, order, standing, suppressions
from engine.store.consent_log import Said
from engine.store.lookups import Lookup
from engine.store.standing import UNKNOWN, Cases, Standing
from engine.store.tables import Address, ConsentEvent, ConsentPii, CustomerAddress, ServiceItem
from engine.store.upsert import chunks

_EVENT: sa.Table = ConsentEvent.__table__  # type: ignore[attr-defined]
_PII: sa.Table = ConsentPii.__table__  # type: ignore[attr-defined]
_KNOWN: sa.Table = CustomerAddress.__table__  # type: ignore[attr-defined]
_ADDRESS: sa.Table = Address.__table__  # type: ignore[attr-defined]
_ITEM: sa.Table = ServiceItem.__table__  # type: ignore[attr-defined]

_NEGATIVE = frozenset({ConsentState.WITHDRAWN, ConsentState.OBJECTED})

Subject = tuple[int, int | None, int | None]
"""Whom and what a mail is about: (customer id, address id, service item id)."""


@dataclass(frozen=True, slots=True)
class NewConsent:
    """One thing that happened to an address's permission, as it is to be appended.

    `at` may be missing where the source does not say (a bare claim); then the time of recording is kept. `details` are
    chained for good and name nobody; `source`, `proof` and what is `personal` can be erased.
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
    details: Mapping[str, Value] = field(default_factory=dict)
    personal: Mapping[str, str] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Return what makes this event the same when it is brought again."""
        content: dict[str, object] = {
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
        if self.details:
            content["details"] = canonical(self.details)
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ConsentEntry:
    """One event as people read it; what was erased of it is empty. `seq` is its place in the chain."""

    id: int
    seq: int
    hash: str
    email: str
    state: str
    at: datetime
    recorded_at: datetime
    kinds: frozenset[str]
    wording: str
    requested_at: datetime | None
    source: str
    proof: str
    proven: bool
    actor: str
    details: Mapping[str, Value]
    personal: Mapping[str, str]
    erased: bool


def append(session: Session, events: Sequence[NewConsent], now: datetime, actor: str) -> int:
    """Add the events that are not there yet; return how many. Locks every address they can have a say in."""
    addresses.lock(session, touching(session, {event.address_id for event in events}))
    latest = order.last_attempt(session)
    return consent_log.extend(session, [_said(event, now, actor, latest) for event in events])


def _said(event: NewConsent, now: datetime, actor: str, latest: int) -> Said:
    columns = {
        "fingerprint": event.fingerprint,
        "address_id": event.address_id,
        "customer_id": event.customer_id,
        "state": event.state.value,
        "at": event.at or now,
        "recorded_at": now,
        "kinds": _cell(event.kinds),
        "wording": event.wording,
        "requested_at": event.requested_at,
        "proven": event.proven,
        "actor": actor,
        "after_attempt": latest,
    }
    return Said(columns, event.details, {**event.personal, "source": event.source, "proof": event.proof})


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
    names = ("seq", "hash", "state", "at", "recorded_at", "kinds", "wording", "requested_at", "proven", "actor")
    query = (
        sa.select(_EVENT.c.id, _ADDRESS.c.email, _EVENT.c.details, _PII.c.content, _EVENT.c.pii_commit)
        .add_columns(*(_EVENT.c[name] for name in names))
        .join(_ADDRESS, _ADDRESS.c.id == _EVENT.c.address_id)
        .join(_PII, _PII.c.event_id == _EVENT.c.id, isouter=True)
        .where(_EVENT.c.address_id.in_(list(address_ids)))
        .order_by(_EVENT.c.at, _EVENT.c.id)
    )
    return [_entry(row._asdict()) for row in session.connection().execute(query)]


def _entry(row: dict[str, Any]) -> ConsentEntry:
    content, commit = row.pop("content"), row.pop("pii_commit")
    personal = json.loads(content) if content else {}
    kinds, details = _kinds(row["kinds"]), json.loads(row["details"])
    row |= {"kinds": kinds, "details": details, "email": unless_erased(row["email"])}
    said = {name: personal.pop(name, "") for name in ("source", "proof")}
    return ConsentEntry(**row, **said, personal=personal, erased=bool(commit) and not content)


def permission_facts(
    session: Session,
    keyring: Keyring,
    rows: Sequence[Subject],
    now: datetime | None = None,
    policy: Policy | None = None,
) -> list[PermissionFacts]:
    """Return what bears on each mail, in the order of `rows`; with `now`, without what is dated after it.

    With `policy`, what cannot matter under it is not read.
    """
    keys_hold = suppressions.keys_hold(session, keyring)
    found: list[PermissionFacts] = []
    for part in chunks(rows):
        group = _read_group(session, keyring, part, now, policy)
        found.extend(_facts_of(row, group, keys_hold=keys_hold) for row in part)
    return found


@dataclass(frozen=True, slots=True)
class _Group:
    """What one chunk of subjects needs, read in a handful of statements."""

    known: Mapping[int, set[int]]
    neighbours: Mapping[int, set[int]]
    forms: Mapping[int, tuple[str, datetime | None]]
    marks: Mapping[int, tuple[str, ...]]
    events: Mapping[int, list[ConsentFact]]
    blocks: Mapping[int, list[Block]]
    personal: Mapping[int, list[Block]]
    people: Mapping[int, Standing]
    cases: Cases
    contracts: Mapping[tuple[int, int], Contract] = field(default_factory=dict)
    sales: Mapping[int, list[Sale]] = field(default_factory=dict)
    used: Mapping[int, datetime] = field(default_factory=dict)


def _read_group(
    session: Session, keyring: Keyring, rows: Sequence[Subject], now: datetime | None, policy: Policy | None
) -> _Group:
    customers = {customer for customer, _, _ in rows}
    mailboxes = {address for _, address, _ in rows if address is not None}
    known = _addresses_of(session, customers)
    neighbours = _neighbours(session, mailboxes)
    involved = mailboxes.union(*known.values(), *neighbours.values())
    forms = list(_FORMS.rows(session, sorted(involved)))
    marks = {number: suppressions.address_marks(keyring, exact, canonical) for number, exact, canonical, *_ in forms}
    people = standing.of_customers(session, customers)
    persons = {number: suppressions.person_marks(keyring, one.uid) for number, one in people.items()}
    said = suppressions.blocks(session, {mark for each in (*marks.values(), *persons.values()) for mark in each})
    items = {item for _, _, item in rows if item is not None}
    events = _events(session, involved, now)
    return _Group(
        known=known,
        neighbours=neighbours,
        forms={number: (email, paused_until) for number, _, _, email, paused_until in forms},
        marks=marks,
        events=events,
        blocks=_under(marks, said),
        personal=_under(persons, said),
        people=people,
        cases=standing.cases(session),
        contracts=_contracts(session, items) if items else {},
        sales=standing.sales_of(session, customers) if policy is None or policy.sales.notices else {},
        used=standing.last_used(session, {number: events[number] for number in mailboxes & events.keys()}, now, policy),
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
    person = group.people.get(customer, UNKNOWN)
    email, paused_until = group.forms.get(mailbox, (None, None))
    return PermissionFacts(
        email=email,
        keys_hold=keys_hold,
        blocks=tuple(blocks),
        events=tuple(events),
        contract=group.contracts.get((customer, item)) if item is not None else None,
        held=group.cases.find(customer, mailbox, group.marks.get(mailbox, ())),
        restricted_at=person.restricted_at,
        paused_until=paused_until,
        parents_agreed_at=person.parents_agreed_at,
        consent_used_at=group.used.get(mailbox),
        buyer=person.buyer(group.sales.get(customer, ())),
    )


_NONE: frozenset[int] = frozenset()


def _elsewhere(event: ConsentFact) -> ConsentFact:
    return ConsentFact(event.id, event.state, event.at, event.kinds, own=False)


def _columns(table: sa.Table, *names: str) -> list[sa.Column[Any]]:
    return [table.c[name] for name in names]


_SAID = _columns(_EVENT, "address_id", "id", "state", "at", "kinds", "wording", "proven")
_HERE, _THERE = _KNOWN.alias("here"), _KNOWN.alias("there")
_EVENTS = Lookup(sa.select(*_SAID), _EVENT.c.address_id)
_FORMS = Lookup(sa.select(*_columns(_ADDRESS, "id", "exact", "canonical", "email", "paused_until")), _ADDRESS.c.id)
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
