"""What a double accepted, one JSON line per mail, on disk before anybody is answered. It is the ground truth.

A line: {"n", "id" (the provider's), "mid" (ours), "to", "subject", "at" (epoch seconds), "key", "sha" (of the call's
bytes), "call", "position", "of" (accepted mails of that call), …}. A call is booked whole or not at all: a torn end,
as a kill leaves it, counts as never accepted, because nobody was answered yet.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Line = dict[str, Any]
_encoded = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def read(path: Path) -> list[Line]:
    """Return the mails accepted for good, in order. Any process may call it at any time."""
    return _whole(path)[0]


def twice(path: Path) -> dict[str, int]:
    """Return our ids that were accepted more than once, and how often."""
    return {mid: count for mid, count in Counter(line["mid"] for line in read(path)).items() if count > 1}


def _whole(path: Path) -> tuple[list[Line], int]:
    """Return the lines of whole calls, and how many bytes they take."""
    lines: list[Line] = []
    pending: list[Line] = []
    size = end = 0
    for raw in path.read_bytes().splitlines(keepends=True) if path.exists() else ():
        if not raw.endswith(b"\n"):
            break
        end += len(raw)
        pending.append(json.loads(raw))
        if len(pending) == pending[0]["of"]:
            lines += pending
            pending, size = [], end
    return lines, size


class Book:
    """Appends to one file; only one running double may have it."""

    def __init__(self, path: Path, *, sync: bool = True) -> None:
        self.path = path
        self.sync = sync
        path.parent.mkdir(parents=True, exist_ok=True)
        self.lines, size = _whole(path)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        os.ftruncate(self._file, size)
        self.count = len(self.lines)
        self.calls = self.lines[-1]["call"] if self.lines else 0

    def number(self, mails: list[Line]) -> list[Line]:
        """Give the mails of one call their numbers and places, in memory."""
        self.calls += 1
        for position, mail in enumerate(mails):
            self.count += 1
            mail |= {"n": self.count, "call": self.calls, "position": position, "of": len(mails)}
        return mails

    def write(self, calls: Iterable[list[Line]]) -> None:
        """Put whole calls on disk."""
        data = b"".join(written(mail) for call in calls for mail in call)
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]
        if self.sync:
            os.fdatasync(self._file)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)


def written(mail: Line) -> bytes:
    """Return a mail's line."""
    return _encoded(mail).encode() + b"\n"
