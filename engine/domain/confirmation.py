"""When a day's mails of a campaign are so many that they wait for the owner's word.

A wrong import, a filter that was dropped or a clock that was set makes a campaign find thousands where it found ten.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.domain.words import Reason

TIMES = 3
FLOOR = 50
"""No lot up to this size is ever unusual."""
DAYS = 30
ENOUGH_DAYS = 14
"""How many days a campaign must have run before its usual number means anything."""


@dataclass(frozen=True, slots=True)
class Usual:
    """What a campaign sent in the past: mails, and in how many days."""

    mails: int
    days: int

    @property
    def a_day(self) -> float:
        """Return how many mails left on a day."""
        return self.mails / max(1, self.days)


def never_held(confirm_above: int | None) -> int:
    """Return the number of mails up to which there is nothing to ask."""
    return FLOOR if confirm_above is None else min(confirm_above, FLOOR)


def verdict(mails: int, confirm_above: int | None, usual: Usual) -> tuple[Reason, str] | None:
    """Say why so many mails of one campaign on one day wait for a word, and the number they exceed; None if they go."""
    if confirm_above is not None and mails > confirm_above:
        return Reason.CONFIRM_ABOVE, f"above {confirm_above}"
    if mails > FLOOR and usual.days >= ENOUGH_DAYS and mails > TIMES * usual.a_day:
        return Reason.UNUSUALLY_MANY, f"usually {usual.a_day:.1f}"
    return None
