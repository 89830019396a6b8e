"""XLSX and ODS: values only. Formulas are not run, links are not followed, and what unpacks to too much is refused."""

from __future__ import annotations

import html
import re
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetVisibleEnum

from engine.errors import TreuepostError, UsageError
from engine.sources.mapping import listed, refuse_headers
from engine.sources.options import ReadOptions
from engine.sources.tables import Exact, Line, Table

LARGEST = 1 << 30
"""Bytes a workbook may unpack to; a full sheet of 1,048,576 rows stays below it."""
SUSPICIOUS = 50 << 20
HIGHEST_RATIO = 300
_ASK_FOR_CSV = "Save it as CSV (UTF-8)."
_ENTITIES = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_UNSAVED = re.compile(
    rb'<c\b[^>]*?\br="([A-Z]+)(\d+)"[^>]*><f\b(?:[^>]*/>|[^>]*>[^<]*</f>)\s*(?:<v\s*/>|<v></v>)?\s*</c>'
)
_SHEET = re.compile(r"<sheet\b[^>]*>")
_RELATION = re.compile(r"<Relationship\b[^>]*>")
_CHUNK = 1 << 20


def open_workbook(path: Path, options: ReadOptions) -> Table:
    """Open one sheet of a workbook as a table."""
    with zipfile.ZipFile(path) as archive:
        _refuse_foreign(path, archive)
        _refuse_bombs(path, archive)
        try:
            sheet = _chosen(path, CalamineWorkbook.from_path(path), options.sheet)
        except CalamineError as error:
            raise TreuepostError(f"{path.name} cannot be read: {error}", _ASK_FOR_CSV) from error
        unsaved = _unsaved_formulas(archive, sheet.name)
    rows = _rows(sheet, unsaved)
    heading = next(rows, None)
    if heading is None:
        raise TreuepostError(f'{path.name}: the sheet "{sheet.name}" is empty: 0 rows.')
    width = max((index for index, cell in enumerate(heading.cells, 1) if cell.strip()), default=0)
    headers = tuple(cell.strip() for cell in heading.cells[:width])
    refuse_headers(headers, f'{path.name}, sheet "{sheet.name}"')

    def lines() -> Iterator[Line]:
        below = _rows(sheet, unsaved)
        next(below)
        return (_cut(line, width) for line in below)

    return Table(path=path, headers=headers, lines=lines, sheet=sheet.name, size=max(0, sheet.height - 1))


def _refuse_foreign(path: Path, archive: zipfile.ZipFile) -> None:
    names = set(archive.namelist())
    if "xl/workbook.xml" in names or "content.xml" in names:
        if "mimetype" in names and b"spreadsheet" not in archive.read("mimetype")[:200]:
            raise TreuepostError(f"{path.name} is a document, not a table.", "Save it as CSV (UTF-8), XLSX or ODS.")
        return
    kind = "a packed file (ZIP)"
    if any(name.startswith("word/") for name in names):
        kind = "a text document"
    elif "xl/workbook.bin" in names:
        kind = "a binary workbook (.xlsb)"
    elif any(name.startswith("Index/") for name in names):
        kind = "a Numbers document"
    raise TreuepostError(f"{path.name} is {kind}, not a table.", "Save it as CSV (UTF-8), XLSX or ODS.")


def _refuse_bombs(path: Path, archive: zipfile.ZipFile) -> None:
    """Refuse what unpacks to too much, what lies about its size, and XML that would be expanded."""
    packed = max(1, path.stat().st_size)
    unpacked = sum(entry.file_size for entry in archive.infolist())
    if unpacked > LARGEST or (unpacked > SUSPICIOUS and unpacked > packed * HIGHEST_RATIO):
        raise TreuepostError(
            f"{path.name} unpacks to {unpacked >> 20:,} MB ({unpacked // packed} times its size); that is not a table.",
            _ASK_FOR_CSV,
        )
    try:
        for entry in archive.infolist():
            with archive.open(entry) as file:
                if entry.filename.endswith((".xml", ".rels")) and _ENTITIES.search(file.read(4096)):
                    raise TreuepostError(
                        f"{path.name} holds XML that is to be expanded; it is not opened.", _ASK_FOR_CSV
                    )
                while file.read(_CHUNK):
                    pass
    except (zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError) as error:
        raise TreuepostError(
            f"{path.name} is damaged, half-written or has a password: {error}.", _ASK_FOR_CSV
        ) from error


