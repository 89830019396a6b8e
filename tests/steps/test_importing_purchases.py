from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from engine.sources.options import ReadOptions
from engine.steps.importing.files import import_file
from engine.store import imports
from engine.store.database import Database
from engine.store.tables import Customer, Purchase
from tests.people import NOW
from tests.steps.desk import Desk

HEADER = "purchase_id,customer_id,purchased_at,amount,status,categories,items\n"
PEOPLE = "customer_id,email,timezone\n1,a@example.com,\n2,b@example.com,Pacific/Auckland\n3,b@example.com,\n"


@pytest.fixture
def people(desk: Desk) -> Desk:
    """Give a desk with three customers, two of them at one address."""
    desk.bring("customers", PEOPLE)
    return desk


def _figures(desk: Desk, customer_id: str = "1") -> tuple[object, ...]:
    row = desk.customer(customer_id)
    return row["last_purchase_on"], row["last_purchase_id"], row["purchase_count"], row["usual_days"]


def test_a_purchase_is_stored_with_the_customers_own_day(people: Desk) -> None:
    report = people.bring("purchases", HEADER + "P1,2,2026-05-01T12:30:00Z,19.90,,Bikes.Road;Helme,Rennrad Rot;Helm\n")

    assert (report.created, report.refused) == (1, 0)
    row = people.purchase("P1")
    assert (row["local_on"], row["purchased_at"]) == (date(2026, 5, 2), datetime(2026, 5, 1, 12, 30, tzinfo=UTC))
    assert (row["amount_minor"], row["currency"], row["status"]) == (1990, "EUR", "concluded")
    assert (row["categories"], row["items"]) == (";bikes.road;helme;", ";Rennrad Rot;Helm;")
    assert _figures(people, "2") == (date(2026, 5, 2), "P1", 1, None)


def test_the_same_purchases_again_change_nothing(people: Desk) -> None:
    text = HEADER + "P1,1,2026-05-01,19.90,,bikes,\nP2,1,2026-06-01,5,cancelled,,\n"
    people.bring("purchases", text)
    version = people.data_version()

    report = people.bring("purchases", text, now=NOW + timedelta(days=3))

    assert (report.created, report.updated, report.unchanged) == (0, 0, 2)
    assert people.data_version() == version


def test_a_cancelled_purchase_leaves_the_figures(people: Desk) -> None:
    people.bring("purchases", HEADER + "P1,1,2026-05-01,,,,\nP2,1,2026-06-01,,,,\n")
    assert _figures(people) == (date(2026, 6, 1), "P2", 2, None)

    report = people.bring("purchases", "purchase_id,customer_id,purchased_at,status\nP2,1,2026-06-01,returned\n")

    assert report.updated == 1
    assert _figures(people) == (date(2026, 5, 1), "P1", 1, None)


def test_the_last_cancellation_leaves_no_last_purchase(people: Desk) -> None:
    people.bring("purchases", HEADER + "P1,1,2026-05-01,,,,\n")

    people.bring("purchases", HEADER + "P1,1,2026-05-01,,revoked,,\n")

    assert _figures(people) == (None, None, 0, None)


def test_the_usual_interval_is_the_median_gap_between_days_rounded_up(people: Desk) -> None:
    days = ["2026-01-01", "2026-01-01", "2026-01-11", "2026-02-10", "2026-02-15", "2026-03-06"]
    rows = "".join(f"P{index},1,{day},,,,\n" for index, day in enumerate(days))

    people.bring("purchases", HEADER + rows)

    # Gaps between distinct days: 10, 30, 5, 19; their median is 14.5.
    assert _figures(people) == (date(2026, 3, 6), "P5", 6, 15)


@pytest.mark.parametrize(
    ("days", "usual"), [(["2026-01-01", "2026-01-11"], None), (["2026-01-01", "2026-01-11", "2026-01-31"], 15)]
)
def test_the_usual_interval_needs_two_gaps(people: Desk, days: list[str], usual: int | None) -> None:
    people.bring("purchases", HEADER + "".join(f"P{index},1,{day},,,,\n" for index, day in enumerate(days)))

    assert people.customer("1")["usual_days"] == usual


