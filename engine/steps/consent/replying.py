"""Sends the mails somebody asked for, each of them once: one request is one mail, and there is no reminder (law.md B5).

The intent is committed before the call. What provably did not leave is tried again while its link is good; whatever is
in doubt, or was in the hand of a process that died, ends as `unknown` and is never sent a second time.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlmodel import Session

from engine.clock import Clock, stopwatch
from engine.domain import retry
from engine.domain.calendar import local_day
from engine.domain.identity import reply_key
from engine.domain.words import Accepted, Call, Email, InDoubt, NotSent, Reason, Refused, Result
from engine.errors import StoreBusy, TreuepostError
from engine.rendering import replies as mails
from engine.rendering.replies import Asked
from engine.steps import breaking, suppressing
from engine.steps.calling import LINES
from engine.steps.claiming import Stopping
from engine.steps.consent.barring import barred
from engine.steps.recording import LONGEST_DETAIL, stop_for
from engine.steps.shop import Shop
from engine.steps.suppressing import ledger_of
from engine.steps.watching import readying
from engine.store import budgets, ownership, replies, wordings
from engine.store.budgets import Pace
from engine.store.replies import EXPIRED, REFUSED, SENT, UNKNOWN, WAITING, Called, ReplyRow
from engine.store.suppressions import NewSuppression
from engine.tokens import link_token_of

NOT_YET, ELSEWHERE = "not_yet", "elsewhere"
"""What a look came to where nothing was sent: not now, or another worker has it."""
_OWNER_DIED = "its sender died: it may have left"
_LISTENS = 0.5
_TRIES_TO_RECORD = 3
_AHEAD = timedelta(seconds=1)
_AT_WORK = threading.Lock()
"""Held while this process sends replies: what is `sending` under its name otherwise was left by a fault."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Letter:
    """A reply whose mail is written."""

    row: ReplyRow
    email: Email
    body_sha256: str


@dataclass(frozen=True, slots=True)
class _Released:
    """A reply whose intent is written: its row as it stands now, and its call."""

    row: ReplyRow
    call: Call


def send_replies(app: Shop, clock: Clock, *, stop: Stopping | None = None) -> Counter[str]:
    """Send every reply that waits; return how many came to each state. `stop` ends it after the call under way."""
    counts: Counter[str] = Counter()
    if not _AT_WORK.acquire(blocking=False):
        return counts
    try:
        _tidy(app, clock(), counts)
        wanted = stop or threading.Event()
        while not wanted.is_set() and (came_to := _send_next(app, clock, wanted)):
            counts[came_to] += 1
            if came_to == NOT_YET:
                break
    finally:
        _AT_WORK.release()
    return +counts


def _tidy(app: Shop, now: datetime, counts: Counter[str]) -> None:
    """End what came too late, and what a dead process had in hand."""
    with app.database.read() as session:
        names = replies.owners(session)
        waits = replies.has_waiting(session)
    me = ownership.owner_name()
    gone = ownership.dead(app.database, names - {me}) | (names & {me})
    if not (gone or waits):
        return
    with app.database.write() as session:
        counts[UNKNOWN] += replies.give_up(session, gone, now, _OWNER_DIED) if gone else 0
        counts[EXPIRED] += replies.expire(session, now)


def _send_next(app: Shop, clock: Clock, stop: Stopping) -> str:
    """Send the reply that has waited longest; return what came of it, and nothing where none waits."""
    now = clock()
    with app.database.read() as session:
        row = replies.first_waiting(session, now)
        may_be_called = _may_be_called(session, app, now)
    if row is None:
        return ""
    if not may_be_called:
        return NOT_YET
    letter = _written(app, row)
    if isinstance(letter, str):
        return _refuse(app, row, letter, now)
    if not _wait_for_turn(app, now, stop):
        return NOT_YET
    released = _release(app, letter, clock())
    if isinstance(released, str):
        return released
    return _record(app, released.row, _called(app, released), clock())


# -- the words -------------------------------------------------------------------------------------------------------


def _written(app: Shop, row: ReplyRow) -> _Letter | str:
    """Write the mail; return why there is none where it would not be bare or its key is gone."""
    token = link_token_of(app.keyring, row.message_id, row.token_sha256)
    if token is None:
        return "the key it was asked for with is gone"
    asked = _asked(app, row, token)
    try:
        email = mails.compose(app.config, asked)
    except TreuepostError as error:
        return error.message
    if wrong := mails.faults(app.config, asked, email):
        return f"not bare enough to be sent: {'; '.join(wrong)}"
    content = f"{email.subject}\n\n{email.text}\n\n{email.html}"
    return _Letter(row, email, hashlib.sha256(content.encode()).hexdigest())


def _asked(app: Shop, row: ReplyRow, token: str) -> Asked:
    with app.database.read() as session:
        wording = wordings.find(session, row.wording_version) if row.wording_version else None
    return Asked(
        message_id=row.message_id,
        kind=row.kind,
        to=row.email,
        language=row.language,
        token=token,
        asked_at=row.asked_at,
        expires_at=row.expires_at,
        about=wording.scope if wording else "",
        on_page=not row.evidence,
    )


def _refuse(app: Shop, row: ReplyRow, why: str, now: datetime) -> str:
    with app.database.write() as session:
        replies.settle(session, row, REFUSED, now=now, detail=why[:LONGEST_DETAIL])
    log.error("reply not sent", reply=row.message_id, error=why)
    return REFUSED


# -- turn, release, call, record -------------------------------------------------------------------------------------


