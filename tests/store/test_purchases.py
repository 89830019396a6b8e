from __future__ import annotations

import itertools
import math
from datetime import UTC, date, datetime, timedelta
from statistics import median

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from engine.store import purchases
from engine.store.database import Database
from engine.store.lookups import Lookup
from engine.store.purchases import usual_days
from engine.store.tables import Customer, Purchase
from tests.people import NOW, add_customer, add_purchase

_CUSTOMER: sa.Table = Customer.__table__  # type: ignore[attr-defined]


def _row(purchase_id: str, customer: int, on: date, **columns: object) -> dict[str, object]:
    at = datetime(on.year, on.month, on.day, 11, tzinfo=UTC)
    return {"purchase_id": purchase_id, "customer_id": customer, "purchased_at": at, "local_on": on, **columns}


@given(st.sets(st.integers(0, 3000), max_size=12))
def test_usual_days_is_the_rounded_up_median_of_the_gaps(days: set[int]) -> None:
    ordered = sorted(days)
    gaps = [b - a for a, b in itertools.pairwise(ordered)]

    assert usual_days(days) == (math.ceil(median(gaps)) if len(gaps) >= 2 else None)


def test_a_batch_says_what_was_new_changed_and_known_and_whom_it_touches(database: Database) -> None:
    with database.write() as session:
        anna, ben = (add_customer(session, number, f"{number}@example.com") for number in ("1", "2"))
        assert anna.id is not None
        assert ben.id is not None
        day = date(2026, 5, 1)
        first = purchases.write(session, [_row("P1", anna.id, day), _row("P2", ben.id, day)], NOW)
        second = purchases.write(
            session, [_row("P1", anna.id, day), _row("P2", anna.id, day), _row("P3", ben.id, day, notice="n")], NOW
        )

    assert (first.created, first.updated, first.unchanged) == (2, 0, 0)
    assert (second.created, second.updated, second.unchanged) == (1, 1, 1)
    assert second.customers == {anna.id, ben.id}


def test_an_instant_written_in_bulk_is_the_instant_written_by_a_row(database: Database) -> None:
    at = datetime(2026, 5, 1, 23, 30, 0, 123456, tzinfo=UTC).astimezone(tz=None)
    with database.write() as session:
        anna = add_customer(session)
        assert anna.id is not None
        add_purchase(session, anna, "row", at)
        purchases.write(session, [_row("bulk", anna.id, at.date()) | {"purchased_at": at}], NOW)
        table: sa.Table = Purchase.__table__  # type: ignore[attr-defined]
        stored = session.connection().execute(sa.select(sa.cast(table.c.purchased_at, sa.String))).scalars().all()

    assert len(set(stored)) == 1


def test_an_instant_without_a_time_zone_is_refused(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        anna = add_customer(session)
        assert anna.id is not None
        row = _row("P1", anna.id, date(2026, 5, 1)) | {"purchased_at": datetime(2026, 5, 1, 9)}  # noqa: DTZ001
        with pytest.raises(ValueError, match="no time zone"):
            purchases.write(session, [row], NOW)


def test_counting_again_leaves_figures_that_are_right_alone(database: Database) -> None:
    with database.write() as session:
        anna = add_customer(session)
        assert anna.id is not None
        for index in range(3):
            day = date(2026, 1, 1) + timedelta(days=10 * index)
            purchases.write(session, [_row(f"P{index}", anna.id, day)], NOW)
        purchases.count_again(session, [anna.id])
        before = session.connection().execute(sa.select(_CUSTOMER)).all()
        purchases.count_again(session, [anna.id])
        after = session.connection().execute(sa.select(_CUSTOMER)).all()

    assert after == before
    assert (after[0].purchase_count, after[0].usual_days, after[0].last_purchase_id) == (3, 10, "P2")
    assert after[0].last_purchase_on == date(2026, 1, 21)


def test_a_lookup_goes_through_the_index(sqlite_database: Database) -> None:
    lookup = Lookup(sa.select(_CUSTOMER.c.id), _CUSTOMER.c.customer_id)
    with sqlite_database.read() as session:
        plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {lookup._sqlite.sql}", ('["1"]',)).all()

    steps = [row[3] for row in plan]
    assert any(step.startswith("SEARCH customer USING") for step in steps), steps
    assert not any(step.startswith("SCAN customer") for step in steps), steps
