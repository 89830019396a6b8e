"""The only reader of the clock: doors call it once per tick or request and pass the instant down."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the present instant, aware, in UTC."""


_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", None)


def system_clock() -> datetime:
    """Return the machine's present instant in UTC."""
    return datetime.now(UTC)


def stopped_at(instant: datetime) -> Clock:
    """Return a clock that always shows `instant` (for `--at` and for tests)."""
    frozen = instant.astimezone(UTC)
    return lambda: frozen


def stopwatch() -> float:
    """Return seconds on the machine's monotonic clock, for deadlines; unmoved by a clock that is set.

    Where there is one it goes on while the machine sleeps: what was released before must not be sent after (Linux,
    clock_gettime(2), CLOCK_BOOTTIME).
    """
    return time.clock_gettime(_CLOCK) if _CLOCK is not None else time.monotonic()
