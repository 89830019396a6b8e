"""`treuepost init` and `treuepost demo`: a shop that works from its first minute."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.cli import build
from engine.config.loading import load_config
from tests.cli.typed import lines, typed

ANSWERS = [
    "plumbing",
    "Meier Heizung GmbH",
    "Hauptstraße 5, 80331 München",
    "+49 89 1",
    "post@meier-heizung.example",
    "GmbH",
    "Erna Meier",
    "Amtsgericht München, HRB 1",
    "Handwerkskammer München",
    "Sie",
    "DE-BY",
    "brevo",
    "2026-11-01",
    "y",
    "Ja, ich will Post.",
    "n",
    "y",
    "Vertrag",
    "",
]


def run(*words: str, answers: list[str] | None = None) -> str:
    result = CliRunner().invoke(build(), list(words), input="\n".join(answers or []) + "\n")
    assert result.exit_code == 0, result.output
    return result.output


def test_nine_answers_make_a_config_this_version_reads(tmp_path: Path) -> None:
    shown = run("init", str(tmp_path / "laden"), answers=ANSWERS)
    config = load_config(tmp_path / "laden" / "config.toml", {})
    assert config.shop.name == "Meier Heizung GmbH"
    assert config.shop.register_entry == "Amtsgericht München, HRB 1"
    assert config.rehearsal
    assert config.provider.dpa_signed_at is not None
    assert "newsletter" in config.wording
    assert "widersprechen" in shown


def test_a_shop_begins_with_texts_to_agree_to_and_the_hint_for_its_order_form(tmp_path: Path) -> None:
    shown = run("init", str(tmp_path / "laden"), answers=[*ANSWERS[:13], "n", "n", *ANSWERS[16:]])
    home = tmp_path / "laden"
    config = load_config(home / "config.toml", {})
    assert "heizung.wartung" in config.legal.similarity["heizung"]
    kinds = {kind for wording in config.wording.values() for kind in wording.kinds}
    assert {"birthday", "service_reminder", "winback", "thank_you"} <= kinds
    for register in (*config.wording.values(), *config.notice.values()):
        text = (home / register.file).read_text(encoding="utf-8")
        assert "post@meier-heizung.example" in text
    notice = config.notice["auftragsschein"]
    assert notice.shown_from is None  # what was never printed makes no purchase count
    assert "wording print auftragsschein" in shown
    assert 'advertises = ["heizung.wartung"]' in (home / "campaigns" / "wartung.toml").read_text(encoding="utf-8")


def test_a_german_answers_in_german(tmp_path: Path) -> None:
    german = ["Sanitär/Heizung", *ANSWERS[1:13], "ja", "Ja, ich will Post.", "vielleicht", "nein", "j", *ANSWERS[17:]]
    shown = run("init", str(tmp_path / "laden"), answers=german)
    config = (tmp_path / "laden" / "config.toml").read_text(encoding="utf-8")
    assert "Friseur/Praxis" in shown
    assert "[wording.newsletter]" in config
    assert (tmp_path / "laden" / "campaigns" / "wartung-contract.toml").exists()


def test_the_campaigns_fit_the_trade(tmp_path: Path) -> None:
    run("init", str(tmp_path / "a"), "--yes", "--trade", "bakery", "--no-contracts")
    run("init", str(tmp_path / "b"), "--yes", "--trade", "plumbing", "--contracts")
    bakery = {file.stem for file in (tmp_path / "a" / "campaigns").glob("*.toml")}
    plumber = {file.stem for file in (tmp_path / "b" / "campaigns").glob("*.toml")}
    assert bakery < plumber
    assert any(name.endswith("-contract") for name in plumber)
    owed = (tmp_path / "b" / "campaigns" / "wartung-contract.toml").read_text(encoding="utf-8")
    assert "advertises" not in owed
    assert owed.count("contract_appointment") == 1


def test_without_a_person_the_defaults_are_taken_and_everything_is_valid(tmp_path: Path) -> None:
    run("init", str(tmp_path / "laden"), "--yes")
    assert typed(tmp_path / "laden", "plan").exit_code == 0
    assert typed(tmp_path / "laden", "check").exit_code == 0


def test_the_customer_list_is_read_and_the_truth_is_told(tmp_path: Path) -> None:
    (tmp_path / "kunden.csv").write_text("customer_id,email\n1,a@example.com\n2,\n", encoding="utf-8")
    shown = run("init", str(tmp_path / "laden"), "--yes", "--customers", str(tmp_path / "kunden.csv"))
    assert "2" in shown
    assert "E-Mail-Adresse" in shown


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine", encoding="utf-8")
    result = CliRunner().invoke(build(), ["init", str(tmp_path), "--yes"])
    assert result.exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


@pytest.mark.parametrize(
    "flag", [["--trade", "circus"], ["--language", "fr"], ["--dpa-signed-at", "soon", "--provider", "brevo"]]
)
def test_an_impossible_answer_is_refused(tmp_path: Path, flag: list[str]) -> None:
    assert CliRunner().invoke(build(), ["init", str(tmp_path / "x"), "--yes", *flag]).exit_code == 2


def test_the_demo_shows_mails_and_leaves_files_to_look_at(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    first = json.loads(run("demo", str(folder), "--json"))
    assert first["imported"]["customers"] == 40
    assert first["tick"]["sent"] >= 8
    assert first["tick"]["skipped"] >= 1
    assert len(list((folder / "outbox").glob("*.eml"))) == first["tick"]["sent"]
    assert {row["campaign"] for row in lines(folder, "log", "state:sent", "--rehearsal")} >= {
        "birthday",
        "winback",
        "service",
    }
    shown = run("demo", str(folder), "--fresh")
    assert f"{folder}{os.sep}outbox" in shown


def test_a_fresh_demo_throws_away_nothing_but_a_demo(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine", encoding="utf-8")
    assert CliRunner().invoke(build(), ["demo", str(tmp_path), "--fresh"]).exit_code == 2
    assert (tmp_path / "kept.txt").exists()
