"""Purchases to say thanks for, or to ask about."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Literal

import sqlalchemy as sa

from engine.domain.calendar import day_end, day_start
from engine.domain.grammar import When
from engine.domain.words import DayRange
from engine.fields import Tags, WhenField
from engine.store.tables import Purchase
from engine.triggers.contract import (
    DAY,
    PEOPLE,
    Scope,
    Timing,
    TriggerModel,
    among,
    anchors,
    due_on,
    in_scope,
    select_occasions,
)

_PURCHASES: sa.Table = Purchase.__table__  # type: ignore[attr-defined]
_CONCLUDED: sa.ColumnElement[str] = sa.literal_column("'concluded'")


class PurchaseTrigger(TriggerModel):
    """A concluded purchase; the occasion is that purchase."""

    on: Literal["purchase"]
    when: WhenField = When(None, "on")
    categories: Tags = ()
    first_only: bool = False

    @property
    def own(self) -> When | None:
        """Return the date after the purchase."""
        return self.when

    def selects(self, days: DayRange, step: Timing, scope: Scope) -> Iterator[sa.Select[Any]]:
        """Yield the SELECT over the days of purchase, or over their instants where the step counts hours."""
        lag = step.lag(self.own)
        found = anchors(days, lambda day: step.due(day, self.own))
        day = _PURCHASES.c.local_on
        due = day if lag is not None else due_on(day, found)
        due_at = None if lag is None else _PURCHASES.c.purchased_at
        select = (
            select_occasions(step, _PURCHASES.c.purchase_id, due, due_at=due_at, purchase=_PURCHASES.c.id)
            .join_from(_PURCHASES, PEOPLE, PEOPLE.c.id == _PURCHASES.c.customer_id)
            # A literal, not a bound value: only so does SQLite see that the partial indexes apply.
            .where(_PURCHASES.c.status == _CONCLUDED, PEOPLE.c.erased_at.is_(None))
            .where(among(day, found) if lag is None else _bought(days, lag, scope))
            .where(*self._wanted(), *in_scope(scope))
        )
        yield select

    def _wanted(self) -> Iterator[sa.ColumnElement[bool]]:
        if self.categories:
            yield sa.or_(*(_in_category(category) for category in self.categories))
        if self.first_only:
            yield sa.not_(_bought_before())


def _bought(days: DayRange, lag: timedelta, scope: Scope) -> sa.ColumnElement[bool]:
    """Say that hours after the purchase it is one of the days; for all zones at once, a day more on either side."""
    slack = DAY if scope.zone is None else timedelta()
    first = day_start(days.first, scope.place) - lag - slack
    end = day_end(days.last, scope.place) - lag + slack
    return sa.and_(_PURCHASES.c.purchased_at >= first, _PURCHASES.c.purchased_at < end)


def _in_category(category: str) -> sa.ColumnElement[bool]:
    """Say that something of this category was bought; "bikes" also means "bikes.road_bikes"."""
    start = f";{category.strip().lower()}"
    column = _PURCHASES.c.categories
    return sa.or_(column.contains(f"{start};", autoescape=True), column.contains(f"{start}.", autoescape=True))


def _bought_before() -> sa.ColumnElement[bool]:
    earlier = _PURCHASES.alias("earlier")
    same_instant = sa.and_(earlier.c.purchased_at == _PURCHASES.c.purchased_at, earlier.c.id < _PURCHASES.c.id)
    return (
        sa.select(earlier.c.id)
        .where(
            earlier.c.customer_id == _PURCHASES.c.customer_id,
            earlier.c.local_on <= _PURCHASES.c.local_on + 1,
            earlier.c.status == _CONCLUDED,
            sa.or_(earlier.c.purchased_at < _PURCHASES.c.purchased_at, same_instant),
        )
        .exists()
    )
