from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

import pytest

from engine.domain.identity import customer_uid
from engine.domain.words import Reason
from engine.errors import TreuepostError
from engine.steps.suppressing import Ledger, block
from engine.store import addresses, purchases
from engine.store.suppression_log import SuppressionLog
from engine.store.tables import Address, ConsentEvent, Customer, CustomerAddress
from tests.people import NOW
from tests.steps.desk import Desk

HEADER = "customer_id,email,first_name,last_name,birthday,tags\n"
ANNA = "7,Anna@Example.com,Anna,Sommer,1985-12-31,VIP;Stamm\n"


def test_a_customer_is_stored_with_everything_the_file_gives(desk: Desk) -> None:
    report = desk.bring("customers", HEADER + ANNA)

    assert (report.read, report.created, report.updated, report.refused) == (1, 1, 0, 0)
    row = desk.customer("7")
    assert (row["first_name"], row["last_name"]) == ("Anna", "Sommer")
    assert (row["birth_md"], row["birth_year"], row["tags"]) == (1231, 1985, ";vip;stamm;")
    assert desk.email_of("7") == "Anna@example.com"
    assert row["uid"] == str(customer_uid(UUID(str(desk.shop.installation)), "7", None))


def test_the_same_file_again_changes_nothing(desk: Desk) -> None:
    desk.bring("customers", HEADER + ANNA + "8,,Ben,,,\n,carl@example.com,Carl,,,\n")
    before, version = desk.all(Customer, "id", "updated_at"), desk.data_version()

    report = desk.bring(
        "customers", HEADER + ANNA + "8,,Ben,,,\n,carl@example.com,Carl,,,\n", now=NOW + timedelta(days=1)
    )

    assert (report.created, report.updated, report.unchanged) == (0, 0, 3)
    assert desk.all(Customer, "id", "updated_at") == before
    assert desk.data_version() == version


def test_an_empty_cell_clears_and_an_absent_column_leaves(desk: Desk) -> None:
    desk.bring("customers", HEADER + ANNA)

    report = desk.bring("customers", "customer_id,last_name,birthday\n7,,\n")

    assert report.updated == 1
    row = desk.customer("7")
    assert (row["first_name"], row["last_name"], row["birth_md"], row["birth_year"]) == ("Anna", "", None, None)
    assert desk.email_of("7") == "Anna@example.com"


def test_an_empty_address_leaves_a_customer_without_one_but_remembers_it(desk: Desk) -> None:
    desk.bring("customers", HEADER + ANNA)

    desk.bring("customers", "customer_id,email\n7,\n")

    assert desk.email_of("7") is None
    assert len(desk.all(CustomerAddress, "address_id")) == 1


def test_a_changed_address_is_another_mailbox_and_no_consent_moves(desk: Desk) -> None:
    desk.bring("customers", HEADER + ANNA)
    desk.bring(
        "consents",
        "email,state,at,kinds,wording,requested_at,source,proof\n"
        "anna@example.com,confirmed,2026-01-05T12:00:00Z,birthday,newsletter-2015,2026-01-05T11:00:00Z,web,f00d\n",
    )
    old = desk.customer("7")["address_id"]

    report = desk.bring("customers", "customer_id,email\n7,anna.sommer@example.com\n")

    assert report.updated == 1
    new = desk.customer("7")["address_id"]
    assert new != old
    assert {number for (number,) in desk.all(CustomerAddress, "address_id")} == {old, new}
    assert desk.all(ConsentEvent, "address_id") == [(old,)]


def test_a_customer_without_an_id_is_found_by_the_exact_address(desk: Desk) -> None:
    desk.bring("customers", "email,first_name\nMax@Example.com,Max\n")

    report = desk.bring("customers", "email,first_name\nmax@example.com,Maximilian\n")

    assert (report.created, report.updated) == (0, 1)
    assert desk.customer_at("max@example.com")["first_name"] == "Maximilian"
    assert desk.all(Address, "email") == [("Max@example.com",)]


