"""How often an address may be sent the mail it was entered for, and for how long its link is good (law.md B5, B9)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from engine.domain.grammar import Span

DAY = timedelta(hours=24)
MONTH = timedelta(days=30)
MOST_IN_A_MONTH = 3
LONGEST = timedelta(days=14)
"""No link lives longer, and no unconfirmed request is kept longer."""


def may_ask(asked: Iterable[datetime], now: datetime) -> bool:
    """Say whether one more request is within 1 in 24 hours and 3 in 30 days.

    A request dated after `now` counts: a clock that was set back earns nobody a second mail.
    """
    recent = [at for at in asked if at > now - MONTH]
    return len(recent) < MOST_IN_A_MONTH and not any(at > now - DAY for at in recent)


def length(span: Span, now: datetime) -> timedelta:
    """Return how long a span is that begins now."""
    if span.is_hours:
        return span.hours
    return span.after(now.date()) - now.date()


def good_until(span: Span, now: datetime) -> datetime:
    """Return when a link that is made now expires; never later than two weeks from now."""
    return now + min(length(span, now), LONGEST)
