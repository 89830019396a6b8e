"""How long `consent verify` takes over a log of 200,000 events, beside the least such a check can do.

The limit, in the same run and in turns: the same rows fetched by SQLite's own driver, and the same bytes hashed, with
nothing in between. Both by the processor's time too, where others use the machine.
"""

from __future__ import annotations

import argparse
import hmac
import sqlite3
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from statistics import median

from bench.limits import Took, timed
from engine.domain.permission import ConsentState
from engine.store import addresses, consent_check, consents, schema
from engine.store.consent_log import CHAINED, body_of
from engine.store.consents import NewConsent
from engine.store.database import Database

ROUNDS = 5
_AT_ONCE = 10_000
_START = datetime(2020, 1, 1, tzinfo=UTC)
_PII = "LEFT JOIN consent_pii p ON p.event_id = e.id ORDER BY e.seq"


def main(arguments: Sequence[str] = ()) -> None:
    """Fill a store, check it, and print both times and their ratio."""
    parser = argparse.ArgumentParser(prog="python -m bench consent", description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/store.db")
        schema.upgrade(database)
        filled = timed(lambda: _fill(database, options.events), options.events)
        print(f"{options.events:,} events, appended at {1 / filled.wall:,.0f} a second")
        _measure(database, Path(folder) / "store.db", options.events)
        database.close()


def _fill(database: Database, count: int) -> None:
    emails = [f"k{number}@example.com" for number in range(count // 2)]
    for first in range(0, count, _AT_ONCE):
        with database.write() as session:
            ids = addresses.find_or_add(session, emails[first // 2 : (first + _AT_ONCE) // 2], _START)
            said = [_said(number, at) for at, number in enumerate(ids.values(), first)]
            consents.append(session, [event for pair in said for event in pair], _START + timedelta(hours=first), "web")


def _said(number: int, at: int) -> tuple[NewConsent, NewConsent]:
    asked = _START + timedelta(minutes=at)
    evidence = {"channel": "web", "form_hash": sha256(b"%d" % at).hexdigest(), "locale": "de"}
    person = {"ip": "198.51.100.0", "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101"}
    kinds = frozenset({"newsletter", "birthday"})
    request = NewConsent(number, ConsentState.REQUESTED, asked, kinds, "laden", asked, "web", details=evidence)
    yes = NewConsent(
        number,
        ConsentState.CONFIRMED,
        asked + timedelta(minutes=3),
        kinds,
        "laden",
        asked,
        "web",
        "a click",
        proven=True,
        details=evidence,
        personal=person,
    )
    return request, yes


def _measure(database: Database, path: Path, count: int) -> None:
    bodies, contents = _bytes(database)
    checked: list[Took] = []
    limits: list[Took] = []
    for _ in range(ROUNDS):
        checked.append(timed(lambda: _check(database, count), count))
        limits.append(timed(lambda: (_read(path), _hash(bodies, contents)), count))
    for name, pick in (("wall", lambda took: took.wall), ("processor", lambda took: took.cpu)):
        mine, limit = median(map(pick, checked)) * count, median(map(pick, limits)) * count
        print(f"{name:<10} verify {mine:6.2f} s   rows and hashes alone {limit:6.2f} s   ratio {mine / limit:.2f}")


def _check(database: Database, count: int) -> None:
    with database.read() as session:
        seen = consent_check.walk(session)
    assert (seen.size, seen.faults) == (count, [])


def _bytes(database: Database) -> tuple[list[bytes], list[tuple[bytes, bytes]]]:
    """Return what is hashed: each event with the hash before it, and what is personal with its salt."""
    with database.read() as session:
        rows = session.connection().execute(consents._EVENT.select()).mappings()  # noqa: SLF001  (the same rows)
        bodies = [
            b"\x00" + bytes.fromhex(row["prev_hash"]) + body_of(row[name] for name in CHAINED).encode() for row in rows
        ]
        erasable = session.connection().execute(consents._PII.select())  # noqa: SLF001
        return bodies, [(bytes.fromhex(row.salt), row.content.encode()) for row in erasable]


def _read(path: Path) -> None:
    raw = sqlite3.connect(path)
    names = ", ".join(f"e.{name}" for name in (*CHAINED, "prev_hash", "hash"))
    cursor = raw.execute(" ".join(("SELECT", names, ", p.salt, p.content FROM consent_event e", _PII)))
    while cursor.fetchmany(2000):
        pass
    raw.close()


def _hash(bodies: list[bytes], contents: list[tuple[bytes, bytes]]) -> None:
    for body in bodies:
        sha256(body).hexdigest()
    for salt, content in contents:
        hmac.digest(salt, content, "sha256").hex()
