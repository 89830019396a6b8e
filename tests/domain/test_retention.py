"""Terms of the calendar: evidence is kept to a year's end (law H1)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.retention import gone_before, kept_until

DAYS = st.dates(date(1980, 1, 1), date(2200, 12, 31))
YEARS = st.integers(1, 30)


def deleted_on(day: date, years: int) -> date:
    """Return the day on which it must be gone: the year's end has passed (law H1, in its own words)."""
    return kept_until(day, years) + timedelta(days=1)


@pytest.mark.parametrize("day", [date(2026, 1, 2), date(2026, 12, 30), date(2026, 12, 31)])
def test_h1_what_ended_in_2026_goes_on_the_first_of_january_2030(day: date) -> None:
    assert kept_until(day, 3) == date(2029, 12, 31)
    assert day >= gone_before(date(2029, 12, 31), 3)
    assert day < gone_before(date(2030, 1, 1), 3)


@given(ended=DAYS, years=YEARS)
def test_it_is_kept_for_whole_years_and_less_than_one_more(ended: date, years: int) -> None:
    gone = deleted_on(ended, years)
    assert (gone.month, gone.day) == (1, 1)
    assert ended.year + years < gone.year <= ended.year + years + 1


@given(ended=DAYS, today=DAYS, years=YEARS)
def test_the_two_ways_of_asking_agree(ended: date, today: date, years: int) -> None:
    assert (ended < gone_before(today, years)) == (deleted_on(ended, years) <= today)
