"""What planning remembers: since when a campaign is on, how far it has been planned, what nobody has looked at yet."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain.scanning import Scanned
from engine.store.lookups import Question
from engine.store.message_tables import CampaignState, Scan
from engine.store.tables import Customer
from engine.store.upsert import insert_new, put

_STATES: sa.Table = CampaignState.__table__  # type: ignore[attr-defined]
_SCANS: sa.Table = Scan.__table__  # type: ignore[attr-defined]
_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_PEOPLE: sa.Table = Customer.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Sight:
    """A campaign as the daemon sees its file today."""

    campaign: str
    enabled: bool
    trigger_hash: str


@dataclass(frozen=True, slots=True)
class Known:
    """Since when a campaign is on, and when its trigger was last edited."""

    enabled: bool
    enabled_on: date
    trigger_hash: str
    edited_on: date | None


@dataclass(frozen=True, slots=True)
class Unchecked:
    """What of a campaign nobody has looked at yet: what was planned `since` then; and how often that was marked."""

    campaign: str
    since: datetime
    times: int


_KNOWN = Question(
    sa.select(*(_STATES.c[name] for name in ("enabled", "enabled_on", "trigger_hash", "edited_on"))).where(
        _STATES.c.campaign == sa.bindparam("campaign", required=False, type_=sa.String),
        _STATES.c.rehearsal == sa.bindparam("rehearsal", required=False, type_=sa.Boolean),
    )
)


def known(session: Session, campaign: str, *, rehearsal: bool) -> Known | None:
    """Return what the store knows of a campaign, or None for one it has never seen."""
    row = _KNOWN.first(session, campaign=campaign, rehearsal=rehearsal)
    return Known(*row) if row else None


def note_sight(session: Session, sight: Sight, *, rehearsal: bool, today: date, now: datetime) -> None:
    """Note a campaign's file: new, switched on again, switched off, or with another trigger. Writes only changes."""
    before = known(session, sight.campaign, rehearsal=rehearsal)
    if before is None:
        row = {"campaign": sight.campaign, "rehearsal": rehearsal, "enabled": sight.enabled, "enabled_on": today}
        row |= {"trigger_hash": sight.trigger_hash, "edited_on": None, "seen_at": now}
        insert_new(session, _STATES, [row], conflict=["campaign", "rehearsal"])
        return
    changes: dict[str, object] = {}
    if before.enabled != sight.enabled:
        changes["enabled"] = sight.enabled
    if sight.enabled and not before.enabled:
        changes["enabled_on"] = today
    if before.trigger_hash != sight.trigger_hash:
        changes |= {"trigger_hash": sight.trigger_hash, "edited_on": today}
    if changes:
        update = sa.update(_STATES).where(*_is(sight.campaign, rehearsal)).values(**changes, seen_at=now)
        session.connection().execute(update)


def note_gone(session: Session, present: Collection[str], *, rehearsal: bool, now: datetime) -> None:
    """Note that campaigns whose file is gone are off, so that they start anew when it comes back."""
    gone = sa.and_(_STATES.c.rehearsal == rehearsal, _STATES.c.enabled, _STATES.c.campaign.not_in(sorted(present)))
    found = session.connection().execute(sa.select(_STATES.c.campaign).where(gone)).first()
    if found is not None:
        session.connection().execute(sa.update(_STATES).where(gone).values(enabled=False, seen_at=now))


def scanned(session: Session, campaign: str, zone: str, *, rehearsal: bool) -> Scanned | None:
    """Return how far a campaign has been planned in a time zone, or None if never."""
    place = (_SCANS.c.campaign == campaign, _SCANS.c.zone == zone, _SCANS.c.rehearsal == rehearsal)
    columns = (_SCANS.c.last_day, _SCANS.c.window_day, _SCANS.c.data_version)
    row = session.connection().execute(sa.select(*columns).where(*place)).first()
    return Scanned(*row) if row else None


def note_scan(session: Session, campaign: str, zone: str, done: Scanned, *, rehearsal: bool) -> None:
    """Note how far a campaign has been planned."""
    row = {"campaign": campaign, "zone": zone, "rehearsal": rehearsal, "last_day": done.last_day}
    row |= {"window_day": done.window_day, "data_version": done.data_version}
    put(session, _SCANS, [row], conflict=["campaign", "zone", "rehearsal"])


def zones(session: Session) -> Iterator[str]:
    """Yield the time zones customers live in, "" for the shop's first: one step down the index for each."""
    zone: str | None = ""
    while zone is not None:
        yield zone
        later = sa.select(sa.func.min(_PEOPLE.c.timezone)).where(_PEOPLE.c.timezone > zone)
        zone = session.connection().execute(later).scalar_one()


def _is(campaign: str, rehearsal: bool) -> tuple[sa.ColumnElement[bool], ...]:
    return (_STATES.c.campaign == campaign, _STATES.c.rehearsal == rehearsal)


def seen(session: Session, *, rehearsal: bool) -> set[str]:
    """Return the ids of all campaigns the store has ever seen a file of."""
    rows = session.connection().execute(sa.select(_STATES.c.campaign).where(_STATES.c.rehearsal == rehearsal))
    return set(rows.scalars())


# -- what nobody has looked at yet -----------------------------------------------------------------------------------


def note_unchecked(session: Session, campaign: str, since: datetime | None, *, rehearsal: bool) -> None:
    """Mark what is planned since then (None: whenever it was), in the transaction that plans it: nobody claims it."""
    mark = _EVER if since is None else since
    earlier = sa.case((_STATES.c.unchecked_from <= mark, _STATES.c.unchecked_from), else_=mark)
    values = {"unchecked_from": earlier, "unchecked_times": _STATES.c.unchecked_times + 1}
    session.connection().execute(sa.update(_STATES).where(*_is(campaign, rehearsal)).values(values))


def unchecked(session: Session, *, rehearsal: bool) -> list[Unchecked]:
    """Return the marks that stand."""
    columns = (_STATES.c.campaign, _STATES.c.unchecked_from, _STATES.c.unchecked_times)
    mine = (_STATES.c.rehearsal == rehearsal, _STATES.c.unchecked_from.is_not(None))
    query = sa.select(*columns).where(*mine).order_by(_STATES.c.campaign)
    return [Unchecked(*row) for row in session.connection().execute(query)]


def note_checked(session: Session, seen: Unchecked, *, rehearsal: bool) -> None:
    """Take a mark away, now that everything under it was looked at; one that was set again meanwhile stays."""
    same = (*_is(seen.campaign, rehearsal), _STATES.c.unchecked_times == seen.times)
    session.connection().execute(sa.update(_STATES).where(*same).values(unchecked_from=None))


def checked(messages: sa.Table) -> sa.ColumnElement[bool]:
    """Return what is true of messages that were looked at after they were planned.

    It belongs into the claim's own WHERE: one statement sees the mark and the messages at the same moment.
    """
    mine = (_STATES.c.campaign == messages.c.campaign, _STATES.c.rehearsal == messages.c.rehearsal)
    marked = sa.select(_STATES.c.campaign).where(*mine, _STATES.c.unchecked_from <= messages.c.planned_at)
    return ~marked.correlate(messages).exists()
