from __future__ import annotations

import pytest

from engine.domain.addresses import canonical
from engine.domain.words import Reason
from engine.store import suppressions
from engine.store.suppression_log import SuppressionLog
from engine.store.tables import ConsentEvent, Suppression
from tests.steps.desk import Desk

HEADER = "email,state,at,kinds,wording,requested_at,source,proof\n"
PROVEN = (
    "anna@example.com,confirmed,2026-01-05T12:00:00Z,birthday;winback,newsletter-2015,2026-01-05T11:00:00Z,web,f00d\n"
)


def test_a_confirmed_consent_with_all_its_proof_is_proven(desk: Desk) -> None:
    report = desk.bring("consents", HEADER + PROVEN)

    assert (report.created, report.warnings) == (1, ())
    [(state, kinds, wording, proven)] = desk.all(ConsentEvent, "state", "kinds", "wording", "proven")
    assert (state, kinds, wording, proven) == ("confirmed", ";birthday;winback;", "newsletter-2015", True)


def test_the_same_consents_again_add_nothing(desk: Desk) -> None:
    text = HEADER + PROVEN + "anna@example.com,claimed,,,,,,\nanna@example.com,withdrawn,,,,,reply,\n"
    desk.bring("consents", text)
    log = SuppressionLog.beside(desk.shop.database, desk.shop.home)
    before = list(log.read())

    report = desk.bring("consents", text)

    assert (report.created, report.updated, report.unchanged) == (0, 0, 3)
    assert list(log.read()) == before
    assert len(before) == 1


@pytest.mark.parametrize(
    "row",
    [
        "anna@example.com,ja,,,,,,\n",
        "anna@example.com,claimed,2026-01-05T12:00:00Z,birthday,newsletter-2015,2026-01-05T11:00:00Z,web,f00d\n",
        "anna@example.com,confirmed,,birthday,newsletter-2015,2026-01-05T11:00:00Z,web,f00d\n",
        "anna@example.com,confirmed,2026-01-05T12:00:00Z,birthday,newsletter-2015,,web,f00d\n",
        "anna@example.com,confirmed,2026-01-05T12:00:00Z,birthday,newsletter-2015,2026-01-05T11:00:00Z,,f00d\n",
        "anna@example.com,confirmed,2026-01-05T12:00:00Z,birthday,newsletter-2015,2026-01-05T11:00:00Z,web,\n",
        "anna@example.com,confirmed,2026-01-05T12:00:00Z,birthday,unheard-of,2026-01-05T11:00:00Z,web,f00d\n",
        "anna@example.com,confirmed,2026-01-05T12:00:00Z,,newsletter-2015,2026-01-05T11:00:00Z,web,f00d\n",
        "anna@example.com,confirmed,2026-01-05T12:00:00Z,vip_offer,newsletter-2015,2026-01-05T11:00:00Z,web,f00d\n",
        "anna@example.com,confirmed,2026-01-05T12:00:00Z,birthday,newsletter-2015,2026-01-06T11:00:00Z,web,f00d\n",
    ],
)
def test_row_20_a_consent_that_lacks_any_proof_permits_nothing_and_is_listed(desk: Desk, row: str) -> None:
    report = desk.bring("consents", HEADER + row)

    assert desk.all(ConsentEvent, "proven") == [(False,)]
    assert any("1 consents are kept without proof and permit nothing (rows 2)" in said for said in report.warnings)


def test_an_import_never_widens_a_consent_beyond_its_wording(desk: Desk) -> None:
    wider = PROVEN.replace("birthday;winback", "birthday;vip_offer")

    report = desk.bring("consents", HEADER + wider)

    assert desk.all(ConsentEvent, "kinds", "proven") == [(";birthday;", True)]
    assert any("name kinds that their wording does not" in said for said in report.warnings)


def test_a_withdrawal_of_something_unknown_takes_everything_back(desk: Desk) -> None:
    desk.bring("consents", HEADER + "anna@example.com,withdrawn,2026-03-01T10:00:00Z,werbung,,,reply,\n")

    assert desk.all(ConsentEvent, "state", "kinds") == [("withdrawn", "")]


def test_imported_suppressions_stand_and_come_only_once(desk: Desk) -> None:
    text = "email,reason,at\nMax@example.com,,\nmin@example.com,objection,2026-02-01T10:00:00Z\n"

    first, second = desk.bring("suppressions", text), desk.bring("suppressions", text)

    assert (first.created, second.created, second.unchanged) == (2, 0, 2)
    with desk.shop.database.read() as session:
        found = {(row.reason, row.scope) for row in suppressions.listing(session)}
    assert found == {(Reason.SUPPRESSED, "all"), (Reason.OBJECTION, "advertising")}


def test_a_suppression_twice_in_one_file_is_told(desk: Desk) -> None:
    report = desk.bring("suppressions", "email\nmax@example.com\nMAX@example.com\n")

    assert (report.created, report.refused) == (1, 1)


def test_an_objection_said_anew_on_a_list_counts_from_its_own_day(desk: Desk) -> None:
    head = "email,reason,at\n"
    desk.bring("suppressions", head + "anna@example.com,objection,2025-03-01T09:00:00Z\n")
    anew = head + "anna@example.com,objection,2026-06-01T09:00:00Z\n"
    first, second = desk.bring("suppressions", anew), desk.bring("suppressions", anew)
    assert (first.created, second.created, second.unchanged) == (1, 0, 1)
    with desk.shop.database.read() as session:
        assert {row.at.year for row in suppressions.listing(session)} == {2025, 2026}


def test_f6_a_list_may_say_that_it_is_about_advertising_only(desk: Desk) -> None:
    report = desk.bring("suppressions", "email,scope\na@example.com,advertising\nb@example.com,all\nc@example.com,x\n")
    assert (report.created, report.refused) == (2, 1)
    with desk.shop.database.read() as session:
        found = {(row.reason, row.scope) for row in suppressions.listing(session)}
    assert found == {(Reason.OBJECTION, "advertising"), (Reason.SUPPRESSED, "all")}


def test_f2_an_imported_no_is_found_under_the_other_form_of_the_address_as_well(desk: Desk) -> None:
    desk.bring("suppressions", "email,reason\nMax.Muster+Laden@googlemail.com,objection\n")
    with desk.shop.database.read() as session:
        marks = suppressions.address_marks(desk.shop.keyring, "maxmuster@gmail.com", canonical("maxmuster@gmail.com"))
        assert any(suppressions.blocks(session, marks).values())


def test_f3_a_consent_column_lifts_no_suppression(desk: Desk) -> None:
    desk.bring("suppressions", "email,reason,at\nanna@example.com,objection,2026-06-01T09:00:00Z\n")
    desk.bring("consents", HEADER + PROVEN)
    with desk.shop.database.read() as session:
        assert [row.reason for row in suppressions.listing(session)] == [Reason.OBJECTION]


def test_f1_nothing_of_an_imported_address_is_kept_in_plain_text(desk: Desk) -> None:
    desk.bring("suppressions", "email,reason\nhugo.niemand@example.com,objection\n")
    log = SuppressionLog.beside(desk.shop.database, desk.shop.home)
    assert b"niemand" not in log.path.read_bytes()
    assert [
        name for name in desk.all(Suppression, "exact_hash", "canonical_hash", "source") if "niemand" in str(name)
    ] == []
