"""Two simulated years: every local date of everybody is planned exactly once, whatever clocks, zones and sleep do.

The days that are expected are counted here by hand, without the program's calendar. The years are 2011 to 2013: with a
leap day, and with the day Samoa left out. `TREUEPOST_LONG=1` asks of every day of the year in every zone.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from engine.domain.words import State
from engine.store.database import Database
from engine.store.message_tables import Message
from engine.store.tables import Customer
from tests.people import add_customer, add_purchase, add_service_item
from tests.steps.planned_shops import PlannedShop, campaign, open_shop

LONG = bool(os.environ.get("TREUEPOST_LONG"))
FIRST, LAST = date(2011, 7, 1), date(2013, 6, 30)
DAY = timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")
ZONES = (
    "",  # the shop's: Berlin
    "Pacific/Auckland",
    "America/New_York",
    "Australia/Lord_Howe",  # its clocks change by half an hour
    "Pacific/Apia",  # went from Thursday, 29 December 2011, to Saturday
)
MORE_ZONES = (
    "Pacific/Kiritimati",  # fourteen hours before Greenwich
    "Pacific/Pago_Pago",
    "Asia/Kathmandu",
    "Africa/Casablanca",
    "America/Sao_Paulo",
    "Asia/Tehran",
)
STEP = '[[step]]\nid = "{}"\nwhen = "{}"\nsubject = "Hallo"\nbody = "Hallo"\n'
CAMPAIGNS = (
    campaign(
        'on = "birthday"\nleap_day = "Mar 1"',
        name="birthday",
        steps=STEP.format("before", "3 days before") + STEP.format("on", "on the day"),
    ),
    campaign('on = "service_due"', name="service", steps=STEP.format("early", "2 weeks before")),
    campaign('on = "lapsed"\nafter = "3 months"', name="lapsed", steps=STEP.format("missed", "on the day")),
)
START = '[start]\nfrom = 2011-07-01\n[send]\nmax_late = "7 days"\n'
TURNS_OF_THE_YEAR = ((1, 1), (2, 28), (2, 29), (3, 1), (12, 29), (12, 30), (12, 31))
CLOCK_CHANGES = ((3, 11), (3, 25), (3, 31), (4, 1), (9, 24), (9, 30), (10, 7), (10, 28), (10, 30), (11, 4))
ODD_DAYS = TURNS_OF_THE_YEAR + CLOCK_CHANGES


def place_of(zone: str) -> ZoneInfo:
    return ZoneInfo(zone) if zone else BERLIN


def zones() -> tuple[str, ...]:
    return (*ZONES, *MORE_ZONES) if LONG else ZONES


def birthdays() -> list[tuple[int, int]]:
    if not LONG:
        return list(ODD_DAYS)
    leap_year = date(2012, 1, 1)
    return [((leap_year + offset * DAY).month, (leap_year + offset * DAY).day) for offset in range(366)]


def change_days(zone: str) -> list[date]:
    """Return the days on which the clocks of a zone change."""
    place = place_of(zone)
    days = [FIRST + offset * DAY for offset in range((LAST - FIRST).days + 2)]
    offsets = [datetime.combine(day, time(0), place).utcoffset() for day in days]
    return [day for day, (before, after) in zip(days, pairwise(offsets), strict=False) if before != after]


def ticks() -> list[datetime]:
    """Return when the daemon was awake: never for up to a week, at all hours, and around every change of a clock."""
    found: set[datetime] = {datetime.combine(FIRST, time(0, 1), BERLIN), datetime.combine(LAST, time(23, 59), BERLIN)}
    day = FIRST
    while day < LAST:
        dice = hashlib.sha256(day.isoformat().encode()).digest()
        for number in range(1 + dice[8] % 4 // 3):
            found.add(datetime.combine(day, time(dice[1 + number] % 24, dice[3 + number] % 60), BERLIN))
        day += DAY * (1 + dice[0] % 2 if LONG else 4 + dice[0] % 4)
    for zone in zones():
        for changed in change_days(zone):
            wall = datetime.combine(changed, time(2, 30), place_of(zone))
            found |= {wall, wall.replace(fold=1)}
    return sorted({instant.astimezone(UTC) for instant in found})


@contextmanager
def two_years(template: Path) -> Iterator[PlannedShop]:
    """Live through two years with everybody in the store."""
    memory = Path("/dev/shm")  # noqa: S108  (a power cut is no subject here)
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        shutil.copy(template, Path(folder) / "store.db")
        database = Database(f"sqlite:///{folder}/store.db")
        shop = open_shop(
            database, Path(folder), *(text.replace("[trigger]", START + "[trigger]") for text in CAMPAIGNS)
        )
        populate(database)
        for instant in ticks():
            shop.plan(instant)
        yield shop
        database.close()


def populate(database: Database) -> None:
    with database.write() as session:
        for zone in zones():
            for month, day in birthdays():
                who = add_customer(session, f"{zone} {month}-{day}", None, birth_md=month * 100 + day, timezone=zone)
                add_service_item(session, who, f"S{zone}{month}-{day}", date(2012, month, day))
                bought = datetime.combine(date(2012, month, day), time(12), UTC)
                add_purchase(session, who, f"P{zone}{month}-{day}", bought)


def expected(zone: str, month: int, day: int) -> Counter[tuple[str, date]]:
    """Count by hand when somebody is to be written to, step by step."""
    end = datetime.combine(LAST, time(23, 59), BERLIN).astimezone(place_of(zone)).date()
    days: list[tuple[str, date]] = []
    for year in (2011, 2012, 2013):
        birthday = date(year, 3, 1) if (month, day) == (2, 29) and year != 2012 else date(year, month, day)
        days += [("on", birthday), ("before", birthday - 3 * DAY)]
    days += [("early", date(2012, month, day) - 14 * DAY), ("missed", _three_months_on(date(2012, month, day)))]
    return Counter((name, due) for name, due in days if FIRST <= due <= end)


def _three_months_on(day: date) -> date:
    year, month = (day.year, day.month + 3) if day.month <= 9 else (day.year + 1, day.month - 9)
    last = (date(year, month + 1, 1) if month < 12 else date(year + 1, 1, 1)) - DAY
    return date(year, month, min(day.day, last.day))


@pytest.fixture(scope="module")
def planned(sqlite_template: Path) -> list[sa.Row[tuple[object, ...]]]:
    """Return every message that two years have brought."""
    message, customer = Message.__table__, Customer.__table__  # type: ignore[attr-defined]
    names = ("step", "due", "send_after", "expires_at", "planned_at", "state")
    select = sa.select(customer.c.customer_id, customer.c.timezone, *(message.c[name] for name in names))
    with two_years(sqlite_template) as shop, shop.database.read() as session:
        return list(session.connection().execute(select.join(customer, customer.c.id == message.c.customer_id)))


def test_every_local_date_is_planned_once_and_none_twice(planned: list[sa.Row[tuple[object, ...]]]) -> None:
    found: dict[str, Counter[tuple[str, date]]] = {}
    for row in planned:
        found.setdefault(row.customer_id, Counter())[row.step, row.due] += 1
    wanted = {f"{zone} {month}-{day}": expected(zone, month, day) for zone in zones() for month, day in birthdays()}
    differing = {
        who: (days - found.get(who, Counter()), found.get(who, Counter()) - days)
        for who, days in wanted.items()
        if days != found.get(who)
    }
    assert differing == {}
    assert sum(days.total() for days in wanted.values()) > 5 * len(wanted)


def test_nobody_is_planned_too_late_though_the_daemon_often_slept(planned: list[sa.Row[tuple[object, ...]]]) -> None:
    assert [tuple(row) for row in planned if row.state is not State.PLANNED or row.planned_at >= row.expires_at] == []


def test_everybody_is_written_to_on_their_own_day(planned: list[sa.Row[tuple[object, ...]]]) -> None:
    """The window opens at nine where they live; a day that a zone left out is made up for at once."""
    left_out = date(2011, 12, 30)
    for row in planned:
        local = row.send_after.astimezone(place_of(row.timezone))
        if row.timezone == "Pacific/Apia" and row.due == left_out:
            assert local.date() == left_out + DAY
        else:
            assert (local.date(), local.time()) == (row.due, time(9)), tuple(row)
