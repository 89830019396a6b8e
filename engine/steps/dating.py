"""Step 2, the dates: from which day a campaign mails, and when each of its messages may go and is too late."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Protocol
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlmodel import Session

from engine.campaigns.model import Campaign
from engine.config.loading import Config
from engine.domain import scanning
from engine.domain.calendar import local_day
from engine.domain.scanning import Start
from engine.store import installation, scans
from engine.store.database import Database
from engine.store.enrolments import Due
from engine.triggers.contract import timings


class Shop(Protocol):
    """What planning needs of the program: it is an App, seen from below."""

    @property
    def config(self) -> Config: ...  # noqa: D102
    @property
    def database(self) -> Database: ...  # noqa: D102
    @property
    def campaigns(self) -> tuple[Campaign, ...]: ...  # noqa: D102
    @property
    def installation(self) -> UUID: ...  # noqa: D102
    @property
    def rehearsal(self) -> bool: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Times:
    """When a message is due, may go, and is too late."""

    due: date
    send_after: datetime
    expires_at: datetime


@lru_cache(maxsize=1024)
def place_of(zone: str, shop: ZoneInfo) -> ZoneInfo:
    """Return a customer's time zone; the shop's where there is none, or none that is known."""
    try:
        return ZoneInfo(zone) if zone else shop
    except (ZoneInfoNotFoundError, ValueError):
        return shop


def times_of(app: Shop, campaign: Campaign, zone: str, due: date, due_at: datetime | None = None) -> Times:
    """Return the times of a message that is due on a local day, or at an instant of it."""
    place, send = place_of(zone, app.config.shop.zone), campaign.send
    if due_at is None:
        send_after = scanning.first_chance(due, place, send.between, send.days)
    else:
        send_after = scanning.from_then_on(due_at, place, send.between, send.days)
    return Times(due, send_after, scanning.expiry(due, send.max_late, place))


def with_hours(app: Shop, campaign: Campaign, row: Due) -> Due:
    """Return the occasion with its instant and local day, where the step counts hours."""
    if row.due_at is None:
        return row
    lag = timings(campaign.steps)[row.step_index].lag(campaign.trigger.own)
    instant = row.due_at if lag is None else row.due_at + lag
    return row._replace(due_at=instant, due=local_day(instant, place_of(row.zone, app.config.shop.zone)))


def start_of(session: Session, app: Shop, campaign: Campaign) -> Start:
    """Return the first day the campaign mails for."""
    state = scans.known(session, campaign.id, rehearsal=app.rehearsal)
    of_store = installation.find(session)
    lost = of_store.lost_until if of_store and not app.rehearsal else None
    return scanning.start_of(
        campaign.start.from_,
        campaign.start.backlog,
        enabled_on=state.enabled_on if state else date.max,
        edited_on=state.edited_on if state else None,
        real_since=of_store.real_since if of_store and not app.rehearsal else None,
        lost_until=local_day(lost, app.config.shop.zone) if lost else None,
    )


def note_campaigns(session: Session, app: Shop, now: datetime) -> None:
    """Note which campaigns are on, which are new, edited or gone, and whether the store rehearses."""
    note_mode(session, app, now)
    for campaign in app.campaigns:
        note_campaign(session, app, campaign, now)
    scans.note_gone(session, [campaign.id for campaign in app.campaigns], rehearsal=app.rehearsal, now=now)


def note_mode(session: Session, app: Shop, now: datetime) -> None:
    """Note whether the store rehearses: the day of a switch to real mails starts every campaign."""
    installation.note_mode(session, rehearsal=app.rehearsal, today=local_day(now, app.config.shop.zone))


def note_campaign(session: Session, app: Shop, campaign: Campaign, now: datetime) -> None:
    """Note what one campaign's file says today."""
    sight = scans.Sight(campaign.id, campaign.enabled, campaign.trigger_hash)
    today = local_day(now, app.config.shop.zone)
    scans.note_sight(session, sight, rehearsal=app.rehearsal, today=today, now=now)
