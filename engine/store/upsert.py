"""Bulk writes that are the same on both databases: insert what is new, change what differs, in chunks.

A conflict is settled by the table's own UNIQUE constraint in the statement itself, never by looking first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

from engine.store import tuples
from engine.store.lookups import Lookup

CHUNK = 1000
"""Rows per statement: SQLite and PostgreSQL both limit the values one statement may carry."""

Item = TypeVar("Item")
_COUNTED = {"preserve_rowcount": True}


def chunks(items: Sequence[Item], size: int = CHUNK) -> Iterator[Sequence[Item]]:
    """Cut a sequence into pieces of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def insert_new(
    session: Session,
    table: sa.Table,
    rows: Sequence[Mapping[str, object]],
    conflict: Sequence[str],
) -> int:
    """Insert the rows whose `conflict` columns are not taken yet; return how many were inserted."""
    if not rows:
        return 0
    if is_sqlite(session):
        whole = tuples.with_defaults(table, rows)
        prepared = tuples.insert(table, tuple(whole[0]), tuple(conflict))
        return sum(prepared.run(session, part) for part in chunks(whole))
    statement = _insert(session, table).on_conflict_do_nothing(index_elements=list(conflict))
    return sum(_execute_many(session, statement, part) for part in chunks(rows))


def append(session: Session, table: sa.Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Insert rows of a kind that nothing can conflict with; every row names the same columns."""
    if not rows:
        return
    if is_sqlite(session):
        whole = tuples.with_defaults(table, rows)
        prepared = tuples.insert(table, tuple(whole[0]), ())
        for part in chunks(whole):
            prepared.run(session, part)
        return
    for part in chunks(rows):
        session.connection().execute(sa.insert(table), [dict(row) for row in part])


def put(
    session: Session,
    table: sa.Table,
    rows: Sequence[Mapping[str, object]],
    conflict: Sequence[str],
) -> None:
    """Insert the rows, or replace the given columns of the rows that already hold the `conflict` columns."""
    if not rows:
        return
    insert = _insert(session, table)
    changed = {name: insert.excluded[name] for name in rows[0] if name not in conflict}
    statement = insert.on_conflict_do_update(index_elements=list(conflict), set_=changed)
    for part in chunks(rows):
        _execute_many(session, statement, part)


def change(session: Session, table: sa.Table, rows: Sequence[Mapping[str, object]], key: str = "id") -> None:
    """Update rows by `key`; every row names the same columns."""
    if not rows:
        return
    if is_sqlite(session):
        prepared = tuples.update(table, tuple(name for name in rows[0] if name != key), key)
        for part in chunks(rows):
            prepared.run(session, part)
        return
    values = {name: sa.bindparam(f"new_{name}", type_=table.c[name].type) for name in rows[0] if name != key}
    statement = sa.update(table).where(table.c[key] == sa.bindparam(f"new_{key}")).values(values)
    for part in chunks(rows):
        session.connection().execute(statement, [{f"new_{name}": row[name] for name in row} for row in part])


def is_sqlite(session: Session) -> bool:
    """Say whether this session speaks to SQLite, for the few places where the databases differ."""
    return tuples.DRIVER in session.info


def _insert(session: Session, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    return sqlite.insert(table) if is_sqlite(session) else postgresql.insert(table)


def _execute_many(session: Session, statement: sa.Insert, part: Sequence[Mapping[str, object]]) -> int:
    result = session.connection().execute(statement, [dict(row) for row in part], execution_options=_COUNTED)
    return max(0, result.rowcount)


def stored(
    session: Session, table: sa.Table, key: str, values: Sequence[object], columns: Sequence[str]
) -> dict[object, dict[str, Any]]:
    """Return the named columns (and the id) of the rows whose `key` is among the values, by that key."""
    names = tuple(dict.fromkeys(("id", key, *columns)))
    place = names.index(key)
    return {row[place]: dict(zip(names, row, strict=True)) for row in _by_key(table, key, names).rows(session, values)}


@lru_cache(maxsize=128)
def _by_key(table: sa.Table, key: str, columns: tuple[str, ...]) -> Lookup:
    return Lookup(sa.select(*(table.c[name] for name in columns)), table.c[key])


def differs(row: Mapping[str, object], before: Mapping[str, object]) -> bool:
    """Say whether any given column of the row is not what the store holds."""
    return any(before[name] != value for name, value in row.items())
