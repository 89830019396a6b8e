"""`treuepost stop`, `consent`, `suppress` and `reach`, as they are typed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.clock import system_clock
from tests.cli.typed import document, make_folder, opened, typed
from tests.people import add_consent, add_customer, add_service_item

AGREED = system_clock() - timedelta(days=100)
"""The commands go by the machine's clock, and a consent that is not used lapses."""

SERVICE = """
id = "service"
name = "Wartung"
kind = "contract_appointment"
[trigger]
on = "service_due"
item_types = ["heating"]
[[step]]
id = "first"
when = "30 days before"
subject = "Wartung"
body = "{{ greeting }}"
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a shop with three customers: Anna agreed, Ben did nothing, Cleo has a contract and no address."""
    folder = tmp_path / "laden"
    make_folder(folder)
    with opened(folder) as session:
        anna = add_customer(session, "1", "anna@example.com", first_name="Anna", last_name="Meyer")
        add_consent(session, anna, at=AGREED)
        add_customer(session, "2", "ben@example.com", first_name="Ben", last_name="Meyer")
        cleo = add_customer(session, "3", None, first_name="Cleo")
        add_service_item(session, cleo, "T-1", datetime(2026, 1, 1, tzinfo=UTC).date(), contract_ref="W-1")
    return folder


def test_stop_is_answered_in_words_and_counts_at_once(home: Path) -> None:
    result = typed(home, "stop", "Anna Meyer", "--because", "called")
    assert result.exit_code == 0, result.output
    assert "Anna Meyer bekommt ab sofort keine Werbung mehr." in result.stdout
    assert "a***@example.com" in result.stdout
    assert "anna@" not in result.stdout
    assert document(home, "reach", "birthday") == {
        "campaign": "birthday", "customers": 3, "permitted": {},
        "refused": {"objection": 1, "no_consent": 1, "no_address": 1},
    }  # fmt: skip


def test_stop_needs_to_know_how_it_was_said(home: Path) -> None:
    assert typed(home, "stop", "Anna Meyer").exit_code == 2


def test_stop_tells_a_machine_what_it_did(home: Path) -> None:
    assert document(home, "stop", "1", "--because", "letter") == {
        "who": "1", "known": True, "customers": ["1"], "emails": ["anna@example.com"], "skipped": 0, "under_way": 0,
    }  # fmt: skip


def test_stop_lists_namesakes_and_ends_with_2(home: Path) -> None:
    result = typed(home, "stop", "Meyer", "--because", "called")
    assert result.exit_code == 2
    assert "Anna Meyer" in result.stderr
    assert "Ben Meyer" in result.stderr
    assert document(home, "suppress", "list") == []


def test_stop_blocks_an_address_nobody_has(home: Path) -> None:
    result = typed(home, "stop", "fremd@example.com", "--because", "reply")
    assert result.exit_code == 0
    assert "auch wenn sie später eingelesen wird" in result.stdout
    assert [one["reason"] for one in document(home, "suppress", "list")] == ["objection"]  # type: ignore[attr-defined]


def test_stop_of_nobody_ends_with_7(home: Path) -> None:
    assert typed(home, "stop", "Frau Unbekannt", "--because", "called").exit_code == 7


def test_stop_is_heard_even_where_a_campaign_is_broken(home: Path) -> None:
    (home / "campaigns" / "broken.toml").write_text("id = \n", encoding="utf-8")
    assert typed(home, "reach").exit_code == 4
    assert typed(home, "stop", "1", "--because", "called").exit_code == 0


def test_consent_record_never_confirms(home: Path) -> None:
    result = typed(home, "consent", "record", "ben@example.com", "--state", "confirmed", "--source", "counter")
    assert result.exit_code == 2
    assert "only the customer can confirm" in result.stderr


def test_consent_record_notes_what_was_said_and_permits_nothing(home: Path) -> None:
    words = ("consent", "record", "ben@example.com", "--state", "requested", "--source", "form 17")
    words = (*words, "--wording", "newsletter-2015", "--at", "2024-05-01T10:00:00+02:00", "--note", "green pen")
    result = typed(home, *words)
    assert result.exit_code == 0, result.output
    assert "erlaubt keine Mail" in result.stdout
    assert document(home, *words) == {
        "email": "ben@example.com", "state": "requested", "at": "2024-05-01T08:00:00Z", "new": False,
    }  # fmt: skip
    shown = document(home, "consent", "show", "2")
    assert isinstance(shown, dict)
    assert [(one["state"], one["source"], one["proof"]) for one in shown["events"]] == [
        ("requested", "form 17", "green pen")
    ]
    assert shown["kinds"]["birthday"]["reason"] == "not_confirmed"


@pytest.mark.parametrize(
    "words",
    [
        ("--state", "requested", "--source", "x", "--at", "2999-01-01T00:00:00Z"),
        ("--state", "requested", "--source", "x", "--at", "yesterday"),
        ("--state", "agreed", "--source", "x"),
        ("--state", "claimed", "--source", "x", "--wording", "lost"),
        ("--state", "claimed"),
    ],
)
def test_consent_record_refuses_what_it_cannot_use(home: Path, words: tuple[str, ...]) -> None:
    assert typed(home, "consent", "record", "ben@example.com", *words).exit_code == 2


def test_consent_withdraw_can_name_kinds(home: Path) -> None:
    result = typed(home, "consent", "withdraw", "1", "--kinds", "birthday; coupon", "--because", "reply")
    assert result.exit_code == 0, result.output
    assert "Geburtstag, Gutschein" in result.stdout
    shown = document(home, "consent", "show", "1")
    assert isinstance(shown, dict)
    assert {kind: said["decision"] for kind, said in shown["kinds"].items()} | {"thank_you": "send"} == {
        "birthday": "skip", "contract_appointment": "skip", "coupon": "skip", "feedback_request": "send",
        "newsletter": "send", "service_reminder": "send", "thank_you": "send", "winback": "send",
    }  # fmt: skip


