"""Step 2: ask every trigger who has an occasion, and plan one message for each step of it.

Planning twice adds nothing, sleeping forgets nobody: the constraint on enrolments is the memory, the table of scans
only spares work. What is here decides nothing about permission; the sending step does, at the last moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Protocol, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlmodel import Session

from engine.campaigns.model import Campaign
from engine.domain import scanning
from engine.domain.calendar import local_day
from engine.domain.identity import message_id
from engine.domain.scanning import Scanned, Start
from engine.domain.words import DayRange
from engine.steps import dating
from engine.steps.dating import Shop
from engine.store import enrolments, installation, occasions, scans
from engine.store.enrolments import Due, NewMessage, Plan, Planned
from engine.store.upsert import chunks
from engine.triggers import Trigger
from engine.triggers.contract import Scope, Timing, timings

Item = TypeVar("Item")
_NO_TIME = datetime.min.replace(tzinfo=UTC)
_FAR = timedelta(days=400)
"""How far from its planned day an occasion is looked for when it is not there any more."""


class HasId(Protocol):
    """A message, by its row."""

    @property
    def id(self) -> int: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class PlanReport:
    """What one pass has planned: new messages (those too late among them are recorded as expired), and moved ones."""

    planned: int = 0
    moved: int = 0

    def __add__(self, other: PlanReport) -> PlanReport:
        return PlanReport(self.planned + other.planned, self.moved + other.moved)


@dataclass(frozen=True, slots=True)
class _Doors:
    """How planning reads and writes: through the store's two doors, or through one session that is rolled back.

    With `unchecked` it marks what it plans or moves, so that nobody claims it before `confirming` has looked at it.
    """

    read: Callable[[], AbstractContextManager[Session]]
    write: Callable[[], AbstractContextManager[Session]]
    one_session: bool = False
    unchecked: bool = False


@dataclass(frozen=True, slots=True)
class _Pass:
    """One campaign in one time zone at one instant."""

    shop: Shop
    campaign: Campaign
    now: datetime
    zone: str
    start: Start
    before: Scanned | None
    data_version: int
    among: tuple[int, ...] | None

    @property
    def place(self) -> ZoneInfo:
        """Return the zone whose days are meant."""
        return dating.place_of(self.zone, self.shop.config.shop.zone)

    @property
    def today(self) -> date:
        """Return the local day."""
        return local_day(self.now, self.place)

    @property
    def days(self) -> DayRange:
        """Return the days to ask for."""
        max_late = self.campaign.send.max_late
        return scanning.days_to_scan(self.start.day, self.today, max_late, self.before, self.data_version)

    @property
    def plan(self) -> Plan:
        """Return what the messages have in common."""
        return _plan_of(self.shop, self.campaign, self.now)

    @property
    def scope(self) -> Scope:
        """Return which customers the pass is about."""
        return Scope(self.zone, self.among, self.campaign.audience, self.place)

    @property
    def trigger(self) -> Trigger:
        """Return the trigger with what the campaign's kind settles."""
        return self.campaign.trigger.for_kind(self.campaign.kind)

    @property
    def data_changed(self) -> bool:
        """Say whether an import has changed the data since the last pass."""
        return self.before is not None and self.before.data_version != self.data_version


def plan(app: Shop, now: datetime, *, unchecked: bool = False) -> PlanReport:
    """Plan every campaign that is on, in short transactions; call it at every tick. `unchecked` as in `_Doors`."""
    doors = _Doors(app.database.read, app.database.write, unchecked=unchecked)
    with doors.write() as session:
        dating.note_campaigns(session, app, now)
    report = PlanReport()
    for campaign in app.campaigns:
        if campaign.enabled:
            report += _plan(app, doors, campaign, now, None)
    return report


def plan_campaign(
    session: Session, app: Shop, campaign: Campaign, now: datetime, *, among: tuple[int, ...] | None = None
) -> int:
    """Plan one campaign within the caller's transaction and return how many messages are new.

    For `plan` and `explain`, which roll back. With `among` only these customers are asked for, in the whole window.
    """
    doors = _Doors(lambda: nullcontext(session), lambda: nullcontext(session), one_session=True)
    dating.note_mode(session, app, now)
    dating.note_campaign(session, app, campaign, now)
    return _plan(app, doors, campaign, now, among).planned


