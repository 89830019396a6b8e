"""The bucket: never more than its burst at once, never more than its rate for long, and never for ever empty."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from engine.domain.limits import Bucket, Rate, take
from tests.people import NOW

SECOND = timedelta(seconds=1)
RATES = st.builds(Rate, st.integers(1, 20), st.integers(1, 100).map(lambda seconds: seconds * SECOND))
STEPS = st.lists(st.integers(-50, 200), max_size=60)


@given(RATES, STEPS)
def test_nobody_gets_more_than_the_rate_and_its_burst(rate: Rate, steps: list[int]) -> None:
    bucket: Bucket | None = None
    now, given_at, passed = NOW, 0, 0
    for step in steps:
        now += step * SECOND
        passed += max(step, 0)
        bucket, wait = take(bucket, rate, now)
        given_at += wait == 0
        assert 0 <= bucket.left <= rate.burst
    assert given_at <= rate.burst + passed * rate.burst / rate.per.total_seconds() + 1


@given(RATES, STEPS)
def test_whoever_waits_as_long_as_told_is_let_in(rate: Rate, steps: list[int]) -> None:
    bucket: Bucket | None = None
    now = NOW
    for step in steps:
        now += max(step, 0) * SECOND
        bucket, wait = take(bucket, rate, now)
        if wait:
            now += timedelta(seconds=wait + 0.001)
            bucket, wait = take(bucket, rate, now)
            assert wait == 0


def test_a_bucket_fills_again() -> None:
    rate = Rate(2, timedelta(minutes=1))
    bucket, _ = take(None, rate, NOW)
    assert take(bucket, rate, NOW)[0].left == 0
    assert take(bucket, rate, NOW + timedelta(seconds=31))[0].left == 1
