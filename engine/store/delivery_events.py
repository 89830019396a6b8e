"""What providers told us of mails later on: each event once, appended, with no address in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

from engine.domain.news import NOES, PROOFS, DeliveryNews, NewsKind
from engine.store.lookups import Lookup
from engine.store.message_tables import Attempt, DeliveryEvent, MessageBody
from engine.store.messages import COLUMNS, MessageRow
from engine.store.messages import TABLE as MESSAGES
from engine.store.tables import Address
from engine.store.upsert import chunks, is_sqlite

_EVENTS: sa.Table = DeliveryEvent.__table__  # type: ignore[attr-defined]
_ATTEMPTS: sa.Table = Attempt.__table__  # type: ignore[attr-defined]
_BODIES: sa.Table = MessageBody.__table__  # type: ignore[attr-defined]
_ADDRESSES: sa.Table = Address.__table__  # type: ignore[attr-defined]
_PROOF = Lookup(sa.select(_EVENTS.c.message).where(_EVENTS.c.kind.in_(sorted(PROOFS))).distinct(), _EVENTS.c.message)
_TOLD = ("message", "at", "provider", "kind", "detail")
_NEWEST = 50_000
_OF_MESSAGES = Lookup(sa.select(*(_EVENTS.c[name] for name in _TOLD), _EVENTS.c.id), _EVENTS.c.message)


@dataclass(frozen=True, slots=True)
class Told:
    """One event as people read it."""

    message: int
    at: datetime
    provider: str
    kind: str
    detail: str


class Heard(NamedTuple):
    """One event as the brake sees it: when it came to us counts, for its own time anybody can write."""

    message: int
    kind: str
    detail: str
    received_at: datetime


def keep(
    session: Session, provider: str, news: Sequence[DeliveryNews], about: dict[str, int], now: datetime
) -> list[DeliveryNews]:
    """Append the events that are not kept yet and return them; `about`: the message of each id of ours.

    Nothing happens later than it is told: a time to come is written as `now`. What is told in words is kept only with a
    message: beside an event that belongs to nobody's mail, no erasure would ever find a name in it.
    """
    rows = {
        one.event_id: {
            "provider": provider,
            "event_id": one.event_id,
            "message": about.get(one.message_id),
            "kind": one.kind.value,
            "at": min(one.at or now, now),
            "received_at": now,
            "provider_id": one.provider_id,
            "detail": one.detail if one.message_id in about else "",
        }
        for one in reversed(news)
    }
    insert = (sqlite.insert if is_sqlite(session) else postgresql.insert)(_EVENTS)
    once = insert.on_conflict_do_nothing(index_elements=["provider", "event_id"]).returning(_EVENTS.c.event_id)
    new: set[str] = set()
    for part in chunks(sorted(rows), 100):
        new.update(session.connection().execute(once, [rows[number] for number in part]).scalars())
    first = {one.event_id: one for one in reversed(news)}
    return [one for number, one in first.items() if number in new]


def messages_of(session: Session, provider: str, message_ids: Iterable[str]) -> dict[str, MessageRow]:
    """Return the real messages with these ids of ours that this provider was given, or that nobody was yet.

    The second is what a restored backup shows of the time it has lost.
    """
    found: dict[str, MessageRow] = {}
    attempt = sa.select(_ATTEMPTS.c.id).where(_ATTEMPTS.c.message == MESSAGES.c.id, _ATTEMPTS.c.provider == provider)
    known = sa.or_(MESSAGES.c.provider.in_(["", provider]), attempt.exists())
    for part in chunks(sorted({number for number in message_ids if number})):
        mine = sa.select(*COLUMNS).where(MESSAGES.c.message_id.in_(part), MESSAGES.c.rehearsal.is_(False), known)
        found.update({row.message_id: MessageRow._make(row) for row in session.connection().execute(mine)})
    return found


def hold(session: Session, rows: Iterable[MessageRow]) -> None:
    """Hold these messages until the transaction ends, in the order of their numbers.

    An event points to its message, and on PostgreSQL that alone would let two transactions wait for each other.
    """
    numbers = sorted({row.id for row in rows})
    if numbers and not is_sqlite(session):
        mine = sa.select(MESSAGES.c.id).where(MESSAGES.c.id.in_(numbers)).order_by(MESSAGES.c.id)
        session.connection().execute(mine.with_for_update())


def by_provider_ids(session: Session, provider: str, numbers: Iterable[str]) -> dict[str, str]:
    """Return our ids of the mails the provider calls by these numbers (it reads every message: ask rarely)."""
    wanted = sorted({number for number in numbers if number})
    if not wanted:
        return {}
    theirs = sa.and_(MESSAGES.c.provider == provider, MESSAGES.c.provider_id.in_(wanted))
    rows = session.connection().execute(sa.select(MESSAGES.c.provider_id, MESSAGES.c.message_id).where(theirs))
    return {row.provider_id: row.message_id for row in rows}


def recipient(session: Session, row: MessageRow) -> str | None:
    """Return the address a message was, or would be, sent to; None where it is not known any more."""
    frozen = sa.select(_BODIES.c.recipient).where(_BODIES.c.message == row.id)
    if email := session.connection().execute(frozen).scalar():
        return str(email)
    address = sa.select(_ADDRESSES.c.email).where(_ADDRESSES.c.id == row.address_id)
    return session.connection().execute(address).scalar()


def bounces_at(session: Session, address_ids: Iterable[int], since: datetime) -> list[Told]:
    """Return what was told of undelivered mails to these addresses since then."""
    wanted = sorted(set(address_ids))
    query = (
        sa.select(*(_EVENTS.c[name] for name in _TOLD))
        .join(MESSAGES, MESSAGES.c.id == _EVENTS.c.message)
        .where(MESSAGES.c.address_id.in_(wanted), MESSAGES.c.rehearsal.is_(False), _EVENTS.c.at >= since)
        .where(_EVENTS.c.kind.in_([NewsKind.BOUNCED.value, NewsKind.DEFERRED.value]))
    )
    return [Told(*row) for row in session.connection().execute(query)] if wanted else []


def lately(session: Session, since: datetime, now: datetime) -> list[Heard]:
    """Return what was told of our mails since then that may stop all of them; at most of the newest events there are.

    The table has no index by time, and what is new stands at its end.
    """
    last = session.connection().execute(sa.select(sa.func.max(_EVENTS.c.id))).scalar() or 0
    kinds = sorted({*NOES, NewsKind.DEFERRED})
    query = sa.select(*(_EVENTS.c[name] for name in Heard._fields)).where(
        _EVENTS.c.id > last - _NEWEST,
        _EVENTS.c.message.is_not(None),
        _EVENTS.c.kind.in_(kinds),
        _EVENTS.c.received_at > since,
        _EVENTS.c.received_at <= now,
    )
    return [Heard(*row) for row in session.connection().execute(query)]


def sent_since(session: Session, since: datetime) -> int:
    """Return how many real mails were sent since then."""
    mine = sa.and_(MESSAGES.c.rehearsal.is_(False), MESSAGES.c.sent_at > since)
    return session.connection().execute(sa.select(sa.func.count()).where(mine)).scalar_one()


def proof(session: Session, messages: Sequence[int]) -> set[int]:
    """Return those of these messages of which an event shows that the provider had taken them."""
    return {number for (number,) in _PROOF.rows(session, list(messages))}


def told(session: Session, messages: Sequence[int]) -> dict[int, list[Told]]:
    """Return what was told of these messages, by message, in the order in which it happened."""
    found: dict[int, list[Told]] = {}
    for *row, _ in sorted(_OF_MESSAGES.rows(session, list(messages)), key=lambda row: (row[1], row[5])):
        one = Told(*row)
        found.setdefault(one.message, []).append(one)
    return found
