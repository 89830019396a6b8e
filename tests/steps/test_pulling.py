from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from engine.app import Premises
from engine.config.loading import load_config
from engine.errors import NothingFound
from engine.steps.importing.pulling import changed_sources, pull
from engine.store import imports
from engine.store.database import Database
from engine.store.tables import Customer, ImportRun
from tests.conftest import CONFIG
from tests.people import NOW
from tests.steps.desk import Desk
from tests.steps.premises import open_shop

SOURCES = """
[source.orders]
from = "file"
what = "purchases"
file = "orders.csv"

[source.people]
from = "file"
what = "customers"
file = "people.csv"
columns = { "Kundennr." = "customer_id" }
"""
PEOPLE = "Kundennr.;email\n" + "".join(f"{number};k{number}@example.com\n" for number in range(1, 11))
ORDERS = "purchase_id,customer_id,purchased_at\nP1,1,2026-05-01\n"
LATER = NOW + timedelta(minutes=1)


@pytest.fixture
def shop(tmp_path: Path, database: Database) -> Premises:
    """Give a shop with two sources, of which the first refers to the second."""
    return _with_sources(open_shop(tmp_path, database), SOURCES)


def _with_sources(shop: Premises, sources: str) -> Premises:
    file = shop.home / "config.toml"
    file.write_text(CONFIG.replace("{store}", "sqlite:///store.db") + sources, encoding="utf-8")
    return Premises(load_config(file, {}), shop.database, shop.keyring, shop.installation, shop.home)


def _lay(shop: Premises, name: str, text: str, *, at: int) -> None:
    """Write a file and give it a time of change, so that no test depends on how fine the disk's clock is."""
    path = shop.home / name
    path.write_text(text, encoding="utf-8")
    os.utime(path, (at, at))


def test_all_sources_are_pulled_customers_before_what_refers_to_them(shop: Premises) -> None:
    _lay(shop, "orders.csv", ORDERS, at=1000)
    _lay(shop, "people.csv", PEOPLE, at=1000)

    results = pull(shop, None, NOW)

    assert [(one.source, one.report.created if one.report else None) for one in results] == [
        ("people", 10),
        ("orders", 1),
    ]


def test_the_same_content_is_never_pulled_twice(shop: Premises) -> None:
    _lay(shop, "people.csv", PEOPLE, at=1000)
    assert pull(shop, "people", NOW)[0].report is not None

    [again] = pull(shop, "people", LATER)

    assert again.unchanged


def test_the_same_content_written_anew_counts_as_fresh_data(shop: Premises) -> None:
    _lay(shop, "people.csv", PEOPLE, at=1000)
    pull(shop, "people", NOW)
    _lay(shop, "people.csv", PEOPLE, at=2000)

    [again] = pull(shop, "people", LATER)

    assert again.unchanged
    with shop.database.read() as session:
        assert imports.last_good(session, "customers") == LATER


def test_other_settings_make_the_same_file_worth_pulling_again(shop: Premises) -> None:
    _lay(shop, "people.csv", PEOPLE.replace("email", "email;Vorname").replace(".com\n", ".com;ANNA\n"), at=1000)
    pull(shop, "people", NOW)
    mended = _with_sources(shop, SOURCES.replace('customer_id" }', 'customer_id", "Vorname" = "first_name" }'))

    [again] = pull(mended, "people", LATER)

    assert again.report is not None
    assert again.report.updated == 10


def test_a_source_nobody_configured_is_named_with_those_there_are(shop: Premises) -> None:
    with pytest.raises(NothingFound) as caught:
        pull(shop, "peeple", NOW)

    assert "orders, people" in caught.value.hint


def test_a_missing_file_is_told_and_remembered(shop: Premises) -> None:
    [result] = pull(shop, "people", NOW)

    assert "does not exist" in result.error
    with shop.database.read() as session:
        last = imports.last(session, "people")
    assert last is not None
    assert not last.good


