"""How fast purchases come in, beside the bare limit: csv and executemany into the same table in the same run.

The limit knows the customers' numbers beforehand, checks nothing, keeps no figures and commits once. The engine reads
the same file through `import_table` as the command does: every cell checked, customers found, days by time zone, each
customer's figures kept, short transactions. For a single purchase the limit is one parsed line, one INSERT, one commit.
"""

from __future__ import annotations

import argparse
import csv
import gc
import resource
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from uuid import UUID

from engine.clock import stopwatch
from engine.config.loading import Config
from engine.keys import Keyring
from engine.sources.options import ReadOptions
from engine.sources.rows import PurchaseRow
from engine.steps.importing.files import import_file
from engine.steps.importing.purchases import take_one
from engine.store import installation, schema
from engine.store.database import Database

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
HEADER = "purchase_id,customer_id,purchased_at,amount,currency,status,categories,items\n"
INSERT = (
    "INSERT INTO purchase (purchase_id, customer_id, purchased_at, local_on, amount_minor, currency, status, "
    "categories, items, email_from_sale, notice, notice_shown_at, updated_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, '', NULL, ?)"
)
EPOCH = date(1970, 1, 1)
SINGLES = 300
CONFIG = {
    "shop": {
        "name": "Radhaus Sommer",
        "address": "Lindenallee 4, 80331 München",
        "email": "laden@radhaus-sommer.example.com",
    }
}


@dataclass(frozen=True)
class Place:
    """As much of a whole Treuepost as an import needs."""

    config: Config
    database: Database
    keyring: Keyring
    installation: UUID
    home: Path


def main(options: list[str]) -> None:
    """Print engine, limit and ratio, for bulk and for single purchases."""
    parser = argparse.ArgumentParser(prog="python -m bench imports", description=__doc__)
    parser.add_argument("--customers", type=int, default=25_000)
    parser.add_argument("--purchases", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args(options)
    with tempfile.TemporaryDirectory(prefix="treuepost-bench-") as folder:
        home = Path(folder)
        template = _store(home, asked.customers)
        file = _file(home, asked.customers, asked.purchases)
        print(
            f"{asked.customers:,} customers, {asked.purchases:,} purchases, medians of {asked.rounds} alternating runs"
        )
        bulk = _alternately(
            asked.rounds,
            lambda: _timed(home, template, lambda path: _engine_bulk(home, path, file)),
            lambda: _timed(home, template, lambda path: _bare_bulk(path, file)),
        )
        _say("bulk", bulk, asked.purchases, goal=0.2)
        single = _alternately(
            asked.rounds,
            lambda: _timed_singles(home, template, engine=True),
            lambda: _timed_singles(home, template, engine=False),
        )
        _say("single", single, SINGLES, goal=0.5)
        print(f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")


def _alternately(rounds: int, engine: Callable[[], float], limit: Callable[[], float]) -> tuple[float, float]:
    times = [(engine(), limit()) for _ in range(rounds)]
    return median(one for one, _ in times), median(other for _, other in times)


def _say(name: str, seconds: tuple[float, float], rows: int, goal: float) -> None:
    engine, limit = (rows / each for each in seconds)
    print(
        f"{name:>7}: engine {engine:9,.0f} rows/s  limit {limit:9,.0f} rows/s  ratio {engine / limit:.2f} (goal {goal})"
    )


def _store(home: Path, customers: int) -> Path:
    """Make a store with customers of whom one in fifty lives by a clock of their own."""
    path = home / "template.db"
    database = Database(f"sqlite:///{path}")
    schema.upgrade(database)
    with database.write() as session:
        installation.ensure(session, NOW)
    database.close()
    connection = sqlite3.connect(path)
    connection.executemany(
        "INSERT INTO customer (uid, customer_id, first_name, last_name, salutation, company, language, address_form, "
        "timezone, country, tags, purchase_count, not_in_source, updated_at) "
        "VALUES (?, ?, '', '', '', '', '', '', ?, '', '', 0, 0, '2026-01-01 00:00:00.000000')",
        ((f"uid-{n}", str(10_000 + n), "" if n % 50 else "Pacific/Auckland") for n in range(customers)),
    )
    connection.commit()
    connection.close()
    return path


def _file(home: Path, customers: int, purchases: int) -> Path:
    path = home / "purchases.csv"
    start = datetime(2023, 1, 1, 9, tzinfo=UTC)
    with path.open("w", encoding="utf-8") as file:
        file.write(HEADER)
        for n in range(purchases):
            file.write(_line(n, (n * 7919) % customers, start + timedelta(minutes=10 * n)))
    return path


def _line(number: int, customer: int, at: datetime) -> str:
    money = f"{19 + number % 400}.90,EUR"
    return f"SO{number},{10_000 + customer},{at.isoformat()},{money},concluded,bikes.road_bikes,Road-150\n"


def _timed(home: Path, template: Path, work: Callable[[Path], None]) -> float:
    path = home / "run.db"
    for leftover in home.glob("run.db*"):
        leftover.unlink()
    shutil.copy(template, path)
    gc.collect()
    begun = stopwatch()
    work(path)
    return stopwatch() - begun


def _place(home: Path, path: Path) -> Place:
    database = Database(f"sqlite:///{path}")
    with database.write() as session:
        standing = installation.ensure(session, NOW)
    keyring = Keyring.load_or_create(home / "secret.key")
    return Place(Config.model_validate(CONFIG), database, keyring, standing.uuid, home)


def _engine_bulk(home: Path, path: Path, file: Path) -> None:
    place = _place(home, path)
    report = import_file(place, "purchases", file, ReadOptions(), NOW)
    place.database.close()
    assert not report.refused


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _bare_bulk(path: Path, file: Path) -> None:
    connection = _connect(path)
    numbers = dict(connection.execute("SELECT customer_id, id FROM customer"))
    connection.execute("BEGIN IMMEDIATE")
    with file.open(newline="", encoding="utf-8") as lines:
        rows = csv.reader(lines)
        next(rows)
        connection.executemany(INSERT, (_bare(row, numbers) for row in rows))
    connection.execute("COMMIT")
    connection.close()


def _bare(row: list[str], numbers: dict[str, int]) -> tuple[object, ...]:
    purchase, customer, at, amount, currency, status, categories, items = row
    day = (date.fromisoformat(at[:10]) - EPOCH).days
    return (purchase, numbers[customer], at, day, round(float(amount) * 100), currency, status, categories, items, at)


def _timed_singles(home: Path, template: Path, *, engine: bool) -> float:
    """Take purchases one at a time, each on the disk before the next."""
    path = home / "run.db"
    for leftover in home.glob("run.db*"):
        leftover.unlink()
    shutil.copy(template, path)
    start = datetime(2026, 1, 1, 9, tzinfo=UTC)
    lines = [_line(n, n * 31 % 1000, start + timedelta(minutes=n)) for n in range(SINGLES)]
    gc.collect()
    return _engine_singles(home, path, lines) if engine else _bare_singles(path, lines)


def _engine_singles(home: Path, path: Path, lines: list[str]) -> float:
    place = _place(home, path)
    names = HEADER.strip().split(",")
    begun = stopwatch()
    for number, line in enumerate(lines, 1):
        cells = next(csv.reader([line]))
        take_one(place, _row(dict(zip(names, cells, strict=True)), number), NOW)
    seconds = stopwatch() - begun
    place.database.close()
    return seconds


def _row(cells: dict[str, str], number: int) -> PurchaseRow:
    return PurchaseRow.model_construct(
        line=number,
        given=frozenset(cells),
        purchase_id=cells["purchase_id"],
        customer_id=cells["customer_id"],
        email=None,
        purchased_at=datetime.fromisoformat(cells["purchased_at"]),
        amount_minor=round(float(cells["amount"]) * 100),
        currency=cells["currency"],
        status=cells["status"],
        categories=tuple(cells["categories"].split(";")),
        items=tuple(cells["items"].split(";")),
    )


def _bare_singles(path: Path, lines: list[str]) -> float:
    connection = _connect(path)
    numbers = dict(connection.execute("SELECT customer_id, id FROM customer"))
    begun = stopwatch()
    for line in lines:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(INSERT, _bare(next(csv.reader([line])), numbers))
        connection.execute("COMMIT")
    seconds = stopwatch() - begun
    connection.close()
    return seconds
