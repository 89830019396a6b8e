from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.cycles import is_another_service, next_due
from engine.domain.grammar import Span

YEAR = Span.parse("12 months")
MAY, NOVEMBER = date(2026, 5, 1), date(2026, 11, 1)
days = st.dates(date(2020, 1, 1), date(2035, 12, 31))


@pytest.mark.parametrize(
    ("last", "interval", "following", "due"),
    [
        (None, None, None, None),
        (MAY, None, None, None),
        (None, YEAR, None, None),
        (MAY, YEAR, None, date(2027, 5, 1)),
        (MAY, YEAR, NOVEMBER, NOVEMBER),
        (None, None, NOVEMBER, NOVEMBER),
        (NOVEMBER, YEAR, MAY, date(2027, 11, 1)),
        (NOVEMBER, None, NOVEMBER, None),
    ],
)
def test_the_next_service_is_due_by_the_date_given_or_one_interval_on(
    last: date | None, interval: Span | None, following: date | None, due: date | None
) -> None:
    assert next_due(last, interval, following) == due


@given(days, days, st.sampled_from([None, YEAR, Span.parse("10 days"), Span.parse("2 weeks")]))
def test_a_date_moved_back_or_not_at_all_is_never_another_service(
    one: date, other: date, interval: Span | None
) -> None:
    earlier, later = min(one, other), max(one, other)

    assert not is_another_service(later, earlier, interval)
    assert not is_another_service(earlier, earlier, interval)


@given(days, st.integers(1, 5))
def test_a_move_by_a_whole_interval_is_always_another_service(day: date, intervals: int) -> None:
    after = day
    for _ in range(intervals):
        after = YEAR.after(after)

    assert is_another_service(day, after, YEAR)
    assert is_another_service(day, day + timedelta(days=60), None)
    assert not is_another_service(day, day + timedelta(days=59), None)
