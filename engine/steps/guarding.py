"""Is this the store we know? A restored or copied one that has really mailed sends nothing until its owner says which.

`begin` comes first at every start of a sender, `look` and `keep` with every tick. Everything else goes on meanwhile:
imports, objections, the log, the plan. A rehearsal mails nobody, so it goes on too, but it settles nothing either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from sqlmodel import Session

from engine.config.loading import Config
from engine.domain import guard
from engine.domain.calendar import day_start, local_day
from engine.domain.guard import AT_WORK, NOTED_EVERY, Answer, Suspicion
from engine.domain.words import Reason, State
from engine.errors import AlreadyRunning, UsageError
from engine.steps import suppressing
from engine.steps.shop import Premises
from engine.steps.watching import checkpointing
from engine.store import attempts, budgets, calls, installation, lost, messages, ownership, places, replies
from engine.store.database import Database
from engine.store.installation import Standing
from engine.store.lost import End
from engine.store.messages import MessageRow
from engine.store.sidecar import Sidecar

_AT_ONCE = 500
_ACTOR = "owner"
_WHY = "a backup was put back"


@dataclass(frozen=True, slots=True)
class Guard:
    """How the store stands: what is suspected, what is remembered, and whether this shop only rehearses."""

    suspicion: Suspicion | None
    rehearsal: bool
    stored: datetime | None = None
    seen: datetime | None = None
    noted: bool = False
    lost_until: datetime | None = None
    ordinal: int = 0

    @property
    def waits(self) -> bool:
        """Say whether nothing may be planned and sent before the owner has spoken."""
        return self.suspicion is not None and not self.rehearsal


@dataclass(frozen=True, slots=True)
class Adoption:
    """What an answer came to: the end of what was lost, messages held and unknown, and mails off today's budget."""

    answer: Answer
    lost_until: datetime | None = None
    held: int = 0
    unknown: int = 0
    budget: int = 0


def begin(app: Premises, now: datetime, *, joins: bool = False) -> Guard:
    """Do what every start of a sender does first: let store and log know every "no", then look which store this is."""
    log = suppressing.ledger_of(app).log
    suppressing.replay(app.database, log)
    suppressing.complete(app.database, log)
    return look(app, now, joins=joins)


class Place(Protocol):
    """What a look needs of the shop."""

    @property
    def config(self) -> Config: ...  # noqa: D102
    @property
    def database(self) -> Database: ...  # noqa: D102
    @property
    def home(self) -> Path: ...  # noqa: D102


def look(app: Place, now: datetime, *, joins: bool = False) -> Guard:
    """Say how the store stands; reads only. `joins` is for a worker: it relies on the sole sender of a shared store."""
    seen = Sidecar.beside(app.database, app.home).read()  # before the store: it is written after it
    here = places.here(app.database)
    with app.database.read() as session:
        standing = installation.find(session)
        if standing is None:
            return Guard(None, app.config.rehearsal)
        found = guard.suspect(standing.memory, seen, here, joins=joins and not app.database.sqlite, now=now)
        mailed = found is not None and lost.has_mailed(session)
        if found is not None and not guard.counts(found, standing.memory, seen, mailed=mailed):
            found = None
    last = standing.last_tick_at
    fresh = last is not None and abs(now - last) <= NOTED_EVERY
    told = seen is not None and seen.uuid == str(standing.uuid) and bool(seen.mailed or app.config.rehearsal)
    noted = fresh and standing.place == here and told
    seen_at = seen.last_tick if seen else None
    return Guard(found, app.config.rehearsal, last, seen_at, noted, standing.lost_until, standing.ordinal)


def keep(app: Premises, now: datetime, found: Guard) -> None:
    """Note, at most once a minute, that the sole sender is at work; of a store under suspicion nothing is noted.

    A worker notes nothing: by its word the daemon would take an older state for the store itself.
    """
    if found.suspicion is None and not found.noted:
        note(app, now)


