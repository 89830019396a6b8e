from __future__ import annotations

from datetime import date, timedelta

import pytest

from engine.store.database import Database
from engine.triggers import ServiceDue
from engine.triggers.contract import Scope
from tests.people import add_customer, add_service_item
from tests.triggers.asking import ask, occasions, query_plan, step

DUE = date(2026, 12, 23)


def service(kind: str = "newsletter", **more: object) -> ServiceDue:
    return ServiceDue.model_validate({"on": "service_due"} | more).for_kind(kind)


def test_only_what_falls_due_on_the_day_is_due(database: Database) -> None:
    with database.write() as session:
        customer = add_customer(session)
        item = add_service_item(session, customer, "B-1", DUE, cycle=3)
        add_service_item(session, customer, "B-2", DUE + timedelta(days=1))
        add_service_item(session, customer, "B-3", DUE).due_on = None
    (row,) = ask(database, service(), DUE)
    assert (row.customer_id, row.occasion, row.due, row.service_item_id) == (customer.id, "B-1:3", DUE, item.id)


def test_three_steps_stand_around_the_day(database: Database) -> None:
    with database.write() as session:
        add_service_item(session, add_customer(session), "B-1", DUE)
    steps = [step("30 days before"), step("7 days before", index=1), step("14 days after", index=2)]
    rows = ask(database, service(), date(2026, 11, 1), date(2027, 1, 31), steps=steps)
    assert [(row.step_index, row.due) for row in rows] == [
        (0, date(2026, 11, 23)),
        (1, date(2026, 12, 16)),
        (2, date(2027, 1, 6)),
    ]
    assert [row.step_index for row in ask(database, service(), date(2026, 12, 16), steps=steps)] == [1]


@pytest.mark.parametrize(
    ("booked_for", "last_service_on", "has_occasion"),
    [
        (None, None, True),
        (DUE + timedelta(days=5), None, False),
        (DUE - timedelta(days=20), date(2025, 12, 23), False),
        (date(2025, 12, 20), date(2025, 12, 23), True),
    ],
)
def test_a_booked_visit_takes_the_occasion_away_until_it_is_done(
    database: Database, booked_for: date | None, last_service_on: date | None, has_occasion: bool
) -> None:
    with database.write() as session:
        customer = add_customer(session)
        add_service_item(session, customer, "B-1", DUE, booked_for=booked_for, last_service_on=last_service_on)
    assert bool(ask(database, service(), DUE)) is has_occasion


@pytest.mark.parametrize(
    ("kind", "contract", "expected"),
    [
        ("contract_appointment", None, ["over:1", "with:1"]),
        ("service_reminder", None, ["over:1", "without:1"]),
        ("newsletter", None, ["over:1", "with:1", "without:1"]),
        ("contract_appointment", "any", ["over:1", "with:1", "without:1"]),
        ("newsletter", "with", ["over:1", "with:1"]),
    ],
)
def test_the_kind_settles_who_is_meant_where_the_file_does_not(
    database: Database, kind: str, contract: str | None, expected: list[str]
) -> None:
    with database.write() as session:
        customer = add_customer(session)
        add_service_item(session, customer, "without", DUE)
        add_service_item(session, customer, "with", DUE, contract_ref="W-1")
        add_service_item(session, customer, "over", DUE, contract_ref="W-2", contract_until=DUE - timedelta(days=1))
    trigger = service(kind, **({"contract": contract} if contract else {}))
    assert [key for key, _ in occasions(database, trigger, DUE)] == expected


def test_item_types_are_compared_in_lower_case(database: Database) -> None:
    with database.write() as session:
        customer = add_customer(session)
        add_service_item(session, customer, "H", DUE, item_type="Heating")
        add_service_item(session, customer, "B", DUE, item_type="bike")
    assert [key for key, _ in occasions(database, service(item_types=["heating"]), DUE)] == ["H:1"]


def test_three_boilers_of_one_customer_are_three_occasions(database: Database) -> None:
    with database.write() as session:
        customer = add_customer(session)
        for name in ("B-1", "B-2", "B-3"):
            add_service_item(session, customer, name, DUE)
    assert [key for key, _ in occasions(database, service(), DUE)] == ["B-1:1", "B-2:1", "B-3:1"]


def test_the_index_is_used_without_statistics(sqlite_database: Database) -> None:
    plan = query_plan(sqlite_database, service(), DUE - timedelta(days=7), DUE)
    assert "service_item USING INDEX ix_service_item_due (due_on>? AND due_on<?)" in plan
    assert "customer USING INTEGER PRIMARY KEY (rowid=?)" in plan
    narrowed = query_plan(sqlite_database, service(), DUE, DUE, Scope(customers=(1, 2, 3)))
    assert "SCAN" not in narrowed.replace("SCAN CONSTANT ROW", "")
