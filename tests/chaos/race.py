"""The race: somebody says "no" while their mail is being claimed and released. Whoever commits first, wins.

`python -m tests.chaos.race --rounds 10000 --store sqlite` (or `postgres`) prints how many mails were released before
the "no", how many were refused because of it, and how many were released although a committed "no" stood there: none.

One round is one person with one mail due and one "no": an objection, a withdrawal or the owner's suppression, every
other time said by somebody else at the same address. A thread sends; others follow it closely and say "no" to whoever
is about to be released. The order is not told by our program: a trigger of the test's own looks, when a release
commits, whether a "no" to that address has been committed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import sqlalchemy as sa

import tests
from engine.app import App, assemble
from engine.clock import stopwatch
from engine.config.loading import load_config
from engine.steps import gating, planning, sending, subscribing, suppressing
from engine.steps.watching.auditing import audit_store, ground_of
from engine.store import schema
from engine.store.database import Database
from engine.store.message_tables import Message
from tests import postgres
from tests.chaos.chance import Chance
from tests.conftest import WORDING
from tests.people import NOW, add_consent, add_customer
from tests.steps.pocket_provider import PocketProvider
from tests.steps.pocket_shop import REAL
from tests.steps.sending_shop import BIRTHDAY

WAVE = 200
VOICES = 3
MESSAGES: sa.Table = Message.__table__  # type: ignore[attr-defined]
LOG = "CREATE TABLE race_log (message INTEGER NOT NULL, noes INTEGER NOT NULL)"
NOES = """(SELECT count(*) FROM consent_event c JOIN message m ON m.address_id = c.address_id
  WHERE m.id = NEW.message AND c.state IN ('objected', 'withdrawn')) +
  (SELECT count(*) FROM suppression s JOIN message m ON m.address_id = s.address_id
  WHERE m.id = NEW.message AND s.removed_at IS NULL)"""
"""How many have said "no" to an address; on PostgreSQL asked at the commit, of all that is committed by then."""


@dataclass
class Verdict:
    """What came of a race. `released` and `refused` count rounds; `violations` are releases after a committed "no"."""

    store: str
    rounds: int = 0
    released: int = 0
    refused: int = 0
    violations: int = 0
    found: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def line(self) -> str:
        """Return it as one line."""
        told = f"{self.store}: {self.rounds} rounds, {self.released} released before the no, {self.refused} refused"
        kept = f"{self.violations} released after it, audit found {len(self.found)}"
        return f"{told}, {kept} ({self.seconds:.0f} s)"


@contextmanager
def store_of(kind: str) -> Iterator[str]:
    """Give the URL of an empty store of this kind."""
    if kind == "postgres":
        with postgres.cluster() as url:
            postgres.create(url, "race")
            yield url.format(name="race")
        return
    memory = Path("/dev/shm")  # noqa: S108  (who comes first is the subject, not whether the disk keeps it)
    with tempfile.TemporaryDirectory(prefix="treuepost-race-", dir=memory if memory.is_dir() else None) as folder:
        yield f"sqlite:///{folder}/race.db"


@contextmanager
def shop(url: str) -> Iterator[App]:
    """Assemble a shop that really mails, with a pocket provider, over this store."""
    with tempfile.TemporaryDirectory(prefix="treuepost-race-") as folder:
        app = _assembled(Path(folder), url)
        try:
            with app.database.write() as session:
                for statement in _trigger(app.database):
                    session.connection().exec_driver_sql(statement)
            yield app
        finally:
            app.database.close()


def _assembled(home: Path, url: str) -> App:
    shutil.copytree(Path(tests.__file__).parents[1] / "templates", home / "templates")
    (home / "wording.txt").write_text(WORDING, encoding="utf-8")
    (home / "campaigns").mkdir()
    (home / "campaigns" / "birthday.toml").write_text(BIRTHDAY, encoding="utf-8")
    (home / "config.toml").write_text(REAL.replace("{store}", url), encoding="utf-8")
    with closing(Database(url)) as database:
        schema.upgrade(database)
    config = load_config(home / "config.toml", {"TREUEPOST_PROVIDER__API_KEY": "key"})
    return replace(assemble(config, _clock()), provider=PocketProvider())


def _clock() -> Callable[[], datetime]:
    began = stopwatch()
    return lambda: NOW + timedelta(seconds=stopwatch() - began)


def _trigger(database: Database) -> list[str]:
    written = f"INSERT INTO race_log SELECT NEW.message, {NOES};"
    if database.sqlite:
        return [LOG, f"CREATE TRIGGER race AFTER INSERT ON attempt BEGIN {written} END"]
    body = f"BEGIN {written} RETURN NULL; END"
    return [
        LOG,
        f"CREATE FUNCTION race() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$",
        "CREATE CONSTRAINT TRIGGER race AFTER INSERT ON attempt DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION race()",
    ]


def run(url: str, rounds: int, seed: int = 1, tell: Callable[[str], object] = sys.stderr.write) -> Verdict:
    """Race so many rounds in waves and judge them."""
    began = stopwatch()
    verdict = Verdict(url.partition(":")[0])
    with shop(url) as app:
        while verdict.rounds < rounds:
            wave = min(WAVE, rounds - verdict.rounds)
            _wave(app, verdict.rounds, wave, Chance(seed, f"race {verdict.rounds}"))
            verdict.rounds += wave
            if verdict.rounds % (10 * WAVE) == 0:
                tell(f"{verdict.rounds} rounds …\n")
        _judge(app, verdict)
    verdict.seconds = stopwatch() - began
    return verdict


def _judge(app: App, verdict: Verdict) -> None:
    provider: Any = app.provider
    with app.database.read() as session:
        seen = session.connection().exec_driver_sql("SELECT message, noes FROM race_log").all()
    verdict.violations = sum(noes > 0 for _, noes in seen)
    verdict.released = len({message for message, _ in seen})
    verdict.refused = verdict.rounds - verdict.released
    if len(provider.book) != verdict.released:
        verdict.found.append(f"{len(provider.book)} delivered, {verdict.released} released")
    ground = ground_of(app.config, app.campaigns, app.provider)
    verdict.found += [f"{one.check} {one.message_id} {one.what}" for one in audit_store(app.database, ground)]


# -- one wave --------------------------------------------------------------------------------------------------------


def _wave(app: App, first: int, count: int, chance: Chance) -> None:
    """Plan a mail for each of so many people; send, while as many voices say "no" right where the sender is."""
    people = _people(app, first, count)
    planning.plan(app, app.clock())
    provider: Any = app.provider
    turns = threading.Semaphore(0)
    provider.batch = chance.one_of("batch", (1, 1, 4))
    provider.before = lambda _call: turns.acquire(timeout=5)  # one call for each "no" that begins
    for name in people[1::8]:
        _say(app, _No(name, 0, 0.0))  # and some have said it before anything was claimed
    chooser = _Chooser(app, [name for name in people if name not in people[1::8]], chance)
    with ThreadPoolExecutor(VOICES + 1) as pool:
        sender = pool.submit(_send, app)
        voices = [pool.submit(_voice, app, chooser, turns) for _ in range(VOICES)]
        for voice in voices:
            voice.result()
        provider.before = lambda _call: None
        turns.release(count)
        sender.result()


def _people(app: App, first: int, count: int) -> list[str]:
    """Add people whose birthday is today; every other one shares the address with somebody who has none."""
    names = [str(number) for number in range(first, first + count)]
    with app.database.write() as session:
        for number, name in enumerate(names):
            email = f"k{name}@example.com"
            add_consent(session, add_customer(session, name, email, birthday=NOW.date().replace(year=1980)))
            if number % 2:
                add_customer(session, f"twin-{name}", email)
        session.connection().exec_driver_sql("UPDATE installation SET data_version = data_version + 1")
    return names


class _Chooser:
    """Whose turn it is to say "no", and when: most often at the very moment at which the mail is released.

    `patience` is how long a voice waits before it speaks. It grows while voices come too early and shrinks while they
    come too late, so that both stay near the edge however fast the machine is.
    """

    def __init__(self, app: App, people: Sequence[str], chance: Chance) -> None:
        self._app = app
        self._left = dict.fromkeys(people)
        self._chance = chance
        self._one = threading.Lock()
        self.patience = 0.05

    def next(self) -> _No | None:
        """Return who says "no" next; None when everybody has."""
        with self._one:
            if not self._left:
                return None
            front = [name for name in self._at_the_front() if name in self._left]
            near = self._chance.one_of("near", (0, 0, 0, 1, 1, 2))
            name = front[min(near, len(front) - 1)] if front else next(iter(self._left))
            del self._left[name]
            wait = self.patience * self._chance.between("patience", 0, 2)
            return _No(name, self._chance.one_of("way", (0, 1, 2)), wait)

    def said(self, name: str) -> None:
        """Learn from a "no" that stands now whether its mail was released before."""
        with self._one:
            change = 1 / 1.25 if self.was_released(name) else 1.25
            self.patience = min(0.5, max(0.0002, self.patience * change))

    def was_released(self, name: str) -> bool:
        """Say whether this one's mail has been released."""
        with self._app.database.read() as session:
            return bool(session.connection().exec_driver_sql(_RELEASED.format(int(name))).scalar())

    def _at_the_front(self) -> list[str]:
        with self._app.database.read() as session:
            return [name for (name,) in session.connection().exec_driver_sql(_FRONT)]


