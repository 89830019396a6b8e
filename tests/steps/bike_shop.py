"""The bike shop's files, read in plain Python: what is in the store on a morning, and who is due, without any SQL.

Nothing of the engine is used to compute who is due, so that the two can disagree.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

BERLIN = ZoneInfo("Europe/Berlin")
DAY = timedelta(days=1)
Occasion = tuple[str, str, str, str]
"""Campaign, customer, occasion, step."""


@dataclass
class Person:
    number: str
    email: str
    born: date
    zone: str = ""
    name: str = ""


@dataclass
class Bought:
    number: str
    customer: str
    at: datetime
    status: str
    categories: str
    place: ZoneInfo = BERLIN

    @cached_property
    def day(self) -> date:
        return self.at.astimezone(self.place).date()

    @cached_property
    def hours_later(self) -> date:
        return (self.at.astimezone(UTC) + timedelta(hours=22)).astimezone(self.place).date()


@dataclass
class Bike:
    number: str
    customer: str
    serviced: date
    contract: str
    kind: str = "bike"

    @cached_property
    def due(self) -> date:
        year, month = self.serviced.year + 1, self.serviced.month
        return date(year, month, 28) if (month, self.serviced.day) == (2, 29) else self.serviced.replace(year=year)


@dataclass
class Files:
    """Everything there is, in the order of time."""

    people: list[Person]
    purchases: list[Bought]
    bikes: list[Bike]
    mornings: dict[tuple[datetime, timedelta], Morning] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Files:
        people = [
            Person(row["CustomerKey"], row["EmailAddress"], _american(row["BirthDate"]))
            for row in _rows(folder / "adventureworks" / "AdventureWorks_Customers.csv", "latin-1")
        ]
        purchases = [
            Bought(
                row["purchase_id"],
                row["customer_id"],
                datetime.fromisoformat(row["purchased_at"]),
                row["status"],
                row["categories"],
            )
            for row in _rows(folder / "bikeshop" / "purchases.csv", "utf-8")
        ]
        bikes = [
            Bike(
                row["service_item_id"],
                row["customer_id"],
                date.fromisoformat(row["last_service_on"]),
                row["contract_ref"],
            )
            for row in _rows(folder / "bikeshop" / "service-items.csv", "utf-8")
        ]
        files = cls(people, purchases, bikes)
        files.invent()
        return files

    def invent(self) -> None:
        """Add the people that no data set has."""
        born = [
            ("leap-1", "leap-1@x.example", date(1984, 2, 29), ""),
            ("leap-2", "leap-2@x.example", date(1992, 2, 29), ""),
            ("twin-1", "twins@x.example", date(1990, 6, 15), ""),
            ("twin-2", "twins@x.example", date(1990, 6, 15), ""),
            ("once", "once@x.example", date(1971, 8, 20), ""),
            ("once-more", "once@x.example", date(1971, 8, 20), ""),
            ("boilers", "boilers@x.example", date(1960, 9, 30), ""),
            ("returned", "returned@x.example", date(1961, 10, 30), ""),
            ("moved", "new-address@x.example", date(1962, 11, 28), ""),
            ("sylvester", "sylvester@x.example", date(1963, 12, 31), ""),
            ("new-year", "new-year@x.example", date(1964, 1, 1), ""),
            ("auckland", "auckland@x.example", date(1965, 3, 1), "Pacific/Auckland"),
            ("nowhere", "", date(1966, 3, 27), ""),
        ]
        self.people += [Person(number, email, day, zone) for number, email, day, zone in born]
        noon = datetime(2016, 5, 29, 12, tzinfo=BERLIN)
        place = ZoneInfo("Pacific/Auckland")
        self.purchases += [
            Bought("X-returned", "returned", noon, "returned", "bikes.road_bikes"),
            Bought("X-moved", "moved", noon, "concluded", "bikes.road_bikes"),
            Bought("X-auckland", "auckland", datetime(2016, 12, 29, 23, tzinfo=UTC), "concluded", "bikes", place),
        ]
        self.purchases.sort(key=lambda bought: bought.at)
        self.bikes += [Bike(f"X-boiler-{n}", "boilers", date(2016, 3, 15), "", "boiler") for n in (1, 2, 3)]
        self.bikes.sort(key=lambda bike: bike.serviced)

    def on(self, morning: datetime, late: timedelta = timedelta()) -> Morning:
        """Return what the store holds at an instant, with purchases that arrive so late."""
        key = (morning, late)
        if key not in self.mornings:
            self.mornings[key] = self._on(morning, late)
        return self.mornings[key]

    def _on(self, morning: datetime, late: timedelta) -> Morning:
        day = morning.astimezone(BERLIN).date()
        return Morning(
            day,
            self.people,
            [bought for bought in self.purchases if bought.at + late < morning],
            [bike for bike in self.bikes if bike.serviced < day],
        )


@dataclass
class Morning:
    """The shop as it is known at nine in the morning of a day."""

    day: date
    people: list[Person]
    purchases: list[Bought]
    bikes: list[Bike]
    by_customer: dict[str, list[Bought]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for bought in self.purchases:
            if bought.status == "concluded":
                self.by_customer[bought.customer].append(bought)

    @cached_property
    def last(self) -> dict[str, Bought]:
        return {customer: bought[-1] for customer, bought in self.by_customer.items()}

    def usual(self, customer: str) -> int | None:
        if len(self.by_customer[customer]) < 3:
            return None
        days = sorted({bought.day for bought in self.by_customer[customer]})
        gaps = sorted((later - earlier).days for earlier, later in pairwise(days))
        if len(gaps) < 2:
            return None
        middle = len(gaps) // 2
        return gaps[middle] if len(gaps) % 2 else -(-(gaps[middle - 1] + gaps[middle]) // 2)

    @cached_property
    def due(self) -> set[Occasion]:
        """Return who is due today, by every campaign."""
        return {*self._birthdays(), *self._lapses(), *self._services(), *self._thanks()}

    def _birthdays(self) -> Iterator[Occasion]:
        for campaign, ahead in (("birthday", 0), ("early-birthday", 3)):
            birthday = self.day + ahead * DAY
            common = birthday.year % 4 != 0
            for person in self.people:
                is_leap = (person.born.month, person.born.day) == (2, 29)
                celebrated = (2, 28) if is_leap and common else (person.born.month, person.born.day)
                if celebrated == (birthday.month, birthday.day):
                    yield campaign, person.number, str(birthday.year), "message"

    def _lapses(self) -> Iterator[Occasion]:
        for customer, bought in self.last.items():
            if bought.day + 90 * DAY == self.day:
                yield "lapsed", customer, bought.number, "message"
            usual = self.usual(customer)
            if usual is not None and bought.day + max(60, -(-5 * usual // 2)) * DAY == self.day:
                yield "usual", customer, bought.number, "message"

    def _services(self) -> Iterator[Occasion]:
        for bike in self.bikes:
            for step, offset in (("first", -30), ("second", -7), ("third", 14)):
                if not bike.contract and bike.due + offset * DAY == self.day:
                    yield "service", bike.customer, f"{bike.number}:1", step

    def _thanks(self) -> Iterator[Occasion]:
        for bought in self.purchases:
            if bought.status != "concluded":
                continue
            if bought.day + 2 * DAY == self.day and bought.categories and _is_bike(bought.categories):
                yield "thanks", bought.customer, bought.number, "message"
            if bought.hours_later == self.day:
                yield "hours", bought.customer, bought.number, "message"


def _american(text: str) -> date:
    month, day, year = (int(part) for part in text.split("/"))
    return date(year, month, day)


def _is_bike(categories: str) -> bool:
    return any(category.split(".")[0] == "bikes" for category in categories.split(";"))


def _rows(path: Path, encoding: str) -> Iterator[dict[str, str]]:
    with path.open(encoding=encoding, newline="") as file:
        yield from csv.DictReader(file)


def nine(day: date) -> datetime:
    return datetime.combine(day, time(9), BERLIN).astimezone(UTC)
