"""The stage: one store, one clock, one provider's book; on it processes live, die and are born again.

Everything the program does for good passes through a commit or through the provider, so both are where a process can
be made to die: the product needs no hooks. A `Process` is a door to the store that counts these boundaries; once it
has died, it opens no more, so that nothing of it goes on.
"""

from __future__ import annotations

import atexit
import shutil
import sqlite3
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy import event
from sqlmodel import Session

import tests
from engine.app import App, assemble
from engine.campaigns.model import Campaign
from engine.clock import stopped_at
from engine.config.loading import load_config
from engine.providers.contract import Provider
from engine.rendering.renderer import Renderer
from engine.steps import planning
from engine.store import ownership
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


class Crash(BaseException):
    """The process is dead from here on. No product code may catch it."""


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


class Hands:
    """A clock that moves when it is told to, and a little whenever it is read."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    def stopwatch(self) -> float:
        """Return seconds, as the machine's monotonic clock would."""
        return self().timestamp()

    def wait(self, seconds: float) -> bool:
        """Let time pass for somebody who waits."""
        self.forward(timedelta(seconds=seconds))
        return False

    def forward(self, span: timedelta) -> None:
        """Move on."""
        self.now += span


class Process(Database):
    """One life of the program: the store's doors, which count and may be shut for ever."""

    def __init__(self, stage: Stage, name: str) -> None:
        self.__dict__.update(stage.store.__dict__)
        self.stage = stage
        self.name = name
        self.dead = False
        self.sending = threading.Lock()
        self.owner = ""
        self.sender: ownership.Sender | None = None

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a transaction; what changes something is counted just before and just after its commit."""
        self.live()
        self.stage.meanwhile(self, "write")
        with super().write() as session:
            driver: Any = session.connection().connection.driver_connection
            before = driver.total_changes
            yield session
            self.live()
            session.flush()
            changed = driver.total_changes != before
            if changed:
                self.stage.reach(self, "before a commit")
        if changed:
            self.stage.reach(self, "after a commit")

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a view, unless this process is dead."""
        self.live()
        with super().read() as session:
            yield session

    def register(self) -> None:
        """Become one of those who may send, with a lock as the proof of life."""
        self.sender = ownership.Sender(self, self.stage.hands)
        self.sender.renew()
        self.owner = self.sender.name

    def die(self) -> None:
        """Stop living; the kernel lets the locks go."""
        self.dead = True
        if self.sender is not None and self.sender._proof is not None:
            self.sender._proof.let_go()

    def live(self) -> None:
        """Go no further when dead."""
        if self.dead:
            raise Crash(self.name)

    def close(self) -> None:
        """Leave the store's connections to those who come after."""


def nothing(process: Process, point: str) -> None:
    """Let nothing happen in between."""


@dataclass(slots=True)
class Stage:
    """What stays when processes die."""

    hands: Hands = field(default_factory=Hands)
    files: str = "as it was, hold"
    crash_at: frozenset[int] = frozenset()
    meanwhile: Callable[[Process, str], None] = nothing
    passed: int = 0
    crashes: int = 0
    trace: list[str] = field(default_factory=list)
    store: Database = field(init=False)
    lives: list[Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = live_store()

    def reach(self, process: Process, point: str) -> None:
        """Pass a boundary, or die at it."""
        process.live()
        self.passed += 1
        self.note(f"{process.name}: {point} ({self.passed})")
        if self.passed in self.crash_at:
            self.kill(process, point)
        self.meanwhile(process, point)

    def kill(self, process: Process, point: str) -> None:
        """End a process here and now."""
        process.die()
        self.crashes += 1
        self.note(f"{process.name}: dies {point}")
        raise Crash(point)

    def note(self, text: str) -> None:
        """Write a line of what happened."""
        self.trace.append(f"{self.hands.now:%d %H:%M:%S} {text}")

    def born(self) -> Process:
        """Begin a life."""
        process = Process(self, f"life{len(self.lives) + 1}")
        self.lives.append(process)
        return process

    def app(self, process: Process, provider: Provider) -> App:
        """Put the program together around a life, with the files as they are now."""
        files = shop().versions[self.files]
        return replace(
            shop().app,
            database=process,
            clock=self.hands,
            provider=provider,
            campaigns=files.campaigns,
            renderer=files.renderer,
        )

    @contextmanager
    def acting(self, process: Process) -> Iterator[None]:
        """Make the program believe that it is this process, and that time is what the hands show."""
        before = ownership.SENDING, ownership._name
        ownership.SENDING, ownership._name = process.sending, process.owner
        try:
            with serialised(self.hands):
                yield
        finally:
            process.owner = ownership._name
            ownership.SENDING, ownership._name = before


class AtOnce:
    """A pool of senders that makes each call when it is given one: threads are no subject here."""

    def __init__(self, *_: object) -> None:
        pass

    def submit(self, call: Callable[..., None], *given: object) -> None:
        """Make the call now."""
        call(*given)

    def shutdown(self, **_: object) -> None:
        """Nothing is under way."""


class Silence:
    """A log nobody reads."""

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_, **__: None


@cache
def _places(names: tuple[str, ...]) -> list[tuple[ModuleType, str]]:
    """Return where the steps have these names; all of them are imported by the program itself."""
    steps = [module for name, module in sys.modules.items() if name.startswith("engine.steps.")]
    return [(module, name) for module in steps for name in names if hasattr(module, name)]


@contextmanager
def serialised(hands: Hands) -> Iterator[None]:
    """Put the hands in the place of the machine's clock, and one call after another in the place of threads."""
    turns = type("Turns", (), {"wait": staticmethod(hands.wait)})
    named: dict[str, Any] = {
        "stopwatch": hands.stopwatch,
        "ThreadPoolExecutor": AtOnce,
        "Event": turns,
        "log": Silence(),
    }
    found = _places(tuple(named))
    before = [(module, name, getattr(module, name)) for module, name in found]
    for module, name in found:
        setattr(module, name, named[name])
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)


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
