from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.domain.calendar import birthday_in
from engine.store.database import Database
from engine.triggers import Birthday
from engine.triggers.contract import Audience, Scope, anchors
from tests.people import add_customer
from tests.triggers.asking import ask, occasions, query_plan, step

TODAY = date(2026, 11, 23)


def birthday(when: str = "on the day", leap_day: str = "Feb 28") -> Birthday:
    return Birthday.model_validate({"on": "birthday", "when": when, "leap_day": leap_day})


def test_only_the_one_whose_birthday_it_is_is_due(database: Database) -> None:
    with database.write() as session:
        add_customer(session, "due", "a@example.com", birthday=date(1980, 11, 23))
        add_customer(session, "not yet", "b@example.com", birthday=date(1980, 11, 24))
        add_customer(session, "never", "c@example.com")
    rows = ask(database, birthday(), TODAY)
    assert [(row.customer_id, row.occasion, row.due, row.due_at, row.purchase_id, row.service_item_id) for row in rows]
    assert [(row.occasion, row.due, row.step_index, row.zone) for row in rows] == [("2026", TODAY, 0, "")]


@pytest.mark.parametrize(
    ("leap_day", "year", "due"),
    [("Feb 28", 2027, "02-28"), ("Mar 1", 2027, "03-01"), ("Feb 28", 2028, "02-29"), ("Mar 1", 2028, "02-29")],
)
def test_who_was_born_on_29_february_has_one_birthday_a_year(
    sqlite_database: Database, leap_day: str, year: int, due: str
) -> None:
    with sqlite_database.write() as session:
        add_customer(session, birthday=date(1984, 2, 29))
    found = occasions(sqlite_database, birthday(leap_day=leap_day), date(year, 1, 1), date(year, 12, 31))
    assert found == [(str(year), date.fromisoformat(f"{year}-{due}"))]


@pytest.mark.parametrize("leap_day", ["Feb 28", "Mar 1"])
@pytest.mark.parametrize("when", ["on the day", "3 days before", "1 day after", "1 month before"])
def test_every_birthday_of_fifteen_years_is_found_on_its_day(
    sqlite_database: Database, when: str, leap_day: str
) -> None:
    born = [date(1984, 2, 29), date(1979, 2, 28), date(1979, 3, 1), date(1990, 1, 1), date(1990, 12, 31)]
    with sqlite_database.write() as session:
        for index, day in enumerate(born):
            add_customer(session, str(index), f"{index}@example.com", birthday=day)
    trigger = birthday(when, leap_day)
    rule = 228 if leap_day == "Feb 28" else 301
    expected = sorted(
        (due, str(year))
        for day in born
        for year in range(2014, 2032)
        if date(2015, 1, 1)
        <= (due := trigger.when.due(birthday_in(year, day.month * 100 + day.day, rule)))
        <= date(2030, 12, 31)
    )
    day, found = date(2015, 1, 1), []
    while day <= date(2030, 12, 31):
        last = min(day + timedelta(days=46), date(2030, 12, 31))
        found += [(due, year) for year, due in occasions(sqlite_database, trigger, day, last)]
        day = last + timedelta(days=1)
    assert sorted(found) == expected


def test_three_days_before_new_year_belongs_to_the_year_of_the_birthday(database: Database) -> None:
    with database.write() as session:
        add_customer(session, "1", "a@example.com", birthday=date(1980, 1, 1))
        add_customer(session, "2", "b@example.com", birthday=date(1980, 12, 31))
    found = occasions(database, birthday("3 days before"), date(2026, 12, 25), date(2027, 1, 5))
    assert found == [("2026", date(2026, 12, 28)), ("2027", date(2026, 12, 29))]