def _chosen(path: Path, workbook: CalamineWorkbook, told: str | None) -> CalamineSheet:
    """Return the sheet the owner named, else the only one with rows in it."""
    if told is not None:
        if told not in workbook.sheet_names:
            raise UsageError(f'{path.name} has no sheet "{told}".', f"It has: {listed(workbook.sheet_names)}.")
        return workbook.get_sheet_by_name(told)
    hidden = {about.name for about in workbook.sheets_metadata if about.visible != SheetVisibleEnum.Visible}
    sheets = [workbook.get_sheet_by_name(name) for name in workbook.sheet_names if name not in hidden]
    filled = [sheet for sheet in sheets if sheet.height > 0]
    if len(filled) > 1:
        names = [sheet.name for sheet in filled]
        raise UsageError(f"{path.name} has {len(names)} sheets with data: {listed(names)}.", "Say which with --sheet.")
    if not filled:
        raise TreuepostError(f"{path.name} is empty: 0 rows.", "Is it the right file?")
    return filled[0]


def _rows(sheet: CalamineSheet, unsaved: dict[int, str]) -> Iterator[Line]:
    """Yield the rows that hold anything, numbered as the spreadsheet numbers them."""
    for number, row in enumerate(sheet.iter_rows(), 1) if sheet.height else ():
        cells = [_text(cell) for cell in row]
        if number in unsaved:
            yield Line(number, cells, f"cell {unsaved[number]} is a formula whose result is not saved in the file")
        elif any(cells):
            yield Line(number, cells)


def _text(cell: object) -> str:
    """Return a cell's value as text; numbers and days keep what the workbook knows of them."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, int | float):
        return Exact(int(cell)) if float(cell).is_integer() else Exact(repr(cell))
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time(0) else cell.isoformat(sep=" ", timespec="seconds")
    return cell.isoformat() if isinstance(cell, date | time) else str(cell)


def _cut(line: Line, width: int) -> Line:
    """Return a row as wide as the headings; a cell beyond them makes it a fault."""
    if not line.fault and any(line.cells[width:]):
        return Line(line.number, line.cells, f"{len(line.cells)} cells, but the header has {width}")
    return Line(line.number, line.cells[:width], line.fault)


def _unsaved_formulas(archive: zipfile.ZipFile, sheet: str) -> dict[int, str]:
    """Return, by row, the cell of an XLSX sheet whose formula has no result in the file."""
    part = _part_of(archive, sheet)
    found: dict[int, str] = {}
    if part is None:
        return found
    carried = b""
    with archive.open(part) as file:
        while chunk := file.read(_CHUNK):
            text = carried + chunk
            for match in _UNSAVED.finditer(text) if b"<f" in text else ():
                found.setdefault(int(match[2]), f"{match[1].decode()}{int(match[2])}")
            carried = text[-4096:]
    return found


def _part_of(archive: zipfile.ZipFile, sheet: str) -> str | None:
    names = set(archive.namelist())
    if not {"xl/workbook.xml", "xl/_rels/workbook.xml.rels"} <= names:
        return None
    entries = [_attributes(tag) for tag in _SHEET.findall(archive.read("xl/workbook.xml").decode("utf-8", "replace"))]
    wanted = next((entry.get("r:id") for entry in entries if entry.get("name") == sheet), None)
    relations = archive.read("xl/_rels/workbook.xml.rels").decode("utf-8", "replace")
    for tag in _RELATION.findall(relations):
        about = _attributes(tag)
        if about.get("Id") == wanted:
            target = about.get("Target", "").lstrip("/")
            part = target if target.startswith("xl/") else f"xl/{target}"
            return part if part in names else None
    return None


def _attributes(tag: str) -> dict[str, str]:
    return {name: html.unescape(value) for name, value in re.findall(r'([\w:]+)="([^"]*)"', tag)}
