"""Calls to a provider with their frozen, ordered members: written before they are made, repeated only as they are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain.words import Reason, State
from engine.store.lookups import Lookup
from engine.store.message_tables import Attempt, ProviderCall
from engine.store.messages import COLUMNS, UNDER_WAY, MessageRow, note_events
from engine.store.messages import TABLE as MESSAGES
from engine.store.upsert import append, change

_CALLS: sa.Table = ProviderCall.__table__  # type: ignore[attr-defined]
_ATTEMPTS: sa.Table = Attempt.__table__  # type: ignore[attr-defined]
_FIRST_CALL = MessageRow._fields.index("first_call_at")
_BY_KEY = Lookup(sa.select(_CALLS.c.key, _CALLS.c.id), _CALLS.c.key)
_REFUSED_WHOLE = Lookup(
    sa.select(_ATTEMPTS.c.message)
    .join(_CALLS, _CALLS.c.id == _ATTEMPTS.c.call_id)
    .where(_ATTEMPTS.c.result == "not_sent", _CALLS.c.closed, _CALLS.c.members > 1),
    _ATTEMPTS.c.message,
)
_ENOUGH = 5
"""How often a call is made at most whose answer is clear about some of its mails and not about others."""
_NEVER_LEFT = ("not_sent", "not_begun")
"""Results of attempts after which the mail provably had not left."""


@dataclass(frozen=True, slots=True)
class CallRow:
    """One call as it stands in the store; `members` counts its mails, `sha256` is their digest."""

    id: int
    provider: str
    key: str
    members: int
    sha256: str
    first_at: datetime
    last_at: datetime
    made: int
    closed: bool
    account: str


@dataclass(frozen=True, slots=True)
class Doubted:
    """A message in doubt, or proved since, with the call it was last in: None where an older version released it."""

    row: MessageRow
    provider: str
    look_ups: int
    position: int
    last_at: datetime
    call: CallRow | None


def begin(
    session: Session, provider: str, keys: Mapping[str, Sequence[str]], now: datetime, *, account: str = ""
) -> dict[str, int]:
    """Write down calls that are about to be made for the first time, each key with its members' digests.

    `account` is the mark of the account they are made at. Return the calls' numbers by key.
    """
    rows = [
        {
            "provider": provider,
            "account": account,
            "key": key,
            "members": len(digests),
            "sha256": digest(digests),
            "first_at": now,
            "last_at": now,
        }
        for key, digests in keys.items()
    ]
    append(session, _CALLS, rows)
    return dict(_BY_KEY.rows(session, list(keys)))


def digest(digests: Iterable[str]) -> str:
    """Return the digest of a whole call, from those of its mails in their order."""
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def repeat(session: Session, call: CallRow, now: datetime) -> None:
    """Write down that the identical call is about to be made again."""
    again = {"last_at": now, "made": _CALLS.c.made + 1}
    session.connection().execute(sa.update(_CALLS).where(_CALLS.c.id == call.id).values(again))


def hold(session: Session, call: int) -> CallRow | None:
    """Return a call as it stands now, and let nobody else repeat it until this transaction ends."""
    mine = sa.select(*(_CALLS.c[name] for name in CallRow.__slots__)).where(_CALLS.c.id == call).with_for_update()
    found = session.connection().execute(mine).one_or_none()
    return CallRow(*found) if found else None


def forbid_repeat(session: Session, call: CallRow) -> None:
    """Never make this call again: one of its members may no longer be written to."""
    session.connection().execute(sa.update(_CALLS).where(_CALLS.c.id == call.id).values(closed=True))


def refuse_whole(session: Session, keys: Sequence[str]) -> None:
    """Write down that these calls were refused whole, because of one of their mails: they are never made again."""
    if keys:
        session.connection().execute(sa.update(_CALLS).where(_CALLS.c.key.in_(keys)).values(closed=True))


def refused_whole(session: Session, messages: Sequence[int]) -> set[int]:
    """Return which of these messages were in a call that was refused whole: from then on they go alone."""
    return {message for (message,) in _REFUSED_WHOLE.rows(session, messages)}


def doubted(session: Session, now: datetime, after: int, limit: int, *, real: bool) -> list[Doubted]:
    """Return the next messages in doubt, in order of their numbers, that are to be looked at now: real or rehearsed."""
    due = sa.or_(MESSAGES.c.check_at.is_(None), MESSAGES.c.check_at <= now)
    mine = sa.and_(MESSAGES.c.id > after, MESSAGES.c.rehearsal.is_(not real))
    wanted = sa.and_(UNDER_WAY, MESSAGES.c.state == State.IN_DOUBT, due, mine)
    return _doubted(session, wanted, (MESSAGES.c.id,), limit)


def members(session: Session, calls: Iterable[int], *, hold: bool = False) -> dict[int, list[Doubted]]:
    """Return, by call, the members that are in doubt about it or have certainly gone with it, in their frozen order.

    Whoever ended otherwise is missing. With `hold` they stay as they are until the transaction ends.
    """
    found: dict[int, list[Doubted]] = {}
    state = sa.or_(MESSAGES.c.state == State.IN_DOUBT, _has_gone_with_it())
    mine = sa.and_(_ATTEMPTS.c.call_id.in_(sorted(calls)), state)
    # By their numbers: so whoever holds several messages holds them.
    together = _doubted(session, mine, (MESSAGES.c.id,), None, hold=hold, called=True)
    for one in sorted(together, key=lambda one: one.position):
        if one.call is not None:
            found.setdefault(one.call.id, []).append(one)
    return found


def _has_gone_with_it() -> sa.ColumnElement[bool]:
    """Return the condition that a mail is known to have gone with the very call it was last released with.

    Where an earlier call may have taken it, the proof may be about that one, and a repeat would mail it twice. Where
    the call's own answer named it and was silent about others, the same may come again: a few repeats are enough.
    """
    unnamed = sa.or_(_ATTEMPTS.c.result != "accepted", _ATTEMPTS.c.provider_id == "", _CALLS.c.made < _ENOUGH)
    other = _ATTEMPTS.alias("other")
    elsewhere = sa.and_(other.c.message == MESSAGES.c.id, other.c.call_id.is_distinct_from(_ATTEMPTS.c.call_id))
    may_have_left = sa.select(other.c.id).where(elsewhere, other.c.result.not_in(_NEVER_LEFT))
    return sa.and_(MESSAGES.c.state == State.SENT, unnamed, ~may_have_left.correlate(MESSAGES, _ATTEMPTS).exists())


def _doubted(
    session: Session,
    condition: sa.ColumnElement[bool],
    order: Sequence[sa.ColumnElement[Any]],
    limit: int | None,
    *,
    hold: bool = False,
    called: bool = False,
) -> list[Doubted]:
    """Read through each message's last attempt: the one it was released with; `called` asks for those with a call.

    (SQLite reads a whole history of messages where it is not told that.)
    """
    mine = (MESSAGES.c.provider, MESSAGES.c.look_ups, _ATTEMPTS.c.position, _ATTEMPTS.c.started_at)
    call = tuple(_CALLS.c[name] for name in CallRow.__slots__)
    last = sa.and_(_ATTEMPTS.c.message == MESSAGES.c.id, _ATTEMPTS.c.fence == MESSAGES.c.fence)
    statement = (
        sa.select(*COLUMNS, *mine, *call)
        .select_from(MESSAGES)
        .join(_ATTEMPTS, last, isouter=not called)
        .join(_CALLS, _CALLS.c.id == _ATTEMPTS.c.call_id, isouter=not called)
        .where(condition)
        .order_by(*order)
        .limit(limit)
    )
    if hold:
        statement = statement.with_for_update(of=MESSAGES)
    width = len(COLUMNS)
    return [_one(tuple(row), width) for row in session.connection().execute(statement)]


def _one(row: tuple[object, ...], width: int) -> Doubted:
    provider, look_ups, position, started_at, *call = row[width:]
    return Doubted(
        MessageRow._make(row[:width]),
        provider,  # type: ignore[arg-type]
        look_ups,  # type: ignore[arg-type]
        position,  # type: ignore[arg-type]
        started_at or row[_FIRST_CALL],  # type: ignore[arg-type]
        CallRow(*call) if call[0] is not None else None,  # type: ignore[arg-type]
    )


def put_off(session: Session, doubts: Sequence[Doubted], until: datetime) -> None:
    """Look at these doubts again at `until`."""
    _note(session, doubts, {"check_at": until})


def note_absent(session: Session, doubts: Sequence[Doubted], until: datetime) -> None:
    """Count a look-up that was answered with "no"; another one that came in between is not counted twice."""
    _note(session, doubts, {"check_at": until, "look_ups": MESSAGES.c.look_ups + 1})


def _note(session: Session, doubts: Sequence[Doubted], values: dict[str, object]) -> None:
    by_look_ups: dict[int, list[int]] = {}
    for one in doubts:
        by_look_ups.setdefault(one.look_ups, []).append(one.row.id)
    for look_ups, ids in by_look_ups.items():
        same = (MESSAGES.c.id.in_(ids), MESSAGES.c.state == State.IN_DOUBT, MESSAGES.c.look_ups == look_ups)
        session.connection().execute(sa.update(MESSAGES).where(*same).values(values))


# -- proved members, which the identical call has in it --------------------------------------------------------------


def go_along(session: Session, rows: Sequence[MessageRow], now: datetime, actor: str) -> list[MessageRow]:
    """Release proved mails once more for the identical call's sake: they stay sent, and get a new number.

    So this call is in their history too before it is made, and whatever "no" comes can be dated against it.
    """
    again = [row._replace(fence=row.fence + 1) for row in rows]
    change(session, MESSAGES, [{"id": row.id, "fence": row.fence} for row in again])
    stays = {"before": State.SENT.value, "after": State.SENT.value, "reason": Reason.REPEATED.value}
    told = stays | {"at": now, "actor": actor, "detail": "goes along in the identical call"}
    note_events(session, [told | {"message": row.id, "fence": row.fence} for row in again])
    return again


def gone_along(session: Session, rows: Sequence[MessageRow]) -> list[MessageRow]:
    """Return the proved mails that went along in the calls of these rows, where that has not come to an end."""
    own = _ATTEMPTS.alias("own")
    mine = sa.and_(own.c.message.in_([row.id for row in rows]), own.c.finished_at.is_(None))
    along = sa.and_(_ATTEMPTS.c.message == MESSAGES.c.id, _ATTEMPTS.c.fence == MESSAGES.c.fence)
    statement = (
        sa.select(*COLUMNS)
        .join(_ATTEMPTS, along)
        .where(_ATTEMPTS.c.call_id.in_(sa.select(own.c.call_id).where(mine)), _ATTEMPTS.c.finished_at.is_(None))
        .where(MESSAGES.c.state == State.SENT)
    )
    return [MessageRow._make(found) for found in session.connection().execute(statement)] if rows else []


def is_along(session: Session, customer: int) -> bool:
    """Say whether a proved mail of this customer goes along in a call that is under way."""
    theirs = (MESSAGES.c.customer_id == customer, MESSAGES.c.state == State.SENT, _ATTEMPTS.c.finished_at.is_(None))
    last = sa.and_(_ATTEMPTS.c.message == MESSAGES.c.id, _ATTEMPTS.c.fence == MESSAGES.c.fence)
    found = sa.select(MESSAGES.c.id).join(_ATTEMPTS, last).where(*theirs)
    return session.connection().execute(found.limit(1)).first() is not None


def name(session: Session, numbers: Mapping[int, str]) -> None:
    """Write down the provider's own numbers of mails that were proved without one."""
    for message, number in numbers.items():
        bare = (MESSAGES.c.id == message, MESSAGES.c.provider_id == "")
        session.connection().execute(sa.update(MESSAGES).where(*bare).values(provider_id=number))
