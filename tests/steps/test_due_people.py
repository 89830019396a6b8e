"""Who is due in the bike shop, computed twice: by the engine, and from the files in plain Python."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from engine.domain.identity import customer_uid
from engine.steps import planning
from engine.store import installation
from engine.store.database import Database
from engine.store.tables import Address, Customer, Purchase, ServiceItem
from engine.store.upsert import change
from tests.people import INSTALLATION, NOW
from tests.steps.bike_shop import DAY, Files, Morning, Occasion, nine
from tests.steps.planned_shops import PlannedShop, campaign, open_shop, planned

_PEOPLE: sa.Table = Customer.__table__  # type: ignore[attr-defined]
STEPS = "".join(
    f'[[step]]\nid = "{name}"\nwhen = "{when}"\nsubject = "Hallo"\nbody = "Hallo"\n'
    for name, when in [("first", "30 days before"), ("second", "7 days before"), ("third", "14 days after")]
)
MORNINGS = {
    2016: "01-04 02-28 02-29 03-01 03-27 04-30 05-31 06-15 07-31 08-20 09-30 10-30 11-28 12-28 12-29 12-31",
    2017: "01-01 02-13 02-28 03-01 03-08 03-26 03-29 04-15 05-31 06-30",
}
DAYS = [date.fromisoformat(f"{year}-{day}") for year, days in MORNINGS.items() for day in days.split()]


def campaigns(start: date) -> list[str]:
    more = f"[start]\nfrom = {start}"
    service = 'on = "service_due"\nitem_types = ["bike", "boiler"]'
    return [
        campaign('on = "birthday"', more, name="birthday", kind="birthday"),
        campaign('on = "birthday"\nwhen = "3 days before"', more, name="early-birthday", kind="birthday"),
        campaign('on = "lapsed"\nafter = "90 days"', more, name="lapsed", kind="winback"),
        campaign('on = "lapsed"\nafter = "2.5 x usual interval"\nnot_before = "60 days"', more, name="usual"),
        campaign(service, more, name="service", kind="service_reminder", steps=STEPS),
        campaign('on = "purchase"\nwhen = "2 days after"\ncategories = ["bikes"]', more, name="thanks"),
        campaign('on = "purchase"\nwhen = "22 hours after"', more, name="hours"),
    ]


class Loader:
    """Puts into a store what has come to be known since the last time, as an import would leave it."""

    def __init__(self, database: Database, files: Files) -> None:
        self.database = database
        self.ids = {person.number: index for index, person in enumerate(files.people, 1)}
        self.purchases = 0
        self.bikes = 0
        with database.write() as session:
            installation.ensure(session, NOW)
            emails = sorted({person.email for person in files.people if person.email})
            mailbox = {email: index for index, email in enumerate(emails, 1)}
            _insert(session, Address, [_address(index, email) for email, index in mailbox.items()])
            rows = [_person(self.ids[person.number], person, mailbox.get(person.email)) for person in files.people]
            _insert(session, Customer, rows)

    def load(self, known: Morning) -> None:
        """Add purchases and items, and bring the figures of the customers they belong to up to date."""
        new = known.purchases[self.purchases :]
        items = known.bikes[self.bikes :]
        rows = [_purchase(self.purchases + n, self.ids[one.customer], one) for n, one in enumerate(new, 1)]
        with self.database.write() as session:
            _insert(session, Purchase, rows)
            _insert(session, ServiceItem, [_bike(self.ids[one.customer], one) for one in items])
            touched = sorted({one.customer for one in new if one.status == "concluded"})
            change(session, _PEOPLE, [_figures(self.ids[customer], customer, known) for customer in touched])
            installation.bump_data_version(session)
        self.purchases, self.bikes = len(known.purchases), len(known.bikes)


def _insert(session: Any, table: Any, rows: Sequence[dict[str, object]]) -> None:
    if rows:
        session.connection().execute(sa.insert(table.__table__), list(rows))


def _address(index: int, email: str) -> dict[str, object]:
    return {"id": index, "exact": email, "canonical": email, "email": email, "created_at": NOW}


def _person(index: int, person: Any, mailbox: int | None) -> dict[str, object]:
    return {
        "id": index,
        "uid": str(customer_uid(INSTALLATION, person.number, None)),
        "customer_id": person.number,
        "address_id": mailbox,
        "birth_md": person.born.month * 100 + person.born.day,
        "birth_year": person.born.year,
        "timezone": person.zone,
        "purchase_count": 0,
        "not_in_source": False,
        "updated_at": NOW,
    } | dict.fromkeys(
        ("first_name", "last_name", "salutation", "company", "language", "address_form", "country", "tags"), ""
    )


def _purchase(index: int, customer: int, one: Any) -> dict[str, object]:
    return {
        "id": index,
        "purchase_id": one.number,
        "customer_id": customer,
        "purchased_at": one.at,
        "local_on": one.day,
        "status": one.status,
        "categories": f";{one.categories};",
        "items": "",
        "currency": "EUR",
        "notice": "",
        "updated_at": NOW,
    }


def _bike(customer: int, one: Any) -> dict[str, object]:
    return {
        "service_item_id": one.number,
        "customer_id": customer,
        "name": "",
        "item_type": one.kind,
        "interval": "12 months",
        "last_service_on": one.serviced,
        "due_on": one.due,
        "contract_ref": one.contract,
        "cycle": 1,
        "updated_at": NOW,
    }


def _figures(key: int, customer: str, known: Morning) -> dict[str, object]:
    last = known.last[customer]
    return {
        "id": key,
        "last_purchase_on": last.day,
        "last_purchase_id": last.number,
        "purchase_count": len(known.by_customer[customer]),
        "usual_days": known.usual(customer),
    }


@pytest.fixture(scope="session")
def files(shared_data: Path) -> Files:
    return Files.read(shared_data)


@contextmanager
def loaded(template: Path, folder: Path, files: Files, name: str = "store") -> Iterator[Loader]:
    path = folder / f"{name}.db"
    shutil.copy(template, path)
    database = Database(f"sqlite:///{path}")
    yield Loader(database, files)
    database.close()


def occasions(database: Database, state: str | None = None) -> set[Occasion]:
    rows = planned(database, "campaign")
    return {(row[5], row[0], row[1], row[2]) for row in rows if state in (None, row[4])}


def test_the_engine_and_plain_python_agree_on_who_is_due(sqlite_template: Path, tmp_path: Path, files: Files) -> None:
    seen: Counter[str] = Counter()
    with loaded(sqlite_template, tmp_path, files) as loader:
        for day in DAYS:
            known = files.on(nine(day))
            loader.load(known)
            loader.database.checkpoint()
            copy = tmp_path / f"{day}.db"
            shutil.copy(loader.database.url.database or "", copy)
            database = Database(f"sqlite:///{copy}")
            shop = open_shop(database, tmp_path, *campaigns(day))
            report = shop.plan(nine(day))
            expected = known.due
            assert occasions(database) == expected, day
            assert {row[3:5] for row in shop.messages()} <= {(day, "planned")}
            assert report.planned == len(expected)
            assert shop.plan(nine(day)) == planning.PlanReport()
            assert shop.plan(nine(day) + timedelta(hours=1)) == planning.PlanReport()
            database.close()
            seen += Counter(name for name, *_ in expected)
            seen += Counter(who for _, who, *_ in expected if not who.isdigit())
    assert len(DAYS) >= 20
    assert {"birthday", "early-birthday", "lapsed", "usual", "service", "thanks", "hours"} <= set(seen)
    invented = {person.number for person in files.people if not person.number.isdigit()}
    assert invented <= set(seen)
    assert seen["leap-1"] == seen["leap-2"] == 2
    assert seen["boilers"] == 1 + 3 * 3


def daily(first: date, last: date) -> list[date]:
    return [first + offset * DAY for offset in range((last - first).days + 1)]


def tick(shop: PlannedShop, loader: Loader, files: Files, days: list[date], late: timedelta = timedelta()) -> None:
    for day in days:
        loader.load(files.on(nine(day), late))
        shop.plan(nine(day))


FIRST, LAST = date(2017, 3, 1), date(2017, 3, 31)
ASLEEP = daily(date(2017, 3, 11), date(2017, 3, 15))


def test_sleeping_five_days_finds_what_daily_ticks_find(sqlite_template: Path, tmp_path: Path, files: Files) -> None:
    every = daily(FIRST, LAST)
    with (
        loaded(sqlite_template, tmp_path, files, "daily") as one,
        loaded(sqlite_template, tmp_path, files, "asleep") as other,
    ):
        tick(open_shop(one.database, tmp_path, *campaigns(FIRST)), one, files, every)
        tick(
            open_shop(other.database, tmp_path, *campaigns(FIRST)), other, files, [d for d in every if d not in ASLEEP]
        )
        ticked, slept = occasions(one.database), occasions(other.database)
        assert ticked == set().union(*(files.on(nine(day)).due for day in every))
        assert occasions(one.database, "expired") == set()
        awake = nine(ASLEEP[-1] + DAY)
        # Who came back while the daemon slept is no lapsed customer any more when it wakes.
        came_back = {
            occasion
            for day in ASLEEP
            for occasion in files.on(nine(day)).due
            if occasion[0] in {"lapsed", "usual"} and files.on(awake).last[occasion[1]].number != occasion[2]
        }
        assert slept == ticked - came_back
        too_late = {
            occasion
            for day in ASLEEP[:2]
            for occasion in files.on(nine(day)).due
            if occasion[0] in {"birthday", "early-birthday"}
        }
        assert occasions(other.database, "expired") == too_late
        assert too_late


def test_purchases_imported_two_days_late_still_get_their_thanks(
    sqlite_template: Path, tmp_path: Path, files: Files
) -> None:
    with loaded(sqlite_template, tmp_path, files) as loader:
        shop = open_shop(loader.database, tmp_path, *campaigns(FIRST))
        tick(shop, loader, files, daily(FIRST, LAST), late=timedelta(days=2))
        expected = {
            occasion
            for day in daily(FIRST, LAST - DAY)
            for occasion in files.on(nine(day)).due
            if occasion[0] in {"thanks", "hours"}
        }
        thanked = {one for one in occasions(loader.database) if one[0] in {"thanks", "hours"}}
        assert expected
        assert expected - thanked == {one for one in expected if _bought(files, one) + 2 * DAY >= nine(LAST)}
        assert occasions(loader.database, "expired") == set()


def _bought(files: Files, occasion: Occasion) -> datetime:
    return next(bought.at for bought in files.purchases if bought.number == occasion[2])
