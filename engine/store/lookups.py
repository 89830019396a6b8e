"""SELECTs that are put together once, and asked of SQLite's own driver: what every look at a message needs.

A `Question` is asked as it is; a `Lookup` finds many rows by their keys with one bound value, however many keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlmodel import Session

from engine.store import tuples

CHUNK = 1000
"""Keys per statement."""

_VALUES = "wanted_values"


class Question:
    """A SELECT with nothing but parameters of its own; it locks nothing."""

    def __init__(self, query: sa.Select[Any]) -> None:
        self._postgres = query
        self._sqlite = tuples.Parametrised(query)
        self._decoders = tuples.decoders(query)

    def rows(self, session: Session, **given: object) -> list[tuple[Any, ...]]:
        """Return all rows."""
        if tuples.DRIVER not in session.info:
            return [tuple(row) for row in session.connection().execute(self._postgres, given)]
        return list(tuples.decoded(self._sqlite.ask(session, given), self._decoders))

    def first(self, session: Session, **given: object) -> tuple[Any, ...] | None:
        """Return the first row, or None."""
        return next(iter(self.rows(session, **given)), None)


class Lookup:
    """A SELECT of the rows in which a column holds one of many values; it may have parameters of its own."""

    def __init__(self, query: sa.Select[Any], column: sa.ColumnElement[Any]) -> None:
        one_of = sa.func.json_each(sa.bindparam(_VALUES, required=False, type_=sa.String)).table_valued("value")
        any_of = sa.func.any(sa.bindparam(_VALUES, type_=postgresql.ARRAY(column.type)))
        self._postgres = query.where(column == any_of)
        self._sqlite = tuples.Parametrised(query.where(column.in_(sa.select(one_of.c.value))))
        self._decoders = tuples.decoders(query)

    def rows(self, session: Session, values: Sequence[object], **given: object) -> Iterator[tuple[Any, ...]]:
        """Yield the rows found for these values, and what the query's own parameters are given."""
        for start in range(0, len(values), CHUNK):
            yield from self._found(session, list(values[start : start + CHUNK]), given)

    def _found(self, session: Session, values: list[object], given: dict[str, object]) -> tuples.Rows:
        if tuples.DRIVER not in session.info:
            return session.connection().execute(self._postgres, given | {_VALUES: values}).all()
        found = self._sqlite.ask(session, given | {_VALUES: orjson.dumps(values).decode()})
        return tuples.decoded(found, self._decoders)
