"""Ends calls that take too long: one sleeping thread for all calls of a line, instead of a timer thread for each."""

from __future__ import annotations

import threading
from typing import Protocol

from engine.clock import stopwatch


class Endable(Protocol):
    """Something that is under way until `ends` (seconds on the stopwatch)."""

    @property
    def ends(self) -> float:
        """Return when its time is over."""

    def end(self) -> None:
        """Stop it now; called from another thread, and never once `Deadlines.leave` has returned."""


class Deadlines:
    """What is under way, each for the same length of time: so whoever came first ends first."""

    def __init__(self) -> None:
        self._under_way: dict[Endable, None] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._idle = False
        self._closing = False

    def enter(self, call: Endable) -> None:
        """Watch a call from now on."""
        with self._changed:
            self._under_way[call] = None
            self._closing = False
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="deadlines", daemon=True)
                self._thread.start()
            elif self._idle:  # else it wakes for an earlier call, and sees this one in time
                self._changed.notify()

    def leave(self, call: Endable) -> None:
        """Watch it no more."""
        with self._changed:
            self._under_way.pop(call, None)

    def close(self) -> None:
        """Let the thread go as soon as nothing is under way; it comes back with the next call."""
        with self._changed:
            self._closing = True
            self._changed.notify()

    def _watch(self) -> None:
        with self._changed:
            while (first := next(iter(self._under_way), None)) or not self._closing:
                left = first.ends - stopwatch() if first else None
                if first is None or left is None or left > 0:
                    self._idle = first is None
                    self._changed.wait(left)
                    self._idle = False
                else:
                    del self._under_way[first]
                    first.end()
            self._thread = None
