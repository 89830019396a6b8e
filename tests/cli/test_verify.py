"""`treuepost consent verify` and `consent show`: the log's places, and the first bad one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.store.database import Database
from tests.cli.typed import document, make_folder, opened, typed
from tests.people import add_consent, add_customer
from tests.store.test_consent_log import change


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "laden"
    make_folder(folder)
    with opened(folder) as session:
        for number in range(5):
            add_consent(session, add_customer(session, f"{number}", f"k{number}@example.com"))
    return folder


def tamper(home: Path, *statements: str) -> None:
    database = Database(f"sqlite:///{home / 'store.db'}")
    change(database, *statements)
    database.close()


def test_a_whole_log_is_told_with_its_number_of_events(home: Path) -> None:
    result = typed(home, "consent", "verify")
    assert result.exit_code == 0, result.output
    assert "Einträge: 5. Jeder steht so da, wie er geschrieben wurde." in result.stdout
    assert "Noch gibt es keinen Prüfpunkt" in result.stdout
    typed(home, "tick")
    assert "Übereinstimmende Prüfpunkte außerhalb des Speichers: 1." in typed(home, "consent", "verify").stdout
    told = document(home, "consent", "verify")
    assert (told["ok"], told["events"], told["erased"], told["first_bad"], told["faults"]) == (True, 5, 0, None, [])


def test_the_first_bad_number_is_told_and_the_command_ends_with_1(home: Path) -> None:
    tamper(home, "UPDATE consent_event SET wording = 'better' WHERE seq IN (3, 5)")
    result = typed(home, "consent", "verify")
    assert result.exit_code == 1
    assert "Eintrag Nr. 3 wurde nach der Aufzeichnung geändert." in result.stdout
    assert "Der erste fehlerhafte Eintrag ist Nr. 3." in result.stdout
    as_json = typed(home, "consent", "verify", "--json")
    told = json.loads(as_json.stdout)
    assert (as_json.exit_code, told["ok"], told["first_bad"]) == (1, False, 3)
    assert [fault["seq"] for fault in told["faults"]] == [3, 5]
    assert typed(home, "audit").exit_code == 1


def test_every_fault_is_told_in_german(home: Path) -> None:
    from engine.language import Language
    from engine.store import consent_check

    said = [getattr(consent_check, name) for name in ("GONE", "GONE_TO", "MOVED", "CHANGED", "OTHER", "OTHER_PERSON")]
    said += [consent_check.OTHER_END, consent_check.CUT, consent_check.CUT_SINCE]
    assert [one for one in said if Language("de").gettext(one) == one] == []


def test_a_log_cut_short_is_found_by_the_mailed_line(home: Path) -> None:
    typed(home, "tick")
    kept = home / "kept.txt"
    kept.write_bytes((home / "consent-checkpoints.log").read_bytes())
    (home / "consent-checkpoints.log").unlink()
    tamper(
        home,
        "DELETE FROM consent_pii WHERE event_id = 5",
        "DELETE FROM consent_event WHERE seq = 5",
        "UPDATE chain_head SET size = 4, hash = (SELECT hash FROM consent_event WHERE seq = 4)",
    )
    assert typed(home, "consent", "verify").exit_code == 0
    result = typed(home, "consent", "verify", "--checkpoints", str(kept))
    assert (result.exit_code, "Eintrag Nr. 5 fehlt" in result.stdout) == (1, True)
    assert typed(home, "consent", "verify", "--checkpoints", str(home / "nothing.txt")).exit_code == 2


def test_show_names_the_place_in_the_log(home: Path) -> None:
    told = document(home, "consent", "show", "2")
    [event] = told["events"]  # type: ignore[misc]
    assert (event["seq"], len(event["hash"]), event["erased"]) == (3, 64, False)
    assert f"Stelle im Protokoll 3/{event['hash'][:12]}" in typed(home, "consent", "show", "2").stdout
