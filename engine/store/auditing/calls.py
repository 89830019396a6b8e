"""Every call was written down before it was made, whole, and is repeated only as it was, and only while it may be."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain.retry import MAX_ATTEMPTS
from engine.domain.words import Reason, State
from engine.store.auditing.contract import (
    ATTEMPTS,
    BODIES,
    CALLED,
    CALLS,
    EVENTS,
    MESSAGES,
    STATE,
    Ground,
    Violation,
    asked,
    pages,
)


def without_attempt(session: Session, _ground: Ground) -> Iterator[Violation]:
    """Find messages that were called for, and releases in their history, with nothing that was written before."""
    attempt = sa.select(ATTEMPTS.c.id).where(ATTEMPTS.c.message == MESSAGES.c.id)
    none = sa.select(MESSAGES.c.message_id, STATE).where(STATE.in_(sorted(CALLED)), ~attempt.exists())
    for message_id, state in asked(session, none):
        yield Violation("intent", message_id, f"is {state} without any call written down")
    own = sa.select(ATTEMPTS.c.id).where(ATTEMPTS.c.message == EVENTS.c.message, ATTEMPTS.c.fence == EVENTS.c.fence)
    released = sa.select(MESSAGES.c.message_id, EVENTS.c.fence).join(EVENTS, EVENTS.c.message == MESSAGES.c.id)
    to_sending = sa.and_(EVENTS.c.after == State.SENDING.value, EVENTS.c.before != EVENTS.c.after)
    for message_id, fence in asked(session, released.where(to_sending, ~own.exists())):
        yield Violation("intent", message_id, f"release number {fence} has no call written down")


def without_release(session: Session, _ground: Ground) -> Iterator[Violation]:
    """Find calls that no release in the message's history allowed, or with a number the message never had."""
    # A mail that was proved and went along in the identical call has stayed sent.
    along = sa.and_(EVENTS.c.after == State.SENT.value, EVENTS.c.reason == Reason.REPEATED.value)
    released = sa.select(EVENTS.c.id).where(
        EVENTS.c.message == ATTEMPTS.c.message,
        EVENTS.c.fence == ATTEMPTS.c.fence,
        sa.or_(EVENTS.c.after == State.SENDING.value, along),
    )
    made = sa.select(MESSAGES.c.message_id, MESSAGES.c.fence, ATTEMPTS.c.fence.label("number")).join(
        ATTEMPTS, ATTEMPTS.c.message == MESSAGES.c.id
    )
    for row in asked(session, made.where(sa.or_(ATTEMPTS.c.fence > MESSAGES.c.fence, ~released.exists()))):
        yield Violation("release", row.message_id, f"a call with number {row.number}; the message is at {row.fence}")


def broken_calls(session: Session, _ground: Ground) -> Iterator[Violation]:
    """Find calls whose members are not all there, not in order, not always the same, or not what was frozen."""
    columns = [CALLS.c[name] for name in ("id", "key", "members", "sha256", "made")]
    for page in pages(session, sa.select(*columns).where(CALLS.c.purged_at.is_(None)), CALLS.c.id):
        members = _members(session, page[0].id, page[-1].id)
        for call in page:
            mine = members.get(call.id, [])
            if fault := _fault(call, mine):
                yield Violation("call", mine[0].message_id if mine else "", f"call {call.key}: {fault}")
    first = sa.select(sa.func.min(ATTEMPTS.c.id)).where(ATTEMPTS.c.call_id.is_not(None)).scalar_subquery()
    alone = sa.select(MESSAGES.c.message_id, ATTEMPTS.c.number).join(ATTEMPTS, ATTEMPTS.c.message == MESSAGES.c.id)
    # Attempts older than the table of calls belong to none.
    for row in asked(session, alone.where(ATTEMPTS.c.call_id.is_(None), ATTEMPTS.c.id > first)):
        yield Violation("call", row.message_id, f"attempt {row.number} belongs to no call")


