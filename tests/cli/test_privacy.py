"""`treuepost privacy`, as it is typed."""

from __future__ import annotations

import csv
import io
import json
import stat
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.cli import build
from engine.clock import system_clock
from tests.cli.typed import document, lay_out, opened, typed
from tests.people import add_customer


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a shop with Anna, Ben and Cleo, and Dora whose name is a formula."""
    folder = lay_out(tmp_path / "laden")
    with opened(folder) as session:
        add_customer(session, "4", "dora@example.com", first_name="=1+1", last_name="＝cmd", company="@SUM(A1)")
    return folder


def test_an_export_is_a_page_and_a_json_file_that_only_the_owner_reads(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "auskunft"
    result = typed(home, "privacy", "export", "1", "--out", str(out), "--operator", "Petra")
    assert result.exit_code == 0, result.output
    assert "anna@" not in result.stdout
    content = json.loads((out / "privacy-export.json").read_text(encoding="utf-8"))
    assert content["persons"][0]["profile"]["email"] == "anna@example.com"
    page = (out / "privacy-export.html").read_text(encoding="utf-8")
    assert "anna@example.com" in page
    assert "ben@example.com" not in page
    assert {stat.S_IMODE(file.stat().st_mode) for file in out.iterdir()} == {0o600}


def test_a_portable_export_runs_nothing_in_a_spreadsheet(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "mitnehmen"
    assert typed(home, "privacy", "export", "4", "--portable", "--out", str(out)).exit_code == 0
    text = (out / "portable-profile.csv").read_text(encoding="utf-8-sig")
    (row,) = list(csv.DictReader(io.StringIO(text)))
    assert (row["first_name"], row["last_name"], row["company"]) == ("'=1+1", "'＝cmd", "'@SUM(A1)")
    assert json.loads((out / "portable.json").read_text(encoding="utf-8"))["profile"][0]["first_name"] == "=1+1"


def test_an_erasure_says_beforehand_what_goes_and_asks(home: Path) -> None:
    words = ["--config", str(home / "config.toml"), "privacy", "erase", "1"]
    refused = CliRunner().invoke(build(), words, input="n\n")
    assert refused.exit_code == 130
    assert "Das geht weg" in refused.output
    assert "Das bleibt" in refused.output
    assert typed(home, "privacy", "export", "1", "--json").exit_code == 0
    done = CliRunner().invoke(build(), words, input="j\n")
    assert done.exit_code == 0, done.output
    assert "Ihre Daten sind gelöscht, außer:" in done.stdout
    assert "Nachweis Ihrer früheren Einwilligung bis 31. Dezember 2029 (gesperrt" in done.stdout
    assert typed(home, "privacy", "export", "1").exit_code == 7


def test_an_erasure_without_a_question_answers_in_json(home: Path) -> None:
    done = document(home, "privacy", "erase", "2", "--yes", "--because", "letter")
    assert isinstance(done, dict)
    assert (done["in_doubt"], done["traces"], done["backups"]) == (0, [], "35 days")


def test_a_case_forbids_the_erasure_in_words(home: Path) -> None:
    assert typed(home, "privacy", "hold", "1", "--case", "Az 12").exit_code == 0
    refused = typed(home, "privacy", "erase", "1", "--yes")
    assert refused.exit_code == 2
    assert "Az 12" in refused.stderr
    assert typed(home, "privacy", "hold", "1", "--lift").exit_code == 0
    assert typed(home, "privacy", "erase", "1", "--yes").exit_code == 0


def test_a_correction_says_that_the_source_must_be_corrected_too(home: Path) -> None:
    config = home / "config.toml"
    source = '\n[source.kasse]\nfile = "kunden.csv"\nwhat = "customers"\n'
    config.write_text(config.read_text(encoding="utf-8") + source, encoding="utf-8")
    result = typed(home, "privacy", "correct", "1", "--set", "last_name=Meyer", "--set", "email=neu@example.com")
    assert result.exit_code == 0, result.output
    assert "Berichtigt: last_name, email." in result.stdout
    assert "keine Einwilligung" in result.stdout
    assert "in Ihrer Quelle" in result.stdout
    assert typed(home, "privacy", "correct", "1", "--set", "last_name").exit_code == 2
    assert typed(home, "privacy", "correct", "1", "--set", "nickname=x").exit_code == 2


def test_a_restriction_needs_a_reason_and_can_be_lifted(home: Path) -> None:
    assert typed(home, "privacy", "restrict", "1").exit_code == 2
    assert typed(home, "privacy", "restrict", "1", "--because", "disputes the amount").exit_code == 0
    assert typed(home, "privacy", "restrict", "1", "--lift").exit_code == 0


def test_purge_counts(home: Path) -> None:
    said = document(home, "privacy", "purge", "--dry-run")
    assert isinstance(said, dict)
    assert (said["dry_run"], said["mails"], said["bodies"]) == (True, 0, 0)
    assert "Nichts ist zu alt." in typed(home, "privacy", "purge").stdout


def test_the_record_of_processing_comes_from_the_config(home: Path) -> None:
    text = typed(home, "privacy", "record").stdout
    assert "Radhaus Sommer" in text
    assert "VERANTWORTLICH" in text
    record = document(home, "privacy", "record")
    assert isinstance(record, dict)
    assert set(record) == {"controller", "purposes", "persons", "data_kinds", "recipients", "terms", "measures"}
    assert [one["campaign"] for one in record["purposes"]] == ["birthday", ""]
    assert record["purposes"][0]["basis"] == "Einwilligung (Art. 6 Abs. 1 Buchst. a DSGVO)"
    assert typed(home, "privacy", "record", "--html").stdout.startswith("<!doctype html>")


def test_every_deed_is_noted_with_who_did_it(home: Path) -> None:
    typed(home, "privacy", "export", "1", "--json", "--operator", "Petra")
    typed(home, "privacy", "restrict", "2", "--because", "x", "--operator", "Petra")
    typed(home, "privacy", "purge", "--operator", "Petra")
    typed(home, "privacy", "erase", "1", "--yes")
    told = document(home, "privacy", "breach", "--since", "2026-01-01")
    assert isinstance(told, dict)
    assert [deed["action"] for deed in told["deeds"]] == ["export", "restrict", "purge", "erase"]
    assert [deed["operator"] for deed in told["deeds"]][:3] == ["Petra"] * 3
    assert told["deeds"][3]["operator"]
    assert "anna" not in json.dumps(told).lower()


def test_p4_what_happened_since_a_breach_is_listed_with_the_72_hours(home: Path) -> None:
    typed(home, "privacy", "export", "1", "--json", "--operator", "Petra")
    told = document(home, "privacy", "breach", "--since", "2026-01-01")
    assert isinstance(told, dict)
    assert [(deed["action"], deed["operator"]) for deed in told["deeds"]] == [("export", "Petra")]
    left = datetime.fromisoformat(told["report_until"]) - system_clock()
    assert timedelta(hours=71, minutes=50) < left <= timedelta(hours=72)
    later = document(home, "privacy", "breach", "--since", (system_clock() + timedelta(minutes=5)).isoformat())
    assert isinstance(later, dict)
    assert later["deeds"] == []


def test_a_word_that_is_no_time_is_named_with_its_flag(home: Path) -> None:
    result = typed(home, "privacy", "breach", "--since", "gestern")
    assert (result.exit_code, '--since "gestern" is not a time' in result.stderr) == (2, True)
