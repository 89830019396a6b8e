"""After planning: what is far more than usual, or more than the owner has allowed without asking, waits for a word.

Counted are, per campaign and local day, the mails that would really go: those the gates let through now or later, with
those that have left today and those that wait for a word already. What the owner has released once is never counted nor
held again. While planning goes on nobody claims what is new (`unchecked_from`), however many senders there are.
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
from engine.store import holds, installation, messages
from engine.store.holds import Scope
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


def begin(app: Shop, now: datetime) -> None:
    """Keep what is planned from now on out of the senders' hands until `confirm` has looked at it."""
    with app.database.write() as session:
        installation.note_unchecked(session, now)


def confirm(app: Shop, now: datetime, *, moved: bool = False) -> int:
    """Hold what needs the owner's word, in short transactions; return how many messages.

    Looks at the campaigns of which something was planned since `begin`; with `moved` at all of them.
    """
    count = _hold_lost(app, now)
    with app.database.read() as session:
        since = None if moved else installation.unchecked_from(session)
        found = [lot for campaign in app.campaigns for lot in lots(session, app, campaign, now, since)]
    for lot in found:
        for part in chunks(lot.ids, _AT_ONCE):
            with app.database.write() as session:
                count += hold(session, lot, part, now)
    with app.database.write() as session:
        installation.note_checked(session)
    return count


def _hold_lost(app: Shop, now: datetime) -> int:
    """Hold what was planned anew for the time a restored store has lost."""
    with app.database.read() as session:
        standing = installation.find(session)
    until = standing.lost_until if standing else None
    if until is None or app.rehearsal:
        return 0
    with app.database.write() as session:
        return guarding.hold_anew(session, guarding.end_of(app, until), now)


def lots(session: Session, app: Shop, campaign: Campaign, now: datetime, since: datetime | None) -> list[Lot]:
    """Return what of one campaign is to wait; nothing where nothing was planned since `since`."""
    if not campaign.enabled:
        return []
    if since is not None and not holds.is_any_new(session, campaign.id, since, rehearsal=app.rehearsal):
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
    for campaign in app.campaigns:
        for lot in lots(session, app, campaign, now, now):
            hold(session, lot, lot.ids, now)
            said |= dict.fromkeys(lot.ids, waits(lot.reason, lot.detail))
    return said


def waits(reason: Reason | None, detail: str = "") -> Decision:
    """Return the decision on a message that waits for the owner's word."""
    why = f"{reason.value}: {detail}" if reason else detail
    return Decision("hold", reason, trail=(Trail("held", "wait", why),))