def test_a_file_is_taken_when_two_looks_find_it_the_same(shop: Premises) -> None:
    _lay(shop, "people.csv", PEOPLE[:60], at=1000)
    first = changed_sources(shop, NOW)
    _lay(shop, "people.csv", PEOPLE, at=1001)
    second = changed_sources(shop, NOW)
    third = changed_sources(shop, LATER)

    assert (first, second, third) == ([], [], ["people"])


def test_a_file_that_was_named_and_not_pulled_is_named_again(shop: Premises) -> None:
    _lay(shop, "people.csv", PEOPLE, at=1000)
    looks = [changed_sources(shop, NOW) for _ in range(3)]

    assert looks == [[], ["people"], ["people"]]
    pull(shop, "people", NOW)
    assert changed_sources(shop, LATER) == []


def test_a_half_written_file_keeps_the_old_data_and_is_not_tried_every_tick(shop: Premises) -> None:
    _lay(shop, "people.csv", PEOPLE, at=1000)
    pull(shop, "people", NOW)
    _lay(shop, "people.csv", PEOPLE + '"11;k11', at=2000)
    changed_sources(shop, LATER)
    assert changed_sources(shop, LATER) == ["people"]

    [result] = pull(shop, "people", LATER)

    assert result.error
    assert result.report is None
    assert _count(shop) == 10
    assert changed_sources(shop, LATER) == []


def test_a_file_that_lost_most_of_its_rows_keeps_the_old_data_until_somebody_says_yes(shop: Premises) -> None:
    _lay(shop, "people.csv", PEOPLE, at=1000)
    pull(shop, "people", NOW)
    _lay(shop, "people.csv", "Kundennr.;email\n1;new@example.com\n", at=2000)

    [result] = pull(shop, "people", LATER)
    assert "looks half-written" in result.error

    [agreed] = pull(shop, "people", LATER, yes=True)
    assert agreed.report is not None
    assert agreed.report.updated == 1


def test_refused_rows_are_tried_again_when_those_they_refer_to_have_come_in(shop: Premises) -> None:
    _lay(shop, "orders.csv", ORDERS, at=1000)
    [refused] = pull(shop, "orders", NOW)
    assert refused.report is not None
    assert refused.report.refused == 1
    assert changed_sources(shop, LATER) == []
    _lay(shop, "people.csv", PEOPLE, at=1000)
    pull(shop, "people", LATER)

    assert changed_sources(shop, LATER) == ["orders"]
    [again] = pull(shop, "orders", LATER)

    assert again.report is not None
    assert (again.report.created, again.report.refused) == (1, 0)
    assert changed_sources(shop, LATER) == []


def test_a_purchase_dated_ahead_is_taken_when_its_day_has_come(shop: Premises) -> None:
    _lay(shop, "people.csv", PEOPLE, at=1000)
    _lay(shop, "orders.csv", ORDERS.replace("2026-05-01", "2026-11-24"), at=1000)
    pull(shop, None, NOW)
    assert changed_sources(shop, LATER) == []

    tomorrow = NOW + timedelta(days=1)
    assert changed_sources(shop, tomorrow) == ["orders"]
    [again] = pull(shop, "orders", tomorrow)

    assert again.report is not None
    assert again.report.created == 1


def test_a_vanished_file_is_remembered_once(shop: Premises) -> None:
    _lay(shop, "people.csv", PEOPLE, at=1000)
    _lay(shop, "orders.csv", ORDERS, at=1000)
    pull(shop, None, NOW)
    (shop.home / "people.csv").unlink()

    for _ in range(3):
        assert changed_sources(shop, LATER) == []

    failures = [row for row in Desk(shop, shop.home).all(ImportRun, "source", "good", "what") if row[0] == "people"]
    assert failures == [("people", False, "customers"), ("people", True, "customers")]


def _count(shop: Premises) -> int:
    return len(Desk(shop, shop.home).all(Customer, "id"))
