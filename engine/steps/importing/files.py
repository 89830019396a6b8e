"""Import: a file of sound and unsound rows comes in; what is sound is stored, the rest is written down with its reason.

Two passes. The first reads, checks and recognises every row and writes nothing: a file that is refused whole leaves no
trace but its mention. The second writes what the first one laid aside, in short transactions, so that a daemon beside
it never waits. The same file again changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from engine.errors import StoreError, TreuepostError
from engine.sources.files import read
from engine.sources.mapping import Mapping, Surroundings, settle
from engine.sources.options import ReadOptions
from engine.sources.refused import RefusedRows, refused_file
from engine.sources.tables import Refusal, Table
from engine.sources.validating import Watch, validated
from engine.steps.importing.contract import Asked, Counts, Importer, Progress
from engine.steps.importing.customers import CustomersImport
from engine.steps.importing.permission import ConsentsImport, SuppressionsImport
from engine.steps.importing.purchases import PurchasesImport
from engine.steps.importing.services import ServiceItemsImport, VisitsImport
from engine.steps.importing.spooling import Spool
from engine.steps.shop import Premises
from engine.store import imports, installation

BATCH = 1000
"""Rows looked up and written together: a transaction stays far below the time anybody beside it would notice."""

IMPORTERS: dict[str, Callable[[Premises, Asked], Importer]] = {
    "customers": CustomersImport,
    "purchases": PurchasesImport,
    "service-items": ServiceItemsImport,
    "visits": VisitsImport,
    "consents": ConsentsImport,
    "suppressions": SuppressionsImport,
}

Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What came of an import."""

    read: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0
    refused_file: Path | None = None
    warnings: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Say whether anything in the store is different now."""
        return bool(self.created or self.updated)


def ignore(_rows: int) -> None:
    """Take no notice of progress."""


def import_file(  # noqa: PLR0913  (the words of one command)
    shop: Premises,
    what: str,
    path: Path,
    options: ReadOptions,
    now: datetime,
    *,
    complete: bool = False,
    yes: bool = False,
    progress: Progress = ignore,
) -> ImportReport:
    """Import one file; its refused rows are written beside it."""
    asked = Asked(what, now, shop.config.shop.zone, complete=complete, yes=yes)
    return import_as_asked(shop, path, options, asked, progress)


def import_as_asked(
    shop: Premises, path: Path, options: ReadOptions, asked: Asked, progress: Progress = ignore
) -> ImportReport:
    """Read a file, settle which column is which, and import it."""
    asked = asked.marked(path)
    with _noting_failure(shop, asked, path):
        table = read(path, options)
        surroundings = Surroundings(shop.config.shop.zone, shop.config.shop.currency, asked.now)
        mapping = settle(table, asked.what, options, surroundings)
    with RefusedRows(refused_file(path), table) as refused:
        return run(shop, table, mapping, refused, asked, progress)


def import_table(  # noqa: PLR0913  (the words of one command)
    shop: Premises,
    table: Table,
    mapping: Mapping,
    *,
    refused: RefusedRows,
    complete: bool = False,
    yes: bool = False,
    source: str = "",
    progress: Progress = ignore,
) -> ImportReport:
    """Import a table whose columns are settled."""
    around = mapping.surroundings
    asked = Asked(mapping.what, around.now, around.zone, complete=complete, yes=yes, source=source)
    return run(shop, table, mapping, refused, asked, progress)


def run(
    shop: Premises, table: Table, mapping: Mapping, refused: RefusedRows, asked: Asked, progress: Progress
) -> ImportReport:
    """Check everything, then write what is sound."""
    asked = asked.marked(table.path)
    watch, importer, spool = Watch(), IMPORTERS[asked.what](shop, asked), Spool[list[Any]]()
    reading = _Reading(table, mapping, watch, refused)
    try:
        with _noting_failure(shop, asked, table.path):
            rows = _check(shop, reading, importer, spool, progress)
            _refuse_half_written(asked, rows)
            importer.agree(shop.database)
        counts = _write(shop, asked, table, importer, (spool, rows, refused.count), progress)
    finally:
        spool.close()
    return ImportReport(
        rows,
        counts.created,
        counts.updated,
        counts.unchanged,
        refused.count,
        refused.path_or_none,
        (*table.notes, *watch.warnings(), *importer.warnings()),
    )


@dataclass(frozen=True, slots=True)
class _Reading:
    """One file on its way through the first pass."""

    table: Table
    mapping: Mapping
    watch: Watch
    refused: RefusedRows

    def key_cells(self, refusals: list[Refusal]) -> list[tuple[str, str]]:
        """Return the bare id and address of rows that could not be read, as far as they have them."""
        headers = self.table.headers
        places = [self.mapping.header_of(name) for name in ("customer_id", "email")]
        spots = [headers.index(header) if header is not None else -1 for header in places]
        return [
            (cells[0].strip(), cells[1].strip())
            for cells in ([one.cells[spot] if 0 <= spot < len(one.cells) else "" for spot in spots] for one in refusals)
        ]


def _check(shop: Premises, reading: _Reading, importer: Importer, spool: Spool[Any], progress: Progress) -> int:
    """Run the first pass; return how many rows the file has."""
    rows = 0
    for batch in _batches(validated(reading.table, reading.mapping, reading.watch)):
        unsound = [row for row in batch if isinstance(row, Refusal)]
        with shop.database.read() as session:
            checked = importer.check(session, [row for row in batch if not isinstance(row, Refusal)])
            if unsound:
                importer.note_refused(session, reading.key_cells(unsound))
        for refusal in sorted([*unsound, *checked.refused], key=lambda one: one.line):
            reading.refused.add(refusal)
        if checked.ready:
            spool.put(checked.ready)
        rows += len(batch)
        progress(len(batch))
    return rows


def _write(
    shop: Premises,
    asked: Asked,
    table: Table,
    importer: Importer,
    checked: tuple[Spool[Any], int, int],
    progress: Progress,
) -> Counts:
    """Run the second pass: one short transaction a batch; whatever changed tells planning to look again."""
    spool, rows, refused = checked
    with shop.database.write() as session:
        left = imports.cut_short(session, asked.what)
        begun = imports.begin(session, asked.what, asked.source, table.path.name, asked.now)
    total = Counts()
    for batch in spool.batches():
        with shop.database.write() as session:
            counts = importer.write(session, batch)
            if counts.created or counts.updated:
                installation.bump_data_version(session)
        total.created += counts.created
        total.updated += counts.updated
        total.unchanged += counts.unchanged
        progress(len(batch))
    total.updated += importer.finish(shop.database, mend=bool(left))
    progress(refused)
    done = imports.Counts(rows, total.created, total.updated, total.unchanged, refused)
    with shop.database.write() as session:
        imports.give_up(session, left)
        imports.end(session, begun, done, mark=asked.mark)
        if left or total.created or total.updated:
            installation.bump_data_version(session)
    return total


def _refuse_half_written(asked: Asked, rows: int) -> None:
    if rows < asked.at_least and not asked.yes:
        raise TreuepostError(
            f"{rows} rows, where there were {2 * asked.at_least} or more last time: the file looks half-written. "
            "Nothing was written, the data from last time stays.",
            "If it is whole, say so with --yes.",
        )


def _batches(things: Iterable[Thing]) -> Iterator[list[Thing]]:
    following = iter(things)
    while batch := list(islice(following, BATCH)):
        yield batch


@contextmanager
def _noting_failure(shop: Premises, asked: Asked, path: Path) -> Iterator[None]:
    """Remember a file that was refused whole, with why; nothing of it was written."""
    try:
        yield
    except TreuepostError as error:
        if not isinstance(error, StoreError):
            with shop.database.write() as session:
                imports.fail(session, asked.what, asked.source, path.name, asked.now, (asked.mark, error.message))
        raise
