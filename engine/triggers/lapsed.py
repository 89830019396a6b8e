"""Customers who have not bought for a while: for a fixed time, or for a multiple of their own usual interval."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any, ClassVar, Literal, Self

import sqlalchemy as sa
from pydantic import Field, model_validator

from engine.domain.grammar import GrammarError, Span, UsualInterval
from engine.domain.words import DayRange
from engine.fields import AfterField, SpanField
from engine.store.columns import Day
from engine.store.tables import Purchase
from engine.triggers.contract import (
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
_DAYS_IN = {"days": 1, "weeks": 7}
_EPOCH = date(1970, 1, 1)


class Lapsed(TriggerModel):
    """A lapse, counted from the last concluded purchase; the occasion is that purchase."""

    needs: ClassVar[frozenset[str]] = frozenset({"purchases"})

    on: Literal["lapsed"]
    after: AfterField
    not_before: SpanField | None = None
    min_purchases: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _counts_in_days(self) -> Self:
        spans = [span for span in (self.after, self.not_before) if isinstance(span, Span)]
        if any(span.is_hours for span in spans):
            raise GrammarError("a lapse counts in days, weeks, months or years, not in hours")
        if isinstance(self.after, UsualInterval) and self.not_before and self.not_before.unit not in _DAYS_IN:
            raise GrammarError('beside "… x usual interval", not_before counts in days or weeks: "60 days"')
        return self

    def selects(self, days: DayRange, step: Timing, scope: Scope) -> Iterator[sa.Select[Any]]:
        """Yield the SELECT over the last days of purchase, or over every usual interval that occurs."""
        if isinstance(self.after, UsualInterval):
            yield self._by_interval(self.after, days, step, scope)
        else:
            yield self._by_span(self.after, days, step, scope)

    def _by_span(self, after: Span, days: DayRange, step: Timing, scope: Scope) -> sa.Select[Any]:
        not_before = self.not_before or after

        def due(last: date) -> date:
            return step.due(max(after.after(last), not_before.after(last)))

        last = PEOPLE.c.last_purchase_on
        found = anchors(days, due)
        return self._select(step, due_on(last, found), scope).where(among(last, found))

    def _by_interval(self, after: UsualInterval, days: DayRange, step: Timing, scope: Scope) -> sa.Select[Any]:
        usual = _usual_intervals()
        rounded_up = (
            usual.c.days * after.factor.numerator + (after.factor.denominator - 1)
        ) // after.factor.denominator
        least = _in_days(self.not_before)
        wait = sa.case((rounded_up < least, least), else_=rounded_up)
        lapse = sa.type_coerce(sa.type_coerce(PEOPLE.c.last_purchase_on, sa.Integer) + wait, Day)
        found = anchors(days, step.due)
        first, last = _hull(found, days)
        return (
            self._select(step, due_on(lapse, found), scope)
            .join_from(usual, PEOPLE, PEOPLE.c.usual_days == usual.c.days)
            .where(
                PEOPLE.c.last_purchase_on >= _earlier(first, wait),
                PEOPLE.c.last_purchase_on <= _earlier(last, wait),
            )
        )

    def _select(self, step: Timing, due: sa.ColumnElement[Any], scope: Scope) -> sa.Select[Any]:
        last = sa.select(_PURCHASES.c.id).where(_PURCHASES.c.purchase_id == PEOPLE.c.last_purchase_id)
        select = select_occasions(step, PEOPLE.c.last_purchase_id, due, purchase=last.scalar_subquery()).where(
            PEOPLE.c.last_purchase_id.is_not(None), *in_scope(scope)
        )
        return select.where(PEOPLE.c.purchase_count >= self.min_purchases) if self.min_purchases else select


def _usual_intervals() -> sa.CTE:
    """Return every usual interval that occurs, each found by one step down the index."""
    usual = PEOPLE.c.usual_days
    first = sa.select(sa.func.min(usual).label("days")).where(usual.is_not(None))
    found = first.cte("usual", recursive=True)
    later = PEOPLE.alias("later").c.usual_days
    following = sa.select(sa.func.min(later)).where(later > found.c.days).scalar_subquery()
    return found.union_all(sa.select(following).where(found.c.days.is_not(None)))


def _earlier(day: date, wait: sa.ColumnElement[int]) -> sa.ColumnElement[Any]:
    """Return the day `wait` days before, as the sum of whole numbers that an index can be searched by."""
    return sa.type_coerce(sa.literal((day - _EPOCH).days, sa.Integer) - wait, Day)


def _hull(found: dict[date, date], days: DayRange) -> tuple[date, date]:
    return (min(found), max(found)) if found else (days.first, date.min)


def _in_days(span: Span | None) -> int:
    return span.amount * _DAYS_IN[span.unit] if span else 0
