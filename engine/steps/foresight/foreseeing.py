"""What would go out, and why not: planning and the gates run for real, in a transaction that is always rolled back.

Whoever would get a mail counts as written to from then on, so that frequency caps and "one address, one mail a day"
hold among the foreseen mails too. Nothing is rendered and no provider is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlmodel import Session

from engine.domain.calendar import day_end, day_start, local_day
from engine.domain.gates import LOOK_AGAIN
from engine.domain.words import Basis, Decision, Reason, State
from engine.providers.contract import PAGES_LAPSE
from engine.steps import confirming, gating, planning
from engine.steps.dating import place_of
from engine.steps.gating import Inspected
from engine.steps.shop import Shop
from engine.store import claims, holds, installation, messages, reports, scans
from engine.store.messages import MessageRow, Move

GROUP = 500
_ACTOR = "plan"
_AFTER = {"skip": State.SKIPPED, "expire": State.EXPIRED, "cancel": State.CANCELLED, "hold": State.HELD}


@dataclass(frozen=True, slots=True)
class Foreseen:
    """One mail that would go out, be skipped, or still wait when the days are over."""

    campaign: str
    step: str
    customer: str
    email: str
    occasion: str
    due: date
    send_after: datetime
    decision: str
    reason: Reason | None
    basis: Basis | None


@dataclass(slots=True)
class Forecast:
    """What the coming days would bring, and how many occasions each campaign passes over as too old."""

    first: datetime
    last: datetime
    lines: list[Foreseen] = field(default_factory=list)
    passed_over: dict[str, int] = field(default_factory=dict)

    @property
    def sends(self) -> int:
        """Return how many mails would go out."""
        return sum(line.decision == "send" for line in self.lines)


def foresee(app: Shop, now: datetime, days: int = 1) -> Forecast:
    """Say what would happen from `now` to the end of the shop's local day, `days` of them."""
    zone = app.config.shop.zone
    end = day_end(local_day(now, zone) + timedelta(days=days - 1), zone)
    forecast = Forecast(now, end)
    with app.database.pretend() as session:
        installation.assume_pages(session, PAGES_LAPSE)
        newest = reports.newest(session)
        said = _held(session, app, end)
        said |= _walk(session, app, now, end)
        said |= {number: Decision("expire", Reason.TOO_LATE) for number in reports.expired_since(session, newest)}
        forecast.lines = _lines(session, said)
        for campaign in app.campaigns:
            if campaign.enabled:
                forecast.passed_over[campaign.id] = planning.passed_over(session, app, campaign)
    return forecast


def _walk(session: Session, app: Shop, now: datetime, end: datetime) -> dict[int, Decision]:
    """Go from instant to instant at which something falls due, and return the last word on each message."""
    said: dict[int, Decision] = {}
    midnights = sorted(_midnights(session, app, now, end))
    instant: datetime | None = now
    while instant is not None and instant < end:
        if instant == now or instant in midnights:
            for campaign in app.campaigns:
                if campaign.enabled:
                    planning.plan_campaign(session, app, campaign, instant)
            said |= confirming.foresee(session, app, instant)
        said |= _settle(session, app, instant)
        ahead = [midnight for midnight in midnights if midnight > instant]
        queued = reports.next_due(session, instant, rehearsal=app.rehearsal)
        instant = min([*ahead, *([queued] if queued else [])], default=None)
    return said


def _held(session: Session, app: Shop, end: datetime) -> dict[int, Decision]:
    """Return what waits for the owner's word already; it goes nowhere without it."""
    held = holds.all_held(session, end, rehearsal=app.rehearsal)
    return {number: confirming.waits(reason) for number, reason in held}


def _midnights(session: Session, app: Shop, now: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the instants at which a new local day begins for any customer."""
    for name in {*scans.zones(session), ""}:
        zone = place_of(name, app.config.shop.zone)
        day = local_day(now, zone) + timedelta(days=1)
        while (begins := day_start(day, zone)) < end:
            yield begins
            day += timedelta(days=1)


def _settle(session: Session, app: Shop, now: datetime) -> dict[int, Decision]:
    """Let the gates decide on everything that is due now, and act as if it were done."""
    said: dict[int, Decision] = {}
    while late := messages.overdue(session, now, GROUP):
        messages.move_all(session, late, State.EXPIRED, now=now, actor=_ACTOR)
        said |= {row.id: Decision("expire", Reason.TOO_LATE) for row in late if row.rehearsal == app.rehearsal}
    enabled = [campaign.id for campaign in app.campaigns if campaign.enabled]
    while True:
        rows = claims.claim(session, owner=_ACTOR, now=now, limit=GROUP, campaigns=enabled, rehearsal=app.rehearsal)
        if not rows:
            return said
        for wave in _waves(rows):
            for one in gating.inspect(session, app, wave, now).messages:
                said[one.row.id] = one.decision
                _pretend(session, one, now)


def _waves(rows: Sequence[MessageRow]) -> Iterator[list[MessageRow]]:
    """Split a group so that no address is twice in one part: the second must see that the first was written to."""
    left = list(rows)
    while left:
        wave: dict[object, MessageRow] = {}
        rest = [row for row in left if wave.setdefault(row.address_id or f"message {row.id}", row) is not row]
        yield list(wave.values())
        left = rest


def _pretend(session: Session, one: Inspected, now: datetime) -> None:
    """Write what a release and its result would write, as far as it bears on the mails after it."""
    row, decision = one.row, one.decision
    if decision.action == "send":
        counts = {"first_call_at": now, "address_id": one.person.address_id, "kind": row.kind}
        (sending,) = messages.move_all(session, [row], State.SENDING, now=now, actor=_ACTOR, **counts)
        messages.move_all(session, [sending], State.SENT, now=now, actor=_ACTOR, sent_at=now)
    elif decision.action == "wait":
        again = max(decision.until or now + LOOK_AGAIN, now + timedelta(seconds=1))
        _move(session, row, State.PLANNED, decision, now, send_after=again)
    else:
        _move(session, row, _AFTER[decision.action], decision, now)


def _move(session: Session, row: MessageRow, after: State, decision: Decision, now: datetime, **values: object) -> None:
    messages.transition(session, [Move(row, after, decision.reason, "", values)], now=now, actor=_ACTOR)


def _lines(session: Session, said: dict[int, Decision]) -> list[Foreseen]:
    known = reports.by_numbers(session, list(said))
    lines = [_line(known[number], decision) for number, decision in said.items()]
    return sorted(lines, key=lambda line: (line.send_after, line.campaign, line.customer))


def _line(entry: reports.Entry, decision: Decision) -> Foreseen:
    return Foreseen(
        campaign=entry.campaign,
        step=entry.step,
        customer=entry.customer,
        email=entry.email,
        occasion=entry.occasion,
        due=entry.due,
        send_after=entry.send_after,
        decision=decision.in_short,
        reason=decision.reason,
        basis=decision.basis,
    )
