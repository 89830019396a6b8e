"""The command line as a whole: errors are sentences, exit codes are a promise, help is quick."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.cli.sentences import SENTENCES
from engine.domain.words import Reason
from engine.language import Language
from tests.cli.typed import AT, lay_out, typed


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return lay_out(tmp_path / "laden")


def test_help_names_every_command_of_the_design() -> None:
    shown = typed(Path(), "--help").output
    commands = "init check pull import reach plan explain tick run log preview send-test messages pause resume stop"
    for command in [*commands.split(), "consent", "suppress", "db", "doctor", "demo"]:
        assert f"\n  {command} " in shown, command


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from engine.cli import build; build(); "
        "heavy = ('sqlalchemy', 'pydantic', 'jinja2', 'babel', 'httpx', 'rich.table'); "
        "print([name for name in heavy if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_the_version_is_shown() -> None:
    assert typed(Path(), "--version").output.startswith("treuepost 0.")


def test_an_unknown_command_is_usage(home: Path) -> None:
    assert typed(home, "plann").exit_code == 2


def test_a_missing_config_says_how_to_make_one(tmp_path: Path) -> None:
    result = typed(tmp_path / "nowhere", "plan")
    assert result.exit_code == 4
    assert "treuepost init" in result.stderr


def test_a_broken_campaign_is_named_at_its_place(home: Path) -> None:
    (home / "campaigns" / "birthday.toml").write_text('id = "birthday"\nenabeld = true\n', encoding="utf-8")
    result = typed(home, "plan")
    assert result.exit_code == 4
    assert "birthday.toml:2:1" in result.stderr
    assert "enabled" in result.stderr
    assert "Traceback" not in result.output


def test_a_file_that_is_no_database_is_said(home: Path) -> None:
    (home / "store.db").write_bytes(b"this is not a database, whatever its name says" * 100)
    for command in (["plan"], ["log"], ["db", "status"], ["db", "upgrade"]):
        result = typed(home, *command)
        assert result.exit_code == 5, command
        assert "cannot be read" in result.stderr
        assert "Traceback" not in result.output


def test_missing_keys_are_said_to_be_missing_and_no_others_are_made(home: Path) -> None:
    assert typed(home, "plan").exit_code == 0
    (home / "secret.key").unlink()
    result = typed(home, "plan")
    assert result.exit_code == 5
    assert "secret.key is missing" in result.stderr
    assert not (home / "secret.key").exists()


def test_other_keys_than_the_stores_are_refused(home: Path) -> None:
    assert typed(home, "plan").exit_code == 0
    (home / "secret.key").write_text("0123456789abcdef" * 4 + "\n", encoding="utf-8")
    result = typed(home, "plan")
    assert result.exit_code == 5
    assert "secret.key holds other keys" in result.stderr


def test_debug_shows_the_traceback(home: Path) -> None:
    (home / "campaigns" / "birthday.toml").write_text("id = ", encoding="utf-8")
    assert "Traceback" in typed(home, "--debug", "plan").stderr


def test_a_closed_pipe_is_quiet(home: Path) -> None:
    typed(home, "tick", "--at", AT)
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "engine", "--config", str(home / "config.toml"), "log", "--rehearsal", "--json"]
    with os.fdopen(write, "wb") as pipe:
        done = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode != 0
    assert done.stderr == ""


def test_a_fault_of_ours_is_owned_up_to_without_a_traceback(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("engine.app.assemble", fail)
    result = typed(home, "plan")
    assert result.exit_code == 1
    assert "fault in Treuepost" in result.stderr
    assert "Traceback" not in result.stderr


def test_every_reason_is_said_in_german() -> None:
    said = Language("de")
    assert set(SENTENCES) == set(Reason)
    assert [text for text in SENTENCES.values() if said.gettext(text) == text] == []
