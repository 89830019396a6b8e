"""The shop of the simulation: built once, its store kept in several states and laid out anew for every case."""

from __future__ import annotations

import atexit
import shutil
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import event

import tests
from engine.app import App, assemble
from engine.campaigns.model import Campaign
from engine.clock import stopped_at
from engine.config.loading import load_config
from engine.rendering.renderer import Renderer
from engine.steps import planning
from engine.store.database import Database
from tests.conftest import CONFIG, WORDING
from tests.people import INSTALLATION, NOW, add_consent, add_customer

BIRTHDAY = """
id = "birthday"
kind = "birthday"
advertises = ["*"]
on_doubt = "hold"
[trigger]
on = "birthday"
[start]
from = 2026-11-01
[send]
max_late = "2 days"
[message]
subject = "Alles Gute!"
body = "{{ greeting }}, alles Gute."
"""

EDITED = BIRTHDAY.replace("alles Gute.", "viel Glück.")
OFF = BIRTHDAY.replace('kind = "birthday"', 'kind = "birthday"\nenabled = false')
PROVIDER = 'use = "brevo"\nbase_url = "http://127.0.0.1:9"\napi_key_file = "{key}"'


@dataclass(frozen=True, slots=True)
class Files:
    """A campaign file as it was read, with the templates compiled for it."""

    campaigns: tuple[Campaign, ...]
    renderer: Renderer


@dataclass(frozen=True, slots=True)
class Shop:
    """A shop that exists once: its folder, its files in each version, and its store before anything has happened."""

    app: App
    fresh: Path
    live: Path
    versions: dict[str, Files]


@cache
def shop() -> Shop:
    """Build the shop in memory (or wherever there is room); the folder goes with the program."""
    memory = Path("/dev/shm")  # noqa: S108  (a power cut is no subject here, so the disk need not be waited for)
    home = Path(tempfile.mkdtemp(prefix="treuepost-simulation-", dir=memory if memory.is_dir() else None))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    shutil.copytree(Path(tests.__file__).parents[1] / "templates", home / "templates")
    (home / "wording.txt").write_text(WORDING, encoding="utf-8")
    key = home / "api.key"
    key.write_text("xkeysib-test", encoding="utf-8")
    key.chmod(0o600)
    live = home / "live" / "store.db"
    live.parent.mkdir()
    text = CONFIG.replace('use = "outbox"', PROVIDER.replace("{key}", str(key))).replace("{store}", f"sqlite:///{live}")
    text = text.replace("[wording.", '[web]\npublic_url = "https://post.radhaus-sommer.example.com"\n\n[wording.', 1)
    (home / "config.toml").write_text(text, encoding="utf-8")
    versions = {}
    for doubt in ("hold", "resend"):
        for name, words in {"as it was": BIRTHDAY, "edited": EDITED, "off": OFF}.items():
            _write_campaign(home, words.replace('"hold"', f'"{doubt}"'))
            app = assemble(load_config(home / "config.toml", {}), stopped_at(NOW))
            versions[f"{name}, {doubt}"] = Files(app.campaigns, app.renderer)
            app.database.close()
    with app.database.write() as session:  # the same names in every run: waits depend on them
        session.connection().exec_driver_sql("UPDATE installation SET uuid = ?", (str(INSTALLATION),))
    fresh = home / "fresh.db"
    _fold(app.database)
    shutil.move(live, fresh)
    return Shop(replace(app, installation=INSTALLATION), fresh, live, versions)


def _fold(database: Database) -> None:
    """Bring everything from the log into the file itself."""
    database.close()
    with closing(sqlite3.connect(str(database.path))) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _write_campaign(home: Path, text: str) -> None:
    (home / "campaigns").mkdir(exist_ok=True)
    (home / "campaigns" / "birthday.toml").write_text(text, encoding="utf-8")


_stores: list[Database] = []


def live_store() -> Database:
    """Return the one store, which keeps its compiled statements from case to case."""
    if not _stores:
        store = Database(shop().app.config.store.url)
        event.listen(store._engine, "connect", _hasten)
        _stores.append(store)
    return _stores[0]


def _hasten(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA synchronous=OFF")


def lay_out(source: Path) -> None:
    """Put a store in place, as it was when it was kept."""
    live_store().close()
    for old in shop().live.parent.iterdir():
        old.unlink()
    shutil.copy(source, shop().live)


def keep(name: str) -> Path:
    """Keep the store as it is now, to be laid out again."""
    _fold(live_store())
    return Path(shutil.copy(shop().live, shop().fresh.with_name(f"{name}.db")))


@cache
def with_people(count: int, *, planned: bool) -> Path:
    """Return a store in which so many people have their birthday, with or without their messages.

    Unplanned, every third has it tomorrow, and the first and the last share a mailbox.
    """
    lay_out(shop().fresh)
    with live_store().write() as session:
        for number in range(count):
            born = NOW.date().replace(year=1980) + timedelta(days=number % 3 == 2 and not planned)
            email = f"k{0 if number == count - 1 and not planned else number}@example.com"
            add_consent(session, add_customer(session, str(number), email, birthday=born))
    if planned:
        files = shop().versions["as it was, hold"]
        planning.plan(replace(shop().app, database=live_store(), campaigns=files.campaigns), NOW)
    return keep(f"people-{count}-{planned}")
