"""How often somebody may ask: a bucket of permits that fills evenly, and a taker who is told how long to wait."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Rate:
    """So many at once, and as many again in each `per`."""

    burst: int
    per: timedelta


@dataclass(frozen=True, slots=True)
class Bucket:
    """How many permits were left at an instant."""

    left: float
    at: datetime


def take(bucket: Bucket | None, rate: Rate, now: datetime) -> tuple[Bucket, float]:
    """Take one permit; return the bucket as it is now and the seconds to wait for one: 0 if it was given.

    A clock that was set back fills no bucket and empties none. Whoever is refused takes nothing, and so is not kept
    out for longer by asking on.
    """
    left = _filled(bucket, rate, now)
    if left >= 1:
        return Bucket(left - 1, now), 0.0
    return Bucket(left, now), (1 - left) * rate.per.total_seconds() / rate.burst


def _filled(bucket: Bucket | None, rate: Rate, now: datetime) -> float:
    if bucket is None:
        return float(rate.burst)
    passed = max(now - bucket.at, timedelta(0))
    return min(float(rate.burst), bucket.left + rate.burst * (passed / rate.per))
