"""What every trigger is: a model that answers which customers have an occasion in a range of days, as a SELECT.

A trigger never sees a session and never asks for the present. Its SELECT has exactly the columns of `COLUMNS`; day
arithmetic is done here in Python, or as a sum of whole days, so that both databases count alike and use their
indexes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, ClassVar, Protocol, Self
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from pydantic import BaseModel
from sqlmodel.sql.sqltypes import UTCDateTime

from engine.domain.grammar import Span, When
from engine.domain.words import DayRange
from engine.fields import FROZEN
from engine.store.columns import Day
from engine.store.tables import Customer

COLUMNS = (
    "customer_id",
    "uid",
    "zone",
    "address_id",
    "occasion",
    "step_index",
    "due",
    "due_at",
    "purchase_id",
    "service_item_id",
)
"""`due_at` is the instant that hours count from; the step's hours (`Timing.lag`) are added by whoever plans."""

PEOPLE: sa.Table = Customer.__table__  # type: ignore[attr-defined]
DAY = timedelta(days=1)
UTC_ZONE = ZoneInfo("UTC")

Occasions = sa.Select[Any] | sa.CompoundSelect[Any]


@dataclass(frozen=True, slots=True)
class Audience:
    """Who may be meant at all: tags in lower case, and how many purchases a customer needs."""

    tags_any: tuple[str, ...] = ()
    tags_all: tuple[str, ...] = ()
    tags_none: tuple[str, ...] = ()
    min_purchases: int = 0


