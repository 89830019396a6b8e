"""`treuepost log`: who got what, when, why, and the very bytes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.typed import AT, document, lay_out, lines, typed

KEYS = [
    "message_id",
    "campaign",
    "step",
    "customer",
    "email",
    "occasion",
    "state",
    "reason",
    "planned_at",
    "send_after",
    "sent_at",
    "provider",
    "provider_id",
    "attempts",
    "basis",
    "evidence",
    "subject",
    "rehearsal",
    "events",
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = lay_out(tmp_path_factory.mktemp("logs") / "laden")
    assert typed(folder, "tick", "--at", AT).exit_code == 0
    return folder


def test_a_line_has_exactly_the_keys_of_the_interface(home: Path) -> None:
    (sent,) = lines(home, "log", "state:sent", "--rehearsal")
    assert list(sent) == KEYS
    assert (sent["customer"], sent["basis"], sent["email"]) == ("1", "consent", "anna@example.com")
    assert str(sent["evidence"]).startswith("consent")
    assert [event["after"] for event in sent["events"]] == ["planned", "claimed", "sending", "sent"]  # type: ignore[attr-defined]


def test_rehearsed_mails_are_shown_only_when_asked_for(home: Path) -> None:
    assert lines(home, "log") == []
    assert "--rehearsal" in typed(home, "log").stderr


def test_people_see_masked_addresses_unless_they_ask(home: Path) -> None:
    assert "anna@example.com" not in typed(home, "log", "--rehearsal").stdout
    assert "anna@example.com" in typed(home, "log", "--rehearsal", "--show-addresses").stdout


def test_the_frozen_bytes_are_what_was_sent(home: Path) -> None:
    (sent,) = lines(home, "log", "state:sent", "--rehearsal")
    command = [sys.executable, "-m", "engine", "--config", str(home / "config.toml"), "log", "show"]
    shown = subprocess.run([*command, str(sent["message_id"]), "--eml"], capture_output=True, check=True)
    assert shown.stdout == (home / "outbox" / str(sent["provider_id"])).read_bytes()


def test_html_and_text_are_printed_alone(home: Path) -> None:
    (sent,) = lines(home, "log", "state:sent", "--rehearsal")
    name = str(sent["message_id"])[:8]
    assert typed(home, "log", "show", name, "--html").stdout.startswith("<!DOCTYPE html>")
    assert typed(home, "log", "show", name, "--text").stdout.lstrip().startswith("Guten Tag")


def test_one_mail_is_told_in_full(home: Path) -> None:
    (sent,) = lines(home, "log", "state:sent", "--rehearsal")
    shown = typed(home, "log", "show", str(sent["message_id"])).stdout
    assert "in Arbeit → geht hinaus" in shown
    assert "consent" in shown
    found = document(home, "log", "show", str(sent["message_id"]))
    assert isinstance(found, dict)
    assert [call["result"] for call in found["calls"]] == ["accepted"]


def test_what_was_never_sent_cannot_be_shown(home: Path) -> None:
    (skipped,) = lines(home, "log", "state:skipped", "--rehearsal")
    assert typed(home, "log", "show", str(skipped["message_id"]), "--html").exit_code == 7


@pytest.mark.parametrize(
    ("words", "code"),
    [(["status:sent"], 2), (["since:soon"], 2), (["show", "ffff"], 7), (["show", "f", "--html", "--text"], 2)],
)
def test_a_question_that_cannot_be_answered_is_refused(home: Path, words: list[str], code: int) -> None:
    result = typed(home, "log", *words)
    assert result.exit_code == code
    assert "error:" in result.stderr
