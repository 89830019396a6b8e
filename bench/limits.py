"""What no sender can be faster than: rendering alone, the provider's line alone, the store's log alone.

Each takes the same mails in the same batches as the engine does, and nothing else.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import httpx
import sqlalchemy as sa

from engine.app import App
from engine.clock import stopwatch, system_clock
from engine.domain.words import Call, Email
from engine.providers import postmark, resend
from engine.rendering.context import MailContext
from engine.steps import composing, gating
from engine.store import messages
from engine.store.database import Database


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds for one mail: by the wall's clock, and of the processor."""

    wall: float
    cpu: float

    def __add__(self, other: Took) -> Took:
        return Took(self.wall + other.wall, self.cpu + other.cpu)


@dataclass(frozen=True, slots=True)
class Material:
    """Mails as the engine makes them, and what they are made from."""

    contexts: list[MailContext]
    emails: list[Email]


def material(app: App, count: int) -> Material:
    """Take the first messages that are planned through gates and rendering, and leave the store as it is."""
    now = system_clock()
    with app.database.read() as session:
        seen = gating.inspect(session, app, messages.find(session, sa.true(), count), now)
    assert all(one.decision.action == "send" for one in seen.messages), seen.messages[0].decision
    contexts = [composing.context_of(app, one, seen.known, now) for one in seen.messages]
    emails = [composing.compose(app, one, seen.known, now)[1] for one in seen.messages]
    return Material(contexts, emails)


def timed(work: Callable[[], object], mails: int) -> Took:
    """Return how long a piece of work takes for each of its mails."""
    wall, cpu = stopwatch(), process_time()
    work()
    return Took((stopwatch() - wall) / mails, (process_time() - cpu) / mails)


def render(app: App, made: Material) -> Callable[[], object]:
    """Return the loop that only renders: subject, preview, HTML and text, from contexts that lie ready."""
    campaign = app.campaigns[0]
    step = campaign.steps[0]

    def run() -> None:
        for context in made.contexts:
            app.renderer.render(campaign, step, context)

    return run


def http(app: App, made: Material, url: str, batch: int) -> Callable[[], object]:
    """Return the loop that only posts bodies which lie ready, over one kept line, and reads the answers."""
    voice = app.config.provider.use
    calls = [Call(mails[0].message_id, tuple(mails)) for mails in _parts(made.emails, batch)]
    bodies = [postmark.payload(call, "broadcast") if voice == "postmark" else resend.payload(call) for call in calls]
    path = "/email/batch" if voice == "postmark" else "/emails/batch"
    client = httpx.Client(trust_env=False, headers={"content-type": "application/json"})

    def run() -> None:
        for body in bodies:
            answer = client.post(url + path, content=body)
            json.loads(answer.content)

    return run


_TABLE = """
CREATE TABLE message (
  id INTEGER PRIMARY KEY, dedupe TEXT UNIQUE, customer INTEGER, campaign TEXT, state TEXT, due INTEGER, send_after TEXT,
  owner TEXT, attempts INTEGER, sent_at TEXT, provider_id TEXT
);
CREATE INDEX queue ON message (send_after, id) WHERE state = 'planned';
"""
_NOW = "2026-11-23 08:00:00.000000"


class Log:
    """The least a durable log can do with SQLite's own driver: a row, an intent and a result, in batches, WAL+FULL."""

    def __init__(self, file: Path) -> None:
        self._raw = sqlite3.connect(file, isolation_level=None)
        self._raw.execute("PRAGMA journal_mode=WAL")
        self._raw.execute("PRAGMA synchronous=FULL")
        self._raw.executescript(_TABLE)
        self._next = 1

    def run(self, mails: int, batch: int) -> None:
        """Write so many mails' way down: one commit for each step of each batch."""
        for first in range(self._next, self._next + mails, batch):
            rows = range(first, min(first + batch, self._next + mails))
            self._all(
                "INSERT INTO message VALUES (?, ?, ?, 'birthday', 'planned', 20780, ?, '', 0, NULL, '')",
                [(row, f"{row:036x}", row, _NOW) for row in rows],
            )
            self._all(
                "UPDATE message SET state='sending', owner=?, attempts=1 WHERE id=?", [("me", row) for row in rows]
            )
            self._all(
                "UPDATE message SET state='sent', sent_at=?, provider_id=? WHERE id=?",
                [(_NOW, f"{row:036x}", row) for row in rows],
            )
        self._next += mails

    def _all(self, sql: str, rows: Sequence[tuple[object, ...]]) -> None:
        self._raw.execute("BEGIN IMMEDIATE")
        self._raw.executemany(sql, rows)
        self._raw.execute("COMMIT")


_SAME_ROWS = (
    (
        "UPDATE message SET state='sending', reason=NULL, detail='', fence=1, attempts=1 WHERE id=?",
        "INSERT INTO message_event (message, at, before, after, actor, reason, detail, fence) "
        f"VALUES (?, '{_NOW}', 'claimed', 'sending', 'bench', '', '', 1)",
        "INSERT INTO attempt (message, number, fence, provider, sha256, call_id, position, started_at, result, "
        f"provider_id, detail) VALUES (?, 1, 1, 'postmark', '{'0' * 64}', NULL, 0, '{_NOW}', '', '', '')",
    ),
    (
        f"UPDATE attempt SET finished_at='{_NOW}', result='accepted', provider_id='id' WHERE message=? AND fence=1",
        f"UPDATE message SET state='sent', sent_at='{_NOW}', provider_id='id', owner='' WHERE id=?",
        "INSERT INTO message_event (message, at, before, after, actor, reason, detail, fence) "
        f"VALUES (?, '{_NOW}', 'sending', 'sent', 'bench', '', '', 1)",
    ),
)


class SameRows:
    """What the engine writes for an intent and a result, in its own tables, by SQLite's own driver alone."""

    def __init__(self, database: Database) -> None:
        assert database.path is not None
        self._raw = sqlite3.connect(database.path, isolation_level=None)
        for pragma in ("synchronous=FULL", "foreign_keys=ON", "secure_delete=ON", "wal_autocheckpoint=0"):
            self._raw.execute(f"PRAGMA {pragma}")

    def run(self, messages: Sequence[int]) -> None:
        """Take claimed messages to the end, in two commits."""
        rows = [(number,) for number in messages]
        for statements in _SAME_ROWS:
            self._raw.execute("BEGIN IMMEDIATE")
            for statement in statements:
                self._raw.executemany(statement, rows)
            self._raw.execute("COMMIT")

    def close(self) -> None:
        """Let go of the file."""
        self._raw.close()


def _parts(emails: Sequence[Email], size: int) -> list[Sequence[Email]]:
    return [emails[start : start + size] for start in range(0, len(emails), size)]
