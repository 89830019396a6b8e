"""Access and portability: everything about one person, and nothing about anybody else."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest

from engine.app import App
from engine.cli.output import plain
from engine.errors import NothingFound, UsageError
from engine.rendering.dossier import Page
from engine.rendering.labels import LABELS
from engine.steps import subscribing
from engine.steps.privacy import correcting, processing, rights, subjects
from engine.store.lawful_tables import PrivacyEvent
from engine.store.tables import Customer
from tests.conftest import MakeApp
from tests.people import NOW, add_consent, add_customer, add_purchase, add_service_item
from tests.steps.sending_shop import BIRTHDAY, rows, tick

SHARED = "familie@example.com"


@pytest.fixture
def app(make_app: MakeApp) -> App:
    """Give a shop where Anna and Bernd share an address, and Anna was mailed."""
    app = make_app(campaigns={"birthday": BIRTHDAY})
    with app.database.write() as session:
        anna = add_customer(
            session, "1", SHARED, first_name="Anna", last_name="Röschen", birthday=date(1980, 11, 23), tags=("vip",)
        )
        add_consent(session, anna)
        add_purchase(session, anna, "A-1", NOW - timedelta(days=30), items=";Hollandrad;", categories=";bikes;")
        add_service_item(session, anna, "T-1", date(2027, 3, 1))
        bernd = add_customer(session, "2", SHARED, first_name="Bernd", last_name="Blume", birthday=date(1975, 11, 23))
        add_consent(session, bernd, at=NOW - timedelta(days=20))
        add_purchase(session, bernd, "B-1", NOW - timedelta(days=3), items=";Geschenk;")
        add_service_item(session, bernd, "T-2", date(2027, 3, 1), name="Bernds Therme")
    tick(app)
    return app


def told(app: App, who: str) -> str:
    document = rights.access(app, subjects.find(app, who), NOW)
    return json.dumps(document, ensure_ascii=False, default=plain)


def test_everything_about_the_person_is_told(app: App) -> None:
    document = rights.access(app, subjects.find(app, "1"), NOW)
    (person,) = document["persons"]
    assert person["profile"]["birthday"] == "1980-11-23"
    assert person["profile"]["tags"] == ["vip"]
    assert [row["items"] for row in person["purchases"]] == [["Hollandrad"]]
    assert [row["service_item_id"] for row in person["service_items"]] == ["T-1"]
    assert person["figures"] == {
        "last_purchase_on": NOW.date() - timedelta(days=30),
        "purchase_count": 1,
        "usual_days": None,
    }
    (said,) = person["consents"]
    assert (said["state"], said["wording"], said["proven"]) == ("confirmed", "newsletter-2015", True)
    assert "jederzeit beenden" in person["wordings"][0]["text"]
    (mail,) = person["mails"]
    assert (mail["basis"], mail["subject"], mail["recipient"]) == ("consent", "Alles Gute, Anna!", SHARED)
    assert "alles Gute" in mail["text"]
    assert [event["what"] for event in mail["events"]][-1] == "sent"


@pytest.mark.parametrize(
    "part", ["controller", "logic", "purposes", "recipients", "terms", "rights", "sources", "remarks"]
)
def test_what_the_law_asks_for_besides_is_there(app: App, part: str) -> None:
    assert part in rights.access(app, subjects.find(app, "1"), NOW)


GIVEN_OR_KEPT = {
    *("id", "uid", "customer_id", "address_id", "first_name", "last_name", "salutation", "company", "birth_md"),
    *("birth_year", "language", "address_form", "timezone", "country", "customer_since", "tags", "last_purchase_id"),
    *("not_in_source", "restricted_at", "parents_agreed_at", "erased_at", "updated_at"),
}
"""What of a customer's row was given, or says where it comes from: nothing of it is worked out about the person."""


def test_g7_every_figure_that_is_worked_out_is_explained_and_none_is_a_score(app: App) -> None:
    figures = {column.name for column in Customer.__table__.columns} - GIVEN_OR_KEPT  # type: ignore[attr-defined]
    document = rights.access(app, subjects.find(app, "1"), NOW)
    assert set(document["logic"]) == set(document["persons"][0]["figures"]) == figures
    assert figures == {"last_purchase_on", "purchase_count", "usual_days"}
    assert all(document["logic"].values())
    assert any("Art. 22" in said for said in document["rights"])
    assert any("übliche" in kind for kind in processing.record(app.config)["data_kinds"])


def test_nothing_of_who_shares_the_address_is_told(app: App) -> None:
    text = told(app, "1")
    for theirs in ("Bernd", "Blume", "B-1", "Geschenk", "T-2", "1975"):
        assert theirs not in text
    assert "Anna" not in told(app, "2")
    assert "geteilt" in text


def test_what_an_address_gets_at_the_door_is_everybody_who_is_there_now(app: App) -> None:
    document = rights.export_document(app, SHARED.upper(), NOW)
    assert document is not None
    assert [person["profile"]["first_name"] for person in document["persons"]] == ["Anna", "Bernd"]
    assert rights.export_document(app, "niemand@example.com", NOW) is None
    deeds = rows(app, PrivacyEvent.__table__)  # type: ignore[attr-defined]
    assert [(deed.operator, deed.action) for deed in deeds] == [("person", "export")] * 2


def test_an_old_address_opens_nothing_of_the_customer(app: App) -> None:
    correcting.correct(app, "1", {"email": "neu@example.com"}, "petra", NOW)
    document = rights.export_document(app, SHARED, NOW)
    assert document is not None
    assert [person["profile"]["first_name"] for person in document["persons"]] == ["Bernd"]


