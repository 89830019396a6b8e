"""Whom we must not write to, as keyed hashes: they outlive the address, its customer and every import.

A "no" is kept under two hashes, of the exact and of the canonical form of the address, and found under every key the
shop ever had. A person without an address can say "no" too: then it is kept under the customer's uid.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain import addresses as forms
from engine.domain.permission import EVERYTHING, Block
from engine.domain.words import Reason
from engine.keys import Keyring
from engine.store import installation, order
from engine.store.lookups import Lookup
from engine.store.tables import Address, Suppression
from engine.store.upsert import chunks, insert_new

_TABLE: sa.Table = Suppression.__table__  # type: ignore[attr-defined]
_ADDRESS: sa.Table = Address.__table__  # type: ignore[attr-defined]

_EXACT = "address.exact"
_CANONICAL = "address.canonical"
_PERSON = "customer"

LIFTABLE = frozenset({Reason.SUPPRESSED, Reason.HARD_BOUNCE})
"""What the owner may lift: his own entry, and a bounce that was mended. A person's "no" only that person can."""


@dataclass(frozen=True, slots=True)
class Hashes:
    """The two hashes a "no" is kept under."""

    exact: str
    canonical: str


@dataclass(frozen=True, slots=True)
class NewSuppression:
    """One "no" to be kept: whose, what it stops, why and since when."""

    hashes: Hashes
    scope: str
    reason: Reason
    at: datetime
    source: str = ""
    address_id: int | None = None

    @property
    def key(self) -> tuple[str, Reason, str, datetime]:
        """Return what makes a "no" single, in the store as in the log."""
        return self.hashes.exact, self.reason, self.scope, self.at


@dataclass(frozen=True, slots=True)
class Listed:
    """One suppression as `suppress list` shows it; the address is empty where only its hash is known."""

    id: int
    email: str
    exact_hash: str
    scope: str
    reason: Reason
    at: datetime
    source: str


def address_hashes(keyring: Keyring, email: str) -> Hashes:
    """Return the hashes under which a "no" from this address is written."""
    return Hashes(keyring.hmac(_EXACT, forms.exact(email)), keyring.hmac(_CANONICAL, forms.canonical(email)))


def person_hashes(keyring: Keyring, uid: str) -> Hashes:
    """Return the hashes under which a "no" of a customer is written, whatever address he or she will have."""
    one = keyring.hmac(_PERSON, uid)
    return Hashes(one, one)


def address_marks(keyring: Keyring, exact: str, canonical: str) -> tuple[str, ...]:
    """Return every hash under which a "no" to this address may be found."""
    return keyring.hmacs(_EXACT, exact) + keyring.hmacs(_CANONICAL, canonical)


def exact_marks(keyring: Keyring, exact: str) -> tuple[str, ...]:
    """Return every hash under which this very address may be counted."""
    return keyring.hmacs(_EXACT, exact)


def person_marks(keyring: Keyring, uid: str) -> tuple[str, ...]:
    """Return every hash under which this customer's own "no" may be found."""
    return keyring.hmacs(_PERSON, uid)


def add(session: Session, new: Sequence[NewSuppression]) -> list[NewSuppression]:
    """Keep each "no" that is not kept yet; return those that are new."""
    fresh = unknown(session, new)
    latest = order.last_attempt(session) if fresh else 0
    rows = [
        {
            "exact_hash": one.hashes.exact,
            "canonical_hash": one.hashes.canonical,
            "scope": one.scope,
            "reason": one.reason,
            "at": one.at,
            "source": one.source,
            "address_id": one.address_id,
            "after_attempt": latest,
        }
        for one in fresh
    ]
    insert_new(session, _TABLE, rows, ["exact_hash", "reason", "scope", "at"])
    return fresh


