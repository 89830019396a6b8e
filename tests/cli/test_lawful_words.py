"""What `check`, `reach` and `explain` say of the law: in the owner's words, with the remedy."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.typed import AT, BIRTHDAY, make_folder, opened, typed
from tests.conftest import CONFIG
from tests.people import NOW, add_customer, add_purchase, add_service_item

WINBACK = """
id = "wiedersehen"
name = "Wiedersehen"
kind = "winback"
advertises = ["bad.umbau"]
[trigger]
on = "lapsed"
after = "90 days"
[message]
subject = "Lange nicht gesehen"
body = "{{ greeting }},"
"""
NOTICE = """
[notice.auftrag]
file = "wording.txt"
contact = "jederzeit"
shown_from = 2026-01-01
proof = "wording.txt"
declared_by = "Petra Sommer"

[legal.similarity]
heizung = ["heizung.geraet", "heizung.wartung"]
bad = ["bad.umbau"]
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a shop whose two customers bought a boiler, one with the hint on record."""
    folder = tmp_path / "laden"
    make_folder(folder, campaign=BIRTHDAY)
    (folder / "campaigns" / "wiedersehen.toml").write_text(WINBACK, encoding="utf-8")
    at = NOW - timedelta(days=30)
    with opened(folder) as session:
        anna = add_customer(session, "1", "anna@example.com", first_name="Anna", birthday=date(1980, 11, 23))
        add_purchase(
            session, anna, "A-17", at, categories=";heizung.geraet;", email_from_sale=True, notice="auftrag",
            notice_version="f00d", notice_shown_at=at,
        )  # fmt: skip
        ben = add_customer(session, "2", "ben@example.com", first_name="Ben")
        add_purchase(session, ben, "B-4", at, categories=";heizung.geraet;")
        add_service_item(session, ben, "T-1", date(2026, 12, 1), contract_ref="Ja")
    return folder


def register(home: Path, more: str = NOTICE) -> None:
    (home / "config.toml").write_text(CONFIG.replace("{store}", "sqlite:///store.db") + more, encoding="utf-8")


def findings(home: Path) -> dict[str, dict[str, Any]]:
    result = typed(home, "check", "--json", "--at", AT)
    assert result.exit_code == 0, result.output
    return {one["code"]: one for one in json.loads(result.stdout)["findings"]}


def test_check_says_that_no_order_has_the_hint_on_record_and_how_to_begin(home: Path) -> None:
    found = findings(home)
    assert found["L205"]["message"] == (
        "2 Kunden haben gekauft, aber für keinen Auftrag ist der Widerspruchshinweis belegt"
    )
    assert "treuepost wording print auftragsschein, dann shown_from eintragen" in found["L205"]["help"]


def test_check_says_that_a_birthday_needs_a_consent_of_its_own_and_where_its_text_is(home: Path) -> None:
    (home / "campaigns" / "wiedersehen.toml").unlink()
    help_ = findings(home)["L201"]["help"]
    assert "Glückwünsche brauchen eine eigene Einwilligung; ein Kauf genügt nie" in help_
    assert "Text dafür: treuepost wording print newsletter-2015" in help_


def test_check_says_that_ja_is_no_contract_number(home: Path) -> None:
    assert findings(home)["L206"]["message"] == '"ja" ist keine Vertragsnummer (Geräte: 1)'


def test_check_names_what_does_not_count_as_similar(home: Path) -> None:
    register(home)
    found = findings(home)
    assert found["L204"]["message"] == "„bad.umbau“ gilt bei Ihnen nicht als ähnlich zu „heizung.geraet“ (Kunden: 1)"
    assert found["L205"]["help"].startswith("nachträglich geht das nicht. Ab morgen: treuepost wording print auftrag,")


def test_reach_names_the_remedies(home: Path) -> None:
    shown = typed(home, "reach", "--at", AT).stdout
    assert "fehlt: Hinweis beim Auftrag oder Einwilligung" in shown
    assert "fehlt: Einwilligung (ein Kauf genügt dafür nicht)" in shown
    assert "treuepost wording print auftragsschein" in shown
    assert "treuepost wording print geburtstag" in shown


def test_reach_counts_existing_customers_where_goods_are_similar(home: Path) -> None:
    register(home, NOTICE.replace('"heizung.wartung"', '"bad.umbau"'))
    result = typed(home, "reach", "wiedersehen", "--at", AT, "--json")
    assert json.loads(result.stdout) == {
        "campaign": "wiedersehen", "customers": 2, "permitted": {"existing_customer": 1},
        "refused": {"notice_missing": 1},
    }  # fmt: skip


def test_d11_explain_names_the_purchase_and_the_notice_and_says_what_would_help(home: Path) -> None:
    register(home)
    shown = typed(home, "explain", "1", "wiedersehen", "--at", "2026-11-23T09:30:00+01:00").stdout
    assert "purchase:A-17;notice:auftrag" in shown
    assert "bad.umbau <> heizung.geraet" in shown
    shown = typed(home, "explain", "2", "wiedersehen", "--at", "2027-01-22T10:00:00+01:00").stdout
    assert "purchase:B-4" in shown
    assert "treuepost wording print auftragsschein" in shown
