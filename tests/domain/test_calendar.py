"""Local days and send windows, also on the days on which the clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.calendar import birthday_in, day_end, day_start, is_open, local_day, next_open, opening
from engine.domain.grammar import EVERY_DAY, Weekdays, Window

BERLIN = ZoneInfo("Europe/Berlin")
AUCKLAND = ZoneInfo("Pacific/Auckland")
ZONES = [
    BERLIN,
    AUCKLAND,
    *map(ZoneInfo, ["America/Havana", "Asia/Beirut", "Australia/Lord_Howe", "America/Santiago", "Pacific/Apia", "UTC"]),
]
NINE_TO_SIX = Window.parse("09:00-18:00")
NIGHT = Window.parse("20:00-08:00")

unhurried = settings(deadline=None)
zones = st.sampled_from(ZONES)
clocks = st.builds(time, st.integers(0, 23), st.sampled_from([0, 1, 15, 30, 59]))
windows = st.builds(Window, clocks, clocks).filter(lambda window: window.start != window.end)
weekdays = st.sets(st.integers(0, 6), min_size=1).map(Weekdays)


@st.composite
def instants(draw: st.DrawFn) -> datetime:
    """Give instants, most of them near a change of the clocks."""
    near = draw(st.sampled_from([datetime(2026, month, day, tzinfo=UTC) for month, day in CHANGES]))
    anywhere = datetime(2010, 1, 1, tzinfo=UTC) + timedelta(minutes=draw(st.integers(0, 30 * 365 * 24 * 60)))
    close = near + timedelta(minutes=draw(st.integers(-36 * 60, 36 * 60)))
    return draw(st.sampled_from([close, close, anywhere]))


CHANGES = [(3, 29), (10, 25), (4, 5), (9, 27), (3, 8), (11, 1)]


@unhurried
@given(instants(), zones)
def test_every_instant_lies_in_its_local_day(instant: datetime, zone: ZoneInfo) -> None:
    day = local_day(instant, zone)
    assert day_start(day, zone) <= instant < day_end(day, zone)


@unhurried
@given(st.dates(date(2010, 1, 1), date(2040, 1, 1)), zones)
def test_local_days_follow_each_other_without_gap(day: date, zone: ZoneInfo) -> None:
    assert day_end(day, zone) == day_start(day + timedelta(days=1), zone)
    assert day_start(day, zone) <= day_end(day, zone)


@unhurried
@given(instants(), zones, windows, weekdays, st.none() | windows)
def test_the_next_opening_is_open_and_not_in_the_past(
    instant: datetime, zone: ZoneInfo, window: Window, members: Weekdays, quiet: Window | None
) -> None:
    found = next_open(instant, zone, window, members, quiet)
    if found is None:
        return
    assert found >= instant
    local = found.astimezone(zone)
    assert local.time() in window
    assert quiet is None or local.time() not in quiet
    opened = local.date() - timedelta(days=1) if window.passes_midnight and local.time() < window.end else local.date()
    assert opened.weekday() in members


@unhurried
@given(instants(), zones, windows, weekdays, st.none() | windows)
def test_nothing_is_open_before_the_next_opening(
    instant: datetime, zone: ZoneInfo, window: Window, members: Weekdays, quiet: Window | None
) -> None:
    found = next_open(instant, zone, window, members, quiet, within_days=9)
    until = min(found, instant + timedelta(days=2)) if found else instant + timedelta(days=2)
    moment = instant
    while moment < until:
        assert not is_open(moment, zone, window, members, quiet)
        moment += timedelta(minutes=13)


def test_an_open_instant_is_its_own_next_opening() -> None:
    instant = datetime(2026, 11, 23, 9, 30, 17, 123456, tzinfo=UTC)
    assert next_open(instant, BERLIN, NINE_TO_SIX, EVERY_DAY) == instant


def test_what_is_due_on_sunday_goes_out_on_monday() -> None:
    sunday = datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert next_open(sunday, BERLIN, NINE_TO_SIX, Weekdays.parse("Mon-Sat")) == datetime(2026, 11, 23, 8, tzinfo=UTC)


def test_quiet_hours_put_the_opening_off() -> None:
    early = datetime(2026, 11, 23, 4, tzinfo=UTC)
    window = Window.parse("06:00-22:00")
    assert next_open(early, BERLIN, window, EVERY_DAY, NIGHT) == datetime(2026, 11, 23, 7, tzinfo=UTC)


def test_quiet_hours_that_cover_the_window_leave_no_opening() -> None:
    assert (
        next_open(datetime(2026, 11, 23, 4, tzinfo=UTC), BERLIN, NINE_TO_SIX, EVERY_DAY, Window.parse("08:00-19:00"))
        is None
    )


def test_nothing_opens_later_than_asked_for() -> None:
    monday = datetime(2026, 11, 23, 20, tzinfo=UTC)
    assert next_open(monday, BERLIN, NINE_TO_SIX, Weekdays.parse("Sun"), within_days=3) is None
    assert next_open(monday, BERLIN, NINE_TO_SIX, Weekdays.parse("Sun"), within_days=7) == datetime(
        2026, 11, 29, 8, tzinfo=UTC
    )


def test_the_window_follows_the_clock_through_spring() -> None:
    assert opening(date(2026, 3, 28), BERLIN, NINE_TO_SIX) == datetime(2026, 3, 28, 8, tzinfo=UTC)
    assert opening(date(2026, 3, 29), BERLIN, NINE_TO_SIX) == datetime(2026, 3, 29, 7, tzinfo=UTC)


def test_the_window_follows_the_clock_through_autumn() -> None:
    assert opening(date(2026, 10, 24), BERLIN, NINE_TO_SIX) == datetime(2026, 10, 24, 7, tzinfo=UTC)
    assert opening(date(2026, 10, 25), BERLIN, NINE_TO_SIX) == datetime(2026, 10, 25, 8, tzinfo=UTC)


def test_a_day_lasts_23_or_25_hours_when_the_clocks_change() -> None:
    assert day_end(date(2026, 3, 29), BERLIN) - day_start(date(2026, 3, 29), BERLIN) == timedelta(hours=23)
    assert day_end(date(2026, 10, 25), BERLIN) - day_start(date(2026, 10, 25), BERLIN) == timedelta(hours=25)
    assert day_end(date(2026, 9, 27), AUCKLAND) - day_start(date(2026, 9, 27), AUCKLAND) == timedelta(hours=23)
    assert day_end(date(2026, 4, 5), AUCKLAND) - day_start(date(2026, 4, 5), AUCKLAND) == timedelta(hours=25)


def test_an_opening_that_the_clocks_leave_out_comes_right_after_the_gap() -> None:
    window = Window.parse("02:30-05:00")
    assert opening(date(2026, 3, 29), BERLIN, window) == datetime(2026, 3, 29, 1, tzinfo=UTC)
    midnight = datetime(2026, 3, 28, 23, tzinfo=UTC)
    assert next_open(midnight, BERLIN, window, EVERY_DAY) == datetime(2026, 3, 29, 1, tzinfo=UTC)


def test_a_window_that_lies_within_the_gap_opens_the_day_after() -> None:
    midnight = datetime(2026, 3, 28, 23, tzinfo=UTC)
    assert next_open(midnight, BERLIN, Window.parse("02:00-03:00"), EVERY_DAY) == datetime(2026, 3, 30, 0, tzinfo=UTC)


def test_an_hour_that_happens_twice_is_open_both_times() -> None:
    window = Window.parse("02:00-02:30")
    assert is_open(datetime(2026, 10, 25, 0, 10, tzinfo=UTC), BERLIN, window, EVERY_DAY)
    assert not is_open(datetime(2026, 10, 25, 0, 40, tzinfo=UTC), BERLIN, window, EVERY_DAY)
    assert next_open(datetime(2026, 10, 25, 0, 40, tzinfo=UTC), BERLIN, window, EVERY_DAY) == datetime(
        2026, 10, 25, 1, tzinfo=UTC
    )


def test_a_window_past_midnight_belongs_to_the_day_it_opens_on() -> None:
    saturdays, late = Weekdays.parse("Sat"), Window.parse("22:00-02:00")
    assert is_open(datetime(2026, 11, 22, 0, 30, tzinfo=UTC), BERLIN, late, saturdays)  # Sunday 01:30
    assert not is_open(datetime(2026, 11, 21, 0, 30, tzinfo=UTC), BERLIN, late, saturdays)  # Saturday 01:30


def test_a_customer_in_auckland_has_another_today() -> None:
    evening = datetime(2026, 12, 31, 20, tzinfo=UTC)
    assert local_day(evening, BERLIN) == date(2026, 12, 31)
    assert local_day(evening, AUCKLAND) == date(2027, 1, 1)


def test_a_day_that_a_country_skipped_has_no_length() -> None:
    apia = ZoneInfo("Pacific/Apia")
    skipped = date(2011, 12, 30)
    assert day_start(skipped, apia) == day_end(skipped, apia)


@pytest.mark.parametrize(
    ("year", "leap_day", "expected"),
    [
        (2027, 228, date(2027, 2, 28)),
        (2027, 301, date(2027, 3, 1)),
        (2028, 228, date(2028, 2, 29)),
        (2028, 301, date(2028, 2, 29)),
        (2100, 228, date(2100, 2, 28)),
    ],
)
def test_who_is_born_on_29_february_celebrates_every_year(year: int, leap_day: int, expected: date) -> None:
    assert birthday_in(year, 229, leap_day) == expected


@unhurried
@given(st.dates(date(2000, 1, 1), date(2000, 12, 31)), st.integers(1990, 2060), st.sampled_from([228, 301]))
def test_every_birthday_is_a_real_day_of_its_year(born: date, year: int, leap_day: int) -> None:
    birthday = birthday_in(year, born.month * 100 + born.day, leap_day)
    assert birthday.year == year
    assert (birthday.month, birthday.day) == (born.month, born.day) or (born.month, born.day) == (2, 29)
