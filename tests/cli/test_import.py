"""`treuepost import` and `treuepost pull`, as they are typed."""

from __future__ import annotations

import csv
import json
import os
import pty
import shlex
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.typed import make_folder, typed

ROOT = Path(__file__).parents[2]
GERMAN = "Kundennr.;E-Mail;Vorname;Geb.-Datum\n1;jon@example.com;JON;4/13/1966\n2;eva@example.com;EVA;5/14/1965\n"
PLAIN = "customer_id,email,first_name\n1,jon@example.com,Jon\n2,eva@example.com,Eva\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a shop's folder with a config, templates and no campaigns."""
    folder = tmp_path / "laden"
    make_folder(folder, campaign="")
    return folder


def write(home: Path, content: str | bytes, name: str = "kunden.csv") -> str:
    path = home / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def customers(home: Path) -> list[tuple[Any, ...]]:
    """Return who is in the store, read beside the program."""
    with sqlite3.connect(home / "store.db") as store:
        rows = store.execute("SELECT customer_id, first_name, birth_md FROM customer ORDER BY customer_id").fetchall()
    store.close()
    return rows


def test_a_file_with_our_own_headings_is_imported_without_a_question(home: Path) -> None:
    result = typed(home, "import", "customers", write(home, PLAIN))
    assert result.exit_code == 0, result.output
    assert "2 read · 2 new · 0 updated · 0 unchanged · 0 refused" in result.stdout
    assert customers(home) == [("1", "Jon", None), ("2", "Eva", None)]


def test_json_is_one_document_with_the_promised_keys_and_the_second_time_changes_nothing(home: Path) -> None:
    file = write(home, PLAIN)
    first = json.loads(typed(home, "import", "customers", file, "--json").stdout)
    assert list(first) == ["read", "created", "updated", "unchanged", "refused", "refused_file", "warnings"]
    assert (first["read"], first["created"], first["refused_file"]) == (2, 2, None)
    again = json.loads(typed(home, "import", "customers", file, "--json").stdout)
    assert (again["created"], again["updated"], again["unchanged"]) == (0, 0, 2)


def test_refused_rows_end_with_three_and_lie_in_a_file_beside_the_import(home: Path) -> None:
    file = write(home, PLAIN + "3,kein-at,=HYPERLINK()\n")
    result = typed(home, "import", "customers", file, "--json")
    assert result.exit_code == 3
    document = json.loads(result.stdout)
    assert (document["created"], document["refused"]) == (2, 1)
    written = list(csv.DictReader(Path(document["refused_file"]).read_text(encoding="utf-8-sig").splitlines()))
    assert written[0]["refused_row"] == "4"
    assert written[0]["refused_field"] == "email"
    assert written[0]["refused_because"] == "not an address: there is no @ in it"
    assert written[0]["first_name"] == "'=HYPERLINK()"
    assert Path(document["refused_file"]).name == "kunden.refused.csv"


def test_refused_rows_go_where_they_are_told_to(home: Path) -> None:
    file = write(home, PLAIN + "3,kein-at,Udo\n")
    result = typed(home, "import", "customers", file, "--refused", str(home / "schlecht.csv"))
    assert (result.exit_code, (home / "schlecht.csv").exists()) == (3, True)
    assert "1 refused" in result.stdout


def test_without_a_terminal_a_guess_is_refused_with_the_command_that_settles_it(home: Path) -> None:
    file = write(home, GERMAN)
    result = typed(home, "import", "customers", file)
    assert result.exit_code == 2
    assert customers(home) == []
    assert "can only be read by guessing" in result.stderr
    command = next(line for line in result.stderr.splitlines() if "treuepost import" in line)
    words = shlex.split(command)[1:]
    assert typed(home, *words).exit_code == 0
    assert customers(home) == [("1", "Jon", 413), ("2", "Eva", 514)]


def test_yes_takes_the_preview_as_it_proposes(home: Path) -> None:
    assert typed(home, "import", "customers", write(home, GERMAN), "--yes").exit_code == 0
    assert customers(home) == [("1", "Jon", 413), ("2", "Eva", 514)]


def test_no_tidy_names_keeps_them_as_they_are(home: Path) -> None:
    assert typed(home, "import", "customers", write(home, GERMAN), "--yes", "--no-tidy-names").exit_code == 0
    assert customers(home)[0][1] == "JON"


