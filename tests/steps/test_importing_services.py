from __future__ import annotations

from datetime import date, timedelta

import pytest

from engine.store.tables import Visit
from tests.people import NOW
from tests.steps.desk import Desk

ITEMS = "service_item_id,customer_id,name,item_type,last_service_on,interval,next_service_on,booked_for\n"
VISITS = "visit_id,service_item_id,done_on,next_service_on\n"


@pytest.fixture
def boilers(desk: Desk) -> Desk:
    """Give a desk with one customer."""
    desk.bring("customers", "customer_id,email\n1,a@example.com\n")
    return desk


def _state(desk: Desk, item: str = "B1") -> tuple[date | None, int]:
    row = desk.item(item)
    return row["due_on"], row["cycle"]


def _service(desk: Desk, last: str, following: str = "", interval: str = "12 months", booked: str = "") -> int:
    return desk.bring("service-items", ITEMS + f"B1,1,Therme,Heating,{last},{interval},{following},{booked}\n").updated


def test_an_item_is_due_one_interval_after_the_last_service(boilers: Desk) -> None:
    _service(boilers, "2025-12-01")

    assert _state(boilers) == (date(2026, 12, 1), 1)
    assert boilers.item("B1")["item_type"] == "heating"


def test_a_date_given_by_the_shop_counts_before_the_interval(boilers: Desk) -> None:
    _service(boilers, "2025-12-01", "2026-11-20")

    assert _state(boilers) == (date(2026, 11, 20), 1)


def test_the_same_items_again_change_nothing(boilers: Desk) -> None:
    _service(boilers, "2025-12-01", booked="2026-12-03")

    assert _service(boilers, "2025-12-01", booked="2026-12-03") == 0


@pytest.mark.parametrize(
    ("interval", "before", "after", "cycle"),
    [
        ("12 months", "2026-12-01", "2027-06-01", 1),
        ("12 months", "2026-12-01", "2027-06-02", 2),
        ("12 months", "2026-12-01", "2026-01-01", 1),
        ("10 days", "2026-12-01", "2026-12-05", 1),
        ("10 days", "2026-12-01", "2026-12-06", 2),
        ("", "2026-12-01", "2027-01-29", 1),
        ("", "2026-12-01", "2027-01-30", 2),
    ],
)
def test_a_small_move_is_a_correction_and_a_large_one_the_next_service(
    boilers: Desk, interval: str, before: str, after: str, cycle: int
) -> None:
    _service(boilers, "", before, interval)

    _service(boilers, "", after, interval)

    assert _state(boilers) == (date.fromisoformat(after), cycle)


def test_a_date_that_was_emptied_and_set_anew_is_compared_with_the_old_one(boilers: Desk) -> None:
    _service(boilers, "", "2026-12-01", "")
    _service(boilers, "", "", "")
    assert _state(boilers) == (None, 1)

    _service(boilers, "", "2027-12-01", "")

    assert _state(boilers) == (date(2027, 12, 1), 2)


def test_a_visit_begins_the_next_cycle_and_ends_the_booking(boilers: Desk) -> None:
    _service(boilers, "2025-11-20", booked="2026-11-20")

    report = boilers.bring("visits", VISITS + "V1,B1,2026-11-20,\n")

    assert report.created == 1
    assert _state(boilers) == (date(2027, 11, 20), 2)
    assert (boilers.item("B1")["last_service_on"], boilers.item("B1")["booked_for"]) == (date(2026, 11, 20), None)


def test_the_same_visit_again_changes_nothing(boilers: Desk) -> None:
    _service(boilers, "2025-11-20")
    boilers.bring("visits", VISITS + "V1,B1,2026-11-20,\n")

    report = boilers.bring("visits", VISITS + "V1,B1,2026-11-20,\n", now=NOW + timedelta(days=1))

    assert (report.created, report.updated, report.unchanged) == (0, 0, 1)
    assert _state(boilers) == (date(2027, 11, 20), 2)


def test_a_visit_older_than_the_last_service_is_kept_and_changes_nothing(boilers: Desk) -> None:
    _service(boilers, "2025-11-20")

    boilers.bring("visits", VISITS + "V0,B1,2024-11-18,\nV1,B1,2025-11-20,\n")

    assert _state(boilers) == (date(2026, 11, 20), 1)
    assert len(boilers.all(Visit, "id")) == 2


def test_an_older_list_does_not_take_back_what_a_visit_has_done(boilers: Desk) -> None:
    _service(boilers, "2025-11-20", "2026-11-20", booked="2026-11-19")
    boilers.bring("visits", VISITS + "V1,B1,2026-11-19,\n")

    assert _service(boilers, "2025-11-20", "2026-11-20", booked="2026-11-19") == 0

    assert _state(boilers) == (date(2027, 11, 19), 2)
    assert boilers.item("B1")["booked_for"] is None


def test_a_corrected_visit_moves_the_date_and_not_the_cycle(boilers: Desk) -> None:
    _service(boilers, "2025-11-20")
    boilers.bring("visits", VISITS + "V1,B1,2026-11-20,\n")

    report = boilers.bring("visits", VISITS + "V1,B1,2026-11-18,2027-10-01\n")

    assert report.updated == 1
    assert _state(boilers) == (date(2027, 10, 1), 2)


def test_rows_for_somebody_or_something_unknown_are_refused(boilers: Desk) -> None:
    items = boilers.bring("service-items", ITEMS + "B9,99,Therme,heating,2025-11-20,12 months,,\n")
    visits = boilers.bring("visits", VISITS + "V1,B9,2026-11-20,\n")

    assert (items.refused, visits.refused) == (1, 1)


def test_a_word_is_no_contract_number_and_its_row_is_named(desk: Desk) -> None:
    desk.bring("customers", "customer_id,email\n1,a@example.com\n")
    text = "service_item_id,customer_id,contract_ref\nB1,1,W-17\nB2,1,Ja\nB3,1,\n"
    report = desk.bring("service-items", text)
    assert report.created == 3
    (warning,) = report.warnings
    assert "1 service items have a contract_ref that is none" in warning
    assert "(rows 3)" in warning
