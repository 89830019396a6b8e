"""The door of this floor: a path goes in, a table comes out, or one sentence that says why not."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from engine.errors import NothingFound, TreuepostError
from engine.sources.delimited import open_delimited
from engine.sources.options import ReadOptions
from engine.sources.refused import is_refused_file, rearmed
from engine.sources.tables import Line, Table

_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_FOREIGN = (
    (b"%PDF", "a PDF"), (b"\x89PNG", "a picture"), (b"\xff\xd8\xff", "a picture"), (b"GIF8", "a picture"),
    (b"SQLite format 3", "a database"), (b"{\\rtf", "a text document"), (b"\x1f\x8b", "a packed file"),
    (b"Rar!", "a packed file"), (b"7z\xbc\xaf", "a packed file"), (b"\x7fELF", "a program"), (b"MZ", "a program"),
)  # fmt: skip
_MARKUP = (b"<html", b"<!doctype", b"<table", b"<?xml")
_WANTED = "Save it as CSV (UTF-8) or XLSX."


def read(path: Path, options: ReadOptions) -> Table:
    """Open a CSV, XLSX or ODS file; raise TreuepostError where the file as a whole cannot be taken."""
    before = _mark(path)
    table = _opened(path, options)
    if next(table.lines(), None) is None:
        raise TreuepostError(f"{path.name} holds headings and nothing else: 0 rows.", "Is its export finished?")
    table = replace(table, lines=_Lines(table, before))
    return replace(table, lines=partial(rearmed, table.lines)) if is_refused_file(table.headers) else table


def _mark(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError as error:
        raise NothingFound(f"{path}: {error.strerror or error}.", "Check the path.") from error
    if not path.is_file():
        raise TreuepostError(f"{path} is not a file.", "Name one CSV, XLSX or ODS file.")
    return stat.st_mtime_ns, stat.st_size


def _opened(path: Path, options: ReadOptions) -> Table:
    try:
        with path.open("rb") as file:
            head = file.read(512)
        _refuse_foreign(path, head)
        if head.startswith(b"PK") and zipfile.is_zipfile(path):
            from engine.sources.workbooks import open_workbook  # noqa: PLC0415  (heavy, and CSV does not need it)

            return open_workbook(path, options)
        return open_delimited(path, options)
    except OSError as error:
        raise TreuepostError(f"{path} cannot be read: {error.strerror or error}.") from error


def _refuse_foreign(path: Path, head: bytes) -> None:
    if head.startswith(_OLD_EXCEL):
        raise TreuepostError(f"{path.name} is an old Excel file (.xls), or one with a password.", "Save it as XLSX.")
    kind = next((kind for mark, kind in _FOREIGN if head.startswith(mark)), None)
    if head.lstrip().lower().startswith(_MARKUP):
        kind = "a web page or XML, whatever its name says"
    if head.startswith(b"PK") and not zipfile.is_zipfile(path):
        kind = "a damaged or half-written spreadsheet"
    if kind:
        raise TreuepostError(f"{path.name} is {kind}, not a table.", _WANTED)


class _Lines:
    """Goes through a table's lines, and raises when the file has changed meanwhile: half of it may be missing."""

    def __init__(self, table: Table, before: tuple[int, int]) -> None:
        self._table = table
        self._before = before

    def __call__(self) -> Iterator[Line]:
        """Yield the lines of the file as it was when it was opened."""
        yield from self._table.lines()
        if _mark(self._table.path) != self._before:
            raise TreuepostError(
                f"{self._table.path.name} has changed while it was read.", "Wait until it is written, then run again."
            )
