"""Moves a whole store to another database: copied table by table, then compared row by row, or nothing at all.

The source is read under a lock that keeps every writer out, and is not changed. The target is written in one
transaction that also holds the comparison: whatever breaks it off leaves the target as empty as it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, SQLModel

from engine.domain.guard import ARRIVING, FROM_BACKUP, MOVED_AWAY
from engine.errors import StoreError, UsageError
from engine.store import installation, lawful_tables, message_tables, rights_tables, schema, tables
from engine.store.database import Database
from engine.store.message_tables import Message
from engine.store.tables import Installation
from engine.store.upsert import CHUNK

Progress = Callable[[int], None]
Row = Mapping[str, Any]

_DECLARED = (tables, message_tables, lawful_tables, rights_tables)  # importing them fills the list of tables
_MESSAGES: sa.Table = Message.__table__  # type: ignore[attr-defined]
_INSTALLATION: sa.Table = Installation.__table__  # type: ignore[attr-defined]
_STAYS = frozenset({FROM_BACKUP, MOVED_AWAY, ARRIVING})
_LATER = {_MESSAGES.name: "carried_by"}
"""Columns that name rows of their own table: filled in once all of those rows are there."""


@dataclass(slots=True)
class Sum:
    """How many rows a table has, and a digest of their values that does not depend on their order."""

    rows: int = 0
    digest: int = 0

    def add(self, row: Row) -> None:
        """Count a row in."""
        text = repr(sorted((name, _plain(value)) for name, value in row.items()))
        self.digest = (self.digest + int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")) % (1 << 256)
        self.rows += 1


def count(source: Database) -> int:
    """Return how many rows a store has in all."""
    schema.require(source)
    with source.read() as session:
        return sum(_size(session, table) for table in SQLModel.metadata.sorted_tables)


def move(source: Database, target: Database, progress: Progress = lambda _rows: None) -> dict[str, int]:
    """Copy every row of `source` into the empty `target`, compare them, and return the rows of each table.

    Nobody may send from either store meanwhile (`ownership.nobody_sends`); should the machine die before `hand_over`,
    the target sends nothing.
    """
    schema.upgrade(target)  # a move that was broken off may have left the tables, without a row
    with source.pretend() as old, target.write() as new:
        _keep_writers_out(old)
        _require_empty(new)
        sums = {table.name: _copy(old, new, table, progress) for table in SQLModel.metadata.sorted_tables}
        for table in SQLModel.metadata.sorted_tables:
            _compare(new, table, sums[table.name])
            _go_on_counting(new, table)
    return {name: made.rows for name, made in sums.items()}


def hand_over(source: Database, target: Database) -> None:
    """Retire the store whose rows were moved, then let the new one begin: at no moment two of them send.

    The old one sends nothing any more before its owner says that it is the one.
    """
    with source.write() as session:
        before = installation.find(session)
        installation.note_place(session, MOVED_AWAY)
    if before is not None and before.place not in _STAYS:
        with target.write() as session:
            installation.note_place(session, "")


def _require_empty(new: Session) -> None:
    for table in SQLModel.metadata.sorted_tables:
        if _size(new, table):
            raise UsageError(
                f'The target is not empty: table "{table.name}" holds rows.',
                "Move into a new database or file, or empty that one first (drop it and create it again).",
            )


def _size(session: Session, table: sa.Table) -> int:
    return int(session.connection().execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def _keep_writers_out(old: Session) -> None:
    """Let nobody write to the source: on SQLite the open transaction does that already."""
    connection = old.connection()
    if connection.dialect.name == "postgresql":
        names = ", ".join(f'"{table.name}"' for table in SQLModel.metadata.sorted_tables)
        connection.execute(sa.text("SET LOCAL lock_timeout = '30s'"))
        connection.execute(sa.text(f"LOCK TABLE {names} IN SHARE MODE"))


def _copy(old: Session, new: Session, table: sa.Table, progress: Progress) -> Sum:
    made = Sum()
    later = _LATER.get(table.name)
    waiting: list[dict[str, Any]] = []
    for part in _parts(old, table):
        rows = [_moved(table, row) for row in part]
        for row in rows:
            made.add(row)
        if later:
            waiting += [{"old_id": row["id"], "new_value": row[later]} for row in rows if row[later] is not None]
            rows = [{**row, later: None} for row in rows]
        _insert(new, table, rows)
        progress(len(rows))
    if later and waiting:
        filled = sa.update(table).where(table.c.id == sa.bindparam("old_id")).values({later: sa.bindparam("new_value")})
        new.connection().execute(filled, waiting)
    return made


def _parts(session: Session, table: sa.Table) -> Iterator[Sequence[Row]]:
    """Read a table in pieces, each row as typed values by column."""
    found = session.connection().execute(sa.select(table), execution_options={"yield_per": CHUNK})
    for part in found.mappings().partitions():
        yield [dict(row) for row in part]


def _moved(table: sa.Table, row: Row) -> dict[str, Any]:
    """Return a row as it stands in the target, which is not the store yet; whatever is in doubt stays so."""
    if table is _INSTALLATION and row["place"] not in _STAYS:
        return {**row, "place": ARRIVING}
    return dict(row)


def _insert(new: Session, table: sa.Table, rows: Sequence[Row]) -> None:
    try:
        new.connection().execute(sa.insert(table), list(rows))
    except (DBAPIError, ValueError) as error:
        raise StoreError(
            f'A row of table "{table.name}" cannot be kept there: {_said(error)}.',
            "Nothing was moved; the store is as it was. Mend that row, then move again.",
        ) from error


def _said(error: Exception) -> str:
    return str(error.orig if isinstance(error, DBAPIError) else error).splitlines()[0].rstrip(".")


def _compare(new: Session, table: sa.Table, wanted: Sum) -> None:
    found = Sum()
    for part in _parts(new, table):
        for row in part:
            found.add(row)
    if found != wanted:
        raise StoreError(
            f'Table "{table.name}" came out differently: {found.rows} of {wanted.rows} rows, or other values in them.',
            "Nothing was moved; the store is as it was. Please report this.",
        )


def _go_on_counting(new: Session, table: sa.Table) -> None:
    """Let PostgreSQL give numbers after the moved ones; SQLite does that by itself."""
    column = table.autoincrement_column
    if new.connection().dialect.name == "postgresql" and column is not None:
        highest = sa.select(sa.func.max(column)).scalar_subquery()
        sequence = sa.func.pg_get_serial_sequence(table.name, column.name)
        new.connection().execute(
            sa.select(sa.func.setval(sequence, sa.func.coalesce(highest, 1), highest.is_not(None)))
        )


def _plain(value: object) -> object:
    """Return a value that is written the same whichever database it came from."""
    if isinstance(value, datetime):
        return value.timestamp()
    return value.value if isinstance(value, Enum) else value
