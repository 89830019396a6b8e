from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from math import ceil

import pytest
from pydantic import ValidationError

from engine.domain.grammar import Span
from engine.store.database import Database
from engine.triggers import Lapsed
from engine.triggers.contract import Scope
from tests.people import NOW, add_customer, add_purchase
from tests.triggers.asking import ask, occasions, query_plan, step

TODAY = date(2026, 11, 23)


def lapsed(after: str, **more: object) -> Lapsed:
    return Lapsed.model_validate({"on": "lapsed", "after": after} | more)


def test_only_the_one_away_for_exactly_that_long_is_due(database: Database) -> None:
    with database.write() as session:
        due = add_customer(session, "due", "a@example.com")
        add_purchase(session, due, "P1", NOW - timedelta(days=90))
        add_purchase(session, add_customer(session, "not yet", "b@example.com"), "P2", NOW - timedelta(days=89))
        add_customer(session, "never", "c@example.com")
    (row,) = ask(database, lapsed("90 days"), TODAY)
    assert (row.customer_id, row.occasion, row.due) == (due.id, "P1", TODAY)


def test_calendar_months_end_on_the_last_day_of_a_short_month(database: Database) -> None:
    days = [date(2025, 12, 27), date(2025, 12, 28), date(2025, 12, 30), date(2025, 12, 31), date(2026, 1, 1)]
    with database.write() as session:
        for index, day in enumerate(days):
            add_customer(
                session, str(index), f"{index}@example.com", last_purchase_on=day, last_purchase_id=f"P{index}"
            )
    found = occasions(database, lapsed("14 months"), date(2027, 2, 27), date(2027, 3, 1))
    assert found == [
        ("P0", date(2027, 2, 27)),
        ("P1", date(2027, 2, 28)),
        ("P2", date(2027, 2, 28)),
        ("P3", date(2027, 2, 28)),
        ("P4", date(2027, 3, 1)),
    ]


@pytest.mark.parametrize("factor", ["2.5", "1", "0.333", "2"])
@pytest.mark.parametrize("not_before", [None, "60 days", "10 weeks"])
def test_a_multiple_of_the_usual_interval_is_rounded_up_and_never_sooner_than_not_before(
    database: Database, factor: str, not_before: str | None
) -> None:
    expected = []
    least = {None: 0, "60 days": 60, "10 weeks": 70}[not_before]
    with database.write() as session:
        for usual in (1, 7, 24, 25, 33, 90, 365):
            for last in (TODAY - timedelta(days=offset) for offset in (0, 20, 63, 83, 225, 400)):
                key = f"{usual}-{last}"
                add_customer(
                    session, key, f"{key}@example.com", last_purchase_on=last, last_purchase_id=key, usual_days=usual
                )
                due = last + timedelta(days=max(least, ceil(Fraction(factor) * usual)))
                if TODAY <= due <= TODAY + timedelta(days=9):
                    expected.append((due, key))
        add_customer(session, "unknown", "u@example.com", last_purchase_on=TODAY - timedelta(days=60))
    more = {"not_before": not_before} if not_before else {}
    trigger = lapsed(f"{factor} x usual interval", **more)
    found = occasions(database, trigger, TODAY, TODAY + timedelta(days=9))
    assert sorted((due, key) for key, due in found) == sorted(expected)


def test_a_later_step_in_months_follows_the_usual_interval(database: Database) -> None:
    with database.write() as session:
        add_customer(session, last_purchase_on=date(2026, 12, 1), last_purchase_id="P", usual_days=15)
    steps = [step("", "2 months", index=1)]
    found = occasions(database, lapsed("2 x usual interval"), date(2027, 2, 1), date(2027, 3, 31), steps=steps)
    assert found == [("P", date(2027, 2, 28))]


def test_an_empty_store_has_nobody_with_a_usual_interval(database: Database) -> None:
    assert ask(database, lapsed("2 x usual interval"), TODAY) == []


def test_min_purchases_leaves_out_who_bought_less(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        for count in (1, 2, 3):
            add_customer(
                session,
                str(count),
                f"{count}@example.com",
                last_purchase_on=TODAY - timedelta(days=90),
                last_purchase_id=f"P{count}",
                purchase_count=count,
            )
    assert [key for key, _ in occasions(sqlite_database, lapsed("90 days", min_purchases=2), TODAY)] == ["P2", "P3"]


@pytest.mark.parametrize("after", ["90 days", "3 months", "1 year"])
def test_the_longer_of_after_and_not_before_counts(sqlite_database: Database, after: str) -> None:
    last = date(2026, 8, 31)
    with sqlite_database.write() as session:
        add_customer(session, last_purchase_on=last, last_purchase_id="P")
    expected = max(Span.parse(after).after(last), Span(95, "days").after(last))
    trigger = lapsed(after, not_before="95 days")
    assert occasions(sqlite_database, trigger, last, date(2027, 12, 31)) == [("P", expected)]


@pytest.mark.parametrize(
    ("after", "index"),
    [
        ("90 days", "USING COVERING INDEX ix_customer_last_purchase (last_purchase_on>? AND last_purchase_on<?)"),
        ("14 months", "USING COVERING INDEX ix_customer_last_purchase (last_purchase_on>? AND last_purchase_on<?)"),
        (
            "2.5 x usual interval",
            "USING INDEX ix_customer_usual (usual_days=? AND last_purchase_on>? AND last_purchase_on<?)",
        ),
    ],
)
def test_the_index_is_used_without_statistics(sqlite_database: Database, after: str, index: str) -> None:
    plan = query_plan(sqlite_database, lapsed(after), TODAY - timedelta(days=7), TODAY)
    assert index in plan
    assert "SCAN customer" not in plan
    narrowed = query_plan(sqlite_database, lapsed(after), TODAY, TODAY, Scope(customers=(1, 2, 3)))
    assert "SCAN customer" not in narrowed


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"after": "5 hours"}, "not in hours"),
        ({"after": "2 x usual interval", "not_before": "2 months"}, "counts in days or weeks"),
        ({"after": "90 days", "min_purchases": 0}, "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_meant_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Lapsed.model_validate({"on": "lapsed"} | values)
