"""Local days, send windows and birthdays, right across clock changes: instants in UTC, days where the customer lives.

Windows follow the wall clock. A wall time that a clock change leaves out counts as the first instant after the gap;
one that happens twice counts both times.
"""

from __future__ import annotations

from calendar import isleap
from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from engine.domain.grammar import Span, Window

_DAY = timedelta(days=1)


def local_day(instant: datetime, zone: ZoneInfo) -> date:
    """Return the day it is in `zone` at `instant`."""
    return _wall(instant, zone).date()


def _wall(instant: datetime, zone: ZoneInfo) -> datetime:
    """Return what the clock of `zone` shows."""
    # Two instants of one zone's repeated hour compare as equal, so only those in UTC are remembered.
    return _wall_of_utc(instant, zone) if instant.tzinfo is UTC else instant.astimezone(zone)


@lru_cache(maxsize=4096)
def _wall_of_utc(instant: datetime, zone: ZoneInfo) -> datetime:
    """Remember: a group's mails are all decided at one instant, and their consents are few days."""
    return instant.astimezone(zone)


def local_time(instant: datetime, zone: ZoneInfo, *, seconds: bool = False) -> str:
    """Return an instant as the shop's clock showed it."""
    return instant.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def day_start(day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant of a local day, in UTC."""
    return _at(day, time(0), zone)


def day_end(day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant after a local day, in UTC."""
    return day_start(day + _DAY, zone)


def opening(day: date, zone: ZoneInfo, window: Window) -> datetime:
    """Return the instant at which `window` opens on a local day, in UTC."""
    return _at(day, window.start, zone)


def is_open(
    instant: datetime, zone: ZoneInfo, window: Window, weekdays: Collection[int], quiet: Window | None = None
) -> bool:
    """Say whether the wall clock in `zone` shows a time to write at.

    The part of a window after midnight belongs to the day on which the window opened.
    """
    local = _wall(instant, zone)
    clock = local.time()
    if clock not in window or (quiet is not None and clock in quiet):
        return False
    began_yesterday = window.passes_midnight and clock < window.end
    return (local.date() - _DAY if began_yesterday else local.date()).weekday() in weekdays


def next_open(
    instant: datetime,
    zone: ZoneInfo,
    window: Window,
    weekdays: Collection[int],
    quiet: Window | None = None,
    within_days: int = 30,
) -> datetime | None:
    """Return the earliest instant from `instant` on at which one may write; None when none comes `within_days`."""
    if is_open(instant, zone, window, weekdays, quiet):
        return instant
    first = local_day(instant, zone)
    for offset in range(within_days + 1):
        for moment in _changes(first + offset * _DAY, zone, window, quiet):
            if moment >= instant and is_open(moment, zone, window, weekdays, quiet):
                return moment
    return None


def birthday_in(year: int, birth_md: int, leap_day: int) -> date:
    """Return the birthday in `year` of somebody born on month-day `birth_md` (e.g. 229).

    `leap_day` (228 or 301) is when people born on 29 February celebrate in common years.
    """
    month, day = divmod(leap_day if birth_md == 229 and not isleap(year) else birth_md, 100)
    return date(year, month, day)


def may_be_younger(years: int, born: tuple[int | None, int | None], today: date) -> bool:
    """Say whether somebody, born in a year and on a month*100+day, may be younger than so many years.

    Where only the year is known, it is the last day of it; without a year nobody is known to be young.
    """
    year, birth_md = born
    if year is None:
        return False
    is_before_birthday = today.month * 100 + today.day < (birth_md or 1231)
    return today.year - year - is_before_birthday < years


@lru_cache(maxsize=256)
def start_of_span(span: Span, end: datetime, zone: ZoneInfo) -> datetime:
    """Return the first instant of the local day so long before another: what is older lies outside the span."""
    return day_start(span.before(local_day(end, zone)), zone)


def _changes(day: date, zone: ZoneInfo, window: Window, quiet: Window | None) -> list[datetime]:
    """Return every instant of a local day at which a closed window can become open, in order."""
    walls = {time(0), window.start} | ({quiet.end} if quiet else set())
    return sorted({moment for wall in walls for moment in _both(day, wall, zone)} | set(_turns(day, zone)))


def _both(day: date, wall: time, zone: ZoneInfo) -> Iterator[datetime]:
    yield _at(day, wall, zone)
    again = datetime.combine(day, wall, zone).replace(fold=1).astimezone(UTC)
    if again.astimezone(zone).time() == wall:
        yield again


def _turns(day: date, zone: ZoneInfo) -> Iterator[datetime]:
    start, end = day_start(day, zone), day_end(day, zone)
    if _offset(start, zone) != _offset(end - timedelta(seconds=1), zone):
        yield _turn(start, end, zone)


@lru_cache(maxsize=8192)
def _at(day: date, wall: time, zone: ZoneInfo) -> datetime:
    """Return the first instant at which the clock of `zone` shows `wall` on `day`, or has jumped over it."""
    instant = datetime.combine(day, wall, zone).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == datetime.combine(day, wall):
        return instant
    before = datetime.combine(day, wall, zone).replace(fold=1).astimezone(UTC)
    return _turn(before, instant, zone)


def _turn(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """Return the first instant with the offset that holds at `after`, to the second."""
    new = _offset(after, zone)
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        before, after = (before, middle) if _offset(middle, zone) == new else (middle, after)
    return after


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta | None:
    return instant.astimezone(zone).utcoffset()
