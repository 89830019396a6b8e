"""The provider of a run: a double in a process of its own, and its book, which is what counts."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.doubles import book as books
from tests.end_to_end.command import ROOT, environment

SMTP = "smtp"


@dataclass
class Provider:
    """One double. `personality` is the word in `[provider] use`."""

    personality: str
    book: Path
    port: int
    process: subprocess.Popen[str]
    words: list[str]
    _seen: list[books.Line] = field(default_factory=list)
    _size: int = -1

    @property
    def base_url(self) -> str:
        """Return what goes into `[provider] base_url`."""
        return f"{'smtp' if self.personality == SMTP else 'http'}://127.0.0.1:{self.port}"

    def lines(self) -> list[books.Line]:
        """Return what the book says was accepted, in order."""
        size = self.grown()
        if size != self._size:
            self._seen, self._size = books.read(self.book), size
        return self._seen

    def grown(self) -> int:
        """Return how long the book is (bytes): it grows with every mail that is accepted."""
        return self.book.stat().st_size if self.book.exists() else 0

    def accepted(self) -> int:
        """Return how many mails were accepted."""
        return len(self.lines())

    def times(self) -> Counter[str]:
        """Return how often each address was accepted."""
        return Counter(str(line["to"]) for line in self.lines())

    def calm_down(self) -> None:
        """Take everything from now on, at once and openly."""
        if self.personality == SMTP:  # it has no door of its own for this; its book goes on
            self.close()
            self.process = _started(self.words, "accept", self.port)
            self.process.stdout.readline()  # type: ignore[union-attr]
            return
        wanted = json.dumps({"mode": "accept", "look_ups": "honest", "lag": 0}).encode()
        request = urllib.request.Request(f"{self.base_url}/_mode", wanted)  # noqa: S310  (our own double)
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  (our own double)
            answer.read()

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()


def open_provider(personality: str, book: Path, mode: str, seed: int, *more: str) -> Provider:
    """Start a double that behaves as `mode` says."""
    words = ["-m", "tests.doubles.smtp" if personality == SMTP else "tests.doubles.http"]
    words += ["--book", str(book), "--seed", str(seed), "--no-sync", *more]
    if personality != SMTP:
        words += ["--personality", personality]
    process = _started(words, mode, 0)
    assert process.stdout is not None
    return Provider(personality, book, int(process.stdout.readline()), process, words)


def _started(words: list[str], mode: str, port: int) -> subprocess.Popen[str]:
    every = [sys.executable, *words, "--mode", mode, "--port", str(port)]
    return subprocess.Popen(every, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True)