def standing(session: Session, app: Shop, campaign: Campaign, messages: Sequence[HasId]) -> dict[int, date | None]:
    """Return the due day today's data gives each message, or None where its occasion is gone.

    The same SELECT as planning's, for the messages' customers: first on the days they were planned for, then, for
    those not found there, on all days around.
    """
    found: dict[int, date | None] = {}
    start = dating.start_of(session, app, campaign)
    for part in _parts([message.id for message in messages]):
        rows = enrolments.planned(session, part)
        found |= _standing(session, app, campaign, start, rows)
    return {message.id: found.get(message.id) for message in messages}


def passed_over(session: Session, app: Shop, campaign: Campaign) -> int:
    """Return how many occasions of the year before its start a campaign leaves alone."""
    start = dating.start_of(session, app, campaign)
    last = (start.older.first if start.older else start.day) - timedelta(days=1)
    trigger = campaign.trigger.for_kind(campaign.kind)
    select = trigger.occasions(DayRange(last - _FAR, last), timings(campaign.steps), Scope(audience=campaign.audience))
    return enrolments.count_not_enrolled(session, select, _plan_of(app, campaign, _NO_TIME))


def _plan_of(app: Shop, campaign: Campaign, now: datetime) -> Plan:
    keyed = campaign.trigger.keyed_by_purchase
    return Plan(campaign.id, app.rehearsal, campaign.kind, campaign.on_doubt, campaign.hash, now, keyed)


def _plan(app: Shop, doors: _Doors, campaign: Campaign, now: datetime, among: tuple[int, ...] | None) -> PlanReport:
    with doors.read() as session:
        passes = list(_passes(session, app, campaign, now, among))
    report = PlanReport()
    if among is None and any(one.data_changed for one in passes):
        report += _move_corrected(doors, passes[0])
    for one in passes:
        report += _run(doors, one)
    return report


def _passes(
    session: Session, app: Shop, campaign: Campaign, now: datetime, among: tuple[int, ...] | None
) -> Iterator[_Pass]:
    start = dating.start_of(session, app, campaign)
    of_store = installation.find(session)
    version = of_store.data_version if of_store else 0
    for zone in scans.zones(session):
        before = scans.scanned(session, campaign.id, zone, rehearsal=app.rehearsal)
        if among is not None and before is not None:
            before = replace(before, data_version=-1)
        yield _Pass(app, campaign, now, zone, start, before, version, among)


def _run(doors: _Doors, one: _Pass) -> PlanReport:
    report = PlanReport()
    days = one.days
    for step in timings(one.campaign.steps) if days else ():
        with doors.read() as session:
            for due in _chunks(doors, _due(session, one, step, days)):
                report += _remember(doors, one, [_new(one, row) for row in due])
    if one.zone == "" and one.start.day in days:
        report += _run_backlog(doors, one)
    if one.among is None:
        _note_scan(doors, one)
    return report


def _run_backlog(doors: _Doors, one: _Pass) -> PlanReport:
    """Plan what is older than the start as due on the start, so many a day; for all time zones at once."""
    older = one.start.older
    if older is None:
        return PlanReport()
    steps = timings(one.campaign.steps)
    select = one.trigger.occasions(older, steps, replace(one.scope, zone=None))
    report = PlanReport()
    with doors.read() as session:
        place = enrolments.count_enrolled(session, select, one.plan)
        for due in _chunks(doors, enrolments.backlog(session, select, one.plan)):
            spread = [_backlogged(one, row, place + index) for index, row in enumerate(due)]
            report += _remember(doors, one, spread)
            place += len(due)
    return report


