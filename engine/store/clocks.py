"""The clock every sender of a store shares: PostgreSQL's own, so that no machine's clock matters.

With one SQLite file there is one machine, and its clock is the one. A clock that was stopped on purpose stays.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from engine.clock import Clock, stopwatch, system_clock
from engine.store.database import Database

BRIDGED_SECONDS = 1.0
_ASK = sa.text("SELECT clock_timestamp()")


def of(database: Database, clock: Clock) -> Clock:
    """Return the clock to go by: the server's where `clock` is the machine's and the store is on PostgreSQL."""
    return clock if database.sqlite or clock is not system_clock else DatabaseClock(database)


class DatabaseClock:
    """The server's clock, asked once a second and bridged by the monotonic clock in between.

    It never goes backwards by itself and is never behind the server's: what others have written is not in its future.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._asked_at: float | None = None
        self._then = datetime.min.replace(tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the present instant in UTC. Raises StoreError where the server cannot be asked."""
        with self._lock:
            if self._asked_at is None or stopwatch() - self._asked_at >= BRIDGED_SECONDS:
                self._ask()
            return self._shown(stopwatch())

    def _ask(self) -> None:
        before = stopwatch()
        with self._database.read() as session:
            then: datetime = session.connection().execute(_ASK).scalar_one()
        shown = self._shown(before)
        small_step_back = timedelta() < shown - then < timedelta(seconds=BRIDGED_SECONDS)
        self._then, self._asked_at = shown if small_step_back else then.astimezone(UTC), before

    def _shown(self, at: float) -> datetime:
        return self._then + timedelta(seconds=at - (at if self._asked_at is None else self._asked_at))
