"""Real processes: started, killed with -9, frozen, stopped, and looked at afterwards."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from multiprocessing.process import BaseProcess
from pathlib import Path

from engine.clock import stopwatch
from tests.chaos import entry
from tests.end_to_end.command import environment

INTERRUPTED = threading.Event()
"""Somebody wants the whole run to end: whoever waits is thrown out, and cleans up on the way."""


class Interrupted(Exception):
    """The run is to end."""


def wait(seconds: float) -> None:
    """Let time pass."""
    if INTERRUPTED.wait(max(seconds, 0)):
        raise Interrupted


def wait_for(true: Callable[[], bool], seconds: float, every: float = 0.02) -> bool:
    """Wait until something is true; say whether it became so in time."""
    ends = stopwatch() + seconds
    while not true():
        if stopwatch() > ends:
            return False
        wait(every)
    return True


@cache
def forks() -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.chaos.loaded"])
    return context


@dataclass
class Running:
    """One process of the program, and where in the log it began to speak."""

    process: BaseProcess
    log: Path
    began: int
    started: float = field(default_factory=stopwatch)

    @property
    def pid(self) -> int:
        """Return its process id."""
        assert self.process.pid is not None
        return self.process.pid

    @property
    def alive(self) -> bool:
        """Say whether it still runs."""
        return self.process.is_alive()

    @property
    def code(self) -> int | None:
        """Return its exit code: -9 after a kill; None while it runs."""
        return self.process.exitcode

    def said(self) -> str:
        """Return what it has said so far."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as file:
            file.seek(self.began)
            return file.read().decode(errors="replace")

    def until_ready(self, seconds: float = 90) -> bool:
        """Wait until it says that it is ready, or has ended."""
        return wait_for(lambda: '"ready"' in self.said() or not self.alive, seconds) and self.alive

    def live(self, seconds: float) -> bool:
        """Let it live so long; False when it ended by itself before."""
        self.process.join(max(seconds, 0))
        return self.alive

    def kill(self) -> None:
        """Kill it and everything it has started with -9, and wait for its end."""
        for pid in (self.pid, *children(self.pid)):
            kill(pid)
        self.process.join()

    def freeze(self) -> None:
        """Stop it where it stands."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on, if it is still there."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGCONT)

    def stop(self, seconds: float = 120) -> int | None:
        """Ask it to stop and return its exit code; one that does not obey is killed, and its code is None."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        self.process.join(seconds)
        if self.alive:
            self.kill()
            return None
        return self.code


def kill(pid: int) -> None:
    """Kill a process with -9, if it is still there."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def children(pid: int) -> list[int]:
    """Return the processes a process has started and that still live, theirs included."""
    try:
        own = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]
    except OSError:
        return []
    return [each for child in own for each in (child, *children(child))]


def start(folder: Path, words: list[str], log: Path, **env: str) -> Running:
    """Start `treuepost WORDS…` in a shop's folder."""
    began = log.stat().st_size if log.exists() else 0
    given = environment(TREUEPOST_PROVIDER__API_KEY="key", **env)
    every = ["--config", str(folder / "config.toml"), *words]
    process = forks().Process(target=entry.run, args=(every, given, str(folder), str(log)))
    process.start()
    return Running(process, log, began)


def command(folder: Path, words: list[str], *, codes: tuple[int, ...] = (0,), seconds: float = 300) -> str:
    """Run one command to its end and return what it printed; another exit code than these is an error."""
    log = folder / f"said-{threading.get_ident()}.txt"
    log.unlink(missing_ok=True)
    running = start(folder, words, log)
    running.process.join(seconds)
    told = running.said()
    if running.code not in codes:
        running.kill()
        raise RuntimeError(f"treuepost {' '.join(words)}: exit {running.code}\n{told[-2000:]}")
    return told
