"""The daemon against a provider that keeps its own book: stopped, killed and started again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.end_to_end.command import ROOT, environment, json_lines, start, treuepost, until

PEOPLE = 240
BERLIN = ZoneInfo("Europe/Berlin")

CONFIG = """
[shop]
name = "Bäckerei Kern"
address = "Marktplatz 3, 97070 Würzburg"
phone = "+49 931 12345"
email = "post@baeckerei-kern.example.com"
represented_by = "Jonas Kern"
url = "https://baeckerei-kern.example.com"
privacy = "https://baeckerei-kern.example.com/datenschutz"

[provider]
use = "brevo"
from = "Bäckerei Kern <post@baeckerei-kern.example.com>"
base_url = "http://127.0.0.1:{port}"
max_per_minute = 100000
max_per_day = 100000
dpa_signed_at = 2026-01-01

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

[trigger]
on = "birthday"

[send]
between = "00:00-23:59"

[message]
subject = "Alles Gute, {{ customer.first_name }}!"
body = "{{ greeting }}, wir gratulieren herzlich."
"""


@dataclass
class Shop:
    """A shop in a folder, and the provider's own book."""

    home: Path
    book: Path
    log: Path

    def booked(self) -> list[str]:
        if not self.book.exists():
            return []
        lines = self.book.read_text(encoding="utf-8").split("\n")[:-1]
        return [json.loads(line)["to"] for line in lines]

    def has(self, mails: int) -> bool:
        return len(self.booked()) >= mails

    def log_says(self, word: str) -> bool:
        return self.log.exists() and word in self.log.read_text(encoding="utf-8")

    def run(self) -> subprocess.Popen[bytes]:
        return start(self.home, "run", log=self.log, TREUEPOST_PROVIDER__API_KEY="key")

    def states(self) -> Counter[str]:
        return Counter(row["state"] for row in self.rows())

    def rows(self) -> list[dict[str, str]]:
        return json_lines(self.home, "log", TREUEPOST_PROVIDER__API_KEY="key")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """Open a shop whose customers all have their birthday today, and a provider on loopback that keeps its own book."""
    book = tmp_path / "book.jsonl"
    command = [
        sys.executable,
        "-m",
        "tests.brevo_double",
        "--port",
        "0",
        "--book",
        str(book),
        "--mode",
        "slow",
        "--delay",
        "0.05",
    ]
    double = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True)
    assert double.stdout is not None
    port = int(double.stdout.readline())
    home = tmp_path / "shop"
    _open(home, port)
    yield Shop(home, book, tmp_path / "daemon.log")
    double.kill()
    double.wait()
    double.stdout.close()


def _open(home: Path, port: int) -> None:
    (home / "campaigns").mkdir(parents=True)
    (home / "templates").mkdir()
    for template in (ROOT / "templates").iterdir():
        if template.is_file():
            (home / "templates" / template.name).write_bytes(template.read_bytes())
    (home / "config.toml").write_text(CONFIG.format(port=port), encoding="utf-8")
    (home / "campaigns" / "geburtstag.toml").write_text(CAMPAIGN, encoding="utf-8")
    (home / "kasse.txt").write_text("Ja, die Bäckerei Kern darf mir zum Geburtstag schreiben.\n", encoding="utf-8")
    today = datetime.now(UTC).astimezone(BERLIN).date()  # noqa: TID251  (the daemon runs on the machine's clock)
    numbers = range(PEOPLE)
    customers = [f"{n},Kunde{n},kunde{n}@example.com,--{today:%m-%d}" for n in numbers]
    stamp = "2026-01-05T12:00:00+01:00"
    consents = [f"kunde{n}@example.com,confirmed,{stamp},birthday,kasse,{stamp},kasse,beleg-{n}" for n in numbers]
    (home / "k.csv").write_text("\n".join(["customer_id,first_name,email,birthday", *customers]) + "\n")
    (home / "c.csv").write_text("\n".join(["email,state,at,kinds,wording,requested_at,source,proof", *consents]) + "\n")
    for what, file in (("customers", "k.csv"), ("consents", "c.csv")):
        treuepost(home, "import", what, file, "--yes", TREUEPOST_PROVIDER__API_KEY="key")


def _stop(daemon: subprocess.Popen[bytes]) -> int:
    daemon.send_signal(signal.SIGTERM)
    return daemon.wait(timeout=60)


def test_the_daemon_sends_what_is_due_and_stops_clean(shop: Shop) -> None:
    daemon = shop.run()
    until(lambda: len(shop.booked()) >= PEOPLE, seconds=90, what="every mail")
    assert _stop(daemon) == 0
    assert sorted(shop.booked()) == sorted(f"kunde{n}@example.com" for n in range(PEOPLE))
    assert shop.states() == {"sent": PEOPLE}


def test_a_stop_in_full_flight_leaves_nothing_in_hand(shop: Shop) -> None:
    daemon = shop.run()
    until(lambda: len(shop.booked()) >= 20, seconds=60, what="the first mails")
    assert _stop(daemon) == 0
    states = shop.states()
    assert states["sent"] == len(shop.booked())
    assert set(states) <= {"sent", "planned", "retrying"}
    assert states["planned"] + states["retrying"] > 0, "the stop came too late to prove anything"


def test_killed_again_and_again_nobody_is_mailed_twice_and_the_log_never_claims_too_much(shop: Shop) -> None:
    kills = 0
    for mark in (1, 15, 40, 70, 100, 140, 180, 220):
        daemon = shop.run()
        until(lambda goal=mark: shop.has(goal) or shop.log_says("Traceback"), seconds=60, what=f"{mark} mails")
        assert daemon.poll() is None, shop.log.read_text(encoding="utf-8")
        daemon.kill()
        daemon.wait()
        kills += 1
    daemon = shop.run()
    until(lambda: _at_rest(shop), seconds=90, what="everything to come to rest")
    assert _stop(daemon) == 0
    booked = Counter(shop.booked())
    assert kills == 8
    assert [who for who, times in booked.items() if times > 1] == []
    rows = shop.rows()
    assert len(rows) == PEOPLE
    assert {row["email"] for row in rows if row["state"] == "sent"} <= set(booked)
    assert set(booked) <= {row["email"] for row in rows if row["state"] in {"sent", "unknown"}}


def _at_rest(shop: Shop) -> bool:
    states = shop.states()
    return sum(states.values()) == PEOPLE and set(states) <= {"sent", "unknown"}


def test_a_second_daemon_is_refused_by_name(shop: Shop) -> None:
    daemon = shop.run()
    until(lambda: len(shop.booked()) >= 1, seconds=60, what="the first daemon")
    second = treuepost(shop.home, "run", code=5, TREUEPOST_PROVIDER__API_KEY="key")
    assert str(daemon.pid) in second.stderr
    assert "Traceback" not in second.stderr
    assert _stop(daemon) == 0
