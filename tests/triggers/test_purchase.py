from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from engine.store.database import Database
from engine.triggers import PurchaseTrigger
from engine.triggers.contract import Scope
from tests.people import add_customer, add_purchase
from tests.triggers.asking import ask, occasions, query_plan, step

BOUGHT = datetime(2026, 11, 21, 15, 0, tzinfo=UTC)
TODAY = date(2026, 11, 23)


def purchase(when: str = "2 days after", **more: object) -> PurchaseTrigger:
    return PurchaseTrigger.model_validate({"on": "purchase", "when": when} | more)


def test_only_what_was_bought_two_days_ago_is_due(database: Database) -> None:
    with database.write() as session:
        due = add_customer(session, "due", "a@example.com")
        bought = add_purchase(session, due, "P1", BOUGHT)
        add_purchase(session, add_customer(session, "not yet", "b@example.com"), "P2", BOUGHT + timedelta(days=1))
        add_customer(session, "never", "c@example.com")
    (row,) = ask(database, purchase(), TODAY)
    assert (row.customer_id, row.occasion, row.due, row.purchase_id) == (due.id, "P1", TODAY, bought.id)
    assert row.due_at is None


@pytest.mark.parametrize("status", ["open", "cancelled", "returned", "revoked"])
def test_only_concluded_purchases_count(database: Database, status: str) -> None:
    with database.write() as session:
        add_purchase(session, add_customer(session), "P1", BOUGHT, status=status)
    assert ask(database, purchase(), TODAY) == []
    assert ask(database, purchase("2 hours after"), BOUGHT.date()) == []


def test_hours_count_from_the_instant_on_the_days_of_the_zone(database: Database) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    with database.write() as session:
        customer = add_customer(session)
        add_purchase(session, customer, "late", datetime(2026, 11, 22, 21, 30, tzinfo=UTC))
        add_purchase(session, customer, "before", datetime(2026, 11, 22, 20, 59, tzinfo=UTC))
        add_purchase(session, customer, "after", datetime(2026, 11, 23, 21, 0, tzinfo=UTC))
    rows = ask(database, purchase("2 hours after"), TODAY, scope=Scope("", place=berlin))
    assert [(row.occasion, row.due_at) for row in rows] == [("late", datetime(2026, 11, 22, 21, 30, tzinfo=UTC))]
    assert step("2 hours after").lag() == timedelta(hours=2)


def test_a_category_means_what_lies_below_it(database: Database) -> None:
    with database.write() as session:
        customer = add_customer(session)
        for name, categories in [
            ("road", ";bikes.road_bikes;"),
            ("bikes", ";clothing.caps;bikes;"),
            ("motor", ";motorbikes.road;"),
            ("stands", ";bikes_stands;"),
        ]:
            add_purchase(session, customer, name, BOUGHT, categories=categories)
    assert [key for key, _ in occasions(database, purchase(categories=["Bikes"]), TODAY)] == ["bikes", "road"]
    assert [key for key, _ in occasions(database, purchase(categories=["bikes.road_bikes"]), TODAY)] == ["road"]


def test_first_only_means_the_first_concluded_one(database: Database) -> None:
    with database.write() as session:
        one, two = add_customer(session, "1", "a@example.com"), add_customer(session, "2", "b@example.com")
        add_purchase(session, one, "older, cancelled", BOUGHT - timedelta(days=30), status="cancelled")
        add_purchase(session, one, "first", BOUGHT)
        add_purchase(session, one, "same day, later", BOUGHT + timedelta(minutes=1))
        add_purchase(session, two, "long ago", BOUGHT - timedelta(days=300))
        add_purchase(session, two, "again", BOUGHT)
    assert [key for key, _ in occasions(database, purchase(first_only=True), TODAY)] == ["first"]


@pytest.mark.parametrize(
    ("trigger", "index"),
    [
        (purchase(), "purchase USING INDEX ix_purchase_day (local_on>? AND local_on<?)"),
        (purchase("2 hours after"), "purchase USING INDEX ix_purchase_instant (purchased_at>? AND purchased_at<?)"),
        (purchase(first_only=True), "purchase USING INDEX ix_purchase_day (local_on>? AND local_on<?)"),
        (purchase(first_only=True), "earlier USING INDEX ix_purchase_customer (customer_id=? AND local_on<?)"),
    ],
)
def test_the_index_is_used_without_statistics(sqlite_database: Database, trigger: PurchaseTrigger, index: str) -> None:
    plan = query_plan(sqlite_database, trigger, TODAY - timedelta(days=7), TODAY)
    assert index in plan
    assert "customer USING INTEGER PRIMARY KEY (rowid=?)" in plan
