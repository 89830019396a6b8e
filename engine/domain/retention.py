"""How long what may be kept, as days of the calendar (law: Art. 5(1)(e) GDPR; §§ 195, 199 BGB for evidence)."""

from __future__ import annotations

from datetime import date


def kept_until(day: date, years: int) -> date:
    """Return the last day on which evidence of something that ended on `day` may be kept: a year's last."""
    return date(day.year + years, 12, 31)


def gone_before(today: date, years: int) -> date:
    """Return the day such that whatever ended before it may no longer be kept today."""
    return date(max(1, today.year - years), 1, 1)
