"""A shop folder and a way to type commands into it, for the tests of the command line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from sqlmodel import Session
from typer.testing import CliRunner, Result

from engine.cli import build
from engine.store import schema
from engine.store.database import Database
from tests.conftest import CONFIG, WORDING
from tests.people import add_consent, add_customer

ROOT = Path(__file__).parents[2]
AT = "2026-11-23T09:30:00+01:00"
BIRTHDAY = """
id = "birthday"
name = "Geburtstag"
kind = "birthday"
[trigger]
on = "birthday"
when = "on the day"
[send]
between = "09:00-18:00"
[message]
subject = "Alles Gute, {{ customer.first_name or 'zum Geburtstag' }}!"
body = "{{ greeting }},"
"""


def make_folder(folder: Path, *, campaign: str = BIRTHDAY, config: str = CONFIG) -> None:
    """Make the folder of a shop that knows nobody yet; with an empty `campaign` it has none."""
    shutil.copytree(ROOT / "templates", folder / "templates")
    (folder / "campaigns").mkdir()
    if campaign:
        (folder / "campaigns" / "birthday.toml").write_text(campaign, encoding="utf-8")
    (folder / "wording.txt").write_text(WORDING, encoding="utf-8")
    (folder / "config.toml").write_text(config.replace("{store}", "sqlite:///store.db"), encoding="utf-8")


@contextmanager
def opened(folder: Path) -> Iterator[Session]:
    """Lend the shop's store for writing, with its tables in it."""
    database = Database(f"sqlite:///{folder / 'store.db'}")
    schema.upgrade(database)
    with database.write() as session:
        yield session
    database.close()


def lay_out(folder: Path, *, campaign: str = BIRTHDAY, config: str = CONFIG) -> Path:
    """Make a shop: Anna and Ben have their birthday on 23 November, only Anna agreed; Cleo's is the day after."""
    make_folder(folder, campaign=campaign, config=config)
    with opened(folder) as session:
        anna = add_customer(session, "1", "anna@example.com", first_name="Anna", birthday=date(1980, 11, 23))
        add_consent(session, anna)
        add_customer(session, "2", "ben@example.com", first_name="Ben", birthday=date(1981, 11, 23))
        cleo = add_customer(session, "3", "cleo@example.com", first_name="Cleo", birthday=date(1982, 11, 24))
        add_consent(session, cleo)
    return folder


def typed(home: Path, *words: str) -> Result:
    """Type a command without a terminal."""
    return CliRunner().invoke(build(), ["--config", str(home / "config.toml"), *words])


def document(home: Path, *words: str) -> object:
    """Type a command with --json and return the document it prints."""
    result = typed(home, *words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def lines(home: Path, *words: str) -> list[dict[str, object]]:
    """Type a command with --json and return the objects it prints, one a line."""
    result = typed(home, *words, "--json")
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]