def test_a_plus_tag_is_another_mailbox(desk: Desk) -> None:
    report = desk.bring("customers", "email\nmax@example.com\nmax+shop@example.com\n")

    assert report.created == 2


def test_a_customer_known_by_address_alone_is_given_the_id_and_keeps_the_uid(desk: Desk) -> None:
    desk.bring("customers", "email\nmax@example.com\n")
    uid = desk.customer_at("max@example.com")["uid"]

    report = desk.bring("customers", "customer_id,email\n12,max@example.com\n")

    assert (report.created, report.updated) == (0, 1)
    assert desk.customer("12")["uid"] == uid


def test_row_18_an_address_twice_in_other_case_is_refused_and_both_rows_are_named(desk: Desk) -> None:
    report = desk.bring("customers", "email,first_name\nmax@example.com,Max\nMAX@example.com,Moritz\n")

    assert (report.created, report.refused) == (1, 1)
    [(row, field, reason)] = desk.refused(report)
    assert (row, field) == (3, "email")
    assert "row 2 has the same address (upper and lower case do not count)" in reason
    assert desk.customer_at("max@example.com")["first_name"] == "Max"


def test_twins_at_one_address_are_two_customers_and_are_told(desk: Desk) -> None:
    report = desk.bring("customers", "customer_id,email\n1,wir@example.com\n2,WIR@example.com\n")

    assert (report.created, report.refused) == (2, 0)
    assert desk.customer("1")["address_id"] == desk.customer("2")["address_id"]
    assert any("share their address" in warning and "2/3" in warning for warning in report.warnings)


def test_one_customer_id_twice_is_refused_with_the_row_that_was_taken(desk: Desk) -> None:
    report = desk.bring("customers", "customer_id,email\n1,a@example.com\n1,b@example.com\n")

    assert (report.created, report.refused) == (1, 1)
    assert desk.refused(report) == [(3, "customer_id", "row 2 has the same customer_id and was taken")]


@pytest.mark.parametrize(
    ("stored", "row", "sentence"),
    [
        ("1,wir@example.com\n2,wir@example.com\n", ",wir@example.com\n", "2 customers share this address"),
        ("1,a@example.com\n,b@example.com\n", "1,b@example.com\n", "matches two customers"),
    ],
)
def test_two_matches_are_refused(desk: Desk, stored: str, row: str, sentence: str) -> None:
    desk.bring("customers", "customer_id,email\n" + stored)
    before = desk.all(Customer, "customer_id", "address_id")

    report = desk.bring("customers", "customer_id,email\n" + row)

    assert (report.created, report.updated, report.refused) == (0, 0, 1)
    assert sentence in desk.refused(report)[0][2]
    assert desk.all(Customer, "customer_id", "address_id") == before


def test_two_rows_that_mean_one_stored_customer_do_not_both_count(desk: Desk) -> None:
    desk.bring("customers", "customer_id,email\n1,old@example.com\n")

    report = desk.bring("customers", "customer_id,email\n1,new@example.com\n,old@example.com\n")

    assert (report.updated, report.refused) == (1, 1)
    assert "row 2 means the same customer" in desk.refused(report)[0][2]


def test_row_19_only_the_named_columns_change_and_consent_is_never_widened(desk: Desk) -> None:
    header = "email,state,at,kinds,wording,requested_at,source,proof\n"
    desk.bring("customers", HEADER + ANNA)
    desk.bring("consents", header + "anna@example.com,withdrawn,2026-03-01T10:00:00Z,,,,reply,\n")

    desk.bring("customers", "customer_id,first_name\n7,Anne\n")
    report = desk.bring("consents", header + "anna@example.com,claimed,,birthday,newsletter-2015,,,\n")

    assert (desk.customer("7")["first_name"], desk.customer("7")["last_name"]) == ("Anne", "Sommer")
    assert report.created == 1
    assert sorted(desk.all(ConsentEvent, "state", "proven")) == [("claimed", False), ("withdrawn", False)]


