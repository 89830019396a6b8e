"""When a service item falls due next, and when a new date means another service instead of a correction."""

from __future__ import annotations

from datetime import date

from engine.domain.grammar import Span

_HALF_WITHOUT_INTERVAL = 60
"""Days by which a date has to move to count as another service where no interval is known."""


def next_due(last_service_on: date | None, interval: Span | None, next_service_on: date | None) -> date | None:
    """Return the day the next service is due: the date given, else one interval after the last service.

    A date that is not after the last service is a leftover of that service and says nothing about the next one.
    """
    if next_service_on and not (last_service_on and next_service_on <= last_service_on):
        return next_service_on
    return interval.after(last_service_on) if last_service_on and interval else None


def is_another_service(before: date | None, after: date | None, interval: Span | None) -> bool:
    """Say whether the due day moved forward by at least half the interval; smaller moves are corrections."""
    if before is None or after is None:
        return False
    moved = (after - before).days
    if interval is None:
        return moved >= _HALF_WITHOUT_INTERVAL
    return moved > 0 and 2 * moved >= (interval.after(before) - before).days
