"""Lives of the program on a stage: each plans, sends and recovers until it dies; the next begins where it ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from engine.domain.states import OPEN
from engine.steps import passing, sending
from engine.store.message_tables import Message
from tests.people import NOW
from tests.simulation.provider import Book, Voice
from tests.simulation.shop import live_store
from tests.simulation.stage import Crash, Process, Stage

MESSAGES: sa.Table = Message.__table__  # type: ignore[attr-defined]
SHORT_DOWN = timedelta(minutes=1)
LONG_DOWN = timedelta(hours=1)
"""How long the program is down after a crash: within the life of a key, or beyond it."""

DAY = timedelta(days=1)
LAST_DAY = timedelta(days=5)
"""When nothing may be open any more: a birthday may be two days late, and a look-up without an answer is given two."""


@dataclass(slots=True)
class Program:
    """One life: the program as it was put together around a process, and the provider as this process sees it."""

    stage: Stage
    process: Process
    app: Any
    plans: bool = False

    @classmethod
    def begin(cls, stage: Stage, book: Book, batch: int, *, plans: bool = False) -> Program:
        """Start the program."""
        process = stage.born()
        with stage.acting(process):
            process.register()
        return cls(stage, process, stage.app(process, Voice(book, process, batch)), plans)

    def reload(self) -> None:
        """Take the campaign's file as it is now."""
        self.app = self.stage.app(self.process, self.app.provider)

    def tick(self) -> None:
        """Do what a tick of the daemon does."""
        with self.stage.acting(self.process):
            if self.plans:
                passing.plan(self.app, self.stage.hands.now)
            sending.send_due(self.app, self.stage.hands)


def run_to_rest(stage: Stage, book: Book, batch: int, down: timedelta = SHORT_DOWN, *, plans: bool = False) -> None:
    """Let the program live, die and live again until everything has come to its end."""
    program: Program | None = None
    step = timedelta(seconds=1)
    while stage.hands.now < NOW + LAST_DAY:
        try:
            program = program or Program.begin(stage, book, batch, plans=plans)
            program.tick()
        except Crash:
            program = None
            stage.hands.forward(down)
            continue
        tomorrow = not plans or stage.hands.now >= NOW + DAY
        if tomorrow and not any_open():
            return
        step *= 2
        stage.hands.forward(max(next_look() - stage.hands.now, step))


def next_look() -> datetime:
    """Return when the program has to look at something next: without anything open, tomorrow."""
    waiting = MESSAGES.c.state.in_(["planned", "retrying"])
    at = sa.case((waiting, MESSAGES.c.send_after), else_=sa.func.coalesce(MESSAGES.c.check_at, MESSAGES.c.send_after))
    asked = sa.select(sa.func.min(sa.type_coerce(at, MESSAGES.c.send_after.type)))
    found: datetime | None = scalar(asked.where(MESSAGES.c.state.in_(sorted(OPEN))))
    return found or NOW + DAY


def any_open() -> bool:
    """Say whether a message has not come to its end."""
    asked = sa.select(sa.func.count()).select_from(MESSAGES).where(MESSAGES.c.state.in_(sorted(OPEN)))
    return scalar(asked) > 0


def scalar(asked: sa.Select[Any]) -> Any:
    """Ask the store from outside."""
    with live_store().read() as session:
        return session.connection().execute(asked).scalar_one()
