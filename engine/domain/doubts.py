"""What to do about a mail that may have been accepted: repeat the identical call, look it up, wait, or say "unknown".

Pure rules. A repeat is allowed only with the call's own key, inside the key's life, and while every mail of the call
may still go and is in doubt, or has certainly gone with this very call: what was proved of one mail since takes
nothing from the others. A look-up counts only after the settle time, and only two "no" in a row are believed: an index
lags. Another account of the provider knows nothing of the call: it is asked nothing, and a key that was put in by
mistake has time to be put right. What cannot be found out follows the campaign's `on_doubt`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

FIRST_REPEAT = timedelta(seconds=5)
LONGEST_REPEAT = timedelta(minutes=2)
LOOK_UPS_BELIEVED = 2
GIVES_UP = timedelta(hours=48)
"""How long after its last call a mail is looked up that brings no usable answer, or waits for its own account."""


class Way(StrEnum):
    """How a doubt goes on."""

    PROVED = "proved"
    REPEAT = "repeat"
    LOOK_UP = "look_up"
    WAIT = "wait"
    AGAIN = "again"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Doubt:
    """One mail in doubt and its call: when that was first and last made, how often, and how many look-ups said no.

    `replays` and `settles` are what the provider offers (see its `Recovery`); `whole` says that every mail of the call
    is in doubt or was proved to have gone with it, and may still be written to; `resend` is the campaign's `on_doubt`;
    `proved` says that the provider has told of the mail since; `elsewhere` that the call was made at another account
    than the one calls are made at now.
    """

    first_at: datetime
    last_at: datetime
    made: int
    look_ups: int
    replays: timedelta | None
    settles: timedelta | None
    whole: bool
    resend: bool
    proved: bool = False
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """What to do now, or until when to wait."""

    way: Way
    at: datetime


def next_step(doubt: Doubt, now: datetime) -> Step:
    """Return what to do about a doubt at `now`."""
    if doubt.proved:
        return Step(Way.PROVED, now)
    if doubt.elsewhere:
        return _for_its_account(doubt, now)
    if doubt.whole and doubt.replays is not None and now < doubt.first_at + doubt.replays:
        return _when(Way.REPEAT, doubt.last_at + _pause(doubt.made), now)
    if doubt.settles is not None and doubt.look_ups >= LOOK_UPS_BELIEVED:
        return Step(Way.AGAIN, now)
    if doubt.settles is not None and now < doubt.last_at + max(GIVES_UP, doubt.settles * (LOOK_UPS_BELIEVED + 1)):
        return _when(Way.LOOK_UP, doubt.last_at + doubt.settles * (doubt.look_ups + 1), now)
    return _nobody_knows(doubt, now)


def _for_its_account(doubt: Doubt, now: datetime) -> Step:
    ends = doubt.last_at + GIVES_UP
    return Step(Way.WAIT, min(now + LONGEST_REPEAT, ends)) if now < ends else _nobody_knows(doubt, now)


def _nobody_knows(doubt: Doubt, now: datetime) -> Step:
    return Step(Way.AGAIN if doubt.resend else Way.UNKNOWN, now)


def after_silence(doubt: Doubt, now: datetime) -> datetime:
    """Return when to look a mail up again after a look-up that brought no usable answer."""
    return now + max((doubt.settles or FIRST_REPEAT) / 4, FIRST_REPEAT)


def after_not_yet(until: datetime | None, ends: datetime, now: datetime) -> datetime:
    """Return when to look again at a call that may not be repeated yet; its key is not relied on after `ends`.

    Some waits have no date: a campaign that is off may be on again in a minute. What is guessed for them may lie beyond
    the key's end; then half of the time that is left is waited.
    """
    if until is not None and until < ends:
        return until
    return min(ends, now + max(FIRST_REPEAT, (ends - now) / 2))


def _when(way: Way, at: datetime, now: datetime) -> Step:
    return Step(way, now) if now >= at else Step(Way.WAIT, at)


def _pause(made: int) -> timedelta:
    doubled: timedelta = FIRST_REPEAT * (1 << min(max(made, 1) - 1, 10))
    return min(doubled, LONGEST_REPEAT)
