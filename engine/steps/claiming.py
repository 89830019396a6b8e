"""Steps 3 and 4, the claim and the words: due messages are taken, gated and rendered, and lie ready as letters."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from sqlmodel import Session

from engine.clock import Clock
from engine.domain.calendar import local_day
from engine.domain.words import Reason, State
from engine.steps import breaking, composing
from engine.steps.calling import Flight
from engine.steps.gating import Inspection, inspect
from engine.steps.releasing import Letter, give_back, settle
from engine.steps.shop import Shop
from engine.store import attempts, budgets, calls, claims, messages, ownership, pauses
from engine.store.budgets import Allowance
from engine.store.calls import CallRow
from engine.store.messages import MessageRow, Move

GROUP = 100
GROUPS_A_SECOND = 5
_EXPIRED_AT_ONCE = 500

log = structlog.get_logger(__name__)


class Stopping(Protocol):
    """What tells a run to end: an event, or more than one."""

    def is_set(self) -> bool:
        """Say whether it is time to end."""


@dataclass(frozen=True, slots=True)
class EitherOf:
    """Set as soon as one of two is."""

    first: Stopping
    second: Stopping

    def is_set(self) -> bool:
        """Say whether it is time to end."""
        return self.first.is_set() or self.second.is_set()


@dataclass(slots=True)
class Run:
    """One drain of the queue: the letters that are ready, the calls under way, and what came of all."""

    app: Shop
    clock: Clock
    stop: Stopping
    flight: Flight
    owner: str = field(default_factory=ownership.owner_name)
    counts: Counter[str] = field(default_factory=Counter)
    letters: deque[Letter] = field(default_factory=deque)
    repeats: deque[CallRow] = field(default_factory=deque)
    looked_at: float = float("-inf")
    patient_until: float = float("inf")
    is_impatient: bool = False
    is_dry: bool = False
    was_stopped: bool = False
    budget_spent: bool = False
    unused: int = 0
    window: tuple[Allowance, ...] = ()
    of_before: int = 0

    @property
    def batch(self) -> int:
        """Return how many mails go into one call: never more than leave in a second at the configured rate."""
        provider = self.app.provider
        return provider.batch if provider.rehearsal else max(1, min(provider.batch, self._a_second))

    @property
    def group(self) -> int:
        """Return how many messages to claim at once: few enough to be ready before the line runs dry."""
        if self.app.provider.rehearsal:
            return max(GROUP, self.batch)
        return max(self.batch, min(GROUP, self._a_second // GROUPS_A_SECOND))

    @property
    def ahead(self) -> int:
        """Return how many letters to keep ready: what all senders take at once, made while their calls are under way.

        Never more than leave in a second: a letter that lies for long may be overtaken by the customer's own doing.
        """
        at_once = min(GROUP, self.app.provider.senders * self.batch)
        return max(self.batch, at_once if self.app.provider.rehearsal else min(at_once, self._a_second))

    @property
    def _a_second(self) -> int:
        return max(1, self.app.config.provider.max_per_minute // 60)


def expire_overdue(run: Run) -> None:
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
    on = (campaign for campaign in app.campaigns if campaign.enabled)
    return {campaign.id for campaign in on if not pauses.stops(paused, campaign.id, campaign.kind)}


def fill(run: Run) -> None:
    """Claim the next group, take it through the gates and render it."""
    rows = _claim(run)
    run.is_dry = not rows
    if rows:
        run.letters += _render(run, _gate(run, rows))


def _claim(run: Run) -> list[MessageRow]:
    """Take the next group, as large as the day's budget allows."""
    app, now = run.app, run.clock()
    with app.database.read() as session:
        if not claims.is_any_due(session, now):
            return []
    allowances = _allowances(run)
    with app.database.write() as session:
        stopped = budgets.find_stop(session, app.provider.name)
        if stopped is not None and stopped.until > now:
            return []
        run.was_stopped = stopped is not None
        allowed = run.group if app.provider.rehearsal else breaking.allowed(session, app.provider.name, now)
        on = _running(session, app)
        _return_unused(session, run, allowances)
        wanted = run.group if allowed is None else min(run.group, allowed)
        granted = budgets.take(session, app.provider.name, allowances, wanted)
        run.budget_spent = granted == 0 < wanted
        rows = (
            claims.claim(session, owner=run.owner, now=now, limit=granted, campaigns=on, rehearsal=app.rehearsal)
            if granted and on
            else []
        )
        budgets.give_back(session, app.provider.name, allowances, granted - len(rows))
    run.counts["claimed"] += len(rows)
    return rows


def _allowances(run: Run) -> tuple[Allowance, ...]:
    """Return the budget of this day; a rehearsal mails nobody and has none."""
    if run.app.provider.rehearsal:
        return ()
    return budgets.allowances(local_day(run.clock(), run.app.config.shop.zone), run.app.config.provider.max_per_day)


def return_budget(run: Run) -> None:
    """Return to the day's budget what was taken for mails that did not leave."""
    allowances = _allowances(run)
    if run.unused and allowances:
        with run.app.database.write() as session:
            _return_unused(session, run, allowances)
    run.unused = 0


def _return_unused(session: Session, run: Run, window: tuple[Allowance, ...]) -> None:
    """Return to this day's budget what was taken from it and is not needed.

    At midnight what is ready or under way was taken from the day before: it is not returned to the day that begins.
    """
    if window != run.window:
        run.of_before = len(run.letters) + run.flight.under_way * run.batch
        run.window, run.unused = window, 0
    elif run.unused:
        kept = min(run.of_before, run.unused)
        budgets.give_back(session, run.app.provider.name, window, run.unused - kept)
        run.of_before, run.unused = run.of_before - kept, 0


# -- gate and render -------------------------------------------------------------------------------------------------


def _gate(run: Run, rows: Sequence[MessageRow]) -> Inspection:
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
    run.unused += sum(one.decision.action != "send" for one in inspection.messages)
    return inspection


def _render(run: Run, inspection: Inspection) -> list[Letter]:
    """Make the mails; one that cannot be made fails alone. What was released before keeps its bytes."""
    going = [one for one in inspection.messages if one.decision.action == "send"]
    called = [one.row.id for one in going if one.row.first_call_at is not None]
    with run.app.database.read() as session:
        frozen = attempts.frozen(session, called)
        alone = calls.refused_whole(session, called)
    letters: list[Letter] = []
    now = run.clock()  # one instant for the group: its date line and local days are then made once
    for one in going:
        if one.row.id in frozen:
            email = frozen[one.row.id]
            letters.append(Letter(one, email, attempts.digest(email), alone=one.row.id in alone))
            continue
        try:
            rendered, email = composing.compose(run.app, one, inspection.known, now)
        except Exception as error:  # noqa: BLE001  (one poisoned message must not hold up the others)
            _fail(run, one.row, [row for row in one.carried if row.state is State.CLAIMED], error)
        else:
            letters.append(Letter(one, email, attempts.digest(email), rendered, one.row.id in alone))
    return letters


def _fail(run: Run, row: MessageRow, carried: Sequence[MessageRow], error: Exception) -> None:
    now = run.clock()
    log.error("template failed", message=row.message_id, campaign=row.campaign, error=str(error))
    with run.app.database.write() as session:
        move = Move(row, State.FAILED, Reason.TEMPLATE_FAILED, str(error)[:500], {"owner": ""})
        messages.transition(session, [move], now=now, actor=run.owner)
        give_back(session, carried, now=now, actor=run.owner, why="the mail that carried it failed")
    run.counts[State.FAILED.value] += 1
    run.unused += 1