def _backlogged(one: _Pass, due: Due, place: int) -> NewMessage:
    per_day = one.campaign.start.per_day
    first = one.start.day if one.before is not None or not per_day else max(one.start.day, one.today)
    day = first + timedelta(days=place // per_day) if per_day else first
    return _new(one, due._replace(due=day, due_at=None))


def _due(session: Session, one: _Pass, step: Timing, days: DayRange) -> Iterator[list[Due]]:
    select = one.trigger.occasions(days, [step], one.scope)
    name = one.campaign.steps[step.index].id
    for part in enrolments.unplanned(session, select, one.plan, name, follows=step.follows):
        yield [row for due in part if (row := dating.with_hours(one.shop, one.campaign, due)).due in days]


def _remember(doors: _Doors, one: _Pass, new: Sequence[NewMessage]) -> PlanReport:
    if not new:
        return PlanReport()
    added = [message for message in new if message.occasion.moves is None]
    moved = [_move(message) for message in new if message.occasion.moves is not None]
    with doors.write() as session:
        enrolments.move_messages(session, moved)
        report = PlanReport(enrolments.plan_messages(session, one.plan, added), len(moved))
        _mark(session, doors, one, report)
    return report


def _mark(session: Session, doors: _Doors, one: _Pass, report: PlanReport) -> None:
    if doors.unchecked and (report.planned or report.moved):
        since = None if report.moved else one.now  # what is moved may have been planned at any time
        scans.note_unchecked(session, one.campaign.id, since, rehearsal=one.shop.rehearsal)


def _move_corrected(doors: _Doors, one: _Pass) -> PlanReport:
    """Move the unsent messages whose occasion has another due day since the last import."""
    moved: list[dict[str, object]] = []
    with doors.read() as session:
        for rows in enrolments.waiting(session, one.plan):
            days = _standing(session, one.shop, one.campaign, one.start, rows)
            for row in rows:
                day = days.get(row.id)
                if day is not None and day != row.due:
                    moved.append({"id": row.id} | asdict(dating.times_of(one.shop, one.campaign, row.zone, day)))
    for part in _parts(moved):
        with doors.write() as session:
            enrolments.move_messages(session, part)
            _mark(session, doors, one, PlanReport(0, len(part)))
    return PlanReport(0, len(moved))


def _standing(
    session: Session, app: Shop, campaign: Campaign, start: Start, rows: Sequence[Planned]
) -> dict[int, date | None]:
    if not rows:
        return {}
    near = DayRange(min(row.due for row in rows), max(row.due for row in rows))
    found = _asked(session, app, campaign, rows, near)
    missing = [row for row in rows if row.id not in found]
    if missing:
        first = min(near.first, start.older.first if start.older else start.day)
        found |= _asked(session, app, campaign, missing, DayRange(first - _FAR, near.last + _FAR))
    return {row.id: _counts_as(row, found.get(row.id), start) for row in rows}


def _asked(session: Session, app: Shop, campaign: Campaign, rows: Sequence[Planned], days: DayRange) -> dict[int, date]:
    indexes = {step.id: index for index, step in enumerate(campaign.steps)}
    wanted = {indexes[row.step] for row in rows if row.step in indexes}
    steps = [step for step in timings(campaign.steps) if step.index in wanted]
    if not steps:
        return {}
    scope = Scope(audience=campaign.audience, narrowed=True)
    select = campaign.trigger.for_kind(campaign.kind).occasions(days, steps, scope)
    due = {
        (row.uid, row.occasion, row.step_index): dating.with_hours(app, campaign, row).due
        for row in occasions.ask_for(session, select, sorted({row.customer_id for row in rows}))
    }
    keys = {row.id: (row.uid, row.occasion, indexes.get(row.step, -1)) for row in rows}
    return {row.id: due[keys[row.id]] for row in rows if keys[row.id] in due}


def _counts_as(row: Planned, day: date | None, start: Start) -> date | None:
    """Return the day the occasion counts as due on: for a backlog the day that planning gave it."""
    if day is not None and start.older is not None and day in start.older and day < row.due:
        return row.due
    return day


def _note_scan(doors: _Doors, one: _Pass) -> None:
    done = Scanned(one.today, one.today, one.data_version)
    if done != one.before:
        with doors.write() as session:
            scans.note_scan(session, one.campaign.id, one.zone, done, rehearsal=one.shop.rehearsal)


def _new(one: _Pass, due: Due) -> NewMessage:
    shop, campaign = one.shop, one.campaign
    step = campaign.steps[due.step_index].id
    key = message_id(shop.installation, campaign.id, UUID(due.uid), due.occasion, step, rehearsal=shop.rehearsal)
    times = dating.times_of(shop, campaign, due.zone, due.due, due.due_at)
    return NewMessage(due, str(key), step, times.due, times.send_after, times.expires_at)


def _move(new: NewMessage) -> dict[str, object]:
    return {
        "id": new.occasion.moves,
        "due": new.due,
        "send_after": new.send_after,
        "expires_at": new.expires_at,
    }


def _chunks(doors: _Doors, due: Iterator[list[Due]]) -> Iterable[list[Due]]:
    """Return the chunks; read to the end first where the same session is about to write."""
    return list(due) if doors.one_session else due


def _parts(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    yield from chunks(items, enrolments.ROWS_AT_ONCE)
