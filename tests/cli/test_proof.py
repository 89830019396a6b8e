"""`treuepost proof`, as it is typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.typed import document, lay_out, typed


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return lay_out(tmp_path / "laden")


def test_a_proof_is_written_and_told_in_words_without_the_address(home: Path) -> None:
    result = typed(home, "proof", "anna@example.com", "--out", str(home / "anna"))
    assert result.exit_code == 0, result.output
    assert "Dieser Person wurde nie geschrieben." in result.stdout
    assert "anna@" not in result.stdout
    assert (home / "anna" / "proof.html").is_file()


def test_the_page_names_whom_it_is_about_and_not_the_number_that_was_typed(home: Path) -> None:
    typed(home, "proof", "1", "--out", str(home / "anna"))
    page = (home / "anna" / "proof.html").read_text(encoding="utf-8")
    assert "An anna@example.com wurde nie eine E-Mail versandt." in page


def test_a_machine_is_told_what_lies_where(home: Path) -> None:
    told = document(home, "proof", "stranger@example.org", "--out", str(home / "out"), "--operator", "Petra")
    assert told == {
        "finding": "unknown_address", "folder": str(home / "out"), "files": ["proof.html", "proof.json"],
        "mails": 0, "events": 0, "suppressions": 0,
    }  # fmt: skip
    assert '"made_by": "Petra"' in (home / "out" / "proof.json").read_text(encoding="utf-8")


def test_a_folder_is_asked_for_and_none_is_overwritten(home: Path) -> None:
    assert typed(home, "proof", "1").exit_code == 2
    (home / "full").mkdir()
    (home / "full" / "letter.txt").write_text("x", encoding="utf-8")
    assert typed(home, "proof", "1", "--out", str(home / "full")).exit_code == 2
    assert typed(home, "proof", "Nobody", "--out", str(home / "new")).exit_code == 7
    assert not (home / "new").exists()
