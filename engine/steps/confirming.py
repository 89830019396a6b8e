"""After planning: what is far more than usual, or more than the owner has allowed without asking, waits for a word.

Counted are, per campaign and local day, the mails that would really go: those the gates let through now or later, with
those that have left today and those that wait for a word already. What the owner has released once is never counted nor
held again. Planning marks what is new, per campaign and mode, and nobody claims it while the mark stands (`scans`),
however many senders there are. Only who has looked at that campaign in that mode takes the mark away: where planning
dies, where the campaign is switched off meanwhile or a rehearsal comes between, it waits to be looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlmodel import Session

from engine.campaigns.model import Campaign
from engine.domain import confirmation
from engine.domain.calendar import day_end, day_start, local_day
from engine.domain.confirmation import Usual
from engine.domain.words import Decision, Reason, State, Trail
from engine.steps import gating, guarding
from engine.steps.shop import Shop
from engine.store import holds, installation, messages, scans
from engine.store.holds import Scope
from engine.store.scans import Unchecked
from engine.store.upsert import chunks

_AT_ONCE = 500
_ACTOR = "planner"
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Lot:
    """The messages of one campaign and day that are to wait, why, and with which numbers."""

    campaign: str
    day: date
    reason: Reason
    detail: str
    ids: tuple[int, ...]


def confirm(app: Shop, now: datetime) -> int:
    """Hold what needs the owner's word, in short transactions; return how many messages.

    Looks at the campaigns of which nobody has looked at something that was planned.
    """
    count = _hold_lost(app, now)
    with app.database.read() as session:
        marked = _marked(session, app)
        found = [lot for campaign, mark in marked for lot in lots(session, app, campaign, now, mark.since)]
    for lot in found:
        for part in chunks(lot.ids, _AT_ONCE):
            with app.database.write() as session:
                count += hold(session, lot, part, now)
    if marked:
        with app.database.write() as session:
            for _, mark in marked:
                scans.note_checked(session, mark, rehearsal=app.rehearsal)
    return count


def _marked(session: Session, app: Shop) -> list[tuple[Campaign, Unchecked]]:
    """Return the campaigns that can be looked at now, with their marks; one that is off keeps its mark."""
    on = {campaign.id: campaign for campaign in app.campaigns if campaign.enabled}
    marks = scans.unchecked(session, rehearsal=app.rehearsal)
    return [(on[mark.campaign], mark) for mark in marks if mark.campaign in on]


def _hold_lost(app: Shop, now: datetime) -> int:
    """Hold what was planned anew for the time a restored store has lost."""
    with app.database.read() as session:
        standing = installation.find(session)
    until = standing.lost_until if standing else None
    if until is None or app.rehearsal:
        return 0
    with app.database.write() as session:
        return guarding.hold_anew(session, guarding.end_of(app, until), now)


def lots(session: Session, app: Shop, campaign: Campaign, now: datetime, since: datetime) -> list[Lot]:
    """Return what of one campaign is to wait; nothing where nothing was planned since `since`."""
    if not campaign.enabled:
        return []
    if not holds.is_any_new(session, campaign.id, since, rehearsal=app.rehearsal):
        return []
    zone = app.config.shop.zone
    today = local_day(now, zone)
    days: Counter[date] = Counter()
    for instant, count in holds.waiting(session, campaign.id, rehearsal=app.rehearsal):
        days[max(today, local_day(instant, zone))] += count
    found = (_lot(session, app, campaign, now, day, count) for day, count in sorted(days.items()))
    return [lot for lot in found if lot is not None]


def _lot(session: Session, app: Shop, campaign: Campaign, now: datetime, day: date, waiting: int) -> Lot | None:
    zone, limit = app.config.shop.zone, app.config.rules.confirm_above
    today = local_day(now, zone)
    scope = Scope(campaign.id, app.rehearsal, _EVER if day == today else day_start(day, zone), day_end(day, zone))
    already = holds.count_held(session, scope)
    if day == today:
        already += holds.count_gone(session, scope, day_start(today, zone))
    if already + waiting <= confirmation.never_held(limit):
        return None
    usual = _usual(session, scope, day_start(today, zone))
    if confirmation.verdict(already + waiting, limit, usual) is None:
        return None  # not even if every one of them went: the gates need not be asked
    going = _going(session, app, scope, now)
    said = confirmation.verdict(already + len(going), limit, usual)
    if said is None or not going:
        return None
    return Lot(campaign.id, day, said[0], f"{already + len(going)} for {day}, {said[1]}", tuple(going))


def _going(session: Session, app: Shop, scope: Scope, now: datetime) -> list[int]:
    """Return the messages that would go, now or once their hour has come."""
    going: list[int] = []
    last = 0
    while rows := holds.unspoken(session, scope, last, _AT_ONCE):
        last = rows[-1].id
        decided = gating.gate(session, app, rows, now)
        going += [row.id for row, decision in decided if decision.action in {"send", "wait"}]
    return going


def _usual(session: Session, scope: Scope, midnight: datetime) -> Usual:
    since = midnight - timedelta(days=confirmation.DAYS)
    mails, first = holds.history(session, scope, since, midnight)
    days = (midnight - first).days + 1 if first and first < midnight else 0
    return Usual(mails, min(days, confirmation.DAYS))


def hold(session: Session, lot: Lot, ids: Sequence[int], now: datetime) -> int:
    """Let these messages of a lot wait for the owner's word; return how many still were planned."""
    rows = [row for row in messages.by_ids(session, ids) if row.state is State.PLANNED]
    why = {"reason": lot.reason, "detail": lot.detail}
    return len(messages.move_all(session, rows, State.HELD, now=now, actor=_ACTOR, **why))


# -- foreseeing ------------------------------------------------------------------------------------------------------


def foresee(session: Session, app: Shop, now: datetime) -> dict[int, Decision]:
    """Do the same within a transaction that is rolled back, and say what became of each message."""
    said: dict[int, Decision] = {}
    marked = {mark.campaign: mark for _, mark in _marked(session, app)}
    for campaign in app.campaigns:
        mark = marked.get(campaign.id)
        for lot in lots(session, app, campaign, now, min(now, mark.since) if mark else now):
            hold(session, lot, lot.ids, now)
            said |= dict.fromkeys(lot.ids, waits(lot.reason, lot.detail))
        if mark:
            scans.note_checked(session, mark, rehearsal=app.rehearsal)
    return said


def waits(reason: Reason | None, detail: str = "") -> Decision:
    """Return the decision on a message that waits for the owner's word."""
    why = f"{reason.value}: {detail}" if reason else detail
    return Decision("hold", reason, trail=(Trail("held", "wait", why),))