def test_consent_withdraw_refuses_kinds_there_are_not_and_people_nobody_knows(home: Path) -> None:
    assert typed(home, "consent", "withdraw", "1", "--kinds", "birtday").exit_code == 2
    assert typed(home, "consent", "withdraw", "nobody@example.com").exit_code == 7


def test_consent_show_tells_the_evidence_and_what_holds_now(home: Path) -> None:
    typed(home, "consent", "withdraw", "1", "--kinds", "birthday")
    text = typed(home, "consent", "show", "1").stdout
    assert "hat zugestimmt und es bestätigt" in text
    assert "Text newsletter-2015" in text
    assert "Geburtstag: nein: hat die Einwilligung zurückgenommen" in text
    assert "Newsletter: ja, wegen Einwilligung (consent:1)" in text
    assert "anna@" not in text
    assert "anna@example.com" in typed(home, "consent", "show", "1", "--show-addresses").stdout


def test_consent_show_says_where_the_proof_is_missing(home: Path) -> None:
    with opened(home) as session:
        dora = add_customer(session, "4", "dora@example.com", first_name="Dora")
        add_consent(session, dora, proven=False)
    assert "Einwilligung ohne Nachweis" in typed(home, "consent", "show", "4").stdout
    assert "ohne Nachweis" not in typed(home, "consent", "show", "1").stdout


def test_consent_show_of_nobody_ends_with_7(home: Path) -> None:
    assert typed(home, "consent", "show", "nobody@example.com").exit_code == 7


def test_an_address_is_suppressed_listed_and_lifted(home: Path) -> None:
    result = typed(home, "suppress", "add", "anna@example.com", "--because", "wrong person")
    assert "a***@example.com ist jetzt gesperrt" in result.stdout
    assert "schon gesperrt" in typed(home, "suppress", "add", "Anna@Example.com", "--because", "again").stdout
    listed = typed(home, "suppress", "list")
    assert "a***@example.com" in listed.stdout
    assert "wrong person" in listed.stdout
    assert "anna@" not in listed.stdout
    assert typed(home, "suppress", "remove", "anna@example.com").exit_code == 0
    assert typed(home, "suppress", "remove", "anna@example.com").exit_code == 7
    assert document(home, "suppress", "list") == []


def test_an_objection_cannot_be_lifted_by_the_owner(home: Path) -> None:
    typed(home, "stop", "1", "--because", "called")
    result = typed(home, "suppress", "remove", "anna@example.com")
    assert result.exit_code == 1
    assert "hat der Werbung widersprochen" in result.stderr
    assert "nur der Kunde" in result.stderr


def test_no_command_takes_what_is_no_address(home: Path) -> None:
    assert typed(home, "suppress", "add", "anna", "--because", "x").exit_code == 2


def test_reach_tells_the_owner_the_truth(home: Path) -> None:
    (home / "campaigns" / "service.toml").write_text(SERVICE, encoding="utf-8")
    text = typed(home, "reach").stdout
    assert "Von 3 Kunden haben 2 eine E-Mail-Adresse. Heute dürfen Sie schreiben:" in text
    lines = [line.split() for line in text.splitlines()]
    assert ["Geburtstag", "1", "Einwilligung"] in lines
    assert ["Wartung", "0", "fehlt:", "Vertrag", "mit", "Nummer", "oder", "Datum"] in lines
    assert "So werden es mehr:" in text


def test_reach_of_one_campaign_is_one_document_and_of_several_a_list(home: Path) -> None:
    (home / "campaigns" / "service.toml").write_text(SERVICE, encoding="utf-8")
    one = document(home, "reach", "birthday")
    assert one == {
        "campaign": "birthday", "customers": 3, "permitted": {"consent": 1},
        "refused": {"no_consent": 1, "no_address": 1},
    }  # fmt: skip
    several = document(home, "reach")
    assert isinstance(several, list)
    assert several[0] == one
    assert [one["campaign"] for one in several] == ["birthday", "service"]


def test_reach_knows_kinds_beside_campaigns_and_refuses_the_rest(home: Path) -> None:
    kind = document(home, "reach", "winback")
    assert isinstance(kind, dict)
    assert kind["permitted"] == {"consent": 1}
    assert typed(home, "reach", "wellness").exit_code == 7


def test_reach_at_an_earlier_time_counts_what_held_then(home: Path) -> None:
    before = document(home, "reach", "birthday", "--at", "2019-01-01T09:00:00+01:00")
    assert isinstance(before, dict)
    assert before["permitted"] == {}


def test_reach_without_campaigns_asks_for_the_kinds_of_the_wordings(home: Path) -> None:
    (home / "campaigns" / "birthday.toml").unlink()
    text = typed(home, "reach").stdout
    assert "Wartung mit Vertrag" in text
    assert "Geburtstag" in text


def test_c10_a_cease_and_desist_blocks_for_good_and_nothing_lifts_it(home: Path) -> None:
    found = document(home, "suppress", "add", "anna@example.com", "--legal", "--because", "letter of 27 November")
    assert isinstance(found, dict)
    assert found["new"] is True
    again = document(home, "suppress", "add", "anna@example.com", "--legal", "--because", "again")
    assert isinstance(again, dict)
    assert again["new"] is False
    result = typed(home, "suppress", "remove", "anna@example.com")
    assert result.exit_code == 1
    assert "Nichts hebt es auf" in result.stderr
    assert {one["reason"] for one in document(home, "suppress", "list")} == {"legal_block"}  # type: ignore[attr-defined]
