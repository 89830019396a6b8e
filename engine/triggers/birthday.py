"""Customers whose birthday it is, was or will be."""

from __future__ import annotations

from calendar import isleap
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from typing import Any, ClassVar, Literal

import sqlalchemy as sa
from pydantic import field_validator

from engine.domain.grammar import GrammarError, Span, When
from engine.domain.words import DayRange
from engine.fields import WhenField
from engine.store.columns import Day
from engine.triggers.contract import PEOPLE, Scope, Timing, TriggerModel, anchors, in_scope, select_occasions

LEAP_DAYS = {"Feb 28": 228, "Mar 1": 301}


class Birthday(TriggerModel):
    """A birthday; the occasion is its year, also when the mail goes out before New Year."""

    default_max_late: ClassVar[Span] = Span(3, "days")

    on: Literal["birthday"]
    when: WhenField = When(None, "on")
    leap_day: Literal["Feb 28", "Mar 1"] = "Feb 28"

    @field_validator("when")
    @classmethod
    def _counts_in_days(cls, when: When) -> When:
        if when.is_hours:
            raise GrammarError("a birthday is a whole day; count in days, weeks or months, not in hours")
        return when

    @property
    def own(self) -> When | None:
        """Return the date around the birthday."""
        return self.when

    def selects(self, days: DayRange, step: Timing, scope: Scope) -> Iterator[sa.Select[Any]]:
        """Yield one SELECT for each year the birthdays lie in."""
        years: dict[int, dict[int, date]] = defaultdict(dict)
        for birthday, falls in anchors(days, lambda day: step.due(day, self.own)).items():
            for month_day in self._born(birthday):
                years[birthday.year][month_day] = falls
        for year, dues in (years or {days.first.year: {}}).items():
            yield self._in_year(year, dues, step, scope)

    def _born(self, birthday: date) -> Iterator[int]:
        """Yield the month-days of birth that are celebrated on this day."""
        month_day = birthday.month * 100 + birthday.day
        yield month_day
        if not isleap(birthday.year) and month_day == LEAP_DAYS[self.leap_day]:
            yield 229

    def _in_year(self, year: int, dues: dict[int, date], step: Timing, scope: Scope) -> sa.Select[Any]:
        due = _due(dues)
        # The sum with nothing keeps a database from reading all birthdays of the day for a few customers.
        born = PEOPLE.c.birth_md + 0 if scope.narrowed else PEOPLE.c.birth_md
        return select_occasions(step, sa.literal(str(year), sa.String), due).where(
            born.in_(sorted(dues)),
            # The day of birth itself is no birthday.
            sa.or_(PEOPLE.c.birth_year.is_(None), PEOPLE.c.birth_year < year),
            *in_scope(scope),
        )


def _due(dues: dict[int, date]) -> sa.ColumnElement[Any]:
    days = set(dues.values())
    if len(days) <= 1:
        return sa.literal(days.pop() if days else None, Day)
    return sa.case(*((PEOPLE.c.birth_md == month_day, sa.literal(falls, Day)) for month_day, falls in dues.items()))
