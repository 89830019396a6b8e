"""Looks whether an address can still be read in a file, as whoever takes the disk would (law E9)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_AT_ONCE = 1 << 20


def found_in(files: Iterable[Path], words: Iterable[str]) -> list[Path]:
    """Return the files in which one of the words stands, however it is capitalised; missing files hold nothing."""
    wanted = {form.encode() for word in words if word for form in (word, word.lower())}
    return [file for file in files if wanted and file.is_file() and _holds(file, wanted)]


def _holds(file: Path, wanted: set[bytes]) -> bool:
    """Read a file in pieces that overlap: a word may lie across two of them."""
    overlap, rest = max(map(len, wanted)) - 1, b""
    with file.open("rb") as content:
        while piece := content.read(_AT_ONCE):
            text = rest + piece
            if any(word in text for word in wanted):
                return True
            rest = text[-overlap:] if overlap else b""
    return False
