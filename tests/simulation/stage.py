"""The stage: one store, one clock, one provider's book; on it processes live, die and are born again.

Everything the program does for good passes through a commit or through the provider, so both are where a process can
be made to die: the product needs no hooks. A `Process` is a door to the store that counts these boundaries; once it
has died, it opens no more, so that nothing of it goes on.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from types import ModuleType
from typing import Any

from sqlmodel import Session

from engine.app import App
from engine.providers.contract import Provider
from engine.store import ownership
from engine.store.database import Database
from tests.people import NOW
from tests.simulation.shop import live_store, shop


class Crash(BaseException):
    """The process is dead from here on. No product code may catch it."""


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

    def end(self) -> None:
        """Let go of whoever still lives."""
        for process in self.lives:
            process.die()

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
