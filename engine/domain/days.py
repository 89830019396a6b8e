"""Arithmetic with whole local days: calendar months, and which day an occasion must be on to be due on another."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable
from datetime import date, timedelta

from engine.domain.words import DayRange


def months_on(day: date, months: int) -> date:
    """Return the same day of the month so many months on; a month that is too short ends on its last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def anchors(days: DayRange, due: Callable[[date], date], back: Callable[[date], date]) -> dict[date, date]:
    """Return every anchor whose due day falls in `days`, with that day; month ends make several share one."""
    if not days:
        return {}
    slack = timedelta(days=4)
    around = DayRange(back(days.first) - slack, back(days.last) + slack)
    return {anchor: day for anchor in around if (day := due(anchor)) in days}
