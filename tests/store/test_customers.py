from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from engine.domain.identity import customer_uid
from engine.store import customers
from engine.store.customers import Incoming
from engine.store.database import Database
from tests.people import NOW, add_customer

SPACE = uuid4()


def _incoming(customer_id: str | None, email: str | None, known: int | None = None, **values: object) -> Incoming:
    return Incoming(known, customer_id, email, dict(values))


def test_new_customers_get_their_uid_from_the_id_else_from_the_address(database: Database) -> None:
    with database.write() as session:
        written = customers.write(
            session, SPACE, [_incoming("7", "Anna@Example.com"), _incoming(None, "Ben@Example.com")], NOW
        )
        found = customers.directory(session, ["7"], ["anna@example.com", "ben@example.com"])
        rows = session.connection().exec_driver_sql("SELECT uid FROM customer ORDER BY id").scalars().all()

    assert written.created == 2
    assert rows == [str(customer_uid(SPACE, "7", None)), str(customer_uid(SPACE, None, "ben@example.com"))]
    assert found.by_id["7"].id == found.by_address["anna@example.com"][0].id
    assert found.by_address["ben@example.com"][0].customer_id is None


def test_a_customer_somebody_else_has_just_added_is_left_as_it_is(database: Database) -> None:
    rows = [_incoming("7", "anna@example.com", first_name="Anna")]
    with database.write() as session:
        customers.write(session, SPACE, rows, NOW)
        second = customers.write(session, SPACE, rows, NOW)
        count = session.connection().exec_driver_sql("SELECT count(*) FROM customer").scalar_one()

    assert (second.created, count) == (0, 1)


def test_only_what_is_given_changes_and_every_address_is_remembered(database: Database) -> None:
    with database.write() as session:
        anna = add_customer(session, "7", "old@example.com", first_name="Anna", last_name="Sommer", purchase_count=3)
        later = NOW + timedelta(days=1)
        first = customers.write(session, SPACE, [_incoming("7", "new@example.com", anna.id, first_name="Anne")], later)
        again = customers.write(session, SPACE, [_incoming("7", None, anna.id, first_name="Anne")], later)
        row = session.connection().exec_driver_sql("SELECT first_name, last_name, purchase_count FROM customer").one()
        history = session.connection().exec_driver_sql("SELECT count(*) FROM customer_address").scalar_one()

    assert (first.updated, again.updated, again.unchanged) == (1, 0, 1)
    assert tuple(row) == ("Anne", "Sommer", 3)
    assert history == 2


@pytest.mark.parametrize(("before", "after", "moved"), [("", "Europe/Berlin", True), ("", "", False)])
def test_whoever_moves_to_another_time_zone_is_named(database: Database, before: str, after: str, moved: bool) -> None:
    with database.write() as session:
        anna = add_customer(session, timezone=before)
        written = customers.write(session, SPACE, [_incoming("1", None, anna.id, timezone=after)], NOW)

    assert written.moved == ([anna.id] if moved else [])


def test_customers_are_paged_in_order_and_marked_when_gone(database: Database) -> None:
    with database.write() as session:
        numbers = [add_customer(session, str(n), None).id or 0 for n in range(5)]
        customers.mark_gone(session, numbers[:1], NOW)
        first = customers.numbers_after(session, 0, 3)
        rest = customers.numbers_after(session, first[-1][0], 3)

    assert first == [(numbers[0], True), (numbers[1], False), (numbers[2], False)]
    assert rest == [(numbers[3], False), (numbers[4], False)]
