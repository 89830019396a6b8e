"""`treuepost db move`, as it is typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.store import ownership
from engine.store.database import Database
from tests.cli.typed import AT, document, lay_out, lines, typed


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return lay_out(tmp_path / "laden")


def _switch(home: Path, url: str) -> None:
    config = home / "config.toml"
    config.write_text(config.read_text(encoding="utf-8").replace("sqlite:///store.db", url), encoding="utf-8")


def test_a_moved_store_knows_what_was_sent_and_goes_on(home: Path, postgres_database: Database) -> None:
    document(home, "tick", "--at", AT)
    before = lines(home, "log", "--rehearsal")
    url = postgres_database.url.render_as_string(hide_password=False)
    said = document(home, "db", "move", url)
    assert isinstance(said, dict)
    assert said["verified"] is True
    assert said["rows"]["message"] == len(before) == 2
    assert typed(home, "db", "move", url).exit_code == 2

    _switch(home, url)
    assert lines(home, "log", "--rehearsal") == before
    again = document(home, "tick", "--at", AT)
    assert isinstance(again, dict)
    assert (again["planned"], again["sent"]) == (0, 0)
    assert document(home, "db", "move", "sqlite:///back.db") == {
        **said,
        "from": said["to"],
        "to": f"sqlite:///{home}/back.db",
    }


def test_what_was_moved_away_sends_nothing_before_its_owner_says_so(home: Path) -> None:
    document(home, "tick", "--at", AT)
    (home / "elsewhere").mkdir()
    document(home, "db", "move", "sqlite:///elsewhere/new.db")
    config = home / "config.toml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace('use = "outbox"', 'use = "smtp"\nbase_url = "smtp://127.0.0.1:9"'), encoding="utf-8")
    refused = typed(home, "tick")
    assert "db adopt" in refused.stderr + refused.stdout
    assert typed(home, "db", "adopt", "moved").exit_code == 0
    assert "db adopt" not in typed(home, "tick").stderr


def test_it_says_what_to_do_next_in_the_shops_language(home: Path) -> None:
    (home / "elsewhere").mkdir()
    result = typed(home, "db", "move", "sqlite:///elsewhere/new.db")
    assert result.exit_code == 0, result.output
    assert "jede mit ihrem Original verglichen" in result.stdout
    assert f'url = "sqlite:///{home}/elsewhere/new.db"' in result.stdout
    assert f"{home / 'elsewhere'}" in result.stdout.split("secret.key")[1]


def test_a_store_somebody_sends_from_stays(home: Path) -> None:
    database = Database(f"sqlite:///{home / 'store.db'}")
    with ownership.sole_sender(database):
        result = typed(home, "db", "move", "sqlite:///new.db")
    database.close()
    assert result.exit_code == 5
    assert "pid" in result.stderr


def test_the_doctor_sees_a_server_that_may_forget(home: Path, postgres_database: Database) -> None:
    url = postgres_database.url.render_as_string(hide_password=False)
    document(home, "db", "move", url)
    _switch(home, url)
    lines = typed(home, "doctor").stdout.splitlines()
    assert [line.split()[0] for line in lines if "PostgreSQL" in line] == ["ok"]
    with postgres_database.write() as session:
        name = postgres_database.url.database
        session.connection().exec_driver_sql(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    result = typed(home, "doctor")
    assert result.exit_code == 1
    assert "synchronous_commit = off" in result.stdout


def test_the_status_names_who_sends(home: Path) -> None:
    database = Database(f"sqlite:///{home / 'store.db'}")
    with ownership.sole_sender(database) as first, ownership.one_of_many(database) as second:
        status = document(home, "db", "status")
    database.close()
    assert isinstance(status, dict)
    assert status["senders"] == [first.name, second.name]
    assert "niemand" in typed(home, "db", "status").stdout


@pytest.mark.parametrize("target", ["sqlite:///store.db", "mysql://localhost/shop", "shop.db"])
def test_a_target_that_is_none_is_usage(home: Path, target: str) -> None:
    result = typed(home, "db", "move", target)
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr
