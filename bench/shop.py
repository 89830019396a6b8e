"""A shop to send from: its folder, its config, its campaign, and as many customers as one likes, all of them due."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlmodel import SQLModel

from engine.app import App, assemble
from engine.clock import system_clock
from engine.config.loading import load_config
from engine.domain.calendar import local_day
from engine.domain.permission import ConsentState
from engine.store import consents, schema
from engine.store.consents import NewConsent
from engine.store.database import Database
from engine.store.tables import Address, Customer, CustomerAddress

CONFIG = """
[shop]
name = "Radhaus Sommer"
address = "Lindenallee 4, 80331 München"
phone = "+49 89 1234567"
email = "laden@radhaus-sommer.example.com"
represented_by = "Petra Sommer"
url = "https://radhaus-sommer.example.com"
privacy = "https://radhaus-sommer.example.com/datenschutz"

[store]
url = "{store}"

[provider]
use = "{use}"
from = "Radhaus Sommer <post@radhaus-sommer.example.com>"
reply_to = "laden@radhaus-sommer.example.com"
base_url = "{sink}"
max_per_minute = {per_minute}
max_per_day = 10000000
senders = {senders}
{batch}

[web]
public_url = "https://post.radhaus-sommer.example.com"

[wording.laden]
file = "wording.txt"
kinds = ["birthday"]
"""

_CAMPAIGN = Path(__file__).with_name("birthday.toml")
_WORDING = "Ja, Radhaus Sommer darf mir per E-Mail schreiben. Ich kann das jederzeit beenden.\n"
_FIRST = ("Anna", "Jürgen", "Zoë", "Mehmet", "Käthe", "Jonas", "Ayşe", "Björn")
_LAST = ("Müller", "Öztürk", "Groß", "Lindner", "Nowak", "Schäfer", "Weiß")
_TAGS = (";stammkunde;rennrad;e-bike;werkstatt;", ";lastenrad;kinder;ersatzteile;touren;club;")
_ROWS_AT_ONCE = 5000
_AGREED = system_clock() - timedelta(days=500)  # a consent that is not used grows old


def open_shop(
    home: Path, sink: str, *, store: str = "sqlite:///store.db", use: str = "resend", **settings: object
) -> App:
    """Make the shop's folder and put the program together in it; the store is made where there is none."""
    (home / "campaigns").mkdir(parents=True, exist_ok=True)
    shutil.copy(_CAMPAIGN, home / "campaigns" / "birthday.toml")
    (home / "wording.txt").write_text(_WORDING, encoding="utf-8")
    batch = f"batch = {settings['batch']}" if "batch" in settings else ""
    values = {"per_minute": 6_000_000, "senders": 1} | settings | {"batch": batch}
    config = home / "config.toml"
    config.write_text(CONFIG.format(store=store, use=use, sink=sink, **values), encoding="utf-8")
    if store.startswith("postgresql"):
        database = Database(store)
        schema.upgrade(database)
        database.close()
    return again(home)


def again(home: Path) -> App:
    """Put the program together in a shop's folder that is there already."""
    return assemble(
        load_config(home / "config.toml", {"TREUEPOST_PROVIDER__API_KEY": "key-of-the-bench"}), system_clock
    )


def today(app: App) -> date:
    """Return the shop's day."""
    return local_day(system_clock(), app.config.shop.zone)


def add_customers(database: Database, count: int, born: date) -> None:
    """Add customers with an address and a proven consent each; all have their birthday on `born`."""
    now = system_clock()
    for first in range(1, count + 1, _ROWS_AT_ONCE):
        numbers = range(first, min(first + _ROWS_AT_ONCE, count + 1))
        with database.write() as session:
            for table, row in _ROWS:
                rows = [row(number, born, now) for number in numbers]
                session.connection().execute(sa.insert(table), rows)
            consents.append(session, [_yes(number) for number in numbers], now, "import")


def _address(number: int, _born: date, now: datetime) -> dict[str, object]:
    email = f"k{number}@example.com"
    return {"id": number, "exact": email, "canonical": email, "email": email, "created_at": now}


def _customer(number: int, born: date, now: datetime) -> dict[str, object]:
    return {
        "id": number,
        "uid": f"{number:08x}-0000-5000-8000-000000000000",
        "customer_id": str(number),
        "address_id": number,
        "first_name": _FIRST[number % len(_FIRST)],
        "last_name": _LAST[number % len(_LAST)],
        "salutation": "Frau" if number % 2 else "Herr",
        "birth_md": born.month * 100 + born.day,
        "customer_since": date(2015 + number % 9, number % 12 + 1, 7),
        "tags": _TAGS[number % len(_TAGS)],
        "updated_at": now,
    }


def _known(number: int, _born: date, _now: datetime) -> dict[str, object]:
    return {"customer_id": number, "address_id": number}


def _yes(number: int) -> NewConsent:
    agreed = _AGREED + timedelta(days=number % 400, minutes=number % 1000)
    return NewConsent(
        address_id=number,
        state=ConsentState.CONFIRMED,
        at=agreed,
        kinds=frozenset({"birthday"}),
        wording="laden",
        requested_at=agreed,
        source="web:https://radhaus-sommer.example.com/gruss",
        proof="f00d",
        proven=True,
        customer_id=number,
    )


_ROWS: tuple[tuple[type[SQLModel], Callable[[int, date, datetime], dict[str, object]]], ...] = (
    (Address, _address),
    (Customer, _customer),
    (CustomerAddress, _known),
)
