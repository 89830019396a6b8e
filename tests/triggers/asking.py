"""Ask a trigger the way planning does, and read what the database intends to do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from engine.domain.grammar import Span, When
from engine.domain.words import DayRange
from engine.store.database import Database
from engine.triggers.contract import COLUMNS, Scope, Timing, TriggerModel

ONE_STEP = (Timing(0),)


def step(when: str = "", *waits: str, index: int = 0) -> Timing:
    return Timing(index, When.parse(when) if when else None, tuple(Span.parse(wait) for wait in waits))


def ask(
    database: Database,
    trigger: TriggerModel,
    first: date,
    last: date | None = None,
    *,
    steps: Sequence[Timing] = ONE_STEP,
    scope: Scope | None = None,
) -> list[Any]:
    select = trigger.occasions(DayRange(first, last or first), steps, scope or Scope(zone=""))
    assert tuple(select.selected_columns.keys()) == COLUMNS
    with database.read() as session:
        return sorted(session.connection().execute(select).all(), key=lambda row: (row.due, row.occasion))


def occasions(*args: Any, **kwargs: Any) -> list[tuple[str, date]]:
    return [(row.occasion, row.due) for row in ask(*args, **kwargs)]


def query_plan(database: Database, trigger: TriggerModel, first: date, last: date, scope: Scope | None = None) -> str:
    select = trigger.occasions(DayRange(first, last), ONE_STEP, scope or Scope(zone=""))
    statement = select.compile(dialect=sqlite.dialect(), compile_kwargs={"render_postcompile": True})
    with database.read() as session:
        values = [statement.params[name] for name in statement.positiontup or ()]
        bound = [
            process(value) if (process := _bind(statement, name)) else value
            for name, value in zip(statement.positiontup or (), values, strict=True)
        ]
        rows = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(bound))
        return " / ".join(row[-1] for row in rows)


def _bind(statement: Any, name: str) -> Any:
    return statement._bind_processors.get(name)


def count(database: Database, table: sa.Table) -> int:
    with database.read() as session:
        return session.connection().execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
