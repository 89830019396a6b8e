"""The mails somebody asked for on a page, and what became of them. Of an address that is erased a hash stays to count.

A reply is `waiting`, then `sending` under its sender's name, and ends as `sent`, `refused`, `unknown` or `expired`; one
that provably did not leave waits again. While it waits, `ended_at` is the instant before which it is not tried.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from engine.store.lawful_tables import LegalHold, Reply
from engine.store.tables import Customer, CustomerAddress
from engine.store.upsert import append

_TABLE: sa.Table = Reply.__table__  # type: ignore[attr-defined]
_HOLD: sa.Table = LegalHold.__table__  # type: ignore[attr-defined]
_CUSTOMER: sa.Table = Customer.__table__  # type: ignore[attr-defined]
_KNOWN: sa.Table = CustomerAddress.__table__  # type: ignore[attr-defined]

WAITING, SENDING, SENT, REFUSED, UNKNOWN, EXPIRED = "waiting", "sending", "sent", "refused", "unknown", "expired"
STATES = (WAITING, SENDING, SENT, REFUSED, UNKNOWN, EXPIRED)
CONFIRMATION = "doi_request"
DATA_LINK = "dsr_response"


@dataclass(frozen=True, slots=True)
class NewReply:
    """One mail that was asked for, as it is to be queued."""

    message_id: str
    kind: str
    address_key: str
    email: str
    token_sha256: str
    asked_at: datetime
    expires_at: datetime
    language: str = ""
    wording: str = ""
    wording_version: str = ""
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class ReplyRow:
    """One reply as the store has it."""

    id: int
    message_id: str
    kind: str
    state: str
    address_key: str
    email: str
    language: str
    wording: str
    wording_version: str
    evidence: str
    token_sha256: str
    asked_at: datetime
    expires_at: datetime
    used_at: datetime | None
    owner: str
    attempts: int
    body_sha256: str


@dataclass(frozen=True, slots=True)
class Called:
    """Who calls which provider with which mail."""

    owner: str
    provider: str
    body_sha256: str


_COLUMNS = tuple(_TABLE.c[name] for name in ReplyRow.__dataclass_fields__)


def add(session: Session, new: NewReply) -> None:
    """Queue a reply."""
    row = {name: getattr(new, name) for name in NewReply.__dataclass_fields__}
    blank = dict.fromkeys(("owner", "provider", "provider_id", "body_sha256", "detail"), "")
    append(session, _TABLE, [row | blank | {"state": WAITING, "attempts": 0}])


def asked(session: Session, address_keys: Collection[str], kind: str, since: datetime) -> list[datetime]:
    """Return when replies of a kind were asked for at these addresses, whatever became of them."""
    query = sa.select(_TABLE.c.asked_at).where(
        _TABLE.c.address_key.in_(list(address_keys)), _TABLE.c.kind == kind, _TABLE.c.asked_at > since
    )
    return list(session.connection().execute(query).scalars())


def find(session: Session, token_sha256: str, kind: str) -> ReplyRow | None:
    """Return the reply whose link this is."""
    return _one(session, sa.select(*_COLUMNS).where(_TABLE.c.token_sha256 == token_sha256, _TABLE.c.kind == kind))


def use(session: Session, row: ReplyRow, now: datetime) -> bool:
    """Use a link up; False where somebody else was first, or an erasure was."""
    unused = (_TABLE.c.id == row.id, _TABLE.c.used_at.is_(None), _TABLE.c.email == row.email)
    return session.connection().execute(sa.update(_TABLE).where(*unused).values(used_at=now)).rowcount == 1


def first_waiting(session: Session, now: datetime) -> ReplyRow | None:
    """Return the reply that has waited longest and may be tried now."""
    due = sa.or_(_TABLE.c.ended_at.is_(None), _TABLE.c.ended_at <= now)
    query = sa.select(*_COLUMNS).where(_TABLE.c.state == WAITING, due, _TABLE.c.expires_at > now)
    return _one(session, query.order_by(_TABLE.c.asked_at, _TABLE.c.id).limit(1))


def has_waiting(session: Session) -> bool:
    """Say whether any reply waits, if only to expire."""
    waiting = sa.select(_TABLE.c.id).where(_TABLE.c.state == WAITING).limit(1)
    return session.connection().execute(waiting).first() is not None


def take(session: Session, row: ReplyRow, called: Called, now: datetime) -> ReplyRow | None:
    """Write down the intent to send and return the reply as it is then; None where another worker has it."""
    values = {"state": SENDING, "called_at": now, "attempts": row.attempts + 1, "ended_at": None}
    told = {name: getattr(called, name) for name in Called.__dataclass_fields__}
    if not _move(session, row, (WAITING,), values | told):
        return None
    return replace(row, state=SENDING, attempts=row.attempts + 1, owner=called.owner, body_sha256=called.body_sha256)


def settle(session: Session, row: ReplyRow, state: str, *, now: datetime, detail: str, provider_id: str = "") -> bool:
    """End a waiting reply, or one whose call has ended; False where it has moved on meanwhile."""
    values = {"state": state, "owner": "", "ended_at": now, "detail": detail, "provider_id": provider_id}
    return _move(session, row, (row.state,), values)


def prove(session: Session, row: ReplyRow, provider_id: str, now: datetime) -> bool:
    """Take a late "accepted" for a reply that was given up meanwhile as the proof it is."""
    return _move(session, row, (UNKNOWN,), {"state": SENT, "ended_at": now, "provider_id": provider_id})


def told_of(session: Session, provider: str, names: Sequence[tuple[str, str]]) -> dict[str, ReplyRow]:
    """Return the replies that a provider tells of, by our own id, or by the provider's where ours is missing."""
    ours, theirs = {ours for ours, _ in names if ours}, {other for ours, other in names if other and not ours}
    named = sa.or_(_TABLE.c.message_id.in_(ours), _TABLE.c.provider_id.in_(theirs))
    query = sa.select(*_COLUMNS, _TABLE.c.provider_id).where(_TABLE.c.provider == provider, named)
    found: dict[str, ReplyRow] = {}
    for *columns, provider_id in session.connection().execute(query):
        row = ReplyRow(*columns)
        found[row.message_id if row.message_id in ours else provider_id] = row
    return found