def test_a_dry_run_shows_the_preview_and_writes_nothing(home: Path) -> None:
    result = typed(home, "import", "customers", write(home, GERMAN), "--dry-run")
    assert result.exit_code == 0
    assert customers(home) == []
    for words in ("Geb.-Datum", "-> birthday", "4/13/1966", "proposed", "[source.customers]", "--date-format M/D/YYYY"):
        assert words in result.stdout
    machine = json.loads(typed(home, "import", "customers", write(home, GERMAN), "--dry-run", "--json").stdout)
    assert machine["columns"]["Geb.-Datum"] == "birthday"


def test_a_column_that_looks_like_a_field_is_left_out_with_a_warning_where_nobody_agreed(home: Path) -> None:
    file = write(home, "email,Vorname\na@example.com,Anna\n")
    result = typed(home, "import", "customers", file)
    assert result.exit_code == 0
    assert '--map "Vorname=first_name" takes it' in result.stderr
    assert customers(home) == [(None, "", None)]


@pytest.mark.parametrize("answer", ["y", "j", "n"])
def test_on_a_terminal_the_owner_is_asked(home: Path, answer: str) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "engine", "--config", str(home / "config.toml"), "import", "customers"]
    asked = subprocess.Popen(
        [*command, write(home, GERMAN)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "120"},
    )
    os.close(theirs)
    seen = _read_until(ours, "So übernehmen? [j/N]".encode())
    os.write(ours, f"{answer}\n".encode())
    seen += _read_until(ours, b"geschrieben." if answer == "n" else b"refused")
    assert asked.wait(timeout=60) == 0
    os.close(ours)
    assert (b"JON" in seen, len(customers(home))) == (True, 0 if answer == "n" else 2)


def _read_until(terminal: int, words: bytes) -> bytes:
    seen = b""
    while words not in seen:
        piece = os.read(terminal, 65536)
        assert piece, seen
        seen += piece
    return seen


def test_a_file_that_is_refused_whole_ends_with_one_and_writes_nothing(home: Path) -> None:
    file = write(home, PLAIN + '3,c@example.com,"Udo\n')
    result = typed(home, "import", "customers", file)
    assert result.exit_code == 1
    assert "row 4: a quote opens here" in result.stderr
    assert customers(home) == []


def test_a_missing_column_a_wrong_word_and_a_missing_file_say_what_would_be_right(home: Path) -> None:
    result = typed(home, "import", "customers", write(home, "Ort;PLZ\nBonn;53111\n"), "--yes")
    assert result.exit_code == 2
    assert 'no column customer_id or email. It has: "Ort", "PLZ"' in result.stderr
    result = typed(home, "import", "custmers", "x.csv")
    assert result.exit_code == 2
    assert "Did you mean customers?" in result.stderr
    assert typed(home, "import", "customers", str(home / "nichts.csv")).exit_code == 7


def test_windows_1252_is_said_in_the_preview_and_in_the_result(home: Path) -> None:
    file = write(home, "email;last_name\na@example.com;Müller\n".encode("cp1252"))
    result = typed(home, "import", "customers", file, "--json")
    assert json.loads(result.stdout)["warnings"] == [
        "read as Windows-1252, because row 2 is not UTF-8; --encoding says otherwise"
    ]
    assert "Windows-1252" in result.stderr


def test_the_printed_source_is_pulled_and_pulled_again_only_when_it_changed(home: Path) -> None:
    file = write(home, GERMAN)
    shown = typed(home, "import", "customers", file, "--dry-run").stdout
    block = shown[shown.index("[source.customers]") :].split("\n\n")[0]
    with (home / "config.toml").open("a", encoding="utf-8") as config:
        config.write(f"\n{block}\n")
    first = typed(home, "pull", "--json")
    assert first.exit_code == 0, first.output
    (document,) = json.loads(first.stdout)
    assert (document["source"], document["new"], document["created"]) == ("customers", True, 2)
    assert "nothing new in kunden.csv" in typed(home, "pull", "customers").stdout
    write(home, GERMAN + "3;kein-at;UDO;1/2/1960\n")
    changed = typed(home, "pull")
    assert changed.exit_code == 3
    assert "3 read · 0 new · 0 updated · 2 unchanged · 1 refused" in changed.stdout


def test_pull_says_what_is_wrong_with_a_source(home: Path) -> None:
    assert typed(home, "pull").exit_code == 7
    with (home / "config.toml").open("a", encoding="utf-8") as config:
        config.write('\n[source.kunden]\nfrom = "file"\nfile = "kunden.csv"\nwhat = "customers"\n')
    missing = typed(home, "pull")
    assert missing.exit_code == 1
    assert "does not exist" in missing.stderr
    assert typed(home, "pull", "andere").exit_code == 7
