"""The bike shop on 15 March 2017: `reach` per campaign, with and without notices and groups of similar goods.

Every figure is computed again from the CSV files in plain Python.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SHOP
from tests.end_to_end import bike_law, bike_shop
from tests.end_to_end.bike_law import Mail, Rules
from tests.end_to_end.bike_shop import Files
from tests.end_to_end.command import within
from tests.end_to_end.test_bike_shop import MESSAGE, import_customers, import_rows

DAY = date(2017, 3, 15)
NOTICE = """
[notice.notice-2015]
file = "hinweis.txt"
contact = "post@radhaus-sommer.example.com"
shown_from = 2015-01-01
proof = "kasse.txt"
declared_by = "Petra Sommer"
"""
SIMILARITY = """
[legal.similarity]
rad = ["bikes"]
werkstatt = ["bikes.road_bikes", "bikes.touring_bikes", "service"]
zubehoer = ["accessories.helmets", "accessories.fenders", "bikes.mountain_bikes"]
"""
GROUPS = [
    ["bikes"],
    ["bikes.road_bikes", "bikes.touring_bikes", "service"],
    ["accessories.helmets", "accessories.fenders", "bikes.mountain_bikes"],
]
BASE = (
    SHOP
    + """
[provider]
use = "outbox"

[wording.newsletter-2015]
file = "hinweis.txt"
kinds = ["newsletter", "birthday", "winback", "coupon", "thank_you", "feedback_request", "service_reminder"]
product_scope = "Fahrräder und Zubehör"
"""
)
MAILS = {
    "geburtstag": Mail("birthday"),
    "danke": Mail("thank_you"),
    "helme": Mail("winback", ["accessories.helmets"]),
    "werkstatt": Mail("service_reminder", ["service"]),
    "beides": Mail("winback", ["service", "accessories.helmets"]),
    "alles": Mail("coupon", ["*"]),
    "wartung": Mail("contract_appointment"),
}
TRIGGERS = {
    "geburtstag": 'on = "birthday"',
    "danke": 'on = "purchase"\nwhen = "2 days after"',
    "wartung": 'on = "service_due"\nitem_types = ["bike"]',
}
LAPSED = 'on = "lapsed"\nafter = "90 days"'


def configure(home: Path, *, notice: bool, similar: bool) -> Rules:
    text = BASE + (NOTICE if notice else "") + (SIMILARITY if similar else "")
    (home / "config.toml").write_text(text, encoding="utf-8")
    return Rules(notice, GROUPS if similar else [])


@pytest.fixture(scope="module")
def files(shared_data: Path) -> Files:
    rows = bike_shop.read(shared_data / "adventureworks" / "AdventureWorks_Customers.csv", "latin-1")
    shop = shared_data / "bikeshop"
    read = Files(
        customers=[{"customer_id": row["CustomerKey"], "email": row["EmailAddress"]} for row in rows],
        purchases=bike_shop.read(shop / "purchases.csv"),
        items=bike_shop.read(shop / "service-items.csv"),
        consents=bike_shop.read(shop / "consents.csv"),
    )
    return bike_shop.known_by(read, bike_shop.opening(DAY))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, shared_data: Path, files: Files) -> Path:
    """Build the shop as it stood on that morning."""
    folder = tmp_path_factory.mktemp("reach")
    (folder / "campaigns").mkdir()
    (folder / "hinweis.txt").write_text(
        "Sie können der Werbung jederzeit widersprechen: post@radhaus-sommer.example.com\n", encoding="utf-8"
    )
    (folder / "kasse.txt").write_text("Foto der Kasse\n", encoding="utf-8")
    configure(folder, notice=True, similar=True)
    for name, mail in MAILS.items():
        head = f'id = "{name}"\nkind = "{mail.kind}"\n'
        advertises = f"advertises = {json.dumps(mail.advertises)}\n" if mail.advertises else ""
        text = f"{head}{advertises}[trigger]\n{TRIGGERS.get(name, LAPSED)}\n{MESSAGE}"
        (folder / "campaigns" / f"{name}.toml").write_text(text, encoding="utf-8")
    import_customers(folder, shared_data / "adventureworks" / "AdventureWorks_Customers.csv")
    for what, rows in (("purchases", files.purchases), ("service-items", files.items), ("consents", files.consents)):
        import_rows(folder, what, rows)
    return folder


@pytest.mark.parametrize("similar", [True, False], ids=["similarity", "no similarity"])
@pytest.mark.parametrize("notice", [True, False], ids=["notice", "no notice"])
def test_d3_d6_d11_reach_is_what_the_files_say_with_and_without_notice_and_groups(
    home: Path, files: Files, notice: bool, similar: bool
) -> None:
    rules = configure(home, notice=notice, similar=similar)
    found: list[dict[str, Any]] = json.loads(
        within(home, "reach", "--json", "--at", bike_shop.opening(DAY).isoformat())
    )
    told = {one["campaign"]: (one["permitted"], one["refused"]) for one in found}
    assert told == {name: bike_law.reach(files, mail, rules, DAY) for name, mail in MAILS.items()}
    by_purchase = {name for name, (permitted, _) in told.items() if permitted.get("existing_customer")}
    assert by_purchase == ({"danke", "helme", *(["werkstatt", "beides"] if similar else [])} if notice else set())


def test_check_and_explain_say_in_the_owners_words_what_is_missing(home: Path, files: Files) -> None:
    configure(home, notice=False, similar=False)
    at = bike_shop.opening(DAY).isoformat()
    said = json.loads(within(home, "check", "--json", "--at", at))["findings"]
    assert {"L203", "L205"} <= {finding["code"] for finding in said}
    configure(home, notice=True, similar=True)
    said = json.loads(within(home, "check", "--json", "--at", at))["findings"]
    messages = [finding["message"] for finding in said if finding["code"] == "L204"]
    assert any("gilt bei Ihnen nicht als ähnlich" in message for message in messages)
