"""The shop's purchases, and the figures each customer row keeps of them so that a scan need not read the history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby, pairwise
from operator import itemgetter
from typing import NamedTuple

import sqlalchemy as sa
from sqlmodel import Session

from engine.store.lookups import Lookup
from engine.store.tables import Purchase
from engine.store.upsert import change, chunks, differs, insert_new, stored

_PURCHASE: sa.Table = Purchase.__table__  # type: ignore[attr-defined]

_EMPTY: dict[str, object] = {
    "amount_minor": None,
    "currency": "",
    "status": "concluded",
    "categories": "",
    "items": "",
    "email_from_sale": None,
    "notice": "",
    "notice_version": "",
    "notice_shown_at": None,
}
_COLUMNS = ("customer_id", "purchased_at", "local_on", *_EMPTY)
_LEAST_GAPS = 2
_FIGURES = sa.Table(
    "customer",
    sa.MetaData(),
    sa.Column("id", sa.Integer),
    sa.Column("last_purchase_on", sa.Integer),
    sa.Column("last_purchase_id", sa.String),
    sa.Column("purchase_count", sa.Integer),
    sa.Column("usual_days", sa.Integer),
)
"""The figures' columns as plain numbers: days are only compared and counted here."""


# Whoever was erased has no figures and never gets any again.
_PRESENT = Lookup(sa.select(*_FIGURES.columns).where(sa.literal_column("erased_at IS NULL")), _FIGURES.c.id)
_CONCLUDED = Lookup(
    sa.select(
        _PURCHASE.c.customer_id,
        sa.type_coerce(_PURCHASE.c.local_on, sa.Integer),
        sa.type_coerce(_PURCHASE.c.purchased_at, sa.String),
        _PURCHASE.c.purchase_id,
    )
    .where(_PURCHASE.c.status == sa.literal_column("'concluded'"))
    .order_by(_PURCHASE.c.customer_id),
    _PURCHASE.c.customer_id,
)
"""Day and instant are only compared, so they stay as the database hands them over."""


@dataclass(slots=True)
class Written:
    """What came of a batch; `customers` are those whose figures have to be counted again."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    customers: set[int] = field(default_factory=set)


class Figures(NamedTuple):
    """What a customer row keeps of the customer's concluded purchases. Days are numbers, as the store keeps them."""

    last_purchase_on: int | None
    last_purchase_id: str | None
    purchase_count: int
    usual_days: int | None


def write(session: Session, rows: Sequence[dict[str, object]], now: datetime) -> Written:
    """Write a batch, each row with `purchase_id`, `customer_id`, `purchased_at`, `local_on` and what the file gives."""
    before = stored(session, _PURCHASE, "purchase_id", [row["purchase_id"] for row in rows], _COLUMNS)
    written = Written()
    new: list[dict[str, object]] = []
    changed: list[dict[str, object]] = []
    for brought in rows:
        old = before.get(brought["purchase_id"])
        row = brought if old is None else _as_first_shown(brought, old)
        if old is None:
            new.append({**_EMPTY, **row, "updated_at": now})
        elif differs(row, old):
            changed.append({**old, **row, "updated_at": now})
            written.customers.add(int(old["customer_id"]))
        else:
            written.unchanged += 1
    written.created = insert_new(session, _PURCHASE, new, ["purchase_id"])
    change(session, _PURCHASE, changed)
    written.updated = len(changed)
    written.customers.update(row["customer_id"] for row in (*new, *changed))  # type: ignore[misc]
    return written


def _as_first_shown(row: dict[str, object], old: Mapping[str, object]) -> dict[str, object]:
    """Return the row with the version of its notice that came first: a text changed since was not shown then."""
    if not old["notice_version"] or row.get("notice") != old["notice"]:
        return row
    return {**row, "notice_version": old["notice_version"]}


def count_again(session: Session, customers: Sequence[int]) -> None:
    """Bring the figures of these customers in line with their purchases; rows that are right are not touched."""
    for part in chunks(customers):
        present = _present(session, part)
        counted = dict.fromkeys(part, Figures(None, None, 0, None)) | dict(_counted(session, part))
        rows = [{"id": number, **new._asdict()} for number, new in counted.items() if present.get(number, new) != new]
        change(session, _FIGURES, rows)


def _present(session: Session, customers: Sequence[int]) -> dict[int, Figures]:
    return {number: Figures(*figures) for number, *figures in _PRESENT.rows(session, customers)}


def _counted(session: Session, customers: Sequence[int]) -> Iterator[tuple[int, Figures]]:
    for number, purchases in groupby(_CONCLUDED.rows(session, customers), key=itemgetter(0)):
        yield number, _figures([(day, at, purchase_id) for _, day, at, purchase_id in purchases])


def _figures(purchases: list[tuple[int, str, str]]) -> Figures:
    """Count one customer's purchases; of two at the same instant the one with the greater id is the last."""
    day, _, last = max(purchases)
    return Figures(day, last, len(purchases), usual_days({day for day, _, _ in purchases}))


def usual_days(days: Iterable[int]) -> int | None:
    """Return the median gap between the days, rounded up; None with fewer than two gaps."""
    ordered = sorted(days)
    gaps = sorted(later - earlier for earlier, later in pairwise(ordered))
    if len(gaps) < _LEAST_GAPS:
        return None
    middle = len(gaps) // 2
    return gaps[middle] if len(gaps) % 2 else -(-(gaps[middle - 1] + gaps[middle]) // 2)


def buyers(session: Session, after: int, limit: int) -> list[int]:
    """Return the next customers in order of number who have purchases: for counting everybody again."""
    query = sa.select(_PURCHASE.c.customer_id).where(_PURCHASE.c.customer_id > after).distinct()
    return list(session.connection().execute(query.order_by(_PURCHASE.c.customer_id).limit(limit)).scalars())


def move_days(session: Session, customers: Sequence[int], day_of: Callable[[int, datetime], date]) -> None:
    """Give the purchases of customers whose time zone changed the local day of the new one."""
    c = _PURCHASE.c
    for part in chunks(customers):
        query = sa.select(c.id, c.customer_id, c.purchased_at, c.local_on).where(c.customer_id.in_(part))
        rows = session.connection().execute(query).all()
        days = [(number, day_of(customer, at), old) for number, customer, at, old in rows]
        change(session, _PURCHASE, [{"id": number, "local_on": day} for number, day, old in days if day != old])
