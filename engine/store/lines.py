"""A file beside the store to which lines are only ever added, each durable before anybody is answered."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.store.database import Database


@dataclass(frozen=True, slots=True)
class Lines:
    """The file, opened anew for each append: several processes may write to it."""

    path: Path

    @classmethod
    def beside(cls, database: Database, home: Path, name: str) -> Lines:
        """Return such a file of a store: in its folder, or in the config's for PostgreSQL."""
        return cls((database.path.parent if database.path else home) / name)

    def append(self, lines: bytes) -> None:
        """Write whole lines and wait until the disk has them."""
        is_new = not self.path.exists()
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            _write_whole(descriptor, _mend(descriptor) + lines)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if is_new:
            _sync_folder(self.path.parent)

    def read(self) -> Iterator[bytes]:
        """Yield the lines; the last may be torn."""
        if self.path.exists():
            with self.path.open("rb") as lines:
                yield from lines


def _mend(descriptor: int) -> bytes:
    """Return the line end that a torn last line lacks, so that the next line stands on its own."""
    size = os.lseek(descriptor, 0, os.SEEK_END)
    return b"\n" if size and os.pread(descriptor, 1, size - 1) != b"\n" else b""


def _write_whole(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