def note(app: Premises, now: datetime) -> None:
    """Note that the sole sender is at work, and whether for real: in the store, and then, durably, beside it."""
    here, sidecar = places.here(app.database), Sidecar.beside(app.database, app.home)
    before = sidecar.read()
    with app.database.read() as session:
        standing = installation.find(session)
        if standing is None:
            return
        mailed = _may_have_mailed(app, session, standing, before)
    if before is None or before.uuid != str(standing.uuid):  # first: a store with a place and no sidecar is suspected
        sidecar.write(guard.Memory(str(standing.uuid), None, here, mailed=mailed))
    with app.database.write() as session:
        installation.note_tick(session, now)
        installation.note_place(session, here)
    _write_beside(app, here, mailed=mailed)


def adopt(app: Premises, answer: Answer, now: datetime, said: datetime | None = None) -> Adoption:
    """Take the owner's word on which store this is; `said` is until when mails may have left, as far as they know.

    Raises UsageError where the word cannot be true, AlreadyRunning where a process sends from the store right now: a
    daemon that waits for this very word may run on.
    """
    found = begin(app, now)
    _refuse(found, answer, said, now)
    with ExitStack() as stack:
        try:
            stack.enter_context(ownership.nobody_sends(app.database))
        except AlreadyRunning as running:
            _require_waiting(app, found, now, running)
        return _adopt(app, answer, now, said)


def _require_waiting(app: Premises, found: Guard, now: datetime, running: AlreadyRunning) -> None:
    """Refuse where what is running may be sending.

    One SQLite file has one sidecar: what is suspected here is suspected there. With PostgreSQL a further machine may
    lack it, so whoever runs is told apart by the store itself: who waits takes nothing in hand and notes nothing.
    """
    with app.database.read() as session:
        owners = messages.owners(session)
    busy = bool(owners - ownership.dead(app.database, owners))
    noted = not app.database.sqlite and found.stored is not None and now - found.stored <= AT_WORK
    if found.suspicion is None or busy:
        raise running
    if noted:
        raise AlreadyRunning(
            f"A process has worked on this store a moment ago ({app.database.url.render_as_string()}).",
            "Stop the daemon and every worker first. If they only wait for your word: say it again in two minutes.",
        )


def _refuse(found: Guard, answer: Answer, said: datetime | None, now: datetime) -> None:
    if found.suspicion is Suspicion.RESTORED and answer is Answer.MOVED:
        raise UsageError(
            "This store is an older state of itself: mails may have left since that it knows nothing of.",
            "Say `treuepost db adopt restored`: nothing is lost by it, what may have been sent waits for your word.",
        )
    if said is not None and answer is not Answer.RESTORED:
        raise UsageError("--lost-until belongs to `db adopt restored`.", "Leave it out.")
    if said is not None and said > now:
        raise UsageError("--lost-until lies in the future.", "Give the latest time at which a mail may have left.")


def _adopt(app: Premises, answer: Answer, now: datetime, said: datetime | None) -> Adoption:
    here = places.here(app.database)
    seen = Sidecar.beside(app.database, app.home).read()
    with app.database.write() as session:
        standing = installation.ensure(session, now)
        mailed = _may_have_mailed(app, session, standing, seen)
        done = Adoption(answer)
        if answer is Answer.RESTORED:
            until = guard.lost_until(standing.memory, seen, said, now)
            done = _restore(session, app, standing, until, now)
        installation.adopt(session, answer, here, done.lost_until)
        installation.note_tick(session, now, guard.numbered(now, seen))
    _write_beside(app, here, mailed=mailed)
    if answer is Answer.RESTORED:
        checkpointing.note_restored(app, now)
    return done


def _may_have_mailed(app: Place, session: Session, standing: Standing, seen: guard.Memory | None) -> bool:
    """Say whether mails may have left: from now on they may where the provider is a real one."""
    if not app.config.rehearsal:
        return True
    if seen is not None and seen.uuid == str(standing.uuid) and seen.mailed is not None:
        return seen.mailed
    return lost.has_mailed(session)


