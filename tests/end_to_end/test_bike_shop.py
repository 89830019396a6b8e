"""The bike shop with its real files: who is due, who gets a mail, and why the others do not."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SHOP
from tests.end_to_end import bike_shop
from tests.end_to_end.bike_shop import Files
from tests.end_to_end.command import lines_within, within

DAYS = [
    date(2016, 1, 4), date(2016, 2, 28), date(2016, 2, 29), date(2016, 3, 1), date(2016, 3, 27), date(2016, 5, 15),
    date(2016, 7, 31), date(2016, 9, 14), date(2016, 10, 30), date(2016, 12, 31), date(2017, 1, 1), date(2017, 1, 15),
    date(2017, 2, 28), date(2017, 3, 1), date(2017, 3, 2), date(2017, 3, 26), date(2017, 4, 17), date(2017, 5, 1),
    date(2017, 5, 31), date(2017, 6, 14), date(2017, 6, 30),
]  # fmt: skip

CONFIG = (
    SHOP
    + """
[provider]
use = "outbox"
from = "Radhaus Sommer <post@radhaus-sommer.example.com>"
max_per_day = 100000
max_per_minute = 100000

[wording.newsletter-2015]
file = "wording.txt"
kinds = ["newsletter", "birthday", "winback", "coupon", "thank_you", "feedback_request", "service_reminder"]
product_scope = "Fahrräder und Zubehör"
"""
)

HEAD = """
id = "{id}"
name = "{id}"
enabled = true
kind = "{kind}"
advertises = ["bikes"]

