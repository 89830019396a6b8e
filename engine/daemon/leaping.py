"""Notices a clock that leaps ahead while the daemon runs, and waits a while before anything is done by it.

By a clock that is a month ahead every occasion of that month is too late, and too late is final. Whoever sets it right
within the wait has forgotten nobody. A machine that slept has not leapt: the stopwatch went on meanwhile.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from engine.clock import Clock, stopwatch

LEAP = timedelta(days=1)
WAIT = timedelta(minutes=15)

log = structlog.get_logger(__name__)


class Leap:
    """Remembers how far the clock stood from the stopwatch when it was last believed."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._believed: float | None = None
        self._until: float | None = None

    def waits(self, now: datetime) -> bool:
        """Say whether the clock that shows `now` has leapt ahead, and neither was set right nor waited for yet."""
        with self._guard:
            offset = now.timestamp() - stopwatch()
            ahead = 0.0 if self._believed is None else offset - self._believed
            if ahead > LEAP.total_seconds() and not self._is_over(ahead):
                return True
            if self._until is not None:
                log.info("the clock is believed", shows=now)
            self._believed, self._until = offset, None
            return False

    def during(self, clock: Clock) -> During:
        """Return what ends a run by this clock."""
        return During(self, clock)

    def _is_over(self, ahead: float) -> bool:
        if self._until is None:
            self._until = stopwatch() + WAIT.total_seconds()
            minutes = int(WAIT.total_seconds() / 60)
            note = f"nothing is planned and sent for {minutes} minutes: if it is wrong, set it right now"
            log.warning("the clock leapt ahead", days=round(ahead / 86400, 1), note=note)
        return stopwatch() >= self._until


@dataclass(frozen=True, slots=True)
class During:
    """Set while the clock of a run waits to be believed."""

    leap: Leap
    clock: Clock

    def is_set(self) -> bool:
        """Say whether it is time to end."""
        return self.leap.waits(self.clock())
