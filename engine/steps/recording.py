"""Step 7, the record: each result closes its attempt and moves its message, in a short fenced transaction.

A result that comes too late, because its message was taken for lost, is kept as evidence; a late "accepted" is proof.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from engine.domain import retry
from engine.domain.words import Accepted, InDoubt, NotSent, Reason, Refused, Result, State
from engine.steps import suppressing
from engine.steps.releasing import Released, let_go, skip_carried
from engine.steps.shop import Shop
from engine.store import attempts, budgets, messages
from engine.store.budgets import Stop
from engine.store.messages import MessageRow, Move

PAUSE = timedelta(minutes=5)
CREDENTIALS_PAUSE = timedelta(hours=1)
LONGEST_DETAIL = 500
NOTHING_LEFT = (State.RETRYING.value, State.FAILED.value)
"""What becomes of a mail that provably did not leave."""


def record(
    session: Session, app: Shop, results: Sequence[tuple[Released, Result]], *, now: datetime, owner: str
) -> Counter[str]:
    """Write down what came of these calls; return how many messages came to each state."""
    in_time = [(mail, result) for mail, result in results if attempts.finish(session, mail.row, result, now)]
    moves = {mail.row.id: _moves(mail, result, now) for mail, result in in_time}
    made = messages.transition(session, [way[0] for way in moves.values()], now=now, actor=owner)
    moved = {move.message.id for move in made}
    messages.transition(session, [move for row in moved for move in moves[row][1:]], now=now, actor=owner)
    counts = Counter(moves[row][-1].after.value for row in moved)
    for mail, result in results:
        if mail.row.id in moved:
            messages.transition(session, _carried(mail, result, moves[mail.row.id][0], now), now=now, actor=owner)
            _follow(session, app, mail, result, now)
        else:
            _keep_evidence(session, mail.row, result, now, owner)
            counts["late"] += 1
    return counts


def _moves(mail: Released, result: Result, now: datetime) -> list[Move]:
    """Return the one or two moves a result comes to."""
    row, detail = mail.row, result.detail[:LONGEST_DETAIL]
    match result:
        case Accepted():
            values = {"sent_at": now, "provider_id": result.provider_id, "owner": ""}
            return [Move(row, State.SENT, values=values)]
        case Refused():
            return [Move(row, State.REJECTED, Reason.REFUSED_BY_PROVIDER, detail, {"owner": ""})]
        case InDoubt():
            return [Move(row, State.IN_DOUBT, Reason.NO_ANSWER, detail, {"owner": ""})]
        case NotSent():
            return _not_sent(row, result, detail, now)


def _carried(mail: Released, result: Result, move: Move, now: datetime) -> list[Move]:
    """Return what becomes of the messages this mail was to make unnecessary."""
    if isinstance(result, Accepted | InDoubt):
        return skip_carried(mail)
    return let_go(mail, move.values.get("send_after", now))


def _not_sent(row: MessageRow, result: NotSent, detail: str, now: datetime) -> list[Move]:
    values: dict[str, Any] = {"owner": ""}
    if result.account:
        # The account's fault burns no attempt of the message and moves it nowhere: the stop holds everything back, and
        # when the owner lifts it the message goes at once.
        values |= {"send_after": now, "attempts": row.attempts - 1}
    else:
        values["send_after"] = retry.next_try(now, row.attempts, row.message_id, result.retry_after)
    back = Move(row, State.RETRYING, Reason.NOT_SENT, detail, values)
    if result.account or not retry.is_hopeless(row.attempts):
        return [back]
    return [back, Move(row._replace(state=State.RETRYING), State.FAILED, Reason.TOO_MANY_ATTEMPTS, detail)]


def _follow(session: Session, app: Shop, mail: Released, result: Result, now: datetime) -> None:
    """Do what a result means beyond its message: stop the provider, or write to a dead address no more."""
    if isinstance(result, NotSent) and result.account:
        budgets.stop(session, app.provider.name, stop_for(result, now))
    if isinstance(result, Refused) and result.hard_bounce and not app.rehearsal:
        ledger = suppressing.ledger_of(app)
        suppressing.block(session, ledger, [mail.email.to], Reason.HARD_BOUNCE, f"provider: {result.detail}"[:200], now)


def stop_for(result: NotSent, now: datetime) -> Stop:
    """Return how long a fault of the account stops the provider."""
    usual = CREDENTIALS_PAUSE if result.credentials else PAUSE
    wish = result.retry_after
    pause = usual if wish is None else min(max(wish, timedelta(seconds=1)), retry.LONGEST_WISH)
    return Stop(now, now + pause, result.detail[:LONGEST_DETAIL], result.credentials)


def _keep_evidence(session: Session, row: MessageRow, result: Result, now: datetime, owner: str) -> None:
    """Keep a late result in the message's history; a late "accepted" settles a doubt."""
    present = messages.by_ids(session, [row.id])[0]
    told = f"late result of attempt {row.attempts} (fence {row.fence}): {attempts.word(result)} {result.detail}"
    if isinstance(result, Accepted) and present.state in {State.IN_DOUBT, State.UNKNOWN} and present.fence == row.fence:
        values = {"sent_at": now, "provider_id": result.provider_id}
        move = Move(present, State.SENT, None, told[:LONGEST_DETAIL], values)
        messages.transition(session, [move], now=now, actor=owner)
        return
    stays = present.state.value
    event = {"message": row.id, "at": now, "before": stays, "after": stays, "actor": owner, "reason": ""}
    messages.note_events(session, [event | {"detail": told[:LONGEST_DETAIL], "fence": row.fence}])
