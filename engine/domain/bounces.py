"""What a bounce says about an address (law O1): dead, switched off, full for now, or nothing at all.

The enhanced status code of RFC 3463 decides where there is one in the table; a code that is not in it, and a bounce
without any, is judged as the provider judged it. `5.7.x` is about us and not about the mailbox: it blocks nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from engine.domain.calendar import local_day
from engine.domain.news import DeliveryNews, NewsKind

WITHIN = timedelta(days=30)
DISABLED_TIMES = 2
SOFT_TIMES = 5
SOFT_DAYS = 5


class Bounce(StrEnum):
    """What a bounce is about."""

    DEAD = "dead"
    DISABLED = "disabled"
    SOFT = "soft"
    CONTENT = "content"
    POLICY = "policy"


CODE = re.compile(r"(?<![\d.])([45])\.(\d{1,3})\.(\d{1,3})(?!\.?\d)")
"""An enhanced status code; an address like 5.1.1.1 and a version like 1.5.1.1 are none."""

_TABLE: tuple[tuple[str, Bounce], ...] = (
    (r"5\.1\.(?:1|2|3|6|10)", Bounce.DEAD),
    (r"5\.1\.[78]", Bounce.POLICY),  # the sender's address, not the recipient's
    (r"5\.2\.1", Bounce.DISABLED),
    (r"[45]\.2\.2", Bounce.SOFT),
    (r"5\.2\.3|5\.3\.4|5\.6\.\d+", Bounce.CONTENT),
    (r"[45]\.7\.\d+", Bounce.POLICY),
    (r"5\.4\.\d+|5\.0\.0|4\.\d+\.\d+", Bounce.SOFT),
)
_WORDS = {
    "DMARCPolicy": Bounce.POLICY,
    "Blocked": Bounce.POLICY,
    "ContentRejected": Bounce.CONTENT,
    "AttachmentRejected": Bounce.CONTENT,
    "MessageTooLarge": Bounce.CONTENT,
    "TemplateRenderingFailed": Bounce.CONTENT,
}
"""What Postmark and Resend call a bounce: the second or third word of what they say."""
_DELAYS = (("deferred",), ("email.delivery_delayed",), ("Bounce", "Transient"))
"""News of a mail that is still on its way: it says nothing of the address (law O2)."""


@dataclass(frozen=True, slots=True)
class Told:
    """One bounce: when it happened and what it is about."""

    at: datetime
    about: Bounce


def about(kind: str, detail: str) -> Bounce | None:
    """Return what one event says of the address; None where it is no bounce."""
    words = tuple(detail.split(maxsplit=3)[:3])
    if kind not in (NewsKind.BOUNCED, NewsKind.DEFERRED) or any(words[: len(delay)] == delay for delay in _DELAYS):
        return None
    coded = by_code(detail)
    if coded is not None:
        return coded
    by_word = next((_WORDS[word] for word in words[1:] if word in _WORDS), None)
    return by_word or (Bounce.DEAD if kind == NewsKind.BOUNCED else Bounce.SOFT)


def about_news(news: DeliveryNews) -> Bounce | None:
    """Return what a piece of news says of the address; None where it is no bounce."""
    return about(news.kind, news.detail)


def by_code(detail: str) -> Bounce | None:
    """Return what the first code that is in the table says."""
    for found in CODE.finditer(detail):
        for pattern, meaning in _TABLE:
            if re.fullmatch(pattern, found[0]):
                return meaning
    return None


def lasting(told: Iterable[Told], zone: ZoneInfo) -> bool:
    """Say whether an address is not written to any more after these bounces, in whatever order they were told."""
    known = sorted(set(told), key=lambda one: one.at)
    disabled = [one.at for one in known if one.about is Bounce.DISABLED]
    soft = [one.at for one in known if one.about is Bounce.SOFT]
    return (
        any(one.about is Bounce.DEAD for one in known)
        or any(_within(disabled, last) >= DISABLED_TIMES for last in disabled)
        or any(_is_worn_out(soft, last, zone) for last in soft)
    )


def _within(instants: list[datetime], last: datetime) -> int:
    return sum(last - WITHIN < at <= last for at in instants)


def _is_worn_out(instants: list[datetime], last: datetime, zone: ZoneInfo) -> bool:
    lately = [at for at in instants if last - WITHIN < at <= last]
    return len(lately) >= SOFT_TIMES and len({local_day(at, zone) for at in lately}) >= SOFT_DAYS
