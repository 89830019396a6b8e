"""Step 7, the record: each result closes its attempt and moves its message, in a short fenced transaction.

A result that comes too late, because its message was taken for lost, is kept as evidence; a late "accepted" is proof.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from engine.domain import retry
from engine.domain.words import Accepted, InDoubt, NotSent, Reason, Refused, Result, State
from engine.steps import breaking, suppressing
from engine.steps.believing import Proof, keep_late_yes
from engine.steps.calling import Landed
from engine.steps.releasing import Outgoing, Released, let_go, skip_carried
from engine.steps.shop import Shop
from engine.store import attempts, budgets, calls, delivery_events, messages
from engine.store.budgets import Stop
from engine.store.messages import MessageRow, Move
from engine.store.suppressions import NewSuppression

PAUSE = timedelta(minutes=5)
CREDENTIALS_PAUSE = timedelta(hours=1)
LONGEST_DETAIL = 500
NOTHING_LEFT = (State.RETRYING.value, State.FAILED.value)
"""What becomes of a mail that provably did not leave."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """How many messages came to each state, and the bounces that are to be logged once this is committed."""

    counts: Counter[str]
    bounced: list[NewSuppression]


def record(session: Session, app: Shop, landed: Sequence[Landed], *, now: datetime, owner: str) -> Recorded:
    """Write down what came of these calls; whatever was told of their mails until now is seen."""
    delivery_events.hold(session, [mail.row for one in landed for mail in one.outgoing.mails])
    everything = _told(landed)
    along = [told for told in everything if told.mail.goes_along]
    late = _keep_along(session, app, along, now, owner)
    results = _proved(session, [told for told in everything if not told.mail.goes_along])
    in_time = attempts.finish(session, [(told.mail.row, told.result) for told in results], now)
    ways = {told.mail.row.id: _moves(app, told, now) for told in results if told.mail.row.id in in_time}
    made = messages.transition(session, [way[0] for way in ways.values()], now=now, actor=owner)
    moved = {move.message.id for move in made}
    messages.transition(session, [move for row in moved for move in ways[row][1:]], now=now, actor=owner)
    counts = Counter(ways[row][-1].after.value for row in moved) + Counter(late=late)
    calls.refuse_whole(session, [one.outgoing.key for one in landed if _is_refused_whole(one, moved)])
    carried = [move for told in results if told.mail.row.id in moved for move in _carried(told, ways, now)]
    messages.transition(session, carried, now=now, actor=owner)
    bounced: list[NewSuppression] = []
    for told in results:
        if told.mail.row.id in moved:
            bounced += _follow(session, app, told.mail, told.result, now)
        else:
            _keep_evidence(session, app, told.mail.row, told.result, now, owner)
            counts["late"] += 1
    if not app.provider.rehearsal:
        breaking.note(session, app.provider.name, [told.result for told in (*results, *along)], now)
    for one in landed:
        if one.results is None:
            counts.update(_take_back(session, one.outgoing, now, owner))
    return Recorded(counts, bounced)


@dataclass(frozen=True, slots=True)
class _Told:
    """One mail and what its call came to."""

    mail: Released
    result: Result
    repeated: bool


def _told(landed: Sequence[Landed]) -> list[_Told]:
    return [
        _Told(mail, result, one.outgoing.repeated)
        for one in landed
        if one.results is not None
        for mail, result in zip(one.outgoing.mails, one.results, strict=True)
    ]


def _is_refused_whole(landed: Landed, moved: set[int]) -> bool:
    """Say whether a batch that was made for the first time was refused whole, and its mails are let go by that."""
    first = landed.results[0] if landed.results and not landed.outgoing.repeated else None
    is_whole = isinstance(first, NotSent) and first.whole
    return is_whole and any(mail.row.id in moved for mail in landed.outgoing.mails)


def _keep_along(session: Session, app: Shop, along: Sequence[_Told], now: datetime, owner: str) -> int:
    """Keep what the answer says of mails that were proved before: it moves nothing. Return how many came too late.

    At most it names the provider's number of a mail of which only our own was told. Its words are not kept: what is
    sent may be erased at any time, and nobody would look for a name there again.
    """
    if not along:
        return 0
    said = [(told.mail.row, replace(told.result, detail="")) for told in along]
    in_time = attempts.finish(session, said, now)
    accepted = [(row.id, result.provider_id) for row, result in said if isinstance(result, Accepted)]
    calls.name(session, {number: theirs for number, theirs in accepted if theirs})
    late = [(row, result) for row, result in said if row.id not in in_time]
    for row, result in late:
        _keep_evidence(session, app, row, result, now, owner)
    return len(late)


def _proved(session: Session, results: list[_Told]) -> list[_Told]:
    """Believe the provider's own news where they came before its answer, and the answer was no yes."""
    no_yes = [told.mail.row.id for told in results if not isinstance(told.result, Accepted)]
    proved = delivery_events.proof(session, no_yes) if no_yes else set()
    return [_taken(told) if told.mail.row.id in proved else told for told in results]


def _taken(told: _Told) -> _Told:
    why = f"told since; the call: {told.result.detail}"[:LONGEST_DETAIL]
    return replace(told, result=Accepted("", why), repeated=True)


