"""What an import keeps while it checks a file: little enough that ten million rows fit on a small machine.

Checked rows go to a file of their own, so that the second pass writes exactly what the first one saw, whatever becomes
of the source meanwhile. Of every key only a 64-bit mark and its line are kept: 24 bytes a row at most. Of stored rows
that were met, one bit each.
"""

from __future__ import annotations

import pickle
from array import array
from collections.abc import Iterator, Sequence
from tempfile import SpooledTemporaryFile
from typing import Generic, TypeVar

Ready = TypeVar("Ready")

_IN_MEMORY = 8 * 1024 * 1024
_SMALLEST = 1024


class Spool(Generic[Ready]):
    """Batches of checked rows in a nameless file; small imports never leave memory."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  (closed by `close`)

    def put(self, batch: Sequence[Ready]) -> None:
        """Lay a batch aside."""
        pickle.dump(list(batch), self._file, pickle.HIGHEST_PROTOCOL)

    def batches(self) -> Iterator[list[Ready]]:
        """Give the batches back in their order."""
        self._file.seek(0)
        while True:
            try:
                # Nobody else can have written to it: the file has no name and was made by this very object.
                yield pickle.load(self._file)  # noqa: S301
            except EOFError:
                return

    def close(self) -> None:
        """Throw the file away."""
        self._file.close()


class FirstSeen:
    """Remembers on which line a key stood first. An open hash table in two flat arrays."""

    def __init__(self) -> None:
        self._count = 0
        self._grow(_SMALLEST)

    def note(self, key: str, line: int) -> int:
        """Remember the key's line; return the line it stood on before, 0 if it is new."""
        mark = hash(key) or 1
        slot = self._slot(mark)
        if self._marks[slot]:
            return self._lines[slot]
        self._marks[slot], self._lines[slot] = mark, line
        self._count += 1
        if self._count * 2 > len(self._marks):
            self._rebuild()
        return 0

    def _slot(self, mark: int) -> int:
        marks, last = self._marks, self._last
        slot = mark & last
        while marks[slot] and marks[slot] != mark:
            slot = (slot + 1) & last
        return slot

    def _grow(self, size: int) -> None:
        self._marks, self._lines = array("q", bytes(8 * size)), array("I", bytes(4 * size))
        self._last = size - 1

    def _rebuild(self) -> None:
        marks, lines = self._marks, self._lines
        self._grow(2 * len(marks))
        for mark, line in zip(marks, lines, strict=True):
            if mark:
                slot = self._slot(mark)
                self._marks[slot], self._lines[slot] = mark, line


class Numbers:
    """A set of row numbers, one bit each."""

    def __init__(self) -> None:
        self._bits = bytearray()

    def add(self, number: int) -> None:
        """Put a number in."""
        byte = number >> 3
        if byte >= len(self._bits):
            self._bits.extend(bytes(max(byte + 1 - len(self._bits), len(self._bits))))
        self._bits[byte] |= 1 << (number & 7)

    def __contains__(self, number: int) -> bool:
        byte = number >> 3
        return byte < len(self._bits) and bool(self._bits[byte] & (1 << (number & 7)))

    def __iter__(self) -> Iterator[int]:
        for byte, bits in enumerate(self._bits):
            if bits:
                yield from (byte * 8 + bit for bit in range(8) if bits & (1 << bit))


class Rows:
    """Rows worth telling the owner about: how many, and which the first were."""

    SHOWN = 20

    def __init__(self) -> None:
        self.count = 0
        self._first: list[str] = []

    def add(self, line: int, *others: int) -> None:
        """Note a row, with the rows it belongs together with."""
        self.count += 1
        if len(self._first) < self.SHOWN:
            self._first.append("/".join(str(number) for number in (*others, line)))

    def __str__(self) -> str:
        more = f" and {self.count - len(self._first)} more" if self.count > len(self._first) else ""
        return ", ".join(self._first) + more
