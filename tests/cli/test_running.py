"""`tick`, `run`, `pause` and `resume`, as they are typed."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from engine.clock import system_clock
from engine.domain.calendar import local_day
from engine.store import database as doors
from engine.store import ownership
from engine.store.database import Database
from tests.brevo_double import BrevoDouble, serving
from tests.cli.typed import AT, BIRTHDAY, document, lay_out, lines, make_folder, typed
from tests.conftest import CONFIG
from tests.people import add_consent, add_customer


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return lay_out(tmp_path / "laden")


def test_a_second_tick_adds_nothing(home: Path) -> None:
    first = document(home, "tick", "--at", AT)
    second = document(home, "tick", "--at", AT)
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert (first["planned"], first["sent"], first["skipped"]) == (2, 1, 1)
    assert (second["planned"], second["sent"], second["skipped"]) == (0, 0, 0)


def test_another_time_is_only_for_rehearsing(home: Path) -> None:
    config = home / "config.toml"
    real = config.read_text(encoding="utf-8").replace(
        'use = "outbox"', 'use = "brevo"\nbase_url = "http://127.0.0.1:9"\napi_key_file = "key"'
    )
    config.write_text(real, encoding="utf-8")
    (home / "key").write_text("xkeysib-1", encoding="utf-8")
    (home / "key").chmod(0o600)
    result = typed(home, "tick", "--at", AT)
    assert result.exit_code == 2
    assert "rehears" in result.stderr


def test_an_earlier_time_than_the_stores_is_warned_of(home: Path) -> None:
    typed(home, "tick", "--at", "2026-11-24T09:30:00+01:00")
    assert "2026-11-24" in typed(home, "tick", "--at", AT).stderr


def test_a_time_that_is_none_is_usage(home: Path) -> None:
    assert typed(home, "tick", "--at", "tomorrow").exit_code == 2


def test_only_one_process_sends(home: Path) -> None:
    database = Database(f"sqlite:///{home / 'store.db'}")
    with ownership.sole_sender(database):
        result = typed(home, "tick", "--at", AT)
    database.close()
    assert result.exit_code == 5
    assert "pid" in result.stderr


def test_a_worker_on_one_file_says_what_to_do_instead(home: Path) -> None:
    result = typed(home, "worker")
    assert result.exit_code == 2
    assert "needs PostgreSQL" in result.stderr
    assert "treuepost run --workers 2" in result.stderr


def test_no_workers_at_all_is_usage(home: Path) -> None:
    assert typed(home, "run", "--workers", "0").exit_code == 2


def test_a_paused_campaign_waits_and_goes_on(home: Path) -> None:
    assert document(home, "pause", "birthday") == {"paused": "birthday", "changed": True}
    assert document(home, "pause", "birthday") == {"paused": "birthday", "changed": False}
    document(home, "tick", "--at", AT)
    assert {row["state"] for row in lines(home, "log", "--rehearsal")} == {"planned"}
    assert {line["reason"] for line in lines(home, "plan", "--at", AT)} >= {"paused"}

    assert document(home, "resume", "--all") == {"resumed": "*", "changed": True}
    document(home, "tick", "--at", AT)
    assert {row["state"] for row in lines(home, "log", "--rehearsal")} == {"sent", "skipped"}


def test_the_brake_works_where_a_campaign_is_broken(home: Path) -> None:
    (home / "campaigns" / "birthday.toml").write_text("id = ", encoding="utf-8")
    assert typed(home, "pause", "--all").exit_code == 0


@pytest.mark.parametrize(("words", "code"), [(["pause"], 2), (["pause", "brithday"], 7), (["resume", "x", "--all"], 2)])
def test_what_to_pause_must_be_said(home: Path, words: list[str], code: int) -> None:
    assert typed(home, *words).exit_code == code


def test_send_test_reaches_me_and_nobodys_log(home: Path) -> None:
    said = document(home, "send-test", "birthday", "--to", "me@example.com", "--as", "1")
    assert isinstance(said, dict)
    assert str(said["subject"]).startswith("[TEST] ")
    (mail,) = (home / "outbox").glob("*.eml")
    text = mail.read_text(encoding="utf-8")
    assert "me@example.com" in text
    assert "List-Unsubscribe" not in text
    assert lines(home, "log", "--rehearsal") == []


@pytest.mark.parametrize(("who", "to", "code"), [("9", "me@example.com", 7), ("1", "not an address", 2)])
def test_send_test_needs_somebody_to_be_and_somewhere_to_go(home: Path, who: str, to: str, code: int) -> None:
    assert typed(home, "send-test", "birthday", "--to", to, "--as", who).exit_code == code


def through_brevo(folder: Path, url: str) -> Path:
    """Make a shop that sends through Brevo, with a birthday on the present day."""
    real = f'use = "brevo"\nbase_url = "{url}"\napi_key_file = "key"'
    home = lay_out(
        folder,
        campaign=BIRTHDAY.replace("09:00-18:00", "00:00-23:59"),
        config=CONFIG.replace('use = "outbox"', real),
    )
    (home / "key").write_text("xkeysib-1", encoding="utf-8")
    (home / "key").chmod(0o600)
    today = local_day(system_clock(), ZoneInfo("Europe/Berlin"))
    database = Database(f"sqlite:///{home / 'store.db'}")
    with database.write() as session:
        dora = add_customer(session, "4", "dora@example.com", birth_md=today.month * 100 + today.day)
        add_consent(session, dora)
    database.close()
    return home


def test_refused_credentials_end_a_tick_with_6_and_lose_nothing(tmp_path: Path) -> None:
    double = BrevoDouble(tmp_path / "book.jsonl", "unauthorized")
    with serving(double) as url:
        home = through_brevo(tmp_path / "laden", url)
        result = typed(home, "tick")
        assert result.exit_code == 6
        assert "credentials" in result.stderr
        assert [row["state"] for row in lines(home, "log", "customer:4")] == ["retrying"]
        assert typed(home, "doctor").exit_code == 1

        double.switch("accept")
        assert typed(home, "resume", "--all").exit_code == 0
    assert double.mails() == []


def test_an_unreachable_provider_is_a_warning_and_the_mail_waits(tmp_path: Path) -> None:
    home = through_brevo(tmp_path / "laden", "http://127.0.0.1:9")
    result = typed(home, "tick")
    assert result.exit_code == 0
    assert [row["state"] for row in lines(home, "log", "customer:4")] == ["retrying"]
    assert "nicht erreichbar" in typed(home, "doctor", "--online").stdout


def test_a_store_somebody_holds_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "WAIT_SECONDS", 0)
    database = Database(f"sqlite:///{home / 'store.db'}")
    with database.write():
        result = typed(home, "tick", "--at", AT)
    database.close()
    assert result.exit_code == 5
    assert "held by another program" in result.stderr


@pytest.mark.parametrize("word", ["run", "worker", "tick", "audit"])
def test_a_server_that_cannot_be_reached_is_said(tmp_path: Path, word: str) -> None:
    home = tmp_path / "laden"
    make_folder(home, config=CONFIG.replace("{store}", "postgresql://treuepost@db.invalid/laden"))
    result = typed(home, word)
    assert result.exit_code == 5
    assert "cannot be reached" in result.stderr
    assert "[store] url" in result.stderr


def test_a_time_tried_out_does_not_set_the_clock_back(tmp_path: Path) -> None:
    home = lay_out(tmp_path / "laden")
    assert typed(home, "tick", "--at", "2099-11-23T09:30:00+01:00").exit_code == 0
    clock = [line for line in typed(home, "doctor").stdout.splitlines() if "clock" in line]
    assert [line.split()[0] for line in clock] == ["ok"]
