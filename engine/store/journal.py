"""Files beside the store that only ever grow: each line is on the disk before anybody goes on.

A file is opened anew for each append, for several processes may write to it. A line that a power cut has torn is left
as it is; the next line stands on its own.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def append(path: Path, lines: bytes) -> None:
    """Write the lines at the end of the file and wait until the disk has them."""
    is_new = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        _write_whole(descriptor, _mend(descriptor) + lines)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if is_new:
        _sync_folder(path.parent)


def _mend(descriptor: int) -> bytes:
    """Return the line end that a torn last line lacks."""
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
