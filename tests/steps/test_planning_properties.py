"""Scanning again, scanning rarely and scanning from anywhere come to the same: scan^n = scan."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.store import installation
from engine.store.database import Database
from tests.people import add_customer, add_purchase, add_service_item
from tests.steps.planned_shops import PlannedShop, campaign, morning, open_shop

DAY = timedelta(days=1)
STEP = '[[step]]\nid = "{}"\n{}\nsubject = "Hallo"\nbody = "Hallo"\n'
CAMPAIGNS = (
    campaign('on = "birthday"\nwhen = "3 days before"', name="birthday"),
    campaign(
        'on = "lapsed"\nafter = "1 month"',
        name="lapsed",
        steps=STEP.format("one", 'when = "on the day"') + STEP.format("two", 'wait = "9 days"'),
    ),
    campaign('on = "lapsed"\nafter = "1.5 x usual interval"\nnot_before = "20 days"', name="usual"),
    campaign(
        'on = "service_due"',
        '[send]\nmax_late = "2 days"',
        name="service",
        steps=STEP.format("before", 'when = "1 month before"') + STEP.format("after", 'when = "4 days after"'),
    ),
    campaign('on = "purchase"\nwhen = "30 hours after"', name="hours"),
    campaign('on = "purchase"\nwhen = "2 days after"', name="thanks"),
)


@contextmanager
def fresh_store(template: Path) -> Iterator[tuple[Database, Path]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        shutil.copy(template, path)
        database = Database(f"sqlite:///{path}")
        yield database, Path(folder)
        database.close()


def populate(database: Database, middle: date) -> None:
    """Put somebody with every kind of occasion on every day around `middle`, in three time zones."""
    with database.write() as session:
        for offset in range(-45, 50):
            day = middle + offset * DAY
            zone = ["", "Pacific/Auckland", "America/Los_Angeles"][offset % 3]
            key = f"{offset}"
            customer = add_customer(session, key, None, birth_md=day.month * 100 + day.day, timezone=zone)
            customer.usual_days = 14 + offset % 9
            if offset % 2:
                add_purchase(session, customer, f"P{key}", morning(day) + timedelta(hours=offset % 14))
            else:
                add_service_item(session, customer, f"S{key}", day)
        add_customer(session, "leap", None, birth_md=229)


def scan(shop: PlannedShop, days: list[date], times: int = 1) -> list[tuple[object, ...]]:
    for day in days:
        for _ in range(times):
            shop.plan(morning(day))
    return [row[:4] for row in shop.messages()]


starts = st.dates(date(2015, 1, 1), date(2030, 10, 31))
turns = st.sampled_from(
    [date(2016, 2, 25), date(2019, 2, 25), date(2020, 12, 28), date(2026, 3, 26), date(2027, 10, 29)]
)


@settings(max_examples=4, deadline=None)
@given(first=starts | turns, gaps=st.lists(st.integers(1, 10), min_size=1, max_size=3))
def test_scanning_rarely_finds_what_scanning_daily_finds(sqlite_template: Path, first: date, gaps: list[int]) -> None:
    wakes = [first]
    for gap in gaps:
        wakes.append(wakes[-1] + gap * DAY)
    every = [first + offset * DAY for offset in range((wakes[-1] - first).days + 1)]
    found = []
    for days, times in [(every, 1), (wakes, 1), (wakes, 2), ([wakes[0], wakes[-1]], 1)]:
        with fresh_store(sqlite_template) as (database, home):
            shop = open_shop(database, home, *CAMPAIGNS)
            populate(database, first)
            found.append(scan(shop, days, times))
    assert found[0]
    assert found[1] == found[2] == found[3] == found[0]


@settings(max_examples=4, deadline=None)
@given(first=starts | turns, offsets=st.lists(st.integers(0, 20), min_size=1, max_size=6))
def test_a_day_asked_for_again_in_any_order_adds_nothing(
    sqlite_template: Path, first: date, offsets: list[int]
) -> None:
    with fresh_store(sqlite_template) as (database, home):
        shop = open_shop(database, home, *CAMPAIGNS)
        populate(database, first)
        every = [first + offset * DAY for offset in range(21)]
        before = scan(shop, every)
        with database.write() as session:
            installation.bump_data_version(session)
        assert scan(shop, [first + offset * DAY for offset in offsets]) == before