def test_the_day_of_birth_is_no_birthday(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        add_customer(session, birthday=TODAY)
        add_customer(session, "2", "b@example.com", birth_md=1123)
    assert occasions(sqlite_database, birthday(), TODAY) == [("2026", TODAY)]


def test_m2_day_and_month_are_enough_for_a_birthday(database: Database) -> None:
    with database.write() as session:
        add_customer(session, birth_md=1123)
        assert add_customer(session, "2", "b@example.com", birth_md=1124).birth_year is None
    assert occasions(database, birthday(), TODAY) == [("2026", TODAY)]


def test_each_zone_is_asked_for_by_itself(database: Database) -> None:
    with database.write() as session:
        add_customer(session, "1", "a@example.com", birthday=date(1980, 11, 23), timezone="Pacific/Auckland")
        add_customer(session, "2", "b@example.com", birthday=date(1980, 11, 23))
    assert len(ask(database, birthday(), TODAY)) == 1
    assert [row.zone for row in ask(database, birthday(), TODAY, scope=Scope("Pacific/Auckland"))] == [
        "Pacific/Auckland"
    ]
    assert len(ask(database, birthday(), TODAY, scope=Scope(None))) == 2


@pytest.mark.parametrize(
    ("audience", "expected"),
    [
        (Audience(tags_any=("VIP", "club")), {"both", "vip"}),
        (Audience(tags_all=("vip", "club")), {"both"}),
        (Audience(tags_none=("club",)), {"vip", "plain", "percent"}),
        (Audience(tags_any=("%",)), {"percent"}),
        (Audience(min_purchases=2), {"vip"}),
        (Audience(tags_any=("vip",), tags_none=("club",)), {"vip"}),
    ],
)
def test_the_audience_is_kept_to(sqlite_database: Database, audience: Audience, expected: set[str]) -> None:
    day = date(1980, 11, 23)
    with sqlite_database.write() as session:
        ids = {
            add_customer(session, name, f"{name}@example.com", birthday=day, tags=tags, purchase_count=count).id: name
            for name, tags, count in [
                ("both", ("vip", "club"), 0),
                ("vip", ("vip",), 2),
                ("plain", (), 1),
                ("percent", ("%",), 0),
            ]
        }
    rows = ask(sqlite_database, birthday(), TODAY, scope=Scope("", audience=audience))
    assert {ids[row.customer_id] for row in rows} == expected


def test_steps_are_dated_around_the_birthday_or_after_the_step_before(database: Database) -> None:
    with database.write() as session:
        add_customer(session, birthday=date(1980, 11, 23))
    steps = [step("5 days before"), step("5 days before", "2 weeks", index=1)]
    rows = ask(database, birthday(), date(2026, 11, 1), date(2026, 12, 31), steps=steps)
    assert [(row.step_index, row.due) for row in rows] == [(0, date(2026, 11, 18)), (1, date(2026, 12, 2))]


def test_the_index_is_used_without_statistics(sqlite_database: Database) -> None:
    plan = query_plan(sqlite_database, birthday("3 days before"), date(2026, 12, 25), date(2027, 1, 5))
    assert plan.count("USING COVERING INDEX ix_customer_birthday (birth_md=?)") == 2
    assert "SCAN customer" not in plan


def test_hours_are_refused() -> None:
    with pytest.raises(ValidationError, match="a birthday is a whole day"):
        birthday("2 hours after")


@given(
    first=st.dates(date(2015, 1, 1), date(2030, 12, 31)),
    length=st.integers(0, 40),
    months=st.integers(0, 30),
    days=st.integers(0, 40),
)
def test_the_anchors_of_a_range_are_exactly_the_days_that_fall_in_it(
    first: date, length: int, months: int, days: int
) -> None:
    timing = step("on the day", f"{months} months", f"{days} days")
    last = first + timedelta(days=length)
    from engine.domain.words import DayRange

    far = [first + timedelta(days=offset) for offset in range(-1400, 100)]
    expected = {day: timing.due(day) for day in far if first <= timing.due(day) <= last}
    assert anchors(DayRange(first, last), timing.due) == expected
