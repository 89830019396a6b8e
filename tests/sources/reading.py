"""Short ways to write a file and read it back, for the tests of this floor."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

from engine.sources.files import read
from engine.sources.mapping import Mapping, Surroundings, settle
from engine.sources.options import ReadOptions
from engine.sources.rows import Row
from engine.sources.tables import Refusal, Table
from engine.sources.validating import Watch, validated
from tests.people import NOW

BERLIN = ZoneInfo("Europe/Berlin")
SHOP = Surroundings(BERLIN, "EUR", NOW)


def write(folder: Path, content: str | bytes, name: str = "kunden.csv") -> Path:
    """Write a file as it would come from somewhere else."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def open_text(folder: Path, content: str | bytes, **options: object) -> Table:
    """Write a file and open it."""
    return read(write(folder, content), ReadOptions(**options))  # type: ignore[arg-type]


def settled(table: Table, what: str = "customers", **options: object) -> Mapping:
    """Settle which column is which."""
    return settle(table, what, ReadOptions(**options), SHOP)  # type: ignore[arg-type]


def read_rows(
    folder: Path, content: str | bytes, what: str = "customers", *, watch: Watch | None = None, **options: object
) -> list[Row | Refusal]:
    """Write a file, open it and validate every row."""
    table = open_text(folder, content, **options)
    return list(validated(table, settled(table, what, **options), watch))


def sound(rows: list[Row | Refusal]) -> list[Row]:
    """Return the rows, and fail where one was refused."""
    refused = [row for row in rows if isinstance(row, Refusal)]
    assert refused == []
    return [row for row in rows if isinstance(row, Row)]


def refused(rows: list[Row | Refusal]) -> list[Refusal]:
    """Return the refusals, and fail where a row was taken."""
    taken = [row for row in rows if isinstance(row, Row)]
    assert taken == []
    return [row for row in rows if isinstance(row, Refusal)]
