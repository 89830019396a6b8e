"""Ends doubts: by repeating the identical call with its key, by looking the mail up, or by saying that nobody knows.

The rules are in `domain/doubts`. Look-ups are made outside every transaction; what they found is written afterwards,
each only if its message still stands in doubt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlmodel import Session

from engine.clock import Clock
from engine.domain import doubts, retry
from engine.domain.doubts import Doubt, Way
from engine.domain.words import Absent, Decision, Finding, Found, OnDoubt, Reason, State
from engine.providers.contract import Recovery
from engine.steps.accounts import is_ours
from engine.steps.claiming import Stopping
from engine.steps.releasing import Outgoing, release_again
from engine.steps.shop import Shop
from engine.store import addresses, attempts, calls, delivery_events, messages
from engine.store.calls import CallRow, Doubted
from engine.store.messages import Move
from engine.store.upsert import chunks

AT_ONCE = 200
LOOKED_UP_AT_ONCE = 5
_ACTOR = "recovery"
_NO_WAY = Recovery()
_ELSEWHERE = "the provider, its key or its stream is another one than the call was made with"


@dataclass(slots=True)
class Resolved:
    """What came of one look at the doubts: messages by state, and the calls that are to be repeated now."""

    counts: Counter[str] = field(default_factory=Counter)
    repeats: list[CallRow] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Judged:
    """A doubt as the rules see it, and what they say to do."""

    one: Doubted
    doubt: Doubt
    step: doubts.Step


def resolve(app: Shop, clock: Clock, *, look_up: bool, stop: Stopping | None = None) -> Resolved:
    """Look at every doubt whose time has come: end what can be ended, look mails up, name the calls to repeat.

    A rehearsal settles nothing real, and what is real ends no rehearsal's doubt.
    `stop` ends the look-ups after those that are under way.
    """
    resolved, after = Resolved(), 0
    while True:
        judged = _judge(app, clock(), after)
        if not judged:
            return resolved
        after = judged[-1].one.row.id
        by_way: dict[Way, list[_Judged]] = {way: [] for way in Way}
        for one in judged:
            by_way[one.step.way].append(one)
        _write(app, by_way, clock(), resolved)
        for part in chunks(by_way[Way.LOOK_UP] if look_up else [], LOOKED_UP_AT_ONCE):
            if stop is not None and stop.is_set():
                return resolved
            _look_up(app, part, clock, resolved)


def _judge(app: Shop, now: datetime, after: int) -> list[_Judged]:
    with app.database.read() as session:
        found = calls.doubted(session, now, after, AT_ONCE, real=not app.rehearsal)
        together = calls.members(session, {one.call.id for one in found if one.call})
        proved = delivery_events.proof(session, [one.row.id for one in found])
    judged = []
    for one in found:
        mine = together.get(one.call.id, []) if one.call else []
        doubt = _doubt(app, one, whole=one.call is not None and len(mine) == one.call.members)
        doubt = replace(doubt, proved=one.row.id in proved)
        judged.append(_Judged(one, doubt, doubts.next_step(doubt, now)))
    return judged


def _doubt(app: Shop, one: Doubted, *, whole: bool) -> Doubt:
    elsewhere = not _is_at_hand(app, one)
    offered = _NO_WAY if elsewhere else app.provider.recovery
    return Doubt(
        first_at=one.call.first_at if one.call else one.last_at,
        last_at=one.call.last_at if one.call else one.last_at,
        made=one.call.made if one.call else 1,
        look_ups=one.look_ups,
        replays=offered.replays,
        settles=offered.settles,
        whole=whole and one.call is not None and not one.call.closed,
        resend=one.row.on_doubt is OnDoubt.RESEND and not retry.is_hopeless(one.row.attempts),
        elsewhere=elsewhere and one.provider != "",
    )


def _is_at_hand(app: Shop, one: Doubted) -> bool:
    """Say whether mails go now to the provider, and the account, that was called."""
    return one.provider == app.provider.name and (one.call is None or is_ours(app, one.call.account))


def _write(app: Shop, by_way: dict[Way, list[_Judged]], now: datetime, resolved: Resolved) -> None:
    """Write what needs no question: ends, and until when to wait."""
    ends = [_again(one, now) for one in by_way[Way.AGAIN]] + [_unknown(one) for one in by_way[Way.UNKNOWN]]
    ends += [_proved(one, Found("", "told since"), now) for one in by_way[Way.PROVED]]
    repeats = {one.one.call.id: one.one.call for one in by_way[Way.REPEAT] if one.one.call}
    with app.database.write() as session:
        made = messages.transition(session, ends, now=now, actor=_ACTOR)
        waiting: dict[datetime, list[Doubted]] = {}
        for one in by_way[Way.WAIT]:
            waiting.setdefault(one.step.at, []).append(one.one)
        for until, rows in waiting.items():
            calls.put_off(session, rows, until)
        calls.put_off(session, [one.one for one in by_way[Way.REPEAT]], now + doubts.FIRST_REPEAT)
    resolved.counts.update(move.after.value for move in made)
    resolved.repeats += repeats.values()


def _again(one: _Judged, now: datetime) -> Move:
    row = one.one.row
    if one.doubt.settles is not None and one.doubt.look_ups >= doubts.LOOK_UPS_BELIEVED:
        told = f"not found {one.doubt.look_ups} times"
        return Move(row, State.RETRYING, Reason.NOT_FOUND, told, {"send_after": now, "check_at": None, "look_ups": 0})
    again = retry.next_try(now, row.attempts, row.message_id)
    return Move(
        row, State.RETRYING, row.reason, "sent again, as on_doubt says", {"send_after": again, "check_at": None}
    )


def _unknown(one: _Judged) -> Move:
    row = one.one.row
    told = _ELSEWHERE if one.doubt.elsewhere else row.reason.value if row.reason else ""
    return Move(row, State.UNKNOWN, Reason.NO_PROOF, told)


# -- looking up ------------------------------------------------------------------------------------------------------


def _look_up(app: Shop, asked: Sequence[_Judged], clock: Clock, resolved: Resolved) -> None:
    """Ask the provider for these mails and write down what it said."""
    with app.database.read() as session:
        frozen = attempts.frozen(session, [one.one.row.id for one in asked])
    since = min(one.doubt.first_at for one in asked)
    findings = app.provider.look_up([frozen[one.one.row.id] for one in asked], since)
    now = clock()
    with app.database.write() as session:
        found = [_proved(one, finding, now) for one, finding in zip(asked, findings, strict=True) if _is_proof(finding)]
        made = messages.transition(session, found, now=now, actor=_ACTOR)
        for one, finding in zip(asked, findings, strict=True):
            if isinstance(finding, Absent):
                calls.note_absent(session, [one.one], now)
            elif not isinstance(finding, Found):
                calls.put_off(session, [one.one], doubts.after_silence(one.doubt, now))
    resolved.counts.update(move.after.value for move in made)


def _is_proof(finding: Finding) -> bool:
    return isinstance(finding, Found)


def _proved(one: _Judged, finding: Finding, now: datetime) -> Move:
    number = finding.provider_id if isinstance(finding, Found) else ""
    values = {"sent_at": now, "provider_id": number, "owner": "", "check_at": None}
    return Move(one.one.row, State.SENT, Reason.PROVED, f"found at the provider {finding.detail}".strip(), values)


# -- repeating -------------------------------------------------------------------------------------------------------


def repeat(session: Session, app: Shop, call: CallRow, *, now: datetime, owner: str) -> Outgoing | None:
    """Release the identical call again; where a member may not go now, put the doubt off or let it be looked up.

    The call is held first, then its addresses, then its members: of several workers one repeats it, and whole. A member
    that was proved since is in it, at its place.
    """
    standing = calls.hold(session, call.id)
    before = calls.members(session, [call.id]).get(call.id, [])
    addresses.lock(session, {one.row.address_id for one in before if one.row.address_id is not None})
    members = calls.members(session, [call.id], hold=True).get(call.id, [])
    in_doubt = [one for one in members if one.row.state is State.IN_DOUBT]
    if standing is None or not in_doubt or in_doubt[0].call != standing:
        return None
    if {one.row.id for one in members} != {one.row.id for one in before}:
        return None  # whoever has come in between is at an address that is not held
    doubt = _doubt(app, in_doubt[0], whole=len(members) == standing.members)
    if doubts.next_step(doubt, now).way is not Way.REPEAT:
        return None
    outgoing = release_again(session, app, standing, members, now=now, owner=owner)
    if isinstance(outgoing, Outgoing):
        return outgoing
    _refused(session, app, standing, members, outgoing, now)
    return None


def _refused(
    session: Session, app: Shop, call: CallRow, members: Sequence[Doubted], no: Decision, now: datetime
) -> None:
    """Wait where it may go later, as long as its key lives; otherwise the call is never repeated again."""
    life = app.provider.recovery.replays
    if no.action == "wait" and life is not None:
        calls.put_off(session, members, doubts.after_not_yet(no.until, call.first_at + life, now))
    else:
        calls.forbid_repeat(session, call)
        calls.put_off(session, members, now)
