from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from engine.steps import planning
from engine.store.database import Database
from engine.store.message_tables import Message
from engine.store.tables import Customer, Purchase, ServiceItem
from tests.people import add_customer, add_purchase, add_service_item
from tests.steps.planned_shops import PlannedShop, campaign, morning, open_shop

MONDAY = date(2026, 11, 23)
DAY = timedelta(days=1)


class Row(NamedTuple):
    id: int


def stands(shop: PlannedShop) -> list[date | None]:
    table = Message.__table__  # type: ignore[attr-defined]
    with shop.database.read() as session:
        rows = [Row(key) for (key,) in session.connection().execute(sa.select(table.c.id).order_by(table.c.id))]
        found = planning.standing(session, shop, shop.campaigns[0], rows)
    assert list(found) == [row.id for row in rows]
    return list(found.values())


def test_a_lapse_stands_until_the_customer_buys_again(database: Database, tmp_path: Path) -> None:
    shop = open_shop(database, tmp_path, campaign('on = "lapsed"\nafter = "90 days"'))
    with database.write() as session:
        customer = add_customer(session)
        add_purchase(session, customer, "P1", morning(MONDAY - 90 * DAY))
    shop.plan(morning(MONDAY))
    assert stands(shop) == [MONDAY]
    with database.write() as session:
        add_purchase(session, session.get_one(Customer, customer.id), "P2", morning(MONDAY))
    assert stands(shop) == [None]


def test_a_service_stands_until_it_is_booked_or_done_and_moves_with_its_date(
    database: Database, tmp_path: Path
) -> None:
    shop = open_shop(database, tmp_path, campaign('on = "service_due"', kind="service_reminder"))
    with database.write() as session:
        customer = add_customer(session)
        items = [add_service_item(session, customer, f"B-{n}", MONDAY).id for n in range(5)]
    shop.plan(morning(MONDAY))
    with database.write() as session:
        booked, done, moved, signed = (session.get_one(ServiceItem, key) for key in items[1:])
        booked.booked_for = MONDAY + 3 * DAY
        done.cycle, done.due_on = 2, MONDAY + 365 * DAY
        moved.due_on = MONDAY + 20 * DAY
        signed.contract_ref = "W-1"
        session.add_all([booked, done, moved, signed])
    assert stands(shop) == [MONDAY, None, None, MONDAY + 20 * DAY, None]


def test_a_cancelled_purchase_is_no_reason_for_thanks(database: Database, tmp_path: Path) -> None:
    shop = open_shop(
        database, tmp_path, campaign('on = "purchase"\nwhen = "2 hours after"', '[send]\nbetween = "00:00-24:00"')
    )
    with database.write() as session:
        customer = add_customer(session)
        kept, cancelled = (add_purchase(session, customer, name, morning(MONDAY)) for name in ("kept", "cancelled"))
    shop.plan(morning(MONDAY))
    assert stands(shop) == [MONDAY, MONDAY]
    with database.write() as session:
        row = session.get_one(Purchase, cancelled.id)
        row.status = "returned"
        session.add(row)
    assert dict(zip([kept.purchase_id, cancelled.purchase_id], stands(shop), strict=True)) == {
        "kept": MONDAY,
        "cancelled": None,
    }


def test_who_left_the_audience_has_no_occasion(sqlite_database: Database, tmp_path: Path) -> None:
    text = campaign('on = "birthday"', '[audience]\ntags_none = ["gone"]')
    shop = open_shop(sqlite_database, tmp_path, text)
    with sqlite_database.write() as session:
        customer = add_customer(session, birthday=date(1980, 11, 23))
    shop.plan(morning(MONDAY))
    assert stands(shop) == [MONDAY]
    with sqlite_database.write() as session:
        row = session.get_one(Customer, customer.id)
        row.tags = ";gone;"
        session.add(row)
    assert stands(shop) == [None]


def test_a_backlog_stands_on_the_day_it_was_given(database: Database, tmp_path: Path) -> None:
    text = campaign('on = "lapsed"\nafter = "3 months"', '[start]\nbacklog = "2 years"\nper_day = 1')
    shop = open_shop(database, tmp_path, text)
    with database.write() as session:
        for index, last in enumerate([MONDAY - 700 * DAY, MONDAY - 300 * DAY, MONDAY - 100 * DAY]):
            add_purchase(session, add_customer(session, f"{index}", f"{index}@example.com"), f"P{index}", morning(last))
    shop.plan(morning(MONDAY))
    assert sorted(str(day) for day in stands(shop)) == ["2026-11-23", "2026-11-24", "2026-11-25"]
    assert sorted(str(row[3]) for row in shop.messages()) == ["2026-11-23", "2026-11-24", "2026-11-25"]


def test_a_message_whose_step_is_gone_has_no_occasion(sqlite_database: Database, tmp_path: Path) -> None:
    def steps(name: str) -> str:
        return f'[[step]]\nid = "{name}"\nwhen = "on the day"\nsubject = "Hallo"\nbody = "Hallo"\n'

    shop = open_shop(sqlite_database, tmp_path, campaign('on = "birthday"', steps=steps("old")))
    with sqlite_database.write() as session:
        add_customer(session, birthday=date(1980, 11, 23))
    shop.plan(morning(MONDAY))
    assert stands(shop) == [MONDAY]
    assert stands(open_shop(sqlite_database, tmp_path, campaign('on = "birthday"', steps=steps("new")))) == [None]


def test_no_messages_need_no_question(sqlite_database: Database, tmp_path: Path) -> None:
    shop = open_shop(sqlite_database, tmp_path, campaign('on = "birthday"'))
    assert stands(shop) == []
