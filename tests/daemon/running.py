"""A real daemon in a process of its own, and a way to wait for what it logs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

LONGEST = 60.0


class Running:
    """One daemon. Its log is read line by line; a daemon that hangs is killed, and the reading ends."""

    def __init__(self, home: Path, environ: Mapping[str, str], word: str = "run") -> None:
        command = [sys.executable, "-m", "engine", "--config", str(home / "config.toml"), word]
        env = {"TREUEPOST_WEB__LISTEN": "127.0.0.1:0"} | dict(environ)  # many at once, each at a door of its own
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env)
        self.lines: list[dict[str, object]] = []
        self._rope = threading.Timer(LONGEST, self.process.kill)
        self._rope.start()

    def until(self, event: str) -> dict[str, object]:
        """Read the log up to an event and return its line."""
        assert self.process.stderr is not None
        for text in self.process.stderr:
            if text.startswith("{"):
                self.lines.append(json.loads(text))
                if self.lines[-1]["event"] == event:
                    return self.lines[-1]
        raise AssertionError(f"the daemon ended before it said {event!r}: {self.lines}")

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def end(self) -> tuple[int, str]:
        """Wait for the end; return the exit code and the rest of what was said."""
        assert self.process.stderr is not None
        rest = self.process.stderr.read()
        return self.process.wait(), rest

    def close(self) -> None:
        """Make sure that nothing stays behind."""
        self._rope.cancel()
        self.process.kill()
        self.process.communicate()


@contextmanager
def daemon(home: Path, environ: Mapping[str, str], word: str = "run") -> Iterator[Running]:
    """Run a daemon (or a worker) for the length of the block, from the moment it is ready."""
    running = Running(home, environ, word)
    try:
        running.until("ready")
        yield running
    finally:
        running.close()
