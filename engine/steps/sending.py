"""Steps 3 to 7, the sending: claim, gate, render, release, call, record. This file is the table of contents."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import accumulate, islice
from math import ceil

from sqlmodel import Session

from engine.clock import Clock, stopwatch
from engine.domain.words import State
from engine.errors import StoreBusy
from engine.steps import breaking, claiming, recovering, resolving
from engine.steps.calling import LINES, Flight, Landed
from engine.steps.claiming import Run, Stopping
from engine.steps.recording import NOTHING_LEFT, record
from engine.steps.releasing import Letter, Outgoing, give_back, release
from engine.steps.shop import Shop
from engine.steps.suppressing import ledger_of
from engine.store import budgets, messages, ownership
from engine.store.budgets import Pace, Stop

AHEAD = timedelta(seconds=0.5)
LOOKS_AT_DOUBTS = 5.0
_IDLE = 0.05
_TRIES_TO_RECORD = 3


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


def send_due(app: Shop, clock: Clock, *, stop: Stopping | None = None, patience: float = float("inf")) -> SendReport:
    """Send everything that is due now; `stop` ends it after the calls that are under way.

    `patience` is for how many seconds it waits for mails' turns where the rate is low: cron comes again.
    Raises StoreError when the store cannot be written: then nothing more is sent.
    """
    with ownership.SENDING, Flight(app.provider) as flight:
        until = float("inf") if app.provider.rehearsal else stopwatch() + patience
        run = Run(app, clock, stop or threading.Event(), flight, patient_until=until)
        recovering.recover_now(app, clock(), everything=True)
        claiming.expire_overdue(run)
        try:
            _drain_or_land(run)
            run.counts.update(resolving.resolve(app, clock, look_up=True, stop=run.stop).counts)
        finally:
            with LINES:
                app.provider.close()
    return SendReport(dict(run.counts), _standing_stop(run), run.budget_spent)


def _drain_or_land(run: Run) -> None:
    """Drain the queue; where that fails, write down all the same what is known of the calls under way.

    A clear answer that is lost would be a doubt, and with SMTP nobody could ever end it.
    """
    try:
        _drain(run)
    except BaseException:
        with suppress(Exception):  # the first fault is told; what cannot be written now is in doubt
            _land(run)
        raise


def _land(run: Run) -> None:
    """Let what is under way end, and write it down."""
    while run.flight.under_way:
        _record(run, run.flight.landed(_IDLE))


def _drain(run: Run) -> None:
    """Keep letters ready and the senders busy until nothing is due, or everything is told to stop."""
    while not run.stop.is_set():
        _record(run, run.flight.landed(0.0))
        _look_at_doubts(run)
        if _needs_more(run):
            claiming.fill(run)
        if _launch(run) or _needs_more(run):
            continue
        if run.is_dry and not (run.letters or run.repeats or run.flight.under_way):
            break
        if not _rested(run):
            break
    _finish(run)


def _needs_more(run: Run) -> bool:
    """Say whether there are fewer letters than keep the senders busy, and perhaps more to be had."""
    return not (run.is_dry or run.is_impatient) and len(run.letters) < run.ahead


def _rested(run: Run) -> bool:
    """Wait a moment for a call or a turn; say whether time goes on (a clock that stands gives no turn)."""
    before, busy = run.clock(), run.flight.under_way
    _record(run, run.flight.landed(_IDLE))
    run.is_impatient = stopwatch() >= run.patient_until
    return bool(busy) or (run.clock() > before and not run.is_impatient)


def _finish(run: Run) -> None:
    """Let what is under way end, and give back what was not begun."""
    _land(run)
    if run.letters:
        with run.app.database.write() as session:
            _let_go(session, run, run.clock(), len(run.letters), "sending was stopped")
    claiming.return_budget(run)


# -- release, call, record -------------------------------------------------------------------------------------------


def _look_at_doubts(run: Run) -> None:
    """Now and then name the calls that are to be repeated: their keys do not live for ever."""
    if stopwatch() - run.looked_at < LOOKS_AT_DOUBTS:
        return
    resolved = resolving.resolve(run.app, run.clock, look_up=False)
    run.counts.update(resolved.counts)
    known = {call.id for call in run.repeats}
    run.repeats += [call for call in resolved.repeats if call.id not in known]
    run.looked_at = stopwatch()


def _launch(run: Run) -> bool:
    """Release as many calls as there are free senders and turns, and let them go; say whether any went."""
    if not run.flight.is_worth_it or not (run.repeats or _is_ready(run)):
        return False
    with run.app.database.write() as session:
        now = run.clock()  # read once the writer's place is ours: what was written before is not in our future
        if why := _why_not(session, run, now):
            _let_go(session, run, now, len(run.letters), why)
            run.repeats.clear()  # they are found again when they may go
            return False
        outgoing = _again(session, run, now)
        outgoing += _released(session, run, now, run.flight.free - len(outgoing))
    run.flight.launch(outgoing, stopwatch())
    return bool(outgoing)


def _is_ready(run: Run) -> bool:
    """Say whether there are enough letters for a whole call, or no more to come."""
    return bool(run.letters) and (run.is_dry or len(run.letters) >= run.batch)


def _again(session: Session, run: Run, now: datetime) -> list[Outgoing]:
    """Release calls again whose answer never came."""
    outgoing: list[Outgoing] = []
    allowed = breaking.allowed(session, run.app.provider.name, now) if run.repeats else 0
    if allowed == 0:
        run.repeats.clear()  # they are found again when the provider is asked again
    most = run.flight.free if allowed is None else min(allowed, run.flight.free)
    while run.repeats and len(outgoing) < most:
        turns, first = _turns(session, run, run.repeats[0].members, now)
        if not turns:
            break
        if call := resolving.repeat(session, run.app, run.repeats.popleft(), now=now, owner=run.owner):
            outgoing.append(replace(call, wait=first, lasts=_lasts(run, len(call.mails))))
    return outgoing


def _released(session: Session, run: Run, now: datetime, calls: int) -> list[Outgoing]:
    """Release the next letters in so many calls, each at its turn; what may not go after all is settled."""
    wanted = _fitting(run, calls)
    turns, first = _turns(session, run, wanted, now) if wanted else (0, 0.0)
    if not turns:
        return []
    letters = [run.letters.popleft() for _ in range(turns)]
    outgoing = release(session, run.app, letters, size=run.batch, now=now, owner=run.owner)
    went = {mail.row.id for call in outgoing for mail in call.mails}
    run.unused += len(letters) - len(went)
    if len(went) < len(letters):
        _rest(session, run, now, letters)
    begun = list(accumulate((len(call.mails) for call in outgoing), initial=0))[: len(outgoing)]
    return [
        replace(call, wait=first + _turn(run) * before, lasts=_lasts(run, len(call.mails)))
        for call, before in zip(outgoing, begun, strict=True)
    ]


def _fitting(run: Run, calls: int) -> int:
    """Return how many of the next letters fill so many calls; one that goes alone takes a whole one."""
    together = apart = 0
    for letter in islice(run.letters, calls * run.batch):
        apart += letter.alone
        together += not letter.alone
        if apart + ceil(together / run.batch) > calls:
            return together + apart - 1
    return together + apart


def _turns(session: Session, run: Run, wanted: int, now: datetime) -> tuple[int, float]:
    """Take turns for so many mails; return how many there are, and in how many seconds the first comes."""
    if run.app.provider.rehearsal:
        return wanted, 0.0
    turns, first = budgets.take_turns(session, run.app.provider.name, _pace(run), wanted, now)
    return turns, max(0.0, first.total_seconds())


def _lasts(run: Run, mails: int) -> float:
    """Return for how many seconds so many mails keep the line at the configured rate."""
    return 0.0 if run.app.provider.rehearsal else _pace(run).interval.total_seconds() * mails


def _turn(run: Run) -> float:
    """Return how many seconds lie between two turns."""
    return 0.0 if run.app.provider.rehearsal else _pace(run).turn.total_seconds()


def _pace(run: Run) -> Pace:
    return Pace.per_minute(run.app.config.provider.max_per_minute, AHEAD)


def _rest(session: Session, run: Run, now: datetime, letters: Sequence[Letter]) -> None:
    """Return what a release has left claimed: a mail that changed since it was rendered, or whom it was to carry."""
    ids = {row.id for letter in letters for row in (letter.one.row, *letter.one.carried)}
    claimed = (row for row in messages.by_ids(session, ids) if row.state is State.CLAIMED)
    rest = [row for row in claimed if row.carried_by is None and row.owner == run.owner]
    give_back(session, rest, now=now, actor=run.owner, why="its mail was not released")


def _let_go(session: Session, run: Run, now: datetime, count: int, why: str) -> None:
    """Return letters that are ready to the queue."""
    letters = [run.letters.popleft() for _ in range(count)]
    rows = [row for letter in letters for row in (letter.one.row, *letter.one.carried) if row.state is State.CLAIMED]
    give_back(session, rows, now=now, actor=run.owner, why=why, wait=timedelta(0))  # nothing speaks against them
    run.unused += count


def _why_not(session: Session, run: Run, now: datetime) -> str:
    """Say why letters that lie ready must not go now; nothing where they may."""
    stopped = budgets.find_stop(session, run.app.provider.name)
    if stopped is not None and stopped.until > now:
        return "the provider is stopped"
    if run.letters and not run.app.provider.rehearsal and not breaking.lets_go(session, run.app.provider.name, now):
        return "the provider gives no clear answer"
    return ""


def _standing_stop(run: Run) -> Stop | None:
    """Return why nothing may be sent now, if that is so."""
    with run.app.database.read() as session:
        stopped = budgets.find_stop(session, run.app.provider.name)
    return stopped if stopped is not None and stopped.until > run.clock() else None


def _record(run: Run, landed: Sequence[Landed]) -> None:
    """Write down what came of the calls that have ended. If that cannot be written, everything stops."""
    if not landed:
        return
    for _ in range(_TRIES_TO_RECORD - 1):
        with suppress(StoreBusy):  # somebody holds the store, or two transactions wait for each other: nothing is lost
            run.counts.update(_written_down(run, landed))
            return
    run.counts.update(_written_down(run, landed))


def _written_down(run: Run, landed: Sequence[Landed]) -> Counter[str]:
    now = run.clock()
    with run.app.database.write() as session:
        written = record(session, run.app, landed, now=now, owner=run.owner)
        counts = written.counts
        if run.was_stopped and counts[State.SENT.value]:
            budgets.lift_stop(session, run.app.provider.name)
    ledger_of(run.app).log.append(written.bounced)
    run.was_stopped = run.was_stopped and not counts[State.SENT.value]
    run.is_dry = run.is_dry and not counts[State.RETRYING.value]  # what goes alone from now on is due at once
    run.unused += sum(counts[state] for state in NOTHING_LEFT)
    return counts