def _moves(app: Shop, told: _Told, now: datetime) -> list[Move]:
    """Return the one or two moves a result comes to.

    A repeated call that was not accepted says nothing about the one before: the doubt stays.
    """
    row, result, detail = told.mail.row, told.result, told.result.detail[:LONGEST_DETAIL]
    if isinstance(result, Accepted):
        values = {"sent_at": now, "provider_id": result.provider_id, "owner": ""}
        if told.repeated:
            return [Move(row, State.SENT, Reason.PROVED, detail, values)]
        return [Move(row, State.SENT, values=values)]
    if isinstance(result, Refused) and (not told.repeated or app.provider.recovery.repeats_answer):
        return [Move(row, State.REJECTED, Reason.REFUSED_BY_PROVIDER, detail, {"owner": ""})]
    if isinstance(result, NotSent) and not told.repeated:
        return _not_sent(row, result, detail, now)
    return [Move(row, State.IN_DOUBT, Reason.NO_ANSWER, detail, {"owner": ""})]


def _take_back(session: Session, outgoing: Outgoing, now: datetime, owner: str) -> Counter[str]:
    """Return released mails to where they were: their call was not begun."""
    soon = now + timedelta(seconds=1)
    attempts.abandon(session, [mail.row for mail in outgoing.mails], "not_begun", now)
    rows = [mail.row for mail in outgoing.mails if not mail.goes_along]
    if outgoing.repeated:
        moves = [Move(row, State.IN_DOUBT, Reason.GIVEN_BACK, "too slow", {"owner": ""}) for row in rows]
    else:
        proved = delivery_events.proof(session, [row.id for row in rows])
        moves = [_proved_before(row, now) if row.id in proved else _back(row, soon) for row in rows]
        for mail in outgoing.mails:
            carried = skip_carried(mail) if mail.row.id in proved else let_go(mail, soon)
            messages.transition(session, carried, now=now, actor=owner)
    return Counter(move.after.value for move in messages.transition(session, moves, now=now, actor=owner))


def _back(row: MessageRow, soon: datetime) -> Move:
    values = {"owner": "", "send_after": soon, "attempts": row.attempts - 1}
    return Move(row, State.RETRYING, Reason.GIVEN_BACK, "too slow", values)


def _proved_before(row: MessageRow, now: datetime) -> Move:
    """Return the end of a mail whose earlier call was taken, as the provider told while this one waited its turn."""
    return Move(row, State.SENT, Reason.PROVED, "told since; the call was not begun", {"sent_at": now, "owner": ""})


def _carried(told: _Told, ways: dict[int, list[Move]], now: datetime) -> list[Move]:
    """Return what becomes of the messages this mail was to make unnecessary."""
    if isinstance(told.result, Accepted | InDoubt):
        return skip_carried(told.mail)
    return let_go(told.mail, ways[told.mail.row.id][0].values.get("send_after", now))


def _not_sent(row: MessageRow, result: NotSent, detail: str, now: datetime) -> list[Move]:
    values: dict[str, Any] = {"owner": ""}
    if result.account or result.whole:
        # The account's fault burns no attempt of the message and moves it nowhere: the stop holds everything back, and
        # when the owner lifts it the message goes at once. So does what was refused for another's sake: alone.
        values |= {"send_after": now, "attempts": row.attempts - 1}
    else:
        values["send_after"] = retry.next_try(now, row.attempts, row.message_id, result.retry_after)
    back = Move(row, State.RETRYING, Reason.NOT_SENT, detail, values)
    if result.account or result.whole or not retry.is_hopeless(row.attempts):
        return [back]
    return [back, Move(row._replace(state=State.RETRYING), State.FAILED, Reason.TOO_MANY_ATTEMPTS, detail)]


def _follow(session: Session, app: Shop, mail: Released, result: Result, now: datetime) -> list[NewSuppression]:
    """Do what a result means beyond its message: stop the provider, or write to a dead address no more."""
    if isinstance(result, NotSent) and result.account:
        budgets.stop(session, app.provider.name, stop_for(result, now))
    if isinstance(result, Refused) and result.hard_bounce and not app.rehearsal:
        because = f"provider: {result.detail}"[:200]
        return suppressing.note(session, app.keyring, [mail.email.to], Reason.HARD_BOUNCE, because, now)
    return []


def stop_for(result: NotSent, now: datetime) -> Stop:
    """Return how long a fault of the account stops the provider."""
    usual = CREDENTIALS_PAUSE if result.credentials else PAUSE
    wish = result.retry_after
    pause = usual if wish is None else min(max(wish, timedelta(seconds=1)), retry.LONGEST_WISH)
    return Stop(now, now + pause, result.detail[:LONGEST_DETAIL], result.credentials)


def _keep_evidence(session: Session, app: Shop, row: MessageRow, result: Result, now: datetime, owner: str) -> None:
    """Keep a late result in the message's history; a late "accepted" is proof."""
    present = messages.by_ids(session, [row.id])[0]
    told = f"late result of attempt {row.attempts} (fence {row.fence}): {attempts.word(result)} {result.detail}"
    if isinstance(result, Accepted):
        proof = Proof(told[:LONGEST_DETAIL], result.provider_id)
        if keep_late_yes(session, app.provider.name, row, proof, now, owner):
            return
    stays = present.state.value
    event = {"message": row.id, "at": now, "before": stays, "after": stays, "actor": owner, "reason": ""}
    messages.note_events(session, [event | {"detail": told[:LONGEST_DETAIL], "fence": row.fence}])
