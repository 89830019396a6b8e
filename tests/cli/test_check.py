"""`treuepost check`, as it is typed."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from engine.cli import build
from engine.clock import system_clock
from engine.store import schema
from engine.store.database import Database
from tests.conftest import CONFIG, WORDING
from tests.people import add_consent, add_customer

ROOT = Path(__file__).parents[2]
GREETING = """
id = "gruss"
kind = "birthday"
[trigger]
on = "birthday"
[message]
subject = "Alles Gute"
body = "{{ greeting }}"
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a shop with one right campaign, and stand in it as its owner does."""
    folder = tmp_path / "laden"
    shutil.copytree(ROOT / "templates", folder / "templates")
    (folder / "campaigns").mkdir()
    (folder / "campaigns" / "gruss.toml").write_text(GREETING, encoding="utf-8")
    (folder / "wording.txt").write_text(WORDING, encoding="utf-8")
    (folder / "config.toml").write_text(CONFIG.replace("{store}", "sqlite:///store.db"), encoding="utf-8")
    monkeypatch.chdir(folder)
    return folder


def check(*words: str) -> Result:
    """Type the command without a terminal."""
    return CliRunner().invoke(build(), ["check", *words])


def spoil(home: Path, old: str, new: str, name: str = "campaigns/gruss.toml") -> None:
    """Make a mistake in a file."""
    path = home / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def add_people(home: Path) -> None:
    """Give the shop a store: Anna agreed to birthday mail, Ben did nothing."""
    database = Database(f"sqlite:///{home / 'store.db'}")
    schema.upgrade(database)
    with database.write() as session:
        anna = add_customer(session, "1", "anna@example.com")
        add_consent(session, anna, at=system_clock() - timedelta(days=100))
        add_customer(session, "2", "ben@example.com")
    database.close()


def test_a_shop_without_fault_is_told_so(home: Path) -> None:
    result = check()
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "Probebetrieb: nichts verlässt diesen Rechner.",
        "2 Dateien geprüft, 0 Fehler, 0 Warnungen.",
    ]
    assert result.stderr == ""


def test_a_mistake_is_shown_with_its_line_and_its_remedy(home: Path) -> None:
    spoil(home, 'on = "birthday"', 'on = "birtday"   # Öl')
    result = check()
    assert result.exit_code == 4
    assert result.stderr.splitlines()[:6] == [
        'error[E103]: `trigger.on`: "birtday" ist hier nicht erlaubt',
        "  --> campaigns/gruss.toml:5:6",
        "  |",
        '5 | on = "birtday"   # Öl',
        "  |      ^^^^^^^^^",
        '   = meinten Sie "birthday"? · erlaubt: "birthday", "lapsed", "service_due", "purchase"',
    ]
    assert result.stdout.endswith("2 Dateien geprüft, 1 Fehler, 0 Warnungen.\n")


def test_every_file_is_checked_and_not_only_the_first_wrong_one(home: Path) -> None:
    spoil(home, "kind", "kinnd")
    (home / "campaigns" / "b.toml").write_text("x = [\n", encoding="utf-8")
    assert "3 Dateien geprüft, 2 Fehler" in check().stdout


def test_a_warning_leaves_the_command_in_peace(home: Path) -> None:
    spoil(home, 'kind = "birthday"', 'kind = "newsletter"')
    result = check()
    assert result.exit_code == 0
    assert "warning[L202]: `advertises` fehlt: Wofür wirbt diese Mail?" in result.stderr
    assert "1 Warnung." in result.stdout


def test_a_broken_config_is_checked_too(home: Path) -> None:
    spoil(home, "[provider]", "[provider]\nuze = 1", "config.toml")
    result = check()
    assert result.exit_code == 4
    assert "config.toml:" in result.stderr
    assert 'meinten Sie "use"?' in result.stderr


def test_a_config_that_is_not_there_is_said(home: Path) -> None:
    (home / "config.toml").unlink()
    result = check()
    assert result.exit_code == 4
    assert "treuepost init" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{{ customer.frist_name or 'x' }}", "frist_name"),
        ("{{ nobody }}", "nobody"),
        ("{% if greeting %}", "gruss.toml"),
        ("{{ greeting.__class__ }}", "gruss.toml"),
    ],
)
def test_a_template_that_cannot_work_is_refused(home: Path, body: str, said: str) -> None:
    spoil(home, 'body = "{{ greeting }}"', f'body = "{body}"')
    result = check()
    assert result.exit_code == 4
    assert said in result.stderr


def test_a_template_that_is_missing_is_refused(home: Path) -> None:
    spoil(home, 'body = "{{ greeting }}"', 'template = "nirgends"')
    result = check()
    assert result.exit_code == 4
    assert "nirgends" in result.stderr


def test_verbose_says_every_campaign_back_in_words(home: Path) -> None:
    result = check("-v")
    assert result.stdout.splitlines()[:5] == [
        "gruss: gruss",
        "  Art      birthday: Werbung, nur mit Einwilligung",
        "  Anlass   Geburtstag: am Tag selbst; am 29. Februar Geborene: sonst am 28. Februar",
        "  Für      alle, bei denen es so weit ist",
        "  Beginn   ab dem Tag, an dem sie eingeschaltet ist",
    ]
    assert "Heute" not in result.stdout


def test_verbose_speaks_english_where_the_shop_does(home: Path) -> None:
    spoil(home, "[shop]", '[shop]\nlanguage = "en"', "config.toml")
    spoil(home, "[trigger]", "enabled = false\n[trigger]")
    result = check("-v")
    assert "gruss: gruss (switched off)" in result.stdout
    assert "Occasion    the birthday: on the day" in result.stdout
    assert "2 files checked, 0 errors, 0 warnings." in result.stdout


def test_the_store_says_how_many_may_get_a_campaign(home: Path) -> None:
    add_people(home)
    assert "Heute    1 von 2 Kunden dürfen sie bekommen" in check("-v").stdout


def test_a_check_makes_no_store(home: Path) -> None:
    check("-v")
    assert not (home / "store.db").exists()


def test_a_campaign_that_reaches_nobody_is_warned_about(home: Path) -> None:
    add_people(home)
    spoil(home, 'kind = "birthday"', 'kind = "seasonal_greeting"')
    result = check()
    assert result.exit_code == 0
    assert "warning[L201]: von 2 Kunden darf das heute niemand bekommen" in result.stderr
    assert "Glückwünsche brauchen eine eigene Einwilligung; ein Kauf genügt nie" in result.stderr


def test_a_renamed_campaign_is_warned_about(home: Path) -> None:
    add_people(home)
    assert CliRunner().invoke(build(), ["tick"]).exit_code == 0
    assert check().stderr == ""
    spoil(home, 'id = "gruss"', 'id = "geburtstag"')
    result = check()
    assert result.exit_code == 0
    assert 'warning[E114]: diese id ist neu, und "gruss" ist verschwunden: umbenannt?' in result.stderr


def test_a_store_that_is_none_is_told_and_the_files_are_checked_all_the_same(home: Path) -> None:
    (home / "store.db").write_text("this is no database, " * 200, encoding="utf-8")
    result = check()
    assert result.exit_code == 0
    assert "file is not a database" in result.stderr
    assert "2 Dateien geprüft, 0 Fehler" in result.stdout


def test_json_is_one_document(home: Path) -> None:
    add_people(home)
    document = json.loads(check("--json").stdout)
    assert (document["files"], document["errors"], document["warnings"]) == (2, 0, 0)
    (campaign,) = document["campaigns"]
    assert campaign["id"] == "gruss"
    assert campaign["file"] == "campaigns/gruss.toml"
    assert (campaign["permitted"], campaign["customers"]) == (1, 2)
    assert campaign["words"]["Art"] == "birthday: Werbung, nur mit Einwilligung"


def test_json_tells_every_finding(home: Path) -> None:
    spoil(home, 'kind = "birthday"', 'kind = "birtday"')
    result = check("--json")
    assert result.exit_code == 4
    document = json.loads(result.stdout)
    (finding,) = document["findings"]
    assert finding["code"] == "E103"
    assert (finding["file"], finding["line"], finding["column"]) == ("campaigns/gruss.toml", 3, 8)
    assert finding["level"] == "error"
    assert document["errors"] == 1


def test_the_reach_is_counted_as_of_the_instant_asked_for(home: Path) -> None:
    add_people(home)
    document = json.loads(check("--json", "--at", "2019-06-01T09:00:00+02:00").stdout)
    assert document["campaigns"][0]["permitted"] == 0
    assert check("--at", "gestern").exit_code == 2


def test_a_secret_is_refused_without_being_shown_again(home: Path) -> None:
    spoil(home, "[provider]", '[provider]\napi_key = "xkeysib-geheim"', "config.toml")
    result = check()
    assert result.exit_code == 4
    assert "error[E111]" in result.stderr
    assert "xkeysib" not in result.output


def test_a_line_of_any_length_is_shown_around_the_mistake(home: Path) -> None:
    spoil(home, 'subject = "Alles Gute"', f'subject = "{"ä" * 5000}"\nsubjekt = {"[" * 3000}{"]" * 3000}')
    result = check()
    assert result.exit_code == 4
    assert max(len(line) for line in result.stderr.splitlines()) < 140


def test_what_a_file_holds_never_steers_the_terminal(home: Path) -> None:
    for line in ("x = \x1b[31m\x07", '"\\u001b[31m" = 1', 'on_doubt = "\\u001b"', '"\\u0007" = 1\n"\\u0007" = 2'):
        spoil(home, "kind", f"{line}\nkind")
        result = check()
        assert result.exit_code == 4
        assert not {"\x1b", "\x07"} & set(result.output)
        (home / "campaigns" / "gruss.toml").write_text(GREETING, encoding="utf-8")
