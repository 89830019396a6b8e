"""The judge: what the provider's own book says, held against what the program says of itself."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from engine.domain import retry
from engine.domain.states import OPEN
from engine.domain.words import Reason, State
from engine.steps.watching import auditing
from engine.store.auditing.contract import EVER
from engine.store.message_tables import Attempt, Message, MessageEvent, ProviderCall
from engine.store.tables import Customer
from tests.simulation.provider import KEYED, LOOKED_UP, REPLAYS, Book, Voice
from tests.simulation.shop import live_store, shop
from tests.simulation.stage import Process, Stage

MESSAGES: sa.Table = Message.__table__  # type: ignore[attr-defined]
ATTEMPTS: sa.Table = Attempt.__table__  # type: ignore[attr-defined]
CALLS: sa.Table = ProviderCall.__table__  # type: ignore[attr-defined]
CUSTOMERS: sa.Table = Customer.__table__  # type: ignore[attr-defined]
EVENTS: sa.Table = MessageEvent.__table__  # type: ignore[attr-defined]
RELEASED = sa.or_(EVENTS.c.after == "sending", sa.and_(EVENTS.c.after == "sent", EVENTS.c.reason == "repeated"))
"""A step by which a mail went into a call; one that was proved goes along in the identical call and stays sent."""
ENDED_WITHOUT_MAIL = {State.SKIPPED, State.EXPIRED, State.CANCELLED, State.HELD, State.FAILED}


@dataclass(frozen=True, slots=True)
class Promise:
    """What may be expected: `resend` is the campaign's word; `keys_fail` that a key may have run out.

    `whole_calls` says that nothing but its age kept a call from being repeated. `excused` are the messages that may end
    without a mail for a reason of their own: their customer said no. `told` are those the provider has told us of.
    """

    resend: bool = False
    keys_fail: bool = False
    whole_calls: bool = True
    excused: Collection[str] = ()
    told: Collection[str] = ()


@dataclass(slots=True)
class Verdict:
    """What was counted, and every broken promise as a sentence."""

    messages: int = 0
    twice: int = 0
    forgotten: int = 0
    unknown: int = 0
    faults: list[str] = field(default_factory=list)


def judge(book: Book, promise: Promise) -> Verdict:
    """Hold the store as it is now against the provider's book."""
    rows = all_messages()
    verdict = Verdict(len(rows), faults=list(book.wrongs))
    for row in rows:
        _judge_one(verdict, _Seen(row, book.times(row.message_id), book, promise))
    strays = {one.message_id for one in book.taken} - {row.message_id for row in rows}
    verdict.faults += [f"mailed, and in no row: {one}" for one in sorted(strays)]
    verdict.faults += audited(book)
    return verdict


def can_know(book: Book, promise: Promise) -> bool:
    """Say whether this provider lets every doubt be ended."""
    return book.style in LOOKED_UP or (book.style in KEYED and not promise.keys_fail)


@dataclass(frozen=True, slots=True)
class _Seen:
    """One message, what the provider's book says of it, and what could have been known."""

    row: Any
    times: int
    book: Book
    promise: Promise

    @property
    def excused(self) -> bool:
        return self.row.message_id in self.promise.excused

    @property
    def knows(self) -> bool:
        return can_know(self.book, self.promise)

    @property
    def twice_is_wrong(self) -> bool:
        if self.knows or not self.promise.resend:
            return True
        # A "no" gives a doubt up before its key does; what was mailed twice until then is none of its doing.
        return not self.excused and _too_soon(self)

    @property
    def denial_is_wrong(self) -> bool:
        proved = self.row.state is State.SKIPPED and self.row.reason is Reason.PROVED
        told = self.row.state in {State.SENT, State.UNKNOWN} or proved
        return not told and (self.knows or not self.promise.resend)

    @property
    def unknown_is_wrong(self) -> bool:
        if self.row.message_id in self.promise.told:
            return True
        sure = self.knows or self.promise.resend or _too_soon(self)
        return sure and not self.excused and not retry.is_hopeless(self.row.attempts)

    @property
    def no_mail_is_wrong(self) -> bool:
        if self.row.state is State.FAILED:
            return not retry.is_hopeless(self.row.attempts)
        return not self.excused and not _was_carried(self)


def _judge_one(verdict: Verdict, one: _Seen) -> None:
    row, times = one.row, one.times
    verdict.unknown += row.state is State.UNKNOWN
    verdict.twice += times > 1
    broken = []
    if times > 1 and one.twice_is_wrong:
        broken.append("mailed twice")
    if row.state in OPEN - {State.HELD}:
        broken.append("still open")
    if row.state is State.SENT and times == 0:
        broken.append("said to be sent")
    if times and one.denial_is_wrong:
        broken.append("said not to be sent")
    if row.state is State.UNKNOWN and one.unknown_is_wrong:
        broken.append("could be known, or sent again")
    if not times and row.state in ENDED_WITHOUT_MAIL and one.no_mail_is_wrong:
        verdict.forgotten += 1
        broken.append("forgotten")
    told = f"{row.message_id[:8]} is {row.state}({row.reason}), accepted {times} times"
    verdict.faults += [f"{what}: {told}" for what in broken]


def _was_carried(one: _Seen) -> bool:
    """Say whether the mail that made this one unnecessary was accepted, or may have been."""
    row, book = one.row, one.book
    leads = [lead for lead in all_messages() if lead.address_id == row.address_id and lead.id != row.id]
    mailed = any(book.times(lead.message_id) or lead.state in {State.UNKNOWN, State.REJECTED} for lead in leads)
    return row.reason is Reason.SAME_ADDRESS and mailed


def _too_soon(one: _Seen) -> bool:
    """Say whether a doubt was given up although its call could still be repeated with its key."""
    if one.book.style not in KEYED or not one.promise.whole_calls:
        return False
    ends = EVENTS.c.after.in_(["unknown", "retrying"])
    left = sa.select(EVENTS.c.at).where(EVENTS.c.message == one.row.id, EVENTS.c.before == "in_doubt", ends)
    asked = sa.select(CALLS.c.first_at).join(ATTEMPTS, ATTEMPTS.c.call_id == CALLS.c.id)
    with live_store().read() as session:
        began = session.connection().execute(asked.where(ATTEMPTS.c.message == one.row.id)).scalars().all()
        given_up = session.connection().execute(left).scalars().all()
    return any(at < max(first for first in began if first <= at) + REPLAYS for at in given_up)


def all_messages() -> list[Any]:
    """Read the messages from outside."""
    columns = (MESSAGES.c[name] for name in ("id", "message_id", "state", "reason", "attempts"))
    asked = sa.select(*columns, CUSTOMERS.c.address_id).join(CUSTOMERS, CUSTOMERS.c.id == MESSAGES.c.customer_id)
    with live_store().read() as session:
        return list(session.connection().execute(asked.order_by(MESSAGES.c.id)))


def audited(book: Book) -> list[str]:
    """Return what the program's own audit finds, by the rules of every version of the campaign's file."""
    campaigns = [one for files in shop().versions.values() for one in files.campaigns]
    ground = auditing.ground_of(shop().app.config, campaigns, Voice(book, Process(Stage(), "audit")), EVER)
    return [
        f"audit, {one.check}: {one.message_id[:8]} {one.what}" for one in auditing.audit_store(live_store(), ground)
    ]
