"""CSV, strictly: what a lenient reader would swallow is named with its row."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from engine.errors import TreuepostError, UsageError
from engine.sources import encodings
from engine.sources.mapping import refuse_headers
from engine.sources.options import ReadOptions
from engine.sources.tables import Line, Table, shortened

DELIMITERS = (";", ",", "\t", "|")
NAMES = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_LONGEST_HEADING = 20
_EXCEL_HINT = re.compile(r"sep=(.)\s*\Z")


def open_delimited(path: Path, options: ReadOptions) -> Table:
    """Open a CSV file: find its encoding, its delimiter and its headings."""
    writing = encodings.examine(path, options.encoding)
    skipped, delimiter = _delimiter(path, writing.codec, options.delimiter)
    heading = next(_records(path, writing.codec, delimiter, skipped), None)
    if heading is None:
        raise TreuepostError(f"{path.name} is empty: 0 rows.", "Is it the right file, and is its export finished?")
    if heading.fault:
        raise TreuepostError(f"{path.name}: row {heading.number}, the headings: {heading.fault}.")
    headers = tuple(cell.strip() for cell in heading.cells)
    refuse_headers(headers, path.name)

    def lines() -> Iterator[Line]:
        records = _records(path, writing.codec, delimiter, skipped)
        next(records)
        return _fitting(records, len(headers), has_nul=writing.has_nul)

    return Table(
        path=path,
        headers=headers,
        lines=lines,
        encoding=writing.label,
        delimiter=delimiter,
        size=max(0, writing.line_ends - heading.number),
        notes=(writing.note,) if writing.note else (),
    )


def _delimiter(path: Path, codec: str, told: str | None) -> tuple[int, str]:
    """Return how many lines stand before the headings, and what divides the cells: told, or read from the headings."""
    with path.open(encoding=codec, newline="") as file:
        first = file.readline().lstrip("\ufeff")
        hint = _EXCEL_HINT.match(first.strip("\r\n"))
        header = file.readline() if hint else first
        while header and not header.strip():
            header = file.readline()
        for _ in range(_LONGEST_HEADING):
            if header.count('"') % 2:  # a heading may hold a line break
                header += file.readline()
    if told:
        return int(bool(hint)), _told(told)
    if hint:
        return 1, hint[1]
    return 0, _most_frequent(header, path)


def _told(told: str) -> str:
    delimiter = NAMES.get(told.lower(), told)
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise UsageError(f'--delimiter "{told}" is not one character.', "Use ; or , or | or tab.")
    return delimiter


def _most_frequent(header: str, path: Path) -> str:
    bare = _QUOTED.sub("", header)
    counts = sorted(((bare.count(sign), sign) for sign in DELIMITERS), reverse=True)
    if counts[0][0] and counts[0][0] == counts[1][0]:
        raise TreuepostError(
            f"{path.name}: the headings may be divided by {counts[0][1]!r} or by {counts[1][1]!r}.",
            "Say which with --delimiter.",
        )
    return counts[0][1] if counts[0][0] else ","


def _records(path: Path, codec: str, delimiter: str, skipped: int) -> Iterator[Line]:
    """Yield the records of a file, the headings first; raise where a quote swallows what follows."""
    with path.open(encoding=codec, newline="") as file:
        for _ in range(skipped):
            file.readline()
        kept: list[str] = []
        reader = csv.reader(_kept(file, kept), delimiter=delimiter, strict=True)
        while True:
            start = reader.line_num + skipped + 1
            kept.clear()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield _faulty(str(error), Line(start, kept), delimiter, path)
                continue
            if any(cells):
                yield Line(start, cells)


def _kept(file: Iterator[str], kept: list[str]) -> Iterator[str]:
    for line in file:
        kept.append(line)
        yield line


def _faulty(error: str, record: Line, delimiter: str, path: Path) -> Line:
    """Return a record that is no row with what is wrong; raise when its quote has swallowed other rows."""
    start, kept = record.number, record.cells
    if "unexpected end" in error or len(kept) > 1:
        raise TreuepostError(
            f"{path.name}: row {start}: a quote opens here and is not closed before row {start + len(kept)}: "
            f"{shortened(kept[0].strip(), 40)}",
            'Close it, or write a quote within a cell twice (""). Nothing was imported.',
        )
    if "field limit" in error:
        limit = csv.field_size_limit()
        pieces = "".join(kept).split(delimiter)
        column = next((index for index, piece in enumerate(pieces, 1) if len(piece) > limit), 0)
        return Line(start, (), f"column {column} is longer than {limit:,} characters")
    if "expected after" in error:
        return Line(start, (), "text after a closing quote")
    return Line(start, (), error)


def _fitting(records: Iterator[Line], width: int, *, has_nul: bool) -> Iterator[Line]:
    """Mark the rows whose cells do not fit the headings."""
    for record in records:
        if record.fault:
            yield record
        elif len(record.cells) != width:
            yield Line(record.number, record.cells, f"{len(record.cells)} cells, but the header has {width}")
        elif has_nul and any("\0" in cell for cell in record.cells):
            yield Line(record.number, record.cells, "holds a NUL byte, which no text has")
        else:
            yield record
