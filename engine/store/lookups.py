"""Looking up many rows by their keys: one statement with one bound value, put together once, however many keys."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

CHUNK = 1000
"""Keys per statement."""

_VALUES = "wanted_values"


class Lookup:
    """A SELECT of the rows in which a column holds one of many values.

    With `plain` SQLite hands its rows over as they are: for numbers and texts that no column type has to turn into
    something else.
    """

    def __init__(self, query: sa.Select[Any], column: sa.ColumnElement[Any], *, plain: bool = False) -> None:
        one_of = sa.func.json_each(sa.bindparam(_VALUES, type_=sa.String)).table_valued("value")
        any_of = sa.func.any(sa.bindparam(_VALUES, type_=postgresql.ARRAY(column.type)))
        self._sqlite = query.where(column.in_(sa.select(one_of.c.value)))
        self._postgres = query.where(column == any_of)
        self._text = str(self._sqlite.compile(dialect=sqlite.dialect())) if plain else ""

    def rows(self, session: Session, values: Sequence[object]) -> Iterator[sa.Row[*tuple[Any, ...]]]:
        """Yield the rows found for these values."""
        for start in range(0, len(values), CHUNK):
            yield from self._found(session, list(values[start : start + CHUNK])).all()

    def _found(self, session: Session, values: list[object]) -> sa.CursorResult[*tuple[Any, ...]]:
        if session.get_bind().dialect.name != "sqlite":
            return session.connection().execute(self._postgres, {_VALUES: values})
        if self._text:
            return session.connection().exec_driver_sql(self._text, (json.dumps(values),))
        return session.connection().execute(self._sqlite, {_VALUES: json.dumps(values)})
