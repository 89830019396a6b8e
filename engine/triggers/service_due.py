"""Things at a customer's whose service falls due."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal, Self

import sqlalchemy as sa

from engine.domain.words import DayRange
from engine.fields import Tags
from engine.store.tables import ServiceItem
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

_ITEMS: sa.Table = ServiceItem.__table__  # type: ignore[attr-defined]
Contract = Literal["with", "without", "any"]
_BY_KIND: dict[str, Contract] = {"contract_appointment": "with", "service_reminder": "without"}


class ServiceDue(TriggerModel):
    """A service; the occasion is the item and its cycle, so that a corrected date is the same occasion."""

    needs: ClassVar[frozenset[str]] = frozenset({"service-items"})

    on: Literal["service_due"]
    item_types: Tags = ()
    contract: Contract | None = None

    def for_kind(self, kind: str) -> Self:
        """Settle who is meant where the file does not say: those with a contract, those without, or both."""
        return self if self.contract else self.model_copy(update={"contract": _BY_KIND.get(kind, "any")})

    def selects(self, days: DayRange, step: Timing, scope: Scope) -> Iterator[sa.Select[Any]]:
        """Yield the SELECT over the items' due days."""
        found = anchors(days, step.due)
        key = _ITEMS.c.service_item_id.concat(":").concat(sa.cast(_ITEMS.c.cycle, sa.String))
        select = (
            select_occasions(step, key, due_on(_ITEMS.c.due_on, found), item=_ITEMS.c.id)
            .join_from(_ITEMS, PEOPLE, PEOPLE.c.id == _ITEMS.c.customer_id)
            .where(among(_ITEMS.c.due_on, found), _not_booked(), *in_scope(scope))
        )
        if self.item_types:
            select = select.where(sa.func.lower(_ITEMS.c.item_type).in_(self.item_types))
        yield select.where(*self._contract())

    def _contract(self) -> Iterator[sa.ColumnElement[bool]]:
        """Yield the condition. A contract that has run out is no contract, but permission says so and not we."""
        if self.contract == "with":
            yield _ITEMS.c.contract_ref != ""
        if self.contract == "without":
            yield sa.or_(_ITEMS.c.contract_ref == "", _ITEMS.c.contract_until < _ITEMS.c.due_on)


def _not_booked() -> sa.ColumnElement[bool]:
    """Say that no visit is booked; a booking from before the last service belongs to an earlier cycle."""
    return sa.or_(_ITEMS.c.booked_for.is_(None), _ITEMS.c.booked_for <= _ITEMS.c.last_service_on)