def wait_again(session: Session, row: ReplyRow, until: datetime, detail: str, *, counts: bool = True) -> bool:
    """Let a reply that provably did not leave wait until it may be tried again."""
    attempts = row.attempts if counts else row.attempts - 1
    values = {"state": WAITING, "owner": "", "ended_at": until, "detail": detail, "attempts": attempts}
    return _move(session, row, (SENDING,), values)


def _move(session: Session, row: ReplyRow, before: Sequence[str], values: dict[str, Any]) -> bool:
    """Change a reply that is still as it was read: the attempt is the fence against a late writer."""
    mine = (_TABLE.c.id == row.id, _TABLE.c.state.in_(list(before)), _TABLE.c.attempts == row.attempts)
    return session.connection().execute(sa.update(_TABLE).where(*mine).values(**values)).rowcount == 1


def expire(session: Session, now: datetime) -> int:
    """End what could not be sent while its link was good."""
    late = (_TABLE.c.state == WAITING, _TABLE.c.expires_at <= now)
    return session.connection().execute(sa.update(_TABLE).where(*late).values(state=EXPIRED, ended_at=now)).rowcount


def owners(session: Session) -> set[str]:
    """Return in whose hands replies are."""
    return set(session.connection().execute(sa.select(_TABLE.c.owner).where(_TABLE.c.state == SENDING)).scalars())


def give_up(session: Session, names: Iterable[str], now: datetime, detail: str) -> int:
    """End what these owners were sending: it may have left, and nobody is sent it twice."""
    theirs = (_TABLE.c.state == SENDING, _TABLE.c.owner.in_(list(names)))
    values = {"state": UNKNOWN, "owner": "", "ended_at": now, "detail": detail}
    return session.connection().execute(sa.update(_TABLE).where(*theirs).values(**values)).rowcount


def give_up_until(session: Session, until: datetime, now: datetime, detail: str) -> int:
    """End whatever was open and asked for before `until`: a restored store does not know whether it left since."""
    open_then = (_TABLE.c.state.in_([WAITING, SENDING]), _TABLE.c.asked_at <= until)
    values = {"state": UNKNOWN, "owner": "", "ended_at": now, "detail": detail}
    return session.connection().execute(sa.update(_TABLE).where(*open_then).values(**values)).rowcount


def stale(session: Session, before: datetime) -> list[ReplyRow]:
    """Return what is to be erased: requests nobody confirmed, and links to data, asked for before an instant."""
    unconfirmed = sa.or_(_TABLE.c.used_at.is_(None), _TABLE.c.kind != CONFIRMATION)
    old = sa.and_(_TABLE.c.asked_at <= before, _TABLE.c.state != SENDING, _TABLE.c.email != "", unconfirmed)
    held = sa.exists().where(_HOLD.c.address_key == _TABLE.c.address_key, _HOLD.c.lifted_at.is_(None))
    return [ReplyRow(*row) for row in session.connection().execute(sa.select(*_COLUMNS).where(old, ~held))]


def still_open(session: Session, address_keys: Collection[str]) -> set[str]:
    """Return those of these addresses for which another reply, that is not erased, still stands."""
    query = sa.select(_TABLE.c.address_key).where(_TABLE.c.address_key.in_(list(address_keys)), _TABLE.c.email != "")
    return set(session.connection().execute(query).scalars())


def forget(session: Session, rows: Sequence[ReplyRow]) -> int:
    """Erase whom these replies were for, and their links; the hash of the address stays, to count requests by."""
    ids = [row.id for row in rows]
    changed = {"email": "", "token_sha256": "", "evidence": "", "detail": ""}
    ended = sa.case((_TABLE.c.state == WAITING, EXPIRED), else_=_TABLE.c.state)
    statement = sa.update(_TABLE).where(_TABLE.c.id.in_(ids)).values(**changed, state=ended)
    return session.connection().execute(statement).rowcount if ids else 0


def is_restricted(session: Session, address_ids: Collection[int]) -> bool:
    """Say whether anybody at these mailboxes asked that their data be kept and not used (Art. 18 GDPR)."""
    query = (
        sa.select(_CUSTOMER.c.id)
        .join(_KNOWN, _KNOWN.c.customer_id == _CUSTOMER.c.id)
        .where(_KNOWN.c.address_id.in_(list(address_ids)), _CUSTOMER.c.restricted_at.is_not(None))
    )
    return session.connection().execute(query.limit(1)).first() is not None


def _one(session: Session, query: sa.Select[Any]) -> ReplyRow | None:
    row = session.connection().execute(query).first()
    return ReplyRow(*row) if row else None