class AudienceLike(Protocol):
    """The audience of a campaign, whatever model holds it."""

    @property
    def tags_any(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def tags_all(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def tags_none(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def min_purchases(self) -> int | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Scope:
    """Which customers a SELECT is about.

    `zone` is a customer's own time zone, "" for those who live in the shop's, None for everybody; `place` is the zone
    whose days are asked for. `customers` narrows to these rows; `narrowed` says that whoever asks will name a few.
    """

    zone: str | None = None
    customers: tuple[int, ...] | None = None
    audience: AudienceLike = field(default_factory=Audience)
    place: ZoneInfo = UTC_ZONE
    narrowed: bool = False


class StepLike(Protocol):
    """A campaign's step, as far as its date goes."""

    @property
    def when(self) -> When | None: ...  # noqa: D102
    @property
    def wait(self) -> Span | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Timing:
    """How one step's due day follows from the occasion's day.

    `when` is a date around the occasion (None: the trigger's own), `waits` are the spans after it, one for each step
    in between. `follows` says that the step is only planned for occasions whose earlier step was.
    """

    index: int
    when: When | None = None
    waits: tuple[Span, ...] = ()

    @property
    def follows(self) -> bool:
        """Say whether this step waits for another."""
        return self.index > 0 and bool(self.waits)

    def due(self, day: date, own: When | None = None) -> date:
        """Return the local day on which the step is due for an occasion on `day`; hours leave the day as it is."""
        for move in self._moves(own):
            if not move.is_hours:
                day = move.due(day) if isinstance(move, When) else move.after(day)
        return day

    def lag(self, own: When | None = None) -> timedelta | None:
        """Return how long after the occasion's instant the step is due, or None where it counts in days."""
        moves = self._moves(own)
        if not moves or not all(move.is_hours for move in moves):
            return None
        spans = (move.span if isinstance(move, When) else move for move in moves)
        return sum((span.hours for span in spans if span), timedelta())

    def _moves(self, own: When | None) -> list[When | Span]:
        first = self.when or own
        return ([first] if first else []) + list(self.waits)


def timings(steps: Sequence[StepLike]) -> tuple[Timing, ...]:
    """Return how each of a campaign's steps is dated; a `wait` counts on from the step before."""
    found: list[Timing] = []
    for index, step in enumerate(steps):
        before = found[-1] if found else Timing(0)
        if step.wait is not None:
            found.append(Timing(index, before.when, (*before.waits, step.wait)))
        else:
            found.append(Timing(index, step.when))
    return tuple(found)


class TriggerModel(BaseModel):
    """A trigger's table in a campaign file."""

    model_config = FROZEN

    default_max_late: ClassVar[Span] = Span(7, "days")
    needs: ClassVar[frozenset[str]] = frozenset()
    """The imports whose data must be fresh before mails of this trigger go out."""
    keyed_by_purchase: ClassVar[bool] = False
    """Whether the occasion is the shop's id of a purchase: enrolment then finds its row, for new occasions only."""

    @property
    def own(self) -> When | None:
        """Return the trigger's own date around the occasion, for steps that name none."""
        return None

    def for_kind(self, kind: str) -> Self:  # noqa: ARG002  (a trigger that cares overrides this)
        """Return the trigger with what the campaign's legal kind settles."""
        return self

    def occasions(self, days: DayRange, steps: Sequence[Timing], scope: Scope) -> Occasions:
        """Return the SELECT of the occasions whose steps are due in `days`."""
        # A tick asks what the tick before has asked; a list of customers is hardly asked about twice.
        ask = _put_together if scope.customers is None else _put_together.__wrapped__
        return ask(self, days, tuple(steps), scope)

    def selects(self, days: DayRange, step: Timing, scope: Scope) -> Iterator[sa.Select[Any]]:
        """Yield the SELECTs, at least one, that together find the occasions of one step."""
        raise NotImplementedError


@lru_cache(maxsize=128)
def _put_together(trigger: TriggerModel, days: DayRange, steps: tuple[Timing, ...], scope: Scope) -> Occasions:
    selects = [select for step in steps for select in trigger.selects(days, step, scope)]
    return selects[0] if len(selects) == 1 else sa.union_all(*selects)


def select_occasions(
    step: Timing,
    key: sa.ColumnElement[str],
    due: sa.ColumnElement[date],
    *,
    due_at: sa.ColumnElement[datetime] | None = None,
    purchase: sa.ColumnElement[Any] | None = None,
    item: sa.ColumnElement[Any] | None = None,
) -> sa.Select[Any]:
    """Return a SELECT with the columns every trigger gives; the caller adds what makes them due."""
    nothing = sa.cast(sa.null(), sa.Integer)
    return sa.select(
        PEOPLE.c.id.label("customer_id"),
        PEOPLE.c.uid.label("uid"),
        PEOPLE.c.timezone.label("zone"),
        PEOPLE.c.address_id.label("address_id"),
        key.label("occasion"),
        sa.literal(step.index, sa.Integer).label("step_index"),
        due.label("due"),
        (sa.cast(sa.null(), UTCDateTime()) if due_at is None else due_at).label("due_at"),
        (nothing if purchase is None else purchase).label("purchase_id"),
        (nothing if item is None else item).label("service_item_id"),
    )


def in_scope(scope: Scope) -> Iterator[sa.ColumnElement[bool]]:
    """Yield the conditions that keep a SELECT to its customers."""
    if scope.zone is not None:
        # The sum with nothing keeps SQLite from choosing the time zone's index over the due day's.
        yield PEOPLE.c.timezone.concat("") == scope.zone
    if scope.customers is not None:
        yield PEOPLE.c.id.in_(scope.customers)
    audience = scope.audience
    if audience.min_purchases:
        yield PEOPLE.c.purchase_count >= audience.min_purchases
    if audience.tags_any:
        yield sa.or_(*(_tagged(tag) for tag in audience.tags_any))
    yield from (_tagged(tag) for tag in audience.tags_all)
    yield from (sa.not_(_tagged(tag)) for tag in audience.tags_none)


def _tagged(tag: str) -> sa.ColumnElement[bool]:
    return PEOPLE.c.tags.contains(f";{tag.strip().lower()};", autoescape=True)


def anchors(days: DayRange, due: Callable[[date], date]) -> dict[date, date]:
    """Return every day whose due day falls in `days`, with that due day.

    `due` never falls when the day rises (a month that is too short makes several days share one due day), so the days
    lie next to each other and a walk from either side finds them all.
    """
    day = days.first - (due(days.first) - days.first)
    while due(day) >= days.first:
        day -= DAY
    found: dict[date, date] = {}
    while (falls := due(day)) <= days.last:
        if falls >= days.first:
            found[day] = falls
        day += DAY
    return found


def among(column: sa.ColumnElement[Any], found: dict[date, date]) -> sa.ColumnElement[bool]:
    """Say that a day is one of the anchors, which lie next to each other."""
    if len(found) == 1:
        return column == next(iter(found))
    return column.between(min(found), max(found)) if found else sa.false()


def due_on(column: sa.ColumnElement[Any], found: dict[date, date]) -> sa.ColumnElement[Any]:
    """Return the due day of a day that is one of the anchors: one for all, a sum where all are equally far, a list."""
    if len(set(found.values())) == 1:
        return sa.literal(next(iter(found.values())), Day)
    lengths = {(falls - anchor).days for anchor, falls in found.items()}
    if len(lengths) <= 1:
        return column + (lengths.pop() if lengths else 0)
    return sa.case(*((column == anchor, sa.literal(falls, Day)) for anchor, falls in found.items()))