def test_of_two_purchases_at_one_instant_the_greater_id_is_the_last(people: Desk) -> None:
    people.bring("purchases", HEADER + "P9,1,2026-05-01,,,,\nP10,1,2026-05-01,,,,\n")

    assert people.customer("1")["last_purchase_id"] == "P9"


def test_a_purchase_that_goes_to_another_customer_counts_there(people: Desk) -> None:
    people.bring("purchases", HEADER + "P1,1,2026-05-01,,,,\n")

    people.bring("purchases", HEADER + "P1,3,2026-05-01,,,,\n")

    assert _figures(people)[2] == 0
    assert _figures(people, "3")[2] == 1


@pytest.mark.parametrize(
    ("row", "field", "sentence"),
    [
        ("P1,99,2026-05-01,,,,\n", "customer_id", "no customer has this id"),
        ("P1,1,2027-05-01,,,,\n", "purchased_at", "future"),
    ],
)
def test_a_row_that_cannot_be_is_refused_alone(people: Desk, row: str, field: str, sentence: str) -> None:
    report = people.bring("purchases", HEADER + row + "P2,1,2026-05-01,,,,\n")

    assert (report.created, report.refused) == (1, 1)
    [(line, named, reason)] = people.refused(report)
    assert (line, named) == (2, field)
    assert sentence in reason


def test_purchases_by_address_find_the_customer_and_never_make_one(people: Desk) -> None:
    rows = "P1,A@Example.com,2026-05-01\nP2,new@example.com,2026-05-01\nP3,b@example.com,2026-05-01\n"
    text = "purchase_id,email,purchased_at\n" + rows

    report = people.bring("purchases", text)

    assert (report.created, report.refused) == (1, 2)
    reasons = [reason for _, _, reason in people.refused(report)]
    assert "no customer has this address" in reasons[0]
    assert "2 customers share this address" in reasons[1]
    assert len(people.all(Customer, "id")) == 3


def test_a_purchase_twice_in_one_file_counts_once(people: Desk) -> None:
    report = people.bring("purchases", HEADER + "P1,1,2026-05-01,1,,,\nP1,1,2026-05-02,2,,,\n")

    assert (report.created, report.refused) == (1, 1)
    assert people.refused(report) == [(3, "purchase_id", "row 2 has the same purchase_id and was taken")]
    assert people.purchase("P1")["amount_minor"] == 100


def test_figures_an_import_left_behind_when_it_died_are_mended_by_the_next(people: Desk, database: Database) -> None:
    people.bring("purchases", HEADER + "P1,1,2026-05-01,,,,\n")
    with database.write() as session:
        imports.begin(session, "purchases", "", "killed.csv", NOW)
        session.execute(sa.update(Purchase.__table__).values(status="cancelled"))  # type: ignore[attr-defined]

    report = people.bring("purchases", HEADER + "P2,2,2026-05-01,,,,\n")

    assert report.created == 1
    assert _figures(people) == (None, None, 0, None)
    with database.read() as session:
        assert imports.cut_short(session, "purchases") == []


def test_many_purchases_are_written_in_batches_and_all_count(people: Desk) -> None:
    start = date(2020, 1, 1)
    rows = "".join(f"P{n},{1 + n % 3},{start + timedelta(days=n)},{n},,,\n" for n in range(1700))
    seen: list[int] = []
    report = import_file(people.shop, "purchases", people.lay(HEADER + rows), ReadOptions(), NOW, progress=seen.append)

    assert (report.created, sum(seen)) == (1700, 3400)
    assert [people.customer(str(n))["purchase_count"] for n in (1, 2, 3)] == [567, 567, 566]
    assert people.customer("1")["usual_days"] == 3
