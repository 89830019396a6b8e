"""The sender processes beside a daemon: started anew (never forked), started again when they die, stopped with it.

Rendering is plain Python, so that one more core needs one more process. Each opens the store for itself and proves by
a lock of its own that it lives; what a dead one leaves is recovered by any other.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

import structlog

from engine.clock import stopwatch

FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 60.0
SETTLED_SECONDS = 60.0
LONGEST_STOP_SECONDS = 45.0

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Place:
    """One sender's place: who works there, since when, and how long the next one is waited with."""

    number: int
    process: BaseProcess | None = None
    since: float = 0.0
    wait: float = FIRST_WAIT_SECONDS
    free_at: float = 0.0


class Children:
    """So many sender processes, each of which does `work` with the shop's config file."""

    def __init__(self, count: int, work: Callable[[Path], None] | None = None, config: Path | None = None) -> None:
        self._work = work
        self._config = config
        self._places = [_Place(number) for number in range(2, count + 2)]
        self._context = get_context("spawn")

    def tend(self) -> None:
        """Start whoever is missing; one that died at once is waited with, longer each time."""
        for place in self._places:
            if place.process is not None and not place.process.is_alive():
                self._bury(place, place.process)
            if place.process is None and stopwatch() >= place.free_at:
                self._start(place)

    def reload(self) -> None:
        """Let all of them read the config again."""
        self._signal(signal.SIGHUP)

    def stop(self) -> None:
        """Ask all of them to finish what is in flight."""
        self._signal(signal.SIGTERM)

    def wait(self) -> None:
        """Wait until all of them have ended; who takes longer than any call can is ended."""
        ends = stopwatch() + LONGEST_STOP_SECONDS
        for place in self._places:
            if place.process is not None:
                place.process.join(max(0.0, ends - stopwatch()))
                if place.process.is_alive():
                    place.process.kill()

    def _signal(self, number: signal.Signals) -> None:
        for place in self._places:
            if place.process is not None and place.process.is_alive() and place.process.pid:
                os.kill(place.process.pid, number)

    def _start(self, place: _Place) -> None:
        place.process = self._context.Process(target=self._work, args=(self._config,), name=f"sender-{place.number}")
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # waits until the sender can listen to it
        try:
            place.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        place.since = stopwatch()
        log.info("sender started", sender=place.number, pid=place.process.pid)

    def _bury(self, place: _Place, process: BaseProcess) -> None:
        settled = stopwatch() - place.since >= SETTLED_SECONDS
        place.wait = FIRST_WAIT_SECONDS if settled else place.wait
        place.free_at = stopwatch() + place.wait
        log.error("sender died", sender=place.number, pid=process.pid, code=process.exitcode, again_in=place.wait)
        place.wait = min(2 * place.wait, LONGEST_WAIT_SECONDS)
        place.process = None
