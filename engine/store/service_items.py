"""Things at the customers' that need service, and the visits that were made. `cycle` counts the services of a thing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import NamedTuple

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain.contracts import NO_REFERENCE
from engine.domain.cycles import is_another_service, next_due
from engine.domain.grammar import Span
from engine.store.tables import ServiceItem, Visit
from engine.store.upsert import change, chunks, differs, insert_new, stored

_ITEM: sa.Table = ServiceItem.__table__  # type: ignore[attr-defined]
_VISIT: sa.Table = Visit.__table__  # type: ignore[attr-defined]

_EMPTY: dict[str, object] = {
    "customer_id": None,
    "name": "",
    "item_type": "",
    "last_service_on": None,
    "interval": "",
    "next_service_on": None,
    "booked_for": None,
    "contract_ref": "",
    "contract_from": None,
    "contract_until": None,
    "due_on": None,
    "cycle_due_on": None,
    "cycle": 1,
}
_VISIT_COLUMNS = ("service_item_id", "done_on", "next_service_on", "report_url")


class Done(NamedTuple):
    """A visit, as far as the item's dates depend on it."""

    on: date
    next_service_on: date | None


@dataclass(slots=True)
class Written:
    """What came of a batch."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0


def write(session: Session, rows: Sequence[Mapping[str, object]], now: datetime) -> Written:
    """Write a batch of items, each with `service_item_id`, `customer_id` and what the file gives."""
    before = stored(session, _ITEM, "service_item_id", [row["service_item_id"] for row in rows], list(_EMPTY))
    visits = _newest_visits(session, [old["id"] for old in before.values()])
    written = Written()
    new: list[dict[str, object]] = []
    changed: list[dict[str, object]] = []
    for row in rows:
        old = before.get(row["service_item_id"])
        item = _dated(row, visits.get(old["id"]) if old else None, old)
        if old is None:
            new.append({**item, "updated_at": now})
        elif differs(item, old):
            changed.append({**item, "updated_at": now})
        else:
            written.unchanged += 1
    written.created = insert_new(session, _ITEM, new, ["service_item_id"])
    change(session, _ITEM, changed)
    written.updated = len(changed)
    return written


def _dated(row: Mapping[str, object], visit: Done | None, old: Mapping[str, object] | None) -> dict[str, object]:
    """Return the item as the file and its newest visit leave it, with its due day and cycle."""
    item: dict[str, object] = {**_EMPTY, **(old or {}), **row}
    interval = span(str(item["interval"]))
    last, following, booked = _day(item["last_service_on"]), _day(item["next_service_on"]), _day(item["booked_for"])
    if visit and not _knows_of(row, visit):
        # The shop's list is older than the visit: what it says of the served cycle is not taken back.
        last = max(last or visit.on, visit.on)
        following = following if is_another_service(visit.on, following, interval) else visit.next_service_on
    due = next_due(last, interval, following)
    known_due = _day(item["due_on"]) or _day(item["cycle_due_on"])
    if old is not None and is_another_service(known_due, due, interval):
        item["cycle"] = int(str(old["cycle"])) + 1
    is_past = booked and last and booked <= last
    item.update(last_service_on=last, next_service_on=following, booked_for=None if is_past else booked, due_on=due)
    # Kept while the date is empty, so that a date that was cleared and set again is still compared with the old one.
    item["cycle_due_on"] = due or known_due
    return item


def _knows_of(row: Mapping[str, object], visit: Done) -> bool:
    last = _day(row.get("last_service_on"))
    return last is not None and last >= visit.on


def find_items(session: Session, service_item_ids: Sequence[str]) -> dict[str, int]:
    """Return the rows' numbers by the shop's own ids."""
    return {str(key): row["id"] for key, row in stored(session, _ITEM, "service_item_id", service_item_ids, []).items()}


def write_visits(session: Session, rows: Sequence[Mapping[str, object]], now: datetime) -> Written:
    """Write a batch of visits, each with `visit_id`, `service_item_id` (the row's number) and what the file gives."""
    before = stored(session, _VISIT, "visit_id", [row["visit_id"] for row in rows], _VISIT_COLUMNS)
    empty = {"next_service_on": None, "report_url": ""}
    new = [{**empty, **row, "updated_at": now} for row in rows if row["visit_id"] not in before]
    changed = [
        {**before[row["visit_id"]], **row, "updated_at": now}
        for row in rows
        if row["visit_id"] in before and differs(row, before[row["visit_id"]])
    ]
    written = Written(updated=len(changed), unchanged=len(rows) - len(new) - len(changed))
    written.created = insert_new(session, _VISIT, new, ["visit_id"])
    change(session, _VISIT, changed)
    _serve(session, new, changed, now)
    return written


def _serve(
    session: Session, new: Sequence[Mapping[str, object]], corrected: Sequence[Mapping[str, object]], now: datetime
) -> None:
    """Move the items on: a new visit after the last service begins the next cycle, a corrected one moves its dates."""
    numbers = list({row["service_item_id"] for row in (*new, *corrected)})
    items = {number: dict(row) for number, row in stored(session, _ITEM, "id", numbers, list(_EMPTY)).items()}
    touched: set[object] = set()
    for visit in sorted(new, key=lambda row: (str(row["done_on"]), str(row["visit_id"]))):
        number, on = visit["service_item_id"], _day(visit["done_on"])
        last = _day(items[number]["last_service_on"])
        if on and (last is None or on > last):
            items[number] = _served(items[number], Done(on, _day(visit["next_service_on"])))
            items[number]["cycle"] = int(str(items[number]["cycle"])) + 1
            touched.add(number)
    newest = _newest_visits(session, [row["service_item_id"] for row in corrected])
    for number, visit_done in newest.items():
        items[number] = _served(items[number], visit_done)
        touched.add(number)
    change(session, _ITEM, [{**items[number], "updated_at": now} for number in touched])


def _served(item: dict[str, object], visit: Done) -> dict[str, object]:
    due = next_due(visit.on, span(str(item["interval"])), visit.next_service_on)
    dates = {"last_service_on": visit.on, "next_service_on": visit.next_service_on, "booked_for": None, "due_on": due}
    return {**item, **dates, "cycle_due_on": due or item["cycle_due_on"]}


def _newest_visits(session: Session, items: Sequence[object]) -> dict[object, Done]:
    """Return each item's latest visit."""
    newest: dict[object, Done] = {}
    c = _VISIT.c
    for part in chunks(items):
        query = sa.select(c.service_item_id, c.done_on, c.next_service_on).where(c.service_item_id.in_(part))
        for number, on, following in session.connection().execute(query):
            if number not in newest or on > newest[number].on:
                newest[number] = Done(on, following)
    return newest


@lru_cache(maxsize=256)
def span(interval: str) -> Span | None:
    """Return the interval as the grammar knows it; the reader has refused what is none."""
    return Span.parse(interval) if interval else None


def _day(value: object) -> date | None:
    return value if isinstance(value, date) else None


def empty_references(session: Session) -> dict[str, int]:
    """Return what stands in place of a contract's number without being one, like "ja", and how often."""
    said = sa.func.lower(sa.func.trim(_ITEM.c.contract_ref))
    query = sa.select(said, sa.func.count()).where(said.in_(sorted(NO_REFERENCE))).group_by(said).order_by(said)
    return {word: count for word, count in session.connection().execute(query)}  # noqa: C416  (rows are no pairs)
