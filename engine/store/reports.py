"""The sent log: who got what, when, why and on which legal basis; read-only, newest first, a page at a time.

Pages follow the row's own number, so that the hundredth page costs what the first does and nothing is shown twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain.addresses import exact, unless_erased
from engine.domain.log_query import LogQuery
from engine.domain.words import State
from engine.store import delivery_events
from engine.store.delivery_events import Told
from engine.store.message_tables import Attempt, Enrolment, Message, MessageBody, MessageEvent
from engine.store.messages import WAITING
from engine.store.tables import Address, Customer
from engine.store.upsert import chunks

PAGE = 500
_M: sa.Table = Message.__table__  # type: ignore[attr-defined]
_E: sa.Table = Enrolment.__table__  # type: ignore[attr-defined]
_C: sa.Table = Customer.__table__  # type: ignore[attr-defined]
_A: sa.Table = Address.__table__  # type: ignore[attr-defined]
_B: sa.Table = MessageBody.__table__  # type: ignore[attr-defined]
_V: sa.Table = MessageEvent.__table__  # type: ignore[attr-defined]
_T: sa.Table = Attempt.__table__  # type: ignore[attr-defined]
_WHEN = sa.func.coalesce(_M.c.sent_at, _M.c.planned_at)


@dataclass(frozen=True, slots=True)
class Step:
    """One transition of a message, as the log shows it."""

    at: datetime
    before: str
    after: str
    actor: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One message of the log."""

    number: int
    message_id: str
    campaign: str
    step: str
    customer: str
    email: str
    occasion: str
    state: State
    reason: str | None
    detail: str
    due: date
    planned_at: datetime
    send_after: datetime
    expires_at: datetime
    sent_at: datetime | None
    provider: str
    provider_id: str
    attempts: int
    basis: str | None
    evidence: str
    subject: str
    rehearsal: bool
    name: str
    events: tuple[Step, ...] = ()
    news: tuple[Told, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt: one call to the provider and what it came to."""

    number: int
    provider: str
    started_at: datetime
    finished_at: datetime | None
    result: str
    provider_id: str
    detail: str


@dataclass(slots=True)
class Tally:
    """How many of the listed messages stand in which state."""

    states: Counter[State] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """Return how many messages there are."""
        return sum(self.states.values())


def page(session: Session, query: LogQuery, before: int | None = None, size: int = PAGE) -> list[Entry]:
    """Return the next messages the query asks for, newest first, with their events; empty at the end."""
    select = _entries().where(*_conditions(query))
    if before is not None:
        select = select.where(_M.c.id < before)
    rows = session.connection().execute(select.order_by(_M.c.id.desc()).limit(size)).all()
    return _whole(session, rows)


def tally(session: Session, query: LogQuery) -> Tally:
    """Count what the query asks for, by state."""
    joined = _joined(sa.select(_M.c.state, sa.func.count()))
    rows = session.connection().execute(joined.where(*_conditions(query)).group_by(_M.c.state)).all()
    return Tally(Counter({State(state): count for state, count in rows}))


def find(session: Session, message_id: str) -> list[Entry]:
    """Return the messages whose id begins with `message_id`: one, none, or two where more are meant."""
    begins = _M.c.message_id.startswith(message_id.lower(), autoescape=True)
    rows = session.connection().execute(_entries().where(begins).order_by(_M.c.id.desc()).limit(2)).all()
    return _whole(session, rows)


def by_numbers(session: Session, numbers: Sequence[int]) -> dict[int, Entry]:
    """Return these messages, without their events."""
    found: dict[int, Entry] = {}
    for part in chunks(numbers):
        rows = session.connection().execute(_entries().where(_M.c.id.in_(part)))
        found.update({row.number: _entry(row, ()) for row in rows})
    return found


def of_customer(session: Session, customer: int, campaign: str, *, rehearsal: bool) -> list[Entry]:
    """Return what a customer was ever planned in one campaign, newest first."""
    mine = sa.and_(_M.c.customer_id == customer, _M.c.campaign == campaign, _M.c.rehearsal == rehearsal)
    rows = session.connection().execute(_entries().where(mine).order_by(_M.c.id.desc())).all()
    return [_entry(row, ()) for row in rows]


def of_people(session: Session, customers: Collection[int], mailboxes: Collection[int]) -> list[Entry]:
    """Return all that was ever planned for these people or mailboxes in earnest, the oldest first, with its events."""
    theirs = sa.or_(_M.c.customer_id.in_(list(customers)), _M.c.address_id.in_(list(mailboxes)))
    query = _entries().where(theirs, _M.c.rehearsal == sa.false()).order_by(_M.c.id)
    rows = session.connection().execute(query).all()
    return [one for part in chunks(rows) for one in _whole(session, part)]


def newest(session: Session) -> int:
    """Return the number of the newest message; 0 where there is none."""
    return session.connection().execute(sa.select(sa.func.max(_M.c.id))).scalar() or 0


def next_due(session: Session, after: datetime, *, rehearsal: bool) -> datetime | None:
    """Return the next instant after this one at which a waiting message may go."""
    query = sa.select(sa.func.min(_M.c.send_after)).where(
        WAITING, _M.c.send_after > after, _M.c.rehearsal == sa.literal(rehearsal)
    )
    return session.connection().execute(query).scalar()


def expired_since(session: Session, number: int) -> list[int]:
    """Return the messages after this one that were too late the moment they were planned."""
    query = sa.select(_M.c.id).where(_M.c.id > number, _M.c.state == State.EXPIRED)
    return list(session.connection().execute(query).scalars())


def calls(session: Session, number: int) -> list[Call]:
    """Return every call to the provider for one message, in order."""
    query = sa.select(
        _T.c.number, _T.c.provider, _T.c.started_at, _T.c.finished_at, _T.c.result, _T.c.provider_id, _T.c.detail
    )
    rows = session.connection().execute(query.where(_T.c.message == number).order_by(_T.c.id))
    return [Call(*row) for row in rows]


def latest_planned(session: Session) -> datetime | None:
    """Return the latest instant any message was planned or sent at: later than `--at`, it is a warning."""
    return session.connection().execute(sa.select(sa.func.max(_WHEN))).scalar()


def _entries() -> sa.Select[Any]:
    return _joined(
        sa.select(
            _M.c.id.label("number"),
            *(_M.c[name] for name in _OWN),
            _C.c.customer_id.label("shop_id"),
            _C.c.uid,
            _C.c.first_name,
            _C.c.last_name,
            _C.c.company,
            _A.c.email,
            _B.c.recipient,
            _E.c.occasion,
        )
    )


_OWN = (
    "message_id",
    "campaign",
    "step",
    "state",
    "reason",
    "detail",
    "due",
    "planned_at",
    "send_after",
    "expires_at",
    "sent_at",
    "provider",
    "provider_id",
    "attempts",
    "basis",
    "evidence",
    "subject",
    "rehearsal",
)


def _joined(select: sa.Select[Any]) -> sa.Select[Any]:
    return select.select_from(
        _M.join(_E, _E.c.id == _M.c.enrolment_id)
        .join(_C, _C.c.id == _M.c.customer_id)
        .outerjoin(_A, _A.c.id == _M.c.address_id)
        .outerjoin(_B, _B.c.message == _M.c.id)
    )


def _conditions(query: LogQuery) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = [_M.c.rehearsal == sa.literal(query.rehearsal)]
    if query.campaigns:
        found.append(_M.c.campaign.in_(query.campaigns))
    if query.states:
        found.append(_M.c.state.in_(query.states))
    if query.reasons:
        found.append(_M.c.reason.in_(query.reasons))
    if query.customers:
        found.append(_C.c.customer_id.in_(query.customers) | _C.c.uid.in_(query.customers))
    if query.emails:
        found.append(sa.or_(*(_mailbox(value) for value in query.emails)))
    if query.since:
        found.append(query.since <= _WHEN)
    if query.until:
        found.append(query.until > _WHEN)
    return [*found, *(_mentions(text) for text in query.texts)]


def _mailbox(value: str) -> sa.ColumnElement[bool]:
    """Ask for one mailbox, or for every address that holds a part such as `@gmx.de`."""
    wanted = exact(value)
    if wanted.rpartition("@")[0]:
        return _A.c.exact == wanted
    return _A.c.exact.contains(wanted, autoescape=True)


def _mentions(text: str) -> sa.ColumnElement[bool]:
    columns = (_M.c.message_id, _M.c.campaign, _M.c.subject, _A.c.exact, _C.c.customer_id, _C.c.company)
    names = (_C.c.first_name, _C.c.last_name)
    return sa.or_(*(column.icontains(text, autoescape=True) for column in (*columns, *names)))


def _events(session: Session, numbers: Sequence[int]) -> dict[int, tuple[Step, ...]]:
    if not numbers:
        return {}
    query = sa.select(_V.c.message, _V.c.at, _V.c.before, _V.c.after, _V.c.actor, _V.c.reason, _V.c.detail).where(
        _V.c.message.in_(numbers)
    )
    found: dict[int, list[Step]] = {}
    for number, *step in session.connection().execute(query.order_by(_V.c.id)):
        found.setdefault(number, []).append(Step(*step))
    return {number: tuple(steps) for number, steps in found.items()}


def _whole(session: Session, rows: Sequence[sa.Row[Any]]) -> list[Entry]:
    """Return entries with their history and with what the provider told later."""
    numbers = [row.number for row in rows]
    events, news = _events(session, numbers), delivery_events.told(session, numbers)
    return [_entry(row, events.get(row.number, ()), tuple(news.get(row.number, ()))) for row in rows]


def _entry(row: sa.Row[Any], events: tuple[Step, ...], news: tuple[Told, ...] = ()) -> Entry:
    own = {name: getattr(row, name) for name in _OWN}
    return Entry(
        number=row.number,
        customer=row.shop_id or row.uid,
        email=unless_erased(row.recipient or row.email or ""),
        occasion=row.occasion,
        name=f"{row.first_name} {row.last_name}".strip() or row.company,
        events=events,
        news=news,
        **{**own, "state": State(own["state"])},
    )