_FRONT = """SELECT c.customer_id FROM message m JOIN customer c ON c.id = m.customer_id
  WHERE m.state IN ('claimed', 'planned') ORDER BY m.state, m.send_after, m.id LIMIT 20"""
_RELEASED = """SELECT count(*) FROM attempt a JOIN message m ON m.id = a.message
  JOIN customer c ON c.id = m.customer_id WHERE c.customer_id = '{}'"""


@dataclass(frozen=True, slots=True)
class _No:
    """One "no": who is to be written to, how it is said, and after how many seconds."""

    name: str
    way: int
    wait: float


def _voice(app: App, chooser: _Chooser, turns: threading.Semaphore) -> None:
    never = threading.Event()
    while (no := chooser.next()) is not None:
        turns.release()
        waited = 0
        while int(no.name) % 8 == 0 and not chooser.was_released(no.name) and waited < 500:
            waited += 1  # some are in no hurry at all
            never.wait(0.01)
        never.wait(no.wait)
        _say(app, no)
        chooser.said(no.name)


def _say(app: App, no: _No) -> None:
    who = f"twin-{no.name}" if int(no.name) % 2 else no.name
    if no.way == 0:
        subscribing.object_from_any_channel(app, who, "Anruf", app.clock())
    elif no.way == 1:
        subscribing.withdraw(app, who, "Anruf", app.clock())
    else:
        suppressing.suppress(app, f"k{no.name}@example.com", "Wunsch", app.clock())


