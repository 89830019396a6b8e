"""When to try again."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from engine.domain.retry import FIRST_WAIT, LONGEST_WAIT, LONGEST_WISH, MAX_ATTEMPTS, is_hopeless, next_try
from tests.people import NOW

attempts = st.integers(min_value=0, max_value=10_000)
keys = st.text(max_size=40)


@given(attempts, keys)
def test_a_wait_is_at_least_most_of_a_minute_and_at_most_an_hour(count: int, key: str) -> None:
    assert FIRST_WAIT * 0.75 <= next_try(NOW, count, key) - NOW <= LONGEST_WAIT


@given(attempts, keys)
def test_the_same_message_waits_the_same_time(count: int, key: str) -> None:
    assert next_try(NOW, count, key) == next_try(NOW, count, key)


@given(st.integers(min_value=1, max_value=MAX_ATTEMPTS - 3), keys)
def test_two_attempts_later_the_wait_is_longer(count: int, key: str) -> None:
    assert next_try(NOW, count, key) < next_try(NOW, count + 2, key)


@given(attempts, keys, st.timedeltas())
def test_a_providers_wish_is_granted_up_to_a_day(count: int, key: str, wish: timedelta) -> None:
    wait = next_try(NOW, count, key, wish) - NOW
    assert wait >= min(wish, LONGEST_WISH)
    assert wait <= LONGEST_WISH


def test_messages_that_failed_together_do_not_come_back_together() -> None:
    assert len({next_try(NOW, 5, f"message {number}") for number in range(100)}) > 90


def test_eight_attempts_are_enough() -> None:
    assert [is_hopeless(count) for count in (1, 7, 8, 9)] == [False, False, True, True]