def _members(session: Session, first: int, last: int) -> dict[int, list[Any]]:
    names = ("call_id", "position", "message", "sha256", "fence")
    select = (
        sa.select(*(ATTEMPTS.c[name] for name in names), MESSAGES.c.message_id)
        .join(MESSAGES, MESSAGES.c.id == ATTEMPTS.c.message)
        .where(ATTEMPTS.c.call_id.between(first, last))
        .order_by(ATTEMPTS.c.call_id, ATTEMPTS.c.id)
    )
    rows = session.connection().execute(select)
    return {call: list(members) for call, members in groupby(rows, lambda row: row.call_id)}


def _fault(call: Any, members: Sequence[Any]) -> str:
    """Return what is wrong with one call; "" where it is whole."""
    rounds = [members[start : start + call.members] for start in range(0, len(members), max(call.members, 1))]
    if len(members) != call.members * call.made:
        return f"{len(members)} attempts for {call.members} mails, made {call.made} times"
    if any([one.position for one in part] != list(range(call.members)) for part in rounds):
        return "its mails are not in order"
    if any([(a.message, a.sha256) for a in part] != [(a.message, a.sha256) for a in rounds[0]] for part in rounds[1:]):
        return "it was repeated with other mails"
    if hashlib.sha256("".join(one.sha256 for one in rounds[0]).encode()).hexdigest() != call.sha256:
        return "its mails are not those it was frozen with"
    return ""


def changed_bytes(session: Session, _ground: Ground) -> Iterator[Violation]:
    """Find calls that sent other bytes than those that were frozen at the first release."""
    made = sa.select(MESSAGES.c.message_id, ATTEMPTS.c.number, BODIES.c.sha256).select_from(
        ATTEMPTS.join(MESSAGES, MESSAGES.c.id == ATTEMPTS.c.message).outerjoin(
            BODIES, BODIES.c.message == ATTEMPTS.c.message
        )
    )
    differs = sa.or_(BODIES.c.sha256.is_(None), BODIES.c.sha256 != ATTEMPTS.c.sha256)
    for row in asked(session, made.where(differs)):
        told = "nothing is frozen" if row.sha256 is None else "sent other bytes than those frozen"
        yield Violation("bytes", row.message_id, f"attempt {row.number}: {told}")


def too_many_attempts(session: Session, _ground: Ground) -> Iterator[Violation]:
    """Find messages that were tried more often than anything may be; a repeat of the identical call is no new try."""
    call = sa.func.coalesce(ATTEMPTS.c.call_id, -ATTEMPTS.c.id)
    repeats = sa.func.count() - sa.func.count(call.distinct())
    tried = sa.select(MESSAGES.c.message_id, MESSAGES.c.attempts, repeats.label("repeats")).join(
        ATTEMPTS, ATTEMPTS.c.message == MESSAGES.c.id
    )
    often = tried.where(MESSAGES.c.attempts > MAX_ATTEMPTS).group_by(
        MESSAGES.c.id, MESSAGES.c.message_id, MESSAGES.c.attempts
    )
    for row in asked(session, often.having(MESSAGES.c.attempts - repeats > MAX_ATTEMPTS)):
        yield Violation("tries", row.message_id, f"{row.attempts} attempts, {MAX_ATTEMPTS} are the most")


def repeated_too_late(session: Session, ground: Ground) -> Iterator[Violation]:
    """Find calls that were repeated when the provider no longer knew their key."""
    names = ("id", "provider", "key", "first_at", "last_at", "made")
    again = sa.select(*(CALLS.c[name] for name in names)).where(CALLS.c.made > 1)
    for call in asked(session, again):
        life = ground.replays.get(call.provider)
        if call.provider in ground.replays and (life is None or call.last_at >= call.first_at + life):
            allowed = f"its key lives {life}" if life else "this provider knows no keys"
            late = f"repeated {call.last_at - call.first_at} after the first time; {allowed}"
            yield Violation("repeat", _first_member(session, call.id), f"call {call.key}: {late}")


def _first_member(session: Session, call: int) -> str:
    named = sa.select(MESSAGES.c.message_id).join(ATTEMPTS, ATTEMPTS.c.message == MESSAGES.c.id)
    first = named.where(ATTEMPTS.c.call_id == call).order_by(ATTEMPTS.c.position).limit(1)
    return session.connection().execute(first).scalar() or ""
