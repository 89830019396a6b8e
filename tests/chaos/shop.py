"""The shop that is put under fire: everybody's birthday is today, and everybody has agreed to be written to."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import sqlalchemy as sa

from engine.clock import system_clock
from tests.chaos import processes
from tests.chaos.provider import Provider
from tests.end_to_end.command import ROOT

BERLIN = ZoneInfo("Europe/Berlin")
OPEN = frozenset({"planned", "claimed", "sending", "retrying", "in_doubt"})

CONFIG = """
[shop]
name = "Bäckerei Kern"
address = "Marktplatz 3, 97070 Würzburg"
phone = "+49 931 12345"
email = "post@baeckerei-kern.example.com"
represented_by = "Jonas Kern"
url = "https://baeckerei-kern.example.com"
privacy = "https://baeckerei-kern.example.com/datenschutz"

[store]
url = "{store}"

[provider]
use = "{use}"
from = "Bäckerei Kern <post@baeckerei-kern.example.com>"
base_url = "{base_url}"
max_per_minute = {rate}
max_per_day = 1000000
dpa_signed_at = 2026-01-01
{more}

[web]
public_url = "https://mail.baeckerei-kern.example.com"

[wording.kasse]
file = "kasse.txt"
kinds = ["birthday"]
product_scope = "Backwaren"
"""

CAMPAIGN = """
id = "geburtstag"
name = "Geburtstag"
enabled = true
kind = "birthday"
advertises = ["backwaren"]
on_doubt = "{on_doubt}"

[trigger]
on = "birthday"

[send]
between = "00:00-23:59"

[message]
subject = "Alles Gute, {{{{ customer.first_name }}}}!"
body = "{{{{ greeting }}}}, wir gratulieren herzlich."
"""


@dataclass
class Shop:
    """A shop in a folder, its provider, and the people it must write to."""

    home: Path
    provider: Provider
    store: str = ""
    on_doubt: str = "hold"
    rate: int = 100_000
    people: list[str] = field(default_factory=list)

    def open(self, people: int, more: str = "") -> Shop:
        """Write its files and import its people."""
        (self.home / "campaigns").mkdir(parents=True)
        (self.home / "templates").mkdir()
        for template in (ROOT / "templates").iterdir():
            if template.is_file():
                (self.home / "templates" / template.name).write_bytes(template.read_bytes())
        self.store = self.store or f"sqlite:///{self.home / 'shop.db'}"
        provider = self.provider
        config = CONFIG.format(
            store=self.store, use=provider.personality, base_url=provider.base_url, rate=self.rate, more=more
        )
        (self.home / "config.toml").write_text(config, encoding="utf-8")
        campaign = CAMPAIGN.format(on_doubt=self.on_doubt)
        (self.home / "campaigns" / "geburtstag.toml").write_text(campaign, encoding="utf-8")
        (self.home / "kasse.txt").write_text("Ja, die Bäckerei Kern darf mir zum Geburtstag schreiben.\n")
        if not self.store.startswith("sqlite"):
            processes.command(self.home, ["db", "upgrade"])
        self.invite(people)
        return self

    def invite(self, count: int) -> None:
        """Import so many more people whose birthday is today."""
        today = (system_clock() + timedelta(minutes=5)).astimezone(BERLIN).date()
        numbers = range(len(self.people), len(self.people) + count)
        stamp = "2026-01-05T12:00:00+01:00"
        customers = [f"{n},Kunde{n},kunde{n}@example.com,--{today:%m-%d}" for n in numbers]
        consents = [f"kunde{n}@example.com,confirmed,{stamp},birthday,kasse,{stamp},kasse,beleg-{n}" for n in numbers]
        # Consents first: a daemon that is at work may look at a customer at once, and without one there is no mail.
        for what, head, lines in (
            ("consents", "email,state,at,kinds,wording,requested_at,source,proof", consents),
            ("customers", "customer_id,first_name,email,birthday", customers),
        ):
            file = self.home / f"{what}-{numbers.start}.csv"
            file.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
            processes.command(self.home, ["import", what, str(file), "--yes"])
        self.people += [f"kunde{n}@example.com" for n in numbers]

    def start(self, *words: str, place: int = 0) -> processes.Running:
        """Start its daemon, or a worker beside it, which has a `place` and a log of its own."""
        return processes.start(self.home, list(words), self.home / f"daemon-{place}.log")

    def states(self) -> Counter[str]:
        """Return how many messages are in each state: to wait on, never to judge by."""
        return Counter(dict(self._ask("SELECT state, count(*) FROM message GROUP BY state")))

    def doubts(self) -> int:
        """Return how many messages were ever in doubt: whether anything was hit at all."""
        return int(self._ask("SELECT count(DISTINCT message) FROM message_event WHERE after = 'in_doubt'")[0][0])

    def _ask(self, asked: str) -> list[tuple[Any, ...]]:
        if self.store.startswith("sqlite"):
            with sqlite3.connect(self.store.removeprefix("sqlite:///"), timeout=30) as connection:
                found = connection.execute(asked).fetchall()
            connection.close()
        else:
            with psycopg.connect(conninfo(self.store)) as server:
                found = server.execute(asked).fetchall()
        return found

    def at_rest(self) -> bool:
        """Say whether everybody has a message and none is under way."""
        states = self.states()
        return sum(states.values()) >= len(self.people) and not OPEN & set(states)

    def rows(self) -> list[dict[str, str]]:
        """Return what its own log says, message by message."""
        return [json.loads(line) for line in processes.command(self.home, ["log", "--json"]).splitlines()]

    def audit(self) -> str | None:
        """Return what `treuepost audit` finds, empty where all is well; None where there is no such command."""
        try:
            processes.command(self.home, ["audit"])
        except RuntimeError as error:
            return None if "No such command" in str(error) else str(error)
        return ""


def conninfo(store: str) -> str:
    """Return the PostgreSQL driver's own words for a store's URL."""
    url = sa.make_url(store)
    return f"host={url.query['host']} user={url.username} dbname={url.database}"