def unknown(session: Session, new: Sequence[NewSuppression]) -> list[NewSuppression]:
    """Return those not kept yet. Only for the log's sake: what makes a "no" single is the table's constraint."""
    wanted = {one.key: one for one in new}
    for part in chunks(sorted({one.hashes.exact for one in new})):
        query = sa.select(_TABLE.c.exact_hash, _TABLE.c.reason, _TABLE.c.scope, _TABLE.c.at)
        for found in session.connection().execute(query.where(_TABLE.c.exact_hash.in_(part))):
            wanted.pop((found.exact_hash, found.reason, found.scope, found.at), None)
    return list(wanted.values())


def kept(session: Session) -> Iterator[NewSuppression]:
    """Yield every "no" the store holds, those that were lifted since as well."""
    columns = (_TABLE.c.exact_hash, _TABLE.c.canonical_hash, _TABLE.c.scope, _TABLE.c.reason, _TABLE.c.at)
    for exact, canonical, *rest in session.connection().execute(sa.select(*columns).order_by(_TABLE.c.id)):
        yield NewSuppression(Hashes(exact, canonical), *rest)


def blocks(session: Session, marks: Collection[str]) -> dict[str, list[Block]]:
    """Return what stands against each of these hashes."""
    found: dict[str, list[Block]] = defaultdict(list)
    wanted = sorted(marks)
    for lookup in _STANDING:
        for mark, scope, reason, at in lookup.rows(session, wanted):
            found[mark].append(Block(reason, scope, at))
    return found


def _standing_under(column: sa.Column[Any]) -> Lookup:
    columns = (_TABLE.c.scope, _TABLE.c.reason, _TABLE.c.at)
    return Lookup(sa.select(column, *columns).where(_TABLE.c.removed_at.is_(None)), column)


_STANDING = (_standing_under(_TABLE.c.exact_hash), _standing_under(_TABLE.c.canonical_hash))


def standing(session: Session, marks: Collection[str]) -> list[Listed]:
    """Return the suppressions that stand against any of these hashes."""
    matches = sa.or_(_TABLE.c.exact_hash.in_(marks), _TABLE.c.canonical_hash.in_(marks))
    return _listed(session, matches)


def listing(session: Session) -> list[Listed]:
    """Return every suppression that stands, the newest first."""
    return _listed(session, sa.true())


def _listed(session: Session, condition: sa.ColumnElement[bool]) -> list[Listed]:
    query = (
        sa.select(
            _TABLE.c.id,
            sa.func.coalesce(_ADDRESS.c.email, "").label("email"),
            *(_TABLE.c[name] for name in ("exact_hash", "scope", "reason", "at", "source")),
        )
        .select_from(_TABLE.outerjoin(_ADDRESS, _TABLE.c.address_id == _ADDRESS.c.id))
        .where(condition, _TABLE.c.removed_at.is_(None))
        .order_by(_TABLE.c.at.desc(), _TABLE.c.id.desc())
    )
    return [Listed(*row) for row in session.connection().execute(query)]


def lift(session: Session, ids: Iterable[int], now: datetime) -> None:
    """Mark suppressions as removed; only what the owner may lift."""
    session.connection().execute(
        sa.update(_TABLE).where(_TABLE.c.id.in_(list(ids)), _TABLE.c.reason.in_(LIFTABLE)).values(removed_at=now)
    )


def seal(session: Session, keyring: Keyring) -> None:
    """Leave the current key's mark in the store, so that a store opened with a wrong key can tell."""
    here = installation.find(session)
    if here is None or not keyring.fits(here.canary):
        return
    marks = here.canary.split()
    if keyring.canary not in marks:
        installation.note_canary(session, " ".join([*marks, keyring.canary]))


def keys_hold(session: Session, keyring: Keyring) -> bool:
    """Say whether the keys are those the store was written with; with any other, nobody's "no" can be found."""
    here = installation.find(session)
    return here is None or keyring.fits(here.canary)


def is_personal(block: Block) -> bool:
    """Say whether a "no" is the person's and so reaches all of their addresses; a bounce stays with its mailbox."""
    return block.scope != EVERYTHING or block.reason is Reason.LEGAL_BLOCK
