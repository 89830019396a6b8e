"""Column types that are equal on SQLite and PostgreSQL."""

from datetime import date, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlmodel import Field

_EPOCH = date(1970, 1, 1)


class Day(sa.types.TypeDecorator[date]):
    """A local day, kept as the number of days since 1970-01-01.

    A plain number makes "this day plus ninety" the same integer sum on both databases, with an index, and without a
    date function. In Python it is always a `date`.
    """

    impl = sa.Integer
    cache_ok = True

    def process_bind_param(self, value: date | None, dialect: Dialect) -> int | None:
        """Turn a day into its number."""
        return None if value is None else (value - _EPOCH).days

    def process_result_value(self, value: Any, dialect: Dialect) -> date | None:
        """Turn a number back into its day."""
        return None if value is None else _EPOCH + timedelta(days=value)

    class comparator_factory(sa.types.TypeDecorator.Comparator[date]):  # noqa: N801  (SQLAlchemy's name)
        """Adding a number of days to a day is a day."""

        def __add__(self, other: Any) -> sa.ColumnElement[Any]:
            number = sa.literal(other, sa.Integer) if isinstance(other, int) else sa.type_coerce(other, sa.Integer)
            return sa.type_coerce(sa.type_coerce(self.expr, sa.Integer) + number, Day)


def words(kind: type[StrEnum]) -> sa.Enum:
    """Return the column type for an enum: a VARCHAR that holds the values, never a native type."""
    return sa.Enum(
        kind,
        native_enum=False,
        length=32,
        values_callable=lambda members: [m.value for m in members],
    )


def day(*, index: bool = False) -> Any:
    """Declare an optional local day."""
    return Field(default=None, sa_type=Day, index=index, nullable=True)
