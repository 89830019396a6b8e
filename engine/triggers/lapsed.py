"""Customers who have not bought for a while: for a fixed time, or for a multiple of their own usual interval."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from fractions import Fraction
from typing import Any, ClassVar, Literal, Self

import sqlalchemy as sa
from pydantic import Field, model_validator

from engine.domain.grammar import GrammarError, Span, UsualInterval
from engine.domain.words import DayRange
from engine.fields import AfterField, SpanField
from engine.store.columns import Day
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

_DAYS_IN = {"days": 1, "weeks": 7}
_EPOCH = date(1970, 1, 1)


class Lapsed(TriggerModel):
    """A lapse, counted from the last concluded purchase; the occasion is that purchase."""

    needs: ClassVar[frozenset[str]] = frozenset({"purchases"})
    keyed_by_purchase: ClassVar[bool] = True

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
        usual = _waits(after.factor, _in_days(self.not_before))
        last = PEOPLE.c.last_purchase_on
        lapse = sa.type_coerce(sa.type_coerce(last, sa.Integer) + usual.c.wait, Day)
        found = anchors(days, step.due)
        return (
            self._select(step, due_on(lapse, found), scope)
            .join_from(usual, PEOPLE, PEOPLE.c.usual_days == usual.c.days)
            .where(_lapses(last, usual.c.wait, found))
        )

    def _select(self, step: Timing, due: sa.ColumnElement[Any], scope: Scope) -> sa.Select[Any]:
        select = select_occasions(step, PEOPLE.c.last_purchase_id, due).where(
            PEOPLE.c.last_purchase_id.is_not(None), *in_scope(scope)
        )
        return select.where(PEOPLE.c.purchase_count >= self.min_purchases) if self.min_purchases else select


def _waits(factor: Fraction, least: int) -> sa.CTE:
    """Return every usual interval that occurs with the wait it makes; each is found by one step down the index."""
    usual = PEOPLE.c.usual_days
    first = sa.select(sa.func.min(usual).label("days")).where(usual.is_not(None))
    found = first.cte("usual", recursive=True)
    later = PEOPLE.alias("later").c.usual_days
    following = sa.select(sa.func.min(later)).where(later > found.c.days).scalar_subquery()
    found = found.union_all(sa.select(following).where(found.c.days.is_not(None)))
    rounded_up = (found.c.days * factor.numerator + (factor.denominator - 1)) // factor.denominator
    wait = sa.case((rounded_up < least, least), else_=rounded_up)
    return sa.select(found.c.days, wait.label("wait")).cte("waits")


def _lapses(last: sa.ColumnElement[Any], wait: sa.ColumnElement[Any], found: dict[date, date]) -> Any:
    """Say that the lapse falls on one of these days, as sums of whole numbers that an index can be searched by."""
    if not found:
        return sa.false()
    first, end = (sa.type_coerce(sa.literal((day - _EPOCH).days, sa.Integer) - wait, Day) for day in _ends(found))
    return last == first if len(found) == 1 else last.between(first, end)


def _ends(found: dict[date, date]) -> tuple[date, date]:
    return min(found), max(found)


def _in_days(span: Span | None) -> int:
    return span.amount * _DAYS_IN[span.unit] if span else 0