[start]
from = {day}
"""

MESSAGE = """
[message]
subject = "Gruß"
body = "{{ greeting }}, schön, dass es Sie gibt."
"""

STEP = """
[[step]]
id = "{id}"
when = "{when}"
subject = "Wartung"
body = "{{{{ greeting }}}}, Ihr Rad ist bald dran."
"""

CAMPAIGNS = {
    bike_shop.BIRTHDAY: ("birthday", '[trigger]\non = "birthday"\n' + MESSAGE),
    bike_shop.LAPSED: ("winback", '[trigger]\non = "lapsed"\nafter = "90 days"\n' + MESSAGE),
    bike_shop.THANKS: ("thank_you", '[trigger]\non = "purchase"\nwhen = "2 days after"\n' + MESSAGE),
    bike_shop.SERVICE: (
        "service_reminder",
        '[trigger]\non = "service_due"\nitem_types = ["bike"]\n'
        + "".join(
            STEP.format(id=name, when=f"{abs(days)} days {'before' if days < 0 else 'after'}")
            for name, days in bike_shop.STEPS.items()
        ),
    ),
}

CUSTOMER_COLUMNS = (
    "CustomerKey=customer_id", "Prefix=salutation", "FirstName=first_name", "LastName=last_name",
    "BirthDate=birthday", "EmailAddress=email",
)  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the shop's folder."""
    folder = tmp_path_factory.mktemp("bike-shop")
    (folder / "campaigns").mkdir()
    (folder / "templates").mkdir()
    templates = Path(__file__).parents[2] / "templates"
    for template in templates.iterdir():
        if template.is_file():
            (folder / "templates" / template.name).write_bytes(template.read_bytes())
    (folder / "config.toml").write_text(CONFIG, encoding="utf-8")
    (folder / "wording.txt").write_text("Ja, schreibt mir.\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def customers_file(shared_data: Path) -> Path:
    return shared_data / "adventureworks" / "AdventureWorks_Customers.csv"


def start_on(home: Path, day: date) -> None:
    """Let every campaign begin on this day."""
    for name, (kind, rest) in CAMPAIGNS.items():
        text = HEAD.format(id=name, kind=kind, day=day) + rest
        (home / "campaigns" / f"{name}.toml").write_text(text, encoding="utf-8")


def import_customers(home: Path, file: Path) -> dict[str, Any]:
    maps = [word for column in CUSTOMER_COLUMNS for word in ("--map", column)]
    printed = within(
        home, "import", "customers", str(file), *maps, "--date-format", "M/D/YYYY", "--encoding", "latin-1",
        "--tidy-names", "--yes", "--json", codes=(0, 3),
    )  # fmt: skip
    document: dict[str, Any] = json.loads(printed)
    return document


def import_rows(home: Path, what: str, rows: list[dict[str, str]]) -> dict[str, Any]:
    if not rows:
        return {"refused": 0, "updated": 0}
    file = bike_shop.write(home / f"{what}.csv", rows)
    document: dict[str, Any] = json.loads(within(home, "import", what, str(file), "--yes", "--json", codes=(0, 3)))
    return document


@pytest.fixture(scope="module")
def files(shared_data: Path, customers_file: Path) -> Files:
    """Read the shop's files and add the people that only a story needs."""
    customers = [
        {
            "customer_id": row["CustomerKey"],
            "email": row["EmailAddress"],
            "birthday": datetime.strptime(row["BirthDate"], "%m/%d/%Y").date().isoformat(),  # noqa: DTZ007
        }
        for row in bike_shop.read(customers_file, "latin-1")
    ]
    shop = shared_data / "bikeshop"
    return Files(
        customers=customers,
        purchases=bike_shop.read(shop / "purchases.csv"),
        items=bike_shop.read(shop / "service-items.csv"),
        consents=bike_shop.read(shop / "consents.csv"),
    )


def people(rows: list[dict[str, Any]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        found[row["campaign"]].add(row["customer"])
    return found


def test_the_real_files_are_imported_and_a_second_import_changes_nothing(
    home: Path, files: Files, customers_file: Path
) -> None:
    start_on(home, date(2018, 1, 1))
    first = import_customers(home, customers_file)
    assert (first["read"], first["created"]) == (18148, 18148)
    again = import_customers(home, customers_file)
    assert (again["created"], again["updated"], again["unchanged"]) == (0, 0, 18148)


def test_the_second_opinion_and_plan_and_tick_and_log_agree_on_every_day(
    home: Path, files: Files, customers_file: Path
) -> None:
    known = Files(files.customers, [], [], [])
    for day in DAYS:
        now = bike_shop.opening(day)
        start_on(home, day)
        present = bike_shop.known_by(files, now)
        import_rows(home, "purchases", _added(present.purchases, known.purchases))
        import_rows(home, "service-items", _added(present.items, known.items))
        import_rows(home, "consents", _added(present.consents, known.consents))
        known = present
        _agree(home, present, day, now.isoformat())


def _added(present: bike_shop.Rows, known: bike_shop.Rows) -> bike_shop.Rows:
    before = {id(row) for row in known}
    return [row for row in present if id(row) not in before]


def _agree(home: Path, present: Files, day: date, at: str) -> None:
    expected = bike_shop.due_on(present, day)
    plan = lines_within(home, "plan", "--days", "1", "--at", at)
    assert people(plan) == {name: who for name, who in expected.people.items() if who}, f"plan on {day}"
    within(home, "tick", "--at", at)
    rows = lines_within(home, "log", "--rehearsal", f"since:{day}", f"until:{day}")
    assert people(rows) == people(plan), f"log on {day}"
    sent = {(row["campaign"], row["customer"]) for row in rows if row["state"] == "sent"}
    asked = {(name, customer) for name, who in expected.people.items() for customer in who}
    assert sent == asked - set(expected.refused), f"mails on {day}"
    reasons = {(row["campaign"], row["customer"]): row["reason"] for row in rows if row["state"] == "skipped"}
    assert {key: reasons[key] for key in expected.refused} == expected.refused, f"reasons on {day}"
    within(home, "tick", "--at", at)
    assert len(lines_within(home, "log", "--rehearsal", f"since:{day}", f"until:{day}")) == len(rows), f"again on {day}"


GREETING = """
id = "hello"
kind = "birthday"
advertises = ["bikes"]

[trigger]
on = "birthday"

[message]
subject = "Gruß"
body = "Hallo {{ customer.first_name }} {{ customer.last_name }}!"
"""


def test_a_mail_greets_jon_and_not_his_capitals(home: Path, customers_file: Path) -> None:
    import_customers(home, customers_file)
    (home / "campaigns" / "hello.toml").write_text(GREETING, encoding="utf-8")
    mail = within(home, "preview", "hello", "--as", "11000")
    assert "Hallo Jon Yang!" in mail
    assert "JON" not in mail
