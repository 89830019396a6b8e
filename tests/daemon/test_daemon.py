"""`treuepost run`: one at a time, stopped gently, reloaded whole or not at all."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from engine.store.database import Database
from tests.cli.typed import BIRTHDAY, lay_out, lines, make_folder, opened, typed
from tests.conftest import CONFIG
from tests.daemon.running import daemon
from tests.daemon.way import Way


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return lay_out(tmp_path / "laden")


@pytest.fixture
def environ() -> Mapping[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("TREUEPOST", "NOTIFY"))}


def test_sigterm_ends_it_gently(home: Path, environ: Mapping[str, str]) -> None:
    with daemon(home, environ) as running:
        running.send(signal.SIGTERM)
        running.until("stopped")
        assert running.end()[0] == 0
    assert {row["state"] for row in lines(home, "log", "--rehearsal")} <= {"planned", "sent", "skipped", "expired"}


def test_a_second_daemon_is_refused_and_names_the_first(home: Path, environ: Mapping[str, str]) -> None:
    with daemon(home, environ) as running:
        command = [sys.executable, "-m", "engine", "--config", str(home / "config.toml"), "run"]
        second = subprocess.run(command, capture_output=True, text=True, env=dict(environ), check=False)
        assert second.returncode == 5
        assert f"pid {running.process.pid}" in second.stderr
        assert "Traceback" not in second.stderr


def test_every_command_may_write_beside_it(home: Path, environ: Mapping[str, str]) -> None:
    with daemon(home, environ):
        command = [sys.executable, "-m", "engine", "--config", str(home / "config.toml"), "pause", "--all"]
        assert subprocess.run(command, env=dict(environ), capture_output=True, check=False).returncode == 0


def test_it_keeps_the_texts_and_sends_what_is_asked_for_beside_its_campaigns(
    home: Path, environ: Mapping[str, str]
) -> None:
    paper = ("--wording", "newsletter-2015", "--evidence", "form no. 17")
    with daemon(home, environ) as running:
        assert typed(home, "consent", "request", "neu@example.com", *paper).exit_code == 0
        assert running.until("replied")["sent"] == 1
    (mail,) = (file for file in (home / "outbox").glob("*.eml") if b"neu@example.com" in file.read_bytes())
    assert b"Auto-Submitted" in mail.read_bytes()
    with opened(home) as session:
        kept = session.connection().exec_driver_sql("SELECT name FROM wording").all()
    assert [tuple(row) for row in kept] == [("newsletter-2015",)]


def test_sighup_takes_changed_files_up(home: Path, environ: Mapping[str, str]) -> None:
    with daemon(home, environ) as running:
        second = BIRTHDAY.replace('id = "birthday"', 'id = "second"')
        (home / "campaigns" / "second.toml").write_text(second, encoding="utf-8")
        running.send(signal.SIGHUP)
        assert running.until("reloaded")["campaigns"] == 2


def test_a_broken_file_keeps_the_version_that_runs_and_says_where(home: Path, environ: Mapping[str, str]) -> None:
    with daemon(home, environ) as running:
        (home / "campaigns" / "birthday.toml").write_text(BIRTHDAY.replace("kind =", "knid ="), encoding="utf-8")
        place = running.until("not taken up")["place"]
        running.until("reload refused")
        assert str(place).endswith("birthday.toml:4:1")
        (home / "campaigns" / "birthday.toml").write_text(BIRTHDAY + "\n", encoding="utf-8")
        assert running.until("reloaded")["campaigns"] == 1
        running.send(signal.SIGTERM)
        assert running.end()[0] == 0


def test_a_broken_config_is_not_taken_up(home: Path, environ: Mapping[str, str]) -> None:
    with daemon(home, environ) as running:
        (home / "config.toml").write_text("[shop", encoding="utf-8")
        running.send(signal.SIGHUP)
        running.until("reload refused")
        running.send(signal.SIGTERM)
        assert running.end()[0] == 0


def test_a_store_that_is_replaced_stops_it(home: Path, environ: Mapping[str, str]) -> None:
    with daemon(home, environ) as running:
        shutil.copy(home / "store.db", home / "other.db")
        (home / "other.db").replace(home / "store.db")
        running.until("store lost")
        code, rest = running.end()
        assert code == 5
        assert "deleted or replaced" in rest
        assert "Traceback" not in rest


@pytest.mark.parametrize("word", ["run", "worker"])
def test_it_outlives_a_server_that_does_not_answer_for_a_while(
    tmp_path: Path, environ: Mapping[str, str], postgres_database: Database, word: str
) -> None:
    home = tmp_path / "laden"
    with closing(Way(postgres_database)) as way:
        make_folder(home, config=CONFIG.replace("{store}", way.url))
        with daemon(home, environ, word) as running:
            way.vanish()
            running.until("store not reached")
            way.come_back()
            running.until("goes on")
            running.send(signal.SIGTERM)
            assert running.end()[0] == 0


def test_systemd_hears_of_readiness_and_of_the_end(home: Path, tmp_path: Path, environ: Mapping[str, str]) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.settimeout(30)
        with daemon(home, {**environ, "NOTIFY_SOCKET": str(tmp_path / "notify")}) as running:
            assert ear.recv(200) == b"READY=1"
            assert ear.recv(200) == b"WATCHDOG=1"
            running.send(signal.SIGTERM)
            assert running.end()[0] == 0
            heard = [ear.recv(200)]
            while heard[-1] != b"STOPPING=1":
                heard.append(ear.recv(200))
