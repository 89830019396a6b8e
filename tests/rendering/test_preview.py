"""`treuepost preview`: what somebody sees before anybody gets a mail."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.cli import build
from tests.rendering.premises import body, letter, open_shop


@pytest.fixture
def config(tmp_path: Path) -> str:
    message = 'subject = { de = "Hallo", en = "Hello" }\nbody = { de = "{{ greeting }}", en = "{{ greeting }}" }\n'
    open_shop(tmp_path, letter(message))
    return str(tmp_path / "config.toml")


def test_every_mail_is_shown_in_each_of_its_languages(config: str, tmp_path: Path) -> None:
    shown = CliRunner().invoke(
        build(), ["--config", config, "preview", "one", "--json", "--out", str(tmp_path / "out")]
    )
    assert shown.exit_code == 0, shown.output
    mails = json.loads(shown.stdout)
    assert [(mail["step"], mail["language"], mail["subject"]) for mail in mails] == [
        ("message", "de", "Hallo"),
        ("message", "en", "Hello"),
    ]
    assert mails[1]["text"].startswith("Dear Ms Miller")
    assert Path(mails[0]["files"][0]).read_text(encoding="utf-8") == mails[0]["html"]


def test_people_read_subject_and_text(config: str) -> None:
    shown = CliRunner().invoke(build(), ["--config", config, "preview", "one"])
    assert "Betreff: Hallo" in shown.stdout
    assert "Guten Tag Frau Müller" in shown.stdout
    assert "<html" not in shown.stdout


@pytest.mark.parametrize(("arguments", "code"), [(["on"], 7), (["one", "--as", "17"], 7), (["one", "--at", "x"], 2)])
def test_what_is_not_there_is_said(config: str, arguments: list[str], code: int) -> None:
    assert CliRunner().invoke(build(), ["--config", config, "preview", *arguments]).exit_code == code


def test_a_broken_template_ends_with_its_own_exit_code(tmp_path: Path) -> None:
    open_shop(tmp_path, letter(body("x")))
    (tmp_path / "campaigns" / "one.toml").write_text(letter(body("{{ nothing }}")), encoding="utf-8")
    shown = CliRunner().invoke(build(), ["--config", str(tmp_path / "config.toml"), "preview", "one"])
    assert shown.exit_code == 4
