"""Steps 3 to 7, the sending: claim, gate, render, release, call, record. This file is the table of contents."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlmodel import Session

from engine.clock import Clock, stopwatch
from engine.domain.calendar import local_day
from engine.domain.words import Call, InDoubt, Reason, Result, State
from engine.steps import composing, recovering
from engine.steps.gating import Inspection, inspect
from engine.steps.recording import NOTHING_LEFT, record
from engine.steps.releasing import Letter, Released, give_back, let_go, release, settle
from engine.steps.shop import Shop
from engine.store import attempts, budgets, claims, messages, ownership, pauses
from engine.store.budgets import Allowance, Stop
from engine.store.messages import MessageRow, Move
from engine.store.upsert import chunks

GROUP = 50
LONGEST_GAP = 1.0
_EXPIRED_AT_ONCE = 500

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SendReport:
    """How many messages came to each state; whether the provider is stopped, or the budget is spent."""

    counts: Mapping[str, int]
    stop: Stop | None = None
    budget_spent: bool = False

    @property
    def credentials_refused(self) -> bool:
        """Say whether the provider refused the key or password."""
        return self.stop is not None and self.stop.credentials


@dataclass(slots=True)
class _Run:
    """One drain of the queue."""

    app: Shop
    clock: Clock
    stop: threading.Event
    pool: ThreadPoolExecutor
    owner: str = field(default_factory=ownership.owner_name)
    counts: Counter[str] = field(default_factory=Counter)
    was_stopped: bool = False
    budget_spent: bool = False


@dataclass(frozen=True, slots=True)
class _Claim:
    """A group of claimed messages and the budgets it was taken from."""

    rows: list[MessageRow]
    allowances: tuple[Allowance, ...] = ()


def send_due(app: Shop, clock: Clock, *, stop: threading.Event | None = None) -> SendReport:
    """Send everything that is due now; `stop` ends it after the group that is under way.

    Raises StoreError when the store cannot be written: then nothing more is sent.
    """
    with ownership.SENDING, ThreadPoolExecutor(app.provider.senders, "sender") as pool:
        run = _Run(app, clock, stop or threading.Event(), pool)
        recovering.recover_now(app, clock(), everything=True)
        _expire_overdue(run)
        try:
            while not run.stop.is_set() and (claim := _claim(run)).rows:
                _send_group(run, claim)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            app.provider.close()
        recovering.recover_now(app, clock(), everything=True)
    return SendReport(dict(run.counts), _standing_stop(run), run.budget_spent)


def _send_group(run: _Run, claim: _Claim) -> None:
    """Take one group through the gates, and those that may go, in small releases, to the provider."""
    inspection = _gate(run, claim.rows)
    letters = _render(run, inspection)
    sent = 0
    for part in chunks(letters, run.app.provider.senders * run.app.provider.batch):
        if run.stop.is_set() or _standing_stop(run):
            _give_back(run, part, "sending was stopped")
            continue
        released, at = _release(run, part)
        sent += _call_and_record(run, released, at)
    _return_budget(run, claim, len(claim.rows) - sent)


# -- claim -----------------------------------------------------------------------------------------------------------


def _expire_overdue(run: _Run) -> None:
    """End what waited too long; what it waited for is kept as the detail."""
    while True:
        now = run.clock()
        with run.app.database.write() as session:
            late = messages.overdue(session, now, _EXPIRED_AT_ONCE)
            on = _running(session, run.app) if late else set()
            moves = [Move(row, State.EXPIRED, Reason.TOO_LATE, _kept_from(row, on), {"owner": ""}) for row in late]
            made = messages.transition(session, moves, now=now, actor=run.owner)
        run.counts[State.EXPIRED.value] += len(made)
        if not made:
            return


def _kept_from(row: MessageRow, on: set[str]) -> str:
    if row.reason is not None:
        return row.reason.value
    return "" if row.campaign in on else f"{Reason.CAMPAIGN_OFF.value} or {Reason.PAUSED.value}"


def _running(session: Session, app: Shop) -> set[str]:
    """Return the campaigns that are on and not paused."""
    paused = pauses.paused(session)
    if pauses.ALL in paused:
        return set()
    return {campaign.id for campaign in app.campaigns if campaign.enabled and campaign.id not in paused}


def _claim(run: _Run) -> _Claim:
    """Take the next group, as large as the rates allow."""
    app, now = run.app, run.clock()
    allowances = _allowances(run)
    with app.database.read() as session:
        if not claims.is_any_due(session, now):
            return _Claim([])
    with app.database.write() as session:
        stopped = budgets.find_stop(session, app.provider.name)
        if stopped is not None and stopped.until > now:
            return _Claim([])
        run.was_stopped = stopped is not None
        on = _running(session, app)
        granted = budgets.take(session, app.provider.name, allowances, GROUP)
        run.budget_spent = granted == 0
        rows = (
            claims.claim(session, owner=run.owner, now=now, limit=granted, campaigns=on, rehearsal=app.rehearsal)
            if granted and on
            else []
        )
        budgets.give_back(session, app.provider.name, allowances, granted - len(rows))
    run.counts["claimed"] += len(rows)
    return _Claim(rows, allowances)


def _allowances(run: _Run) -> tuple[Allowance, ...]:
    """Return the budgets of this minute and day; a rehearsal mails nobody and has none."""
    provider, now = run.app.config.provider, run.clock()
    if run.app.provider.rehearsal:
        return ()
    today = local_day(now, run.app.config.shop.zone)
    return budgets.allowances(now, today, provider.max_per_minute, provider.max_per_day)


def _return_budget(run: _Run, claim: _Claim, unused: int) -> None:
    if unused and claim.allowances:
        with run.app.database.write() as session:
            budgets.give_back(session, run.app.provider.name, claim.allowances, unused)


# -- gate and render -------------------------------------------------------------------------------------------------


def _gate(run: _Run, rows: Sequence[MessageRow]) -> Inspection:
    """Ask the gates; what may not go is settled at once, what is carried goes or stays with its mail."""
    now = run.clock()
    with run.app.database.read() as session:
        inspection = inspect(session, run.app, rows, now)
    carried = {row.id for one in inspection.messages for row in one.carried}
    others = [
        (one.row, one.decision)
        for one in inspection.messages
        if one.decision.action != "send" and one.row.id not in carried
    ]
    if others:
        with run.app.database.write() as session:
            made = settle(session, others, now=now, actor=run.owner)
        run.counts.update(move.after.value for move in made)
    return inspection


def _render(run: _Run, inspection: Inspection) -> list[Letter]:
    """Make the mails; one that cannot be made fails alone. What was released before keeps its bytes."""
    going = [one for one in inspection.messages if one.decision.action == "send"]
    with run.app.database.read() as session:
        frozen = attempts.frozen(session, [one.row.id for one in going])
    letters: list[Letter] = []
    for one in going:
        if one.row.id in frozen:
            letters.append(Letter(one, frozen[one.row.id]))
            continue
        try:
            rendered, email = composing.compose(run.app, one, inspection.known, run.clock())
        except Exception as error:  # noqa: BLE001  (one poisoned message must not hold up the others)
            _fail(run, one.row, [row for row in one.carried if row.state is State.CLAIMED], error)
        else:
            letters.append(Letter(one, email, rendered))
    return letters


def _fail(run: _Run, row: MessageRow, carried: Sequence[MessageRow], error: Exception) -> None:
    now = run.clock()
    log.error("template failed", message=row.message_id, campaign=row.campaign, error=str(error))
    with run.app.database.write() as session:
        move = Move(row, State.FAILED, Reason.TEMPLATE_FAILED, str(error)[:500], {"owner": ""})
        messages.transition(session, [move], now=now, actor=run.owner)
        give_back(session, carried, now=now, actor=run.owner, why="the mail that carried it failed")
    run.counts[State.FAILED.value] += 1


# -- release, call, record -------------------------------------------------------------------------------------------


def _release(run: _Run, letters: Sequence[Letter]) -> tuple[list[Released], float]:
    """Write the intents, durably; return what may be called now, and since when."""
    ids = {row.id for letter in letters for row in (letter.one.row, *letter.one.carried)}
    with run.app.database.write() as session:
        now = run.clock()  # read once the writer's place is ours: what was written before is not in our future
        released = release(session, run.app, letters, now=now, owner=run.owner)
        claimed = (row for row in messages.by_ids(session, ids) if row.state is State.CLAIMED)
        rest = [row for row in claimed if row.carried_by is None]
        give_back(session, rest, now=now, actor=run.owner, why="its mail was not released")
    return released, stopwatch()


def _give_back(run: _Run, letters: Sequence[Letter], why: str) -> None:
    now = run.clock()
    rows = [row for letter in letters for row in (letter.one.row, *letter.one.carried) if row.state is State.CLAIMED]
    with run.app.database.write() as session:
        give_back(session, rows, now=now, actor=run.owner, why=why)


def _standing_stop(run: _Run) -> Stop | None:
    """Return why nothing may be sent now, if that is so."""
    with run.app.database.read() as session:
        stopped = budgets.find_stop(session, run.app.provider.name)
    return stopped if stopped is not None and stopped.until > run.clock() else None


def _call_and_record(run: _Run, released: Sequence[Released], at: float) -> int:
    """Call the provider from as many threads as it has senders; return how many mails may have left.

    Each thread records its own results.
    """
    jobs: list[Future[Counter[str]]] = [run.pool.submit(_work, run, part, at) for part in _shares(run, released)]
    faults: list[BaseException] = []
    counts: Counter[str] = Counter()
    for job in jobs:
        try:
            counts.update(job.result())
        except Exception as error:  # noqa: BLE001  (every call must end before a fault is told)
            faults.append(error)
    run.counts.update(counts)
    if faults:
        raise faults[0]
    if run.was_stopped and run.counts[State.SENT.value]:
        run.was_stopped = False
        with run.app.database.write() as session:
            budgets.lift_stop(session, run.app.provider.name)
    return len(released) - sum(counts[state] for state in NOTHING_LEFT)


def _shares(run: _Run, released: Sequence[Released]) -> Iterator[Sequence[Released]]:
    if released:
        yield from chunks(released, math.ceil(len(released) / run.app.provider.senders))


def _work(run: _Run, mails: Sequence[Released], at: float) -> Counter[str]:
    """Make one call and record what came of it. If the record cannot be written, everything stops."""
    results = _call(run, mails, at)
    now = run.clock()
    with run.app.database.write() as session:
        if results is None:
            return _take_back(session, mails, now, run.owner)
        return record(session, run.app, list(zip(mails, results, strict=True)), now=now, owner=run.owner)


def _call(run: _Run, mails: Sequence[Released], at: float) -> list[Result] | None:
    """Return one result per mail; None where the call would begin too late after its release was committed."""
    if stopwatch() - at > LONGEST_GAP:
        return None
    try:
        results = [
            result
            for part in chunks(mails, run.app.provider.batch)
            for result in run.app.provider.send(Call(part[0].email.message_id, tuple(mail.email for mail in part)))
        ]
    except Exception as error:
        log.exception("provider failed", provider=run.app.provider.name)
        return [InDoubt(f"{type(error).__name__}: {error}") for _ in mails]
    if len(results) != len(mails):
        return [InDoubt(f"{len(results)} results for {len(mails)} mails") for _ in mails]
    return results


def _take_back(session: Session, mails: Sequence[Released], now: datetime, owner: str) -> Counter[str]:
    """Return released mails to the queue: no call was made for them."""
    soon = now + timedelta(seconds=1)
    for mail in mails:
        attempts.abandon(session, mail.row, "not_begun", now)
        messages.transition(session, let_go(mail, soon), now=now, actor=owner)
    values = {"owner": "", "send_after": soon}
    moves = [
        Move(mail.row, State.RETRYING, Reason.GIVEN_BACK, "too slow", values | {"attempts": mail.row.attempts - 1})
        for mail in mails
    ]
    return Counter(move.after.value for move in messages.transition(session, moves, now=now, actor=owner))
