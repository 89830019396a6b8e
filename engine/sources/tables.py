"""A file as lines of cells, read as often as needed without holding it in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple


class Exact(str):
    """A cell that was a number in the workbook: its point is a decimal point, so nothing needs to be recognised."""

    __slots__ = ()


class Line(NamedTuple):
    """One line of a file: its number as an editor or a spreadsheet shows it, its cells, and what is wrong with it."""

    number: int
    cells: Sequence[str]
    fault: str = ""


class Refusal(NamedTuple):
    """A row that is not taken: where, which field, why, and the value shortened for a message."""

    line: int
    field: str
    reason: str
    value: str = ""
    cells: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """An opened file: its headers, how it is read, and a way to go through its lines again and again."""

    path: Path
    headers: tuple[str, ...]
    lines: Callable[[], Iterator[Line]]
    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""
    size: int = 0
    notes: tuple[str, ...] = ()
    remembered: dict[str, object] = field(default_factory=dict, compare=False)

    def __iter__(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield every sound line as its number and its cells by header."""
        for number, cells, fault in self.lines():
            if not fault:
                yield number, dict(zip(self.headers, cells, strict=True))


def shortened(text: str, longest: int = 60) -> str:
    """Return a value as a message may show it: short, with control characters made visible."""
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in cut)