def _send(app: App) -> None:
    """Send until nothing of the wave is left."""
    open_ = sa.select(sa.func.count()).where(MESSAGES.c.state.in_(("planned", "retrying", "claimed")))
    while True:
        sending.send_due(app, app.clock)
        with app.database.read() as session:
            if not session.connection().execute(open_).scalar():
                return


@contextmanager
def trusting() -> Iterator[None]:
    """Break the program on purpose: it goes by the permission it has read first, as a claim without a release would."""
    read: dict[object, Any] = {}
    real = gating.permission_facts

    def stale(session: Any, keyring: Any, rows: Sequence[Any], *more: Any) -> list[Any]:
        fresh = real(session, keyring, rows, *more)
        return [read.setdefault(row, facts) for row, facts in zip(rows, fresh, strict=True)]

    with mock.patch.object(gating, "permission_facts", stale):
        yield


def main() -> int:
    """Run the race from the command line; end with 1 where anything was broken."""
    words = argparse.ArgumentParser(prog="python -m tests.chaos.race", description=__doc__)
    words.add_argument("--rounds", type=int, default=10_000)
    words.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    words.add_argument("--seed", type=int, default=1)
    given = words.parse_args()
    with store_of(given.store) as url:
        verdict = run(url, given.rounds, given.seed)
    sys.stdout.write("\n  ".join([verdict.line, *verdict.found[:20]]) + "\n")
    return 1 if verdict.violations or verdict.found else 0


if __name__ == "__main__":
    raise SystemExit(main())