def test_a_block_is_listed_with_its_check_value(app: App) -> None:
    subscribing.object_from_any_channel(app, "1", "called", NOW)
    (person,) = rights.access(app, subjects.find(app, "1"), NOW)["persons"]
    assert {row["reason"] for row in person["suppressions"]} == {"objection"}
    assert all(len(row["check_value"]) == 64 for row in person["suppressions"])


def test_the_recipient_is_named_with_country_and_transfer(app: App) -> None:
    given = {"use": "postmark", "country": "US", "transfer": "SCC", "dpa_signed_at": date(2026, 10, 1)}
    provider = app.config.provider.model_copy(update=given)
    record = processing.record(
        app.config.placed(app.config.file, app.config.store).model_copy(update={"provider": provider})
    )
    (one,) = record["recipients"]
    assert (one["recipient"], one["country"], one["transfer"], one["agreement_of"]) == (
        *("Postmark", "US", "SCC"),
        date(2026, 10, 1),
    )


def test_portable_is_what_the_person_gave_and_nothing_we_made_of_it(app: App) -> None:
    document = rights.portable(app, subjects.find(app, "1"), NOW)
    assert set(document) == {"made_at", "profile", "purchases", "service_items", "visits", "consents"}
    assert "tags" not in document["profile"][0]
    assert "usual_days" not in json.dumps(document, default=plain)
    assert document["purchases"][0]["purchase_id"] == "A-1"


def test_the_page_needs_nothing_else_and_runs_nothing(app: App) -> None:
    with app.database.write() as session:
        evil = add_customer(
            session, "3", "x@example.com", first_name="<script>alert(1)</script>", last_name='"><img src=x>'
        )
        assert evil.id
    document = rights.access(app, subjects.find(app, "3"), NOW)
    page = Page("de", app.config.shop.zone).render("What we know of you", document)
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page
    assert "http-equiv" not in page
    assert '<html lang="de">' in page
    assert "Was wir über Sie wissen" in page
    assert "What we know of you" in Page("en", app.config.shop.zone).render("What we know of you", document)


def test_every_field_of_a_document_has_a_name_people_read(app: App) -> None:
    document = rights.access(app, subjects.find(app, "1"), NOW) | processing.record(app.config)
    assert {name for name in _names(document) if name not in LABELS} == set()


def test_a_person_is_not_told_which_machine_sent(app: App) -> None:
    tick(app)
    document = rights.access(app, subjects.find(app, "1"), NOW)
    senders = {event["by"] for mail in document["persons"][0]["mails"] for event in mail["events"]}
    assert senders == {"planner", "worker"}


def _names(value: object) -> set[str]:
    if isinstance(value, dict):
        return {str(key) for key in value} | {name for one in value.values() for name in _names(one)}
    if isinstance(value, list):
        return {name for one in value for name in _names(one)}
    return set()


def test_a_correction_is_written_noted_and_asks_for_consent_anew(app: App) -> None:
    done = correcting.correct(app, "1", {"last_name": "Meyer", "email": "anna@neu.example.com"}, "petra", NOW)
    assert (done.changed, done.new_address) == (True, True)
    (person,) = rights.access(app, subjects.find(app, "1"), NOW)["persons"]
    assert (person["profile"]["last_name"], person["profile"]["email"]) == ("Meyer", "anna@neu.example.com")
    (deed,) = rows(app, PrivacyEvent.__table__)  # type: ignore[attr-defined]
    assert (deed.operator, deed.action, deed.detail) == ("petra", "correct", "email last_name")


@pytest.mark.parametrize(
    "given",
    [{"nickname": "x"}, {"email": "no address"}, {"birthday": "1.13.80"}, {"timezone": "Mars/Base"}, {}, {"uid": "1"}],
)
def test_a_correction_that_cannot_be_is_refused_whole(app: App, given: dict[str, str]) -> None:
    before = told(app, "1")
    with pytest.raises(UsageError):
        correcting.correct(app, "1", {"last_name": "Meyer"} | given if given else {}, "petra", NOW)
    assert told(app, "1") == before


def test_two_at_one_address_must_be_named_by_number(app: App) -> None:
    with pytest.raises(UsageError, match="the address of 2 customers"):
        subjects.find(app, SHARED)


def test_a_restriction_is_marked_and_lifted(app: App) -> None:
    correcting.restrict(app, "1", "Anna disputes the amount", "petra", NOW)
    assert rights.access(app, subjects.find(app, "1"), NOW)["persons"][0]["profile"]["restricted_at"] == NOW
    correcting.unrestrict(app, "1", "petra", NOW)
    assert rights.access(app, subjects.find(app, "1"), NOW)["persons"][0]["profile"]["restricted_at"] is None
    deeds = rows(app, PrivacyEvent.__table__)  # type: ignore[attr-defined]
    assert [(deed.action, deed.detail) for deed in deeds] == [
        ("restrict", "*** disputes the amount"),
        ("lift_restriction", ""),
    ]


def test_a_case_is_lifted_by_its_reference(app: App) -> None:
    correcting.hold(app, "1", "Az 1", "petra", NOW)
    correcting.hold(app, "1", "Az 2", "petra", NOW)
    assert correcting.release(app, "1", "Az 1", "petra", NOW) == ["Az 1"]
    assert correcting.release(app, "1", "", "petra", NOW) == ["Az 2"]
    with pytest.raises(NothingFound):
        correcting.release(app, "1", "", "petra", NOW)


def test_a_bare_address_can_be_held_and_is_found_by_its_hash(app: App) -> None:
    with app.database.write() as session:
        from tests.people import add_address

        add_address(session, "frei@example.org")
    correcting.hold(app, "frei@example.org", "Az 3", "petra", NOW)
    with app.database.read() as session:
        assert subjects.holds_of(session, app.keyring, subjects.find(app, "FREI@example.org"))
