"""Which local days a scan covers, and when a mail that is due on one of them may go and is too late.

A daemon that slept forgets nobody and mails nobody too late; asking again is free. Everything here is arithmetic on
values that are handed in.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from engine.domain.calendar import day_end, next_open, opening
from engine.domain.grammar import Span, Window
from engine.domain.words import DayRange

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Start:
    """The first day a campaign mails for; occasions up to `backlog` older count as due on it."""

    day: date
    backlog: Span | None = None

    @property
    def older(self) -> DayRange | None:
        """Return the days of the backlog, if there is one."""
        if self.backlog is None or not self.backlog.amount:
            return None
        return DayRange(self.backlog.before(self.day), self.day - _DAY)


@dataclass(frozen=True, slots=True)
class Scanned:
    """How far a campaign has been planned in one time zone."""

    last_day: date
    window_day: date
    data_version: int


def start_of(
    wanted: date | None,
    backlog: Span | None,
    *,
    enabled_on: date,
    edited_on: date | None,
    real_since: date | None,
    lost_until: date | None = None,
) -> Start:
    """Return a campaign's start: the owner's day or that of the first sight, never before the switch to real mails.

    An edit of the trigger mails no day before the edit, so a start that an edit has moved has no backlog. Of the days a
    restored store has lost nothing is planned anew: what was due on them may have been mailed.
    """
    day = max(wanted or enabled_on, real_since or date.min)
    if edited_on is not None and edited_on > day:
        return _behind(Start(edited_on), lost_until)
    return _behind(Start(day, backlog), lost_until)


def _behind(start: Start, lost_until: date | None) -> Start:
    """Return the start, or the last lost day where it, or its backlog, would begin before that day is over."""
    first = start.older.first if start.older else start.day
    return start if lost_until is None or first > lost_until else Start(max(start.day, lost_until))


def days_to_scan(start: date, today: date, max_late: Span, scanned: Scanned | None, data_version: int) -> DayRange:
    """Return the local days to ask for.

    Once a day and after each import the whole window back to `max_late` is asked, for data that came late; otherwise
    only from the last planned day on. What lies between the last planned day and the window is asked too: those
    occasions are too late, and recorded as such.
    """
    earliest = first_mailable(today, max_late)
    if scanned is None:
        first = earliest
    elif is_fresh(scanned, today, data_version):
        first = scanned.last_day
    else:
        first = min(scanned.last_day, earliest)
    return DayRange(max(first, start), today)


def is_fresh(scanned: Scanned, today: date, data_version: int) -> bool:
    """Say whether the whole window was asked today, of the data as it is."""
    return scanned.window_day == today and scanned.data_version == data_version


def first_mailable(today: date, max_late: Span) -> date:
    """Return the earliest due day that is not yet too late on `today`."""
    if max_late.is_hours:
        return today - timedelta(days=-(-max_late.amount // 24))
    day = max_late.before(today) - 4 * _DAY
    while max_late.after(day) < today:
        day += _DAY
    return day


def expiry(due: date, max_late: Span, zone: ZoneInfo) -> datetime:
    """Return the instant from which a mail is too late: the end of the local day it was due, and `max_late` on."""
    if max_late.is_hours:
        return day_end(due, zone) + max_late.hours
    return day_end(max_late.after(due), zone)


def first_chance(due: date, zone: ZoneInfo, window: Window, weekdays: Collection[int]) -> datetime:
    """Return when the window opens on the due day, or on the next weekday that is allowed."""
    allowed = (due + offset * _DAY for offset in range(7))
    day = next((day for day in allowed if day.weekday() in weekdays), due)
    return opening(day, zone, window)


def from_then_on(instant: datetime, zone: ZoneInfo, window: Window, weekdays: Collection[int]) -> datetime:
    """Return `instant`, or the next one at which the window is open."""
    return next_open(instant, zone, window, weekdays) or instant
