"""Statements as plain tuples for SQLite's own driver: far faster there than handing every row through SQLAlchemy.

The statement is compiled once; what a column's type does to a value is asked of the type, so both ways store the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from sqlite3 import Connection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlmodel import Session

Encoder = Callable[[Any], Any]
Decoders = Sequence[tuple[int, Encoder]]
Rows = Iterable[tuple[Any, ...]]

DRIVER = "sqlite_driver"
"""Where a session keeps SQLite's own connection (`Session.info`)."""

_DIALECT = sqlite.dialect()


class Prepared:
    """One compiled statement and what it does to each column's values."""

    def __init__(self, statement: sa.Insert | sa.Update, names: Mapping[str, str]) -> None:
        compiled = statement.compile(dialect=_DIALECT)
        self._sql = str(compiled)
        self._columns: list[tuple[str, Encoder | None]] = [
            (names.get(bound, bound), _encoder(compiled.binds[bound].type)) for bound in compiled.positiontup or ()
        ]

    def run(self, session: Session, rows: Sequence[Mapping[str, Any]]) -> int:
        """Execute it for all rows; return how many rows it touched."""
        if not rows:
            return 0
        columns = [_encoded(encode, [row[name] for row in rows]) for name, encode in self._columns]
        return max(0, driver(session).executemany(self._sql, zip(*columns, strict=True)).rowcount)


class Asked:
    """One compiled SELECT with its values, and what each of its columns' types makes of what the driver returns."""

    def __init__(self, select: sa.Select[Any]) -> None:
        compiled = select.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
        self._sql = str(compiled)
        self._values = tuple(_bound(compiled, name) for name in compiled.positiontup or ())
        self._decoders = decoders(select)

    def rows(self, session: Session) -> Rows:
        """Return all rows at once."""
        return decoded(driver(session).execute(self._sql, self._values).fetchall(), self._decoders)

    def chunks(self, session: Session, size: int) -> Iterator[Rows]:
        """Yield the rows, so many at a time."""
        cursor = driver(session).execute(self._sql, self._values)
        while part := cursor.fetchmany(size):
            yield decoded(part, self._decoders)


class Parametrised:
    """One compiled SELECT whose parameters are given each time it is asked."""

    def __init__(self, select: sa.Select[Any]) -> None:
        compiled = select.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
        self.sql = str(compiled)
        self._fixed = compiled.params
        self._binds = [
            (name, _encoder(compiled.binds[name].type) if name in compiled.binds else None)
            for name in compiled.positiontup or ()
        ]

    def ask(self, session: Session, given: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Return the rows as the driver has them."""
        values = [
            encode(value) if encode is not None else value
            for name, encode in self._binds
            for value in (given.get(name, self._fixed[name]),)
        ]
        return driver(session).execute(self.sql, values).fetchall()


def driver(session: Session) -> Connection:
    """Return SQLite's own connection under a session that is at work."""
    connection: Connection = session.info[DRIVER]
    return connection


def decoders(select: sa.Select[Any]) -> Decoders:
    """Return, by column, what has to be made of the values the driver returns; columns that stay are left out."""
    found = [_decoder(column.type) for column in select.selected_columns]
    return [(index, decode) for index, decode in enumerate(found) if decode is not None]


def decoded(rows: list[tuple[Any, ...]], by_column: Decoders) -> Rows:
    """Return the rows as the columns' types read them."""
    if not by_column or not rows:
        return rows
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
    for index, decode in by_column:
        # Few values stand in many rows: each is decoded once.
        known = {value: decode(value) for value in set(columns[index])}
        columns[index] = [known[value] for value in columns[index]]
    return zip(*columns, strict=True)


def _bound(compiled: Any, name: str) -> Any:
    """Return a value as the driver takes it; entries of a list are numbers and texts, which it takes as they are."""
    value = compiled.params[name]
    encode = _encoder(compiled.binds[name].type) if name in compiled.binds else None
    return encode(value) if encode else value


@lru_cache(maxsize=128)
def insert(table: sa.Table, names: tuple[str, ...], conflict: tuple[str, ...]) -> Prepared:
    """Return the INSERT of these columns; with `conflict` it leaves rows alone which are there already."""
    values = {name: sa.bindparam(name, type_=table.c[name].type) for name in names}
    statement = sqlite.insert(table).values(values)
    return Prepared(statement.on_conflict_do_nothing(index_elements=list(conflict)) if conflict else statement, {})


@lru_cache(maxsize=128)
def update(table: sa.Table, names: tuple[str, ...], key: str) -> Prepared:
    """Return the UPDATE of these columns for one value of the key."""
    bound = {name: sa.bindparam(f"new_{name}", type_=table.c[name].type) for name in (*names, key)}
    values = {name: bound[name] for name in names}
    statement = sa.update(table).where(table.c[key] == bound[key]).values(values)
    return Prepared(statement, {f"new_{name}": name for name in bound})


def with_defaults(table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Return the rows with the table's own defaults for columns they do not name."""
    missing = {
        column.name: column.default.arg
        for column in table.columns
        if isinstance(column.default, sa.ColumnDefault) and column.default.is_scalar and column.name not in rows[0]
    }
    return [{**missing, **row} for row in rows] if missing else rows


def _encoded(encode: Encoder | None, values: list[Any]) -> Iterable[Any]:
    if encode is None:
        return values
    # Most often one and the same object stands in every row, like the time of the import.
    first, encoded = values[0], encode(values[0])
    return [encoded if value is first else encode(value) for value in values]


def _encoder(kind: sa.types.TypeEngine[Any]) -> Encoder | None:
    processor: Encoder | None = kind.dialect_impl(_DIALECT).bind_processor(_DIALECT)
    return _instant if _is_instant(kind) else processor


def _decoder(kind: sa.types.TypeEngine[Any]) -> Encoder | None:
    processor: Encoder | None = kind.dialect_impl(_DIALECT).result_processor(_DIALECT, None)
    return _read_instant if _is_instant(kind) else processor


def _is_instant(kind: sa.types.TypeEngine[Any]) -> bool:
    inner = kind.impl_instance if isinstance(kind, sa.types.TypeDecorator) else kind
    return isinstance(inner, sa.DateTime)


def _instant(value: datetime | None) -> str | None:
    """Write an instant as SQLAlchemy does on SQLite: UTC, six digits; a naive one is nobody's instant."""
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone")
    plain = value if value.tzinfo is UTC else value.astimezone(UTC)
    return plain.replace(tzinfo=None).isoformat(" ", "microseconds")


def _read_instant(text: str | None) -> datetime | None:
    """Read what `_instant` has written."""
    return None if text is None else datetime.fromisoformat(text).replace(tzinfo=UTC)
