"""When to try again: later each time, never all at once, and not for ever.

Jitter is a keyed hash of the message, so that the same message waits the same time in every test and on every machine.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=1)
LONGEST_WISH = timedelta(days=1)
MAX_ATTEMPTS = 8
LONGEST_CALL = timedelta(seconds=30)
"""How long one call to a provider may take, answer and all."""
LEASE = 4 * LONGEST_CALL
"""For how long a sender may keep a message in hand before another may ask whether it still lives."""


def next_try(now: datetime, attempts: int, key: str, retry_after: timedelta | None = None) -> datetime:
    """Return when a message may be tried again after `attempts` calls that provably sent nothing.

    The wait doubles up to an hour, minus up to a quarter of jitter. A provider that asked for longer gets longer, up to
    a day.
    """
    doublings = min(max(attempts, 1) - 1, 16)
    doubled: timedelta = FIRST_WAIT * (1 << doublings)
    wait = min(doubled, LONGEST_WAIT) * (1 - _share(key, attempts) / 4)
    wish = min(max(retry_after or timedelta(0), timedelta(0)), LONGEST_WISH)
    return now + max(wait, wish)


def is_hopeless(attempts: int) -> bool:
    """Say whether a message was tried often enough."""
    return attempts >= MAX_ATTEMPTS


def _share(key: str, attempts: int) -> float:
    digest = hashlib.blake2b(f"{key}|{attempts}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") / 2**32
