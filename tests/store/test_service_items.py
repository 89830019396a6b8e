from __future__ import annotations

from datetime import date

from engine.store import service_items
from engine.store.database import Database
from tests.people import NOW, add_customer, add_service_item


def test_an_item_written_by_hand_and_imported_later_keeps_its_cycle(database: Database) -> None:
    with database.write() as session:
        anna = add_customer(session)
        item = add_service_item(session, anna, "B1", date(2026, 12, 1))
        row = {"service_item_id": "B1", "customer_id": anna.id, "next_service_on": date(2026, 12, 8)}
        written = service_items.write(session, [row], NOW)
        session.refresh(item)

    assert (written.updated, item.cycle, item.due_on, item.name) == (1, 1, date(2026, 12, 8), "Gastherme Vaillant")


def test_several_visits_at_once_count_each_in_order_of_their_days(database: Database) -> None:
    with database.write() as session:
        item = add_service_item(session, add_customer(session), "B1", date(2024, 12, 1))
        rows = [
            {"visit_id": "V2", "service_item_id": item.id, "done_on": date(2026, 11, 20)},
            {"visit_id": "V1", "service_item_id": item.id, "done_on": date(2025, 11, 20)},
        ]
        written = service_items.write_visits(session, rows, NOW)
        session.refresh(item)

    assert (written.created, item.cycle, item.due_on) == (2, 3, date(2027, 11, 20))


def test_items_are_found_by_the_shops_ids(database: Database) -> None:
    with database.write() as session:
        item = add_service_item(session, add_customer(session), "B1", date(2026, 12, 1))
        found = service_items.find_items(session, ["B1", "B2"])

    assert found == {"B1": item.id}