def _wait_for_turn(app: Shop, now: datetime, stop: Stopping) -> bool:
    """Take the next turn in the line of all mails and wait for it; False where there is none soon, or all stops."""
    if app.provider.rehearsal:
        return True
    pace = Pace.per_minute(app.config.provider.max_per_minute, timedelta(0))
    with app.database.write() as session:
        turn = Pace(pace.interval, pace.turn + _AHEAD)
        granted, first = budgets.take_turns(session, app.provider.name, turn, 1, now)
    comes = stopwatch() + first.total_seconds()
    while granted and (left := comes - stopwatch()) > 0 and not stop.is_set():
        threading.Event().wait(min(left, _LISTENS))  # never set: only time passes
    return granted == 1 and not stop.is_set()


def _release(app: Shop, letter: _Letter, now: datetime) -> _Released | str:
    """Commit the intent to send and return the reply as it is then, with its call; or what else came of it."""
    row = letter.row
    with app.database.write() as session:
        if not _is_allowed(session, app, now):  # the provider's rows come before the addresses, as in every release
            return NOT_YET
        if reason := barred(session, app.keyring, row.email, row.kind, row.asked_at):
            _give_budget_back(session, app, now)
            replies.settle(session, row, REFUSED, now=now, detail=reason.value)
            return REFUSED
        called = Called(ownership.owner_name(), app.provider.name, letter.body_sha256)
        taken = replies.take(session, row, called, now)
        if taken is None:
            _give_budget_back(session, app, now)
            return ELSEWHERE
        return _Released(taken, Call(reply_key(row.message_id, now), (letter.email,)))


def _is_allowed(session: Session, app: Shop, now: datetime) -> bool:
    """Say whether the provider may be called now, and take one mail from the day's budget."""
    if app.provider.rehearsal:
        return True
    if not _may_be_called(session, app, now) or breaking.allowed(session, app.provider.name, now) == 0:
        return False
    return budgets.take(session, app.provider.name, _today(app, now), 1) == 1


def _may_be_called(session: Session, app: Shop, now: datetime) -> bool:
    """Say whether nothing keeps the shop from sending at all (law P1), and the provider is not stopped."""
    stopped = budgets.find_stop(session, app.provider.name)
    return not (stopped is not None and stopped.until > now) and not readying.lacks(session, app, now)


def _today(app: Shop, now: datetime) -> tuple[budgets.Allowance, ...]:
    return budgets.allowances(local_day(now, app.config.shop.zone), app.config.provider.max_per_day)


def _give_budget_back(session: Session, app: Shop, now: datetime) -> None:
    if not app.provider.rehearsal:
        budgets.give_back(session, app.provider.name, _today(app, now), 1)


def _called(app: Shop, released: _Released) -> Result:
    """Make the call; whatever goes wrong in it is doubt."""
    try:
        with LINES:
            results = app.provider.send(released.call)
    except Exception as error:
        log.exception("provider failed", provider=app.provider.name)
        return InDoubt(f"{type(error).__name__}: {error}")
    return results[0] if len(results) == 1 else InDoubt(f"{len(results)} results for one mail")


def _record(app: Shop, row: ReplyRow, result: Result, now: datetime) -> str:
    """Write down what came of the call; the bounce it told goes to the log once that is committed."""
    for _ in range(_TRIES_TO_RECORD - 1):
        with suppress(StoreBusy):  # somebody holds the store: nothing is lost
            return _written_down(app, row, result, now)
    return _written_down(app, row, result, now)


def _written_down(app: Shop, row: ReplyRow, result: Result, now: datetime) -> str:
    bounced: list[NewSuppression] = []
    with app.database.write() as session:
        came_to = _settled(session, app, row, result, now)
        if not app.provider.rehearsal:
            breaking.note(session, app.provider.name, [result], now)
            bounced = _bounced(session, app, row, result, now)
    ledger_of(app).log.append(bounced)
    return came_to


def _settled(session: Session, app: Shop, row: ReplyRow, result: Result, now: datetime) -> str:
    detail = result.detail[:LONGEST_DETAIL]
    if isinstance(result, Accepted):
        sent = replies.settle(session, row, SENT, now=now, detail=detail, provider_id=result.provider_id)
        if not sent:
            replies.prove(session, row, result.provider_id, now)
        return SENT
    if isinstance(result, Refused):
        replies.settle(session, row, REFUSED, now=now, detail=detail)
        return REFUSED
    if isinstance(result, NotSent):
        return _again(session, app, row, result, now)
    replies.settle(session, row, UNKNOWN, now=now, detail=detail)
    return UNKNOWN


def _again(session: Session, app: Shop, row: ReplyRow, result: NotSent, now: datetime) -> str:
    """Let it wait: the account's fault stops the provider and burns no attempt."""
    _give_budget_back(session, app, now)
    if result.account:
        budgets.stop(session, app.provider.name, stop_for(result, now))
    until = now if result.account else retry.next_try(now, row.attempts, row.message_id, result.retry_after)
    replies.wait_again(session, row, until, result.detail[:LONGEST_DETAIL], counts=not result.account)
    return WAITING


def _bounced(session: Session, app: Shop, row: ReplyRow, result: Result, now: datetime) -> list[NewSuppression]:
    if not (isinstance(result, Refused) and result.hard_bounce):
        return []
    because = f"provider: {result.detail}"[:200]
    return suppressing.note(session, app.keyring, [row.email], Reason.HARD_BOUNCE, because, now)