def _write_beside(app: Premises, here: str, *, mailed: bool) -> None:
    with app.database.read() as session:
        standing = installation.find(session)
    if standing is not None:
        memory = replace(standing.memory, place=here, adopted="", mailed=mailed)
        Sidecar.beside(app.database, app.home).write(memory)


# -- a backup was put back -------------------------------------------------------------------------------------------


def _restore(session: Session, app: Premises, standing: Standing, until: datetime, now: datetime) -> Adoption:
    """Let nothing go again that may have gone: what was due waits for the owner, what was under way is unknown."""
    unknown = _give_up_calls(session, now)
    replies.give_up_until(session, until, now, _WHY)
    held = _hold_open(session, end_of(app, until), now)
    last = standing.last_tick_at
    since = last if last is not None and last <= until else standing.created_at
    return Adoption(Answer.RESTORED, until, held, unknown, _spend_budget(session, app, since, until, now))


def end_of(app: Place, until: datetime) -> End:
    """Return where the time that was lost ends, in the shop's own days."""
    return End(until, local_day(until, app.config.shop.zone))


def hold_anew(session: Session, end: End, now: datetime) -> int:
    """Hold what was planned after the owner's word and may have gone in the lost time; return how many."""
    return _all(lambda: lost.planned_anew(session, end, _AT_ONCE), partial(_held, session, now, "planner"))


def _hold_open(session: Session, end: End, now: datetime) -> int:
    """Hold everything that may have gone, whoever had it in hand when the backup was made; return how many."""
    hold = partial(_held, session, now, _ACTOR)
    count = _all(lambda: lost.waiting(session, end, _AT_ONCE), hold)
    count += _all(lambda: lost.claimed(session, end, _AT_ONCE), hold)
    return count + lost.rename_held(session, end, now)


def _held(session: Session, now: datetime, actor: str, rows: Sequence[MessageRow]) -> int:
    values = {"reason": Reason.STORE_RESTORED, "owner": "", "carried_by": None}
    return len(messages.move_all(session, rows, State.HELD, now=now, actor=actor, **values))


def _give_up_calls(session: Session, now: datetime) -> int:
    """End what was being sent when the backup was made: what came of it, and whether it was tried again, is lost."""

    def doubt(rows: Sequence[MessageRow]) -> int:
        along = calls.gone_along(session, rows)
        attempts.abandon(session, [*rows, *along], Reason.STORE_RESTORED.value, now)
        return len(_ended(session, rows, State.IN_DOUBT, now))

    _all(lambda: lost.called(session, State.SENDING, _AT_ONCE), doubt)
    return _all(
        lambda: lost.called(session, State.IN_DOUBT, _AT_ONCE),
        lambda rows: len(_ended(session, rows, State.UNKNOWN, now)),
    )


def _ended(session: Session, rows: Sequence[MessageRow], after: State, now: datetime) -> list[MessageRow]:
    why = {"reason": Reason.STORE_RESTORED, "detail": _WHY, "owner": ""}
    return messages.move_all(session, rows, after, now=now, actor=_ACTOR, **why)


def _all(find: Callable[[], list[MessageRow]], act: Callable[[Sequence[MessageRow]], int]) -> int:
    """Act on what is found, part by part, until nothing more moves."""
    total = 0
    while (rows := find()) and (moved := act(rows)):
        total += moved
    return total


def _spend_budget(session: Session, app: Premises, since: datetime, until: datetime, now: datetime) -> int:
    """Count as spent today what may have left today at most; return how much."""
    provider, zone = app.config.provider, app.config.shop.zone
    today = local_day(now, zone)
    first = max(since, day_start(today, zone))
    if until < first:
        return 0
    most = guard.most_mails(first, until, provider.max_per_minute)
    return budgets.take(session, provider.use, budgets.allowances(today, provider.max_per_day), most)
