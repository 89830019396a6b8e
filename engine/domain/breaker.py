"""When a provider that gives no clear answer is left alone, for how long, and how it is tried again.

A provider that swallows mails turns each of them into a doubt. After `THRESHOLD` mails in a row without a clear answer
the breaker opens: nothing is claimed for a while, then one mail is let through as a probe. A clear answer closes it, a
failed probe doubles the pause. Pure arithmetic on values; the store keeps the breaker, so that a restart forgets none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

THRESHOLD = 10
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(minutes=15)
PROBE = 1
PROBE_PATIENCE = timedelta(minutes=2)
"""How long a probe may take before another is allowed: longer than any call, for its process may have died."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """How a provider stands: mails in a row without a clear answer, times opened in a row, open until, probe until."""

    failures: int = 0
    openings: int = 0
    until: datetime | None = None
    probe_until: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Say whether the provider is left alone, or only probed."""
        return self.until is not None


CLOSED = Breaker()


def note(breaker: Breaker, *, clear: bool, now: datetime) -> Breaker:
    """Return the breaker after one mail's result; `clear` means the provider took it or refused it in plain words."""
    if clear:
        return CLOSED
    failing = replace(breaker, failures=breaker.failures + 1)
    if not failing.is_open:
        return _opened(failing, now) if failing.failures >= THRESHOLD else failing
    if failing.probe_until is not None:
        return _opened(failing, now)
    return failing  # on its way already when the breaker opened: it says nothing new


def allowed(breaker: Breaker, now: datetime) -> int | None:
    """Return how many mails may be claimed at `now`; None where nothing limits them.

    A provider that has begun to fail gets no more at once than would open the breaker.
    """
    if breaker.until is None:
        return max(1, THRESHOLD - breaker.failures) if breaker.failures else None
    if _lies_ahead(breaker.until, now, LONGEST_PAUSE):
        return 0
    if breaker.probe_until is not None and _lies_ahead(breaker.probe_until, now, PROBE_PATIENCE):
        return 0
    return PROBE


def lets_go(breaker: Breaker, now: datetime) -> bool:
    """Say whether what is ready may still be sent: what was made before the breaker opened may not, a probe may."""
    return breaker.until is None or (
        breaker.probe_until is not None and _lies_ahead(breaker.probe_until, now, PROBE_PATIENCE)
    )


def probing(breaker: Breaker, now: datetime) -> Breaker:
    """Return the breaker with its probe under way."""
    return replace(breaker, probe_until=now + PROBE_PATIENCE)


def pause(openings: int) -> timedelta:
    """Return how long the provider is left alone when it has been given up so many times in a row."""
    doubled: timedelta = FIRST_PAUSE * (1 << min(max(openings, 1) - 1, 16))
    return min(doubled, LONGEST_PAUSE)


def _opened(breaker: Breaker, now: datetime) -> Breaker:
    openings = breaker.openings + 1
    return Breaker(breaker.failures, openings, now + pause(openings), None)


def _lies_ahead(instant: datetime, now: datetime, longest: timedelta) -> bool:
    """Say whether an instant is still to come; one further off than it can be was written by a clock that was wrong."""
    return now < instant <= now + longest
