"""The occasions today's data gives, planned or not: all a SELECT finds, or those of a few customers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import sqlalchemy as sa
from sqlmodel import Session

from engine.store.enrolments import Due, Occasions
from engine.store.lookups import Lookup
from engine.store.tables import Customer

_PEOPLE: sa.Table = Customer.__table__  # type: ignore[attr-defined]


def ask(session: Session, occasions: Occasions) -> list[Due]:
    """Return the occasions a SELECT finds."""
    return [Due._make((*row, None)) for row in session.connection().execute(occasions)]


def ask_for(session: Session, occasions: Occasions, customers: Sequence[int]) -> list[Due]:
    """Return these customers' occasions, from a SELECT that names nobody."""
    return [Due._make((*row, None)) for lookup in _by_customer(occasions) for row in lookup.rows(session, customers)]


@lru_cache(maxsize=128)
def _by_customer(found: Occasions) -> tuple[Lookup, ...]:
    """Return the questions that ask for some customers' occasions; every group of mails asks them again."""
    parts = found.selects if isinstance(found, sa.CompoundSelect) else (found,)
    return tuple(Lookup(part, _PEOPLE.c.id) for part in parts if isinstance(part, sa.Select))
