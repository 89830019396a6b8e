from __future__ import annotations

import threading

from engine.store import addresses
from engine.store.database import Database
from tests.people import NOW


def test_spellings_of_one_mailbox_are_one_row_and_the_first_spelling_is_kept(database: Database) -> None:
    with database.write() as session:
        found = addresses.find_or_add(session, ["Max@Example.com", " max@example.com ", "min@example.com"], NOW)
        again = addresses.find_or_add(session, ["MAX@EXAMPLE.COM"], NOW)
        emails = addresses.emails_of(session, list(found.values()))

    assert sorted(found) == ["max@example.com", "min@example.com"]
    assert again["max@example.com"] == found["max@example.com"]
    assert emails[found["max@example.com"]] == "Max@Example.com"


def test_thousands_of_addresses_are_found_at_once(database: Database) -> None:
    emails = [f"k{number}@example.com" for number in range(2500)]
    with database.write() as session:
        found = addresses.find_or_add(session, emails, NOW)
        assert addresses.find(session, emails) == found

    assert len(set(found.values())) == 2500


def test_a_locked_address_makes_the_next_one_wait(database: Database) -> None:
    with database.write() as session:
        [number] = addresses.find_or_add(session, ["max@example.com"], NOW).values()
    order: list[str] = []
    begun = threading.Event()

    def second() -> None:
        begun.set()
        with database.write() as session:
            addresses.lock(session, [number])
            order.append("second")

    with database.write() as session:
        addresses.lock(session, [number])
        waiter = threading.Thread(target=second)
        waiter.start()
        begun.wait(5)
        waiter.join(0.2)
        order.append("first")
    waiter.join(10)

    assert order == ["first", "second"]
