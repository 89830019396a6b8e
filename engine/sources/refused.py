"""The rows that were not taken, in a CSV of their own: where, which field, why, and the row as it was.

Mend them there and import that file: its own columns are recognised. Cells a spreadsheet would run as a formula are
written with an apostrophe before them.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TextIO

from engine.errors import TreuepostError
from engine.sources.tables import Line, Refusal, Table

OWN_HEADERS = ("refused_row", "refused_field", "refused_because", "refused_value")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def defused(cell: str) -> str:
    """Return a cell as a spreadsheet shows it without running it."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def is_refused_file(headers: Sequence[str]) -> bool:
    """Say whether a file is one of ours, mended and coming back."""
    return set(OWN_HEADERS) <= set(headers)


def rearmed(lines: Callable[[], Iterator[Line]]) -> Iterator[Line]:
    """Yield the lines of one of our own files with the apostrophes taken off again."""
    for line in lines():
        yield Line(
            line.number,
            [cell[1:] if cell[1:].startswith(_FORMULA) and cell[0] == "'" else cell for cell in line.cells],
            line.fault,
        )


def refused_file(path: Path) -> Path:
    """Return where the refused rows of a file go unless the owner says otherwise: beside it."""
    return path.with_name(f"{path.stem}.refused.csv")


class RefusedRows:
    """Writes refusals as they come; without any there is no file."""

    def __init__(self, path: Path, table: Table) -> None:
        self.path = path
        self.count = 0
        self._headers = tuple(header for header in table.headers if header not in OWN_HEADERS)
        self._kept = [index for index, header in enumerate(table.headers) if header not in OWN_HEADERS]
        self._file: TextIO | None = None
        if path.exists() and path.resolve() == table.path.resolve():
            raise TreuepostError(f"{path} is the file being imported.", "Choose another place with --refused.")

    @property
    def path_or_none(self) -> Path | None:
        """Return the file, where there is one."""
        return self.path if self.count else None

    def add(self, refusal: Refusal) -> None:
        """Write one refused row."""
        if self._file is None:
            self._file = self._opened()
        self.count += 1
        cells = [refusal.cells[index] if index < len(refusal.cells) else "" for index in self._kept]
        own = [str(refusal.line), refusal.field, refusal.reason, refusal.value]
        csv.writer(self._file).writerow([defused(cell) for cell in (*own, *cells)])

    def _opened(self) -> TextIO:
        try:
            file = self.path.open("w", encoding="utf-8-sig", newline="")
        except OSError as error:
            raise TreuepostError(
                f"{self.path} cannot be written: {error.strerror or error}.", "Choose another place with --refused."
            ) from error
        csv.writer(file).writerow([*OWN_HEADERS, *self._headers])
        return file

    def __enter__(self) -> RefusedRows:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        if self._file:
            self._file.close()
