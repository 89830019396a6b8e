"""The breaker: a silent provider is left alone, probed one mail at a time, and taken back at its first clear answer."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.breaker import (
    CLOSED,
    FIRST_PAUSE,
    LONGEST_PAUSE,
    PROBE,
    PROBE_PATIENCE,
    THRESHOLD,
    Breaker,
    allowed,
    note,
    pause,
    probing,
)
from tests.people import NOW

STEPS = st.lists(st.tuples(st.sampled_from(["clear", "unclear", "claim"]), st.integers(0, 3600)), max_size=200)


def failed(times: int, breaker: Breaker = CLOSED) -> Breaker:
    for _ in range(times):
        breaker = note(breaker, clear=False, now=NOW)
    return breaker


def test_a_provider_that_answers_is_not_limited() -> None:
    assert allowed(CLOSED, NOW) is None


@pytest.mark.parametrize("times", range(1, THRESHOLD))
def test_one_that_begins_to_fail_gets_no_more_at_once_than_would_open_the_breaker(times: int) -> None:
    assert allowed(failed(times), NOW) == THRESHOLD - times


def test_it_opens_at_the_threshold_and_not_before() -> None:
    assert not failed(THRESHOLD - 1).is_open
    opened = failed(THRESHOLD)
    assert opened.until == NOW + FIRST_PAUSE
    assert allowed(opened, NOW) == 0
    assert allowed(opened, NOW + FIRST_PAUSE - timedelta(seconds=1)) == 0


def test_after_the_pause_one_probe_goes_and_no_second_before_it_has_a_result() -> None:
    opened, then = failed(THRESHOLD), NOW + FIRST_PAUSE
    assert allowed(opened, then) == PROBE
    under_way = probing(opened, then)
    assert allowed(under_way, then + timedelta(seconds=1)) == 0
    assert allowed(under_way, then + PROBE_PATIENCE) == PROBE


def test_a_failed_probe_doubles_the_pause() -> None:
    then = NOW + FIRST_PAUSE
    again = note(probing(failed(THRESHOLD), then), clear=False, now=then)
    assert again.until == then + 2 * FIRST_PAUSE


def test_what_was_on_its_way_when_it_opened_does_not_lengthen_the_pause() -> None:
    opened = failed(THRESHOLD)
    assert failed(500, opened).until == opened.until


def test_a_pause_written_by_a_clock_that_was_wrong_ends_at_once() -> None:
    far = Breaker(THRESHOLD, 1, NOW + timedelta(days=400))
    assert allowed(far, NOW) == PROBE


@given(openings=st.integers(-5, 10_000))
def test_a_pause_has_its_bounds(openings: int) -> None:
    assert FIRST_PAUSE <= pause(openings) <= LONGEST_PAUSE
    assert pause(openings) <= pause(openings + 1)


@given(steps=STEPS)
def test_one_clear_answer_closes_it_whatever_happened_before(steps: list[tuple[str, int]]) -> None:
    breaker, now = _walked(steps)
    assert note(breaker, clear=True, now=now) == CLOSED


@given(steps=STEPS)
def test_it_is_open_exactly_when_a_row_of_failures_was_long_enough(steps: list[tuple[str, int]]) -> None:
    breaker, _now = _walked(steps)
    answers = [word for word, _seconds in steps if word != "claim"]
    row = next((index for index, word in enumerate(reversed(answers)) if word == "clear"), len(answers))
    assert breaker.failures == row
    assert breaker.is_open == (row >= THRESHOLD)


@given(seconds=st.lists(st.integers(1, 600), max_size=300))
def test_a_provider_that_swallows_everything_costs_few_mails(seconds: list[int]) -> None:
    breaker, now, lost = CLOSED, NOW, 0
    for wait in seconds:
        now += timedelta(seconds=wait)
        granted = allowed(breaker, now)
        taken = 1 if granted is None else granted
        if taken and breaker.is_open:
            breaker = probing(breaker, now)
        for _ in range(taken):
            breaker = note(breaker, clear=False, now=now)
        lost += taken
    pauses, spent = 0, timedelta(0)
    while spent <= now - NOW:
        pauses += 1
        spent += pause(pauses)
    assert lost <= THRESHOLD + pauses * PROBE


def _walked(steps: list[tuple[str, int]]):  # type: ignore[no-untyped-def]
    breaker, now = CLOSED, NOW
    for word, seconds in steps:
        now += timedelta(seconds=seconds)
        if word == "claim":
            if allowed(breaker, now) and breaker.is_open:
                breaker = probing(breaker, now)
        else:
            breaker = note(breaker, clear=word == "clear", now=now)
    return breaker, now