def test_row_21_a_suppressed_address_imported_again_stays_suppressed_and_is_listed(desk: Desk) -> None:
    shop = desk.shop
    ledger = Ledger(shop.keyring, SuppressionLog.beside(shop.database, shop.home))
    with shop.database.write() as session:
        block(session, ledger, ["gone@example.com"], Reason.ERASED, "erased", NOW)

    report = desk.bring("customers", "customer_id,email\n1,here@example.com\n2,Gone@example.com\n")

    assert report.created == 2
    assert any("1 rows have an address that is suppressed (rows 3)" in warning for warning in report.warnings)
    with shop.database.write() as session:
        numbers = addresses.find(session, ["gone@example.com"])
        again = block(session, ledger, ["here@example.com"], Reason.SUPPRESSED, "owner", NOW)
    assert len(numbers) == 1
    assert again == 1


def _many(ids: range) -> str:
    return "customer_id,email\n" + "".join(f"{number},k{number}@example.com\n" for number in ids)


def test_a_complete_list_marks_the_missing_and_unmarks_those_who_return(desk: Desk) -> None:
    desk.bring("customers", _many(range(1, 41)))

    report = desk.bring("customers", _many(range(1, 40)), complete=True)

    assert (report.updated, desk.customer("40")["not_in_source"], desk.customer("1")["not_in_source"]) == (
        1,
        True,
        False,
    )
    assert any("1 customers are not in this complete list" in warning for warning in report.warnings)
    assert desk.bring("customers", _many(range(1, 40)), complete=True).updated == 0

    back = desk.bring("customers", _many(range(1, 41)), complete=True)
    assert (back.updated, desk.customer("40")["not_in_source"]) == (1, False)


def test_a_complete_list_that_loses_more_than_five_in_a_hundred_needs_a_yes(desk: Desk) -> None:
    desk.bring("customers", _many(range(1, 41)))

    with pytest.raises(TreuepostError, match="3 of 40 customers are missing"):
        desk.bring("customers", _many(range(1, 38)) + "99,new@example.com\n", complete=True)
    assert len(desk.all(Customer, "id")) == 40

    assert desk.bring("customers", _many(range(1, 38)), complete=True, yes=True).updated == 3


def test_a_customer_whose_row_is_refused_is_not_taken_for_gone(desk: Desk) -> None:
    desk.bring("customers", _many(range(1, 41)))

    report = desk.bring("customers", _many(range(1, 40)) + "40,not an address\n", complete=True)

    assert (report.refused, report.updated) == (1, 0)
    assert desk.customer("40")["not_in_source"] is False


def test_another_time_zone_moves_the_days_of_the_purchases(desk: Desk) -> None:
    desk.bring("customers", "customer_id,email\n1,a@example.com\n")
    desk.bring("purchases", "purchase_id,customer_id,purchased_at\nP1,1,2026-05-01T23:30:00+02:00\n")
    assert desk.purchase("P1")["local_on"] == date(2026, 5, 1)

    desk.bring("customers", "customer_id,timezone\n1,Pacific/Auckland\n")

    assert desk.purchase("P1")["local_on"] == date(2026, 5, 2)
    assert desk.customer("1")["last_purchase_on"] == date(2026, 5, 2)


def test_an_import_never_touches_the_figures_of_purchases(desk: Desk) -> None:
    desk.bring("customers", HEADER + ANNA)
    desk.bring("purchases", "purchase_id,customer_id,purchased_at\nP1,7,2026-05-01\n")

    desk.bring("customers", "customer_id,first_name\n7,Anne\n")

    row = desk.customer("7")
    assert (row["purchase_count"], row["last_purchase_id"]) == (1, "P1")
    with desk.shop.database.write() as session:
        purchases.count_again(session, [row["id"]])
    assert desk.customer("7")["purchase_count"] == 1
