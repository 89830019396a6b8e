"""Eleven people with the lives that trip up a calendar, from their files to the log."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.end_to_end.command import ROOT, lines_within, within
from tests.end_to_end.test_bike_shop import CONFIG

CUSTOMERS = """customer_id,email,first_name,birthday,timezone
leap-1,leap1@example.com,Lea,1984-02-29,
leap-2,leap2@example.com,Leo,--02-29,
twin-1,zwei@example.com,Tina,1990-02-28,
twin-2,zwei@example.com,Tom,1990-02-28,
double-1,dora@example.com,Dora,1977-02-28,
double-2,Dora@Example.com,Dora,1977-02-28,
boilers,bernd@example.com,Bernd,,
returned,rita@example.com,Rita,,
kept,karl@example.com,Karl,,
moved,alt@example.com,Alma,1970-02-28,
eve,silvester@example.com,Sven,1960-12-31,
new-year,neujahr@example.com,Nora,1961-01-01,
auckland,kiri@example.com,Kiri,1980-03-01,Pacific/Auckland
nobody,,Norbert,1950-02-28,
"""

PURCHASES = """purchase_id,customer_id,purchased_at,status
R-1,returned,2017-02-26T10:00:00+01:00,returned
K-1,kept,2017-02-26T10:00:00+01:00,concluded
"""

ITEMS = """service_item_id,customer_id,name,item_type,next_service_on
b1,boilers,Therme oben,heating,2017-03-30
b2,boilers,Therme unten,heating,2017-03-30
b3,boilers,Therme Garten,heating,2017-03-30
"""

HEAD = '\nid = "{id}"\nkind = "{kind}"\nadvertises = ["heizung"]\n\n[start]\nfrom = 2016-12-01\n'
MESSAGE = '\n[message]\nsubject = "Gruß"\nbody = "{{ greeting }}, alles Gute."\n'
CAMPAIGNS = {
    "birthday": ("birthday", '[trigger]\non = "birthday"\n' + MESSAGE),
    "ahead": ("birthday", '[trigger]\non = "birthday"\nwhen = "3 days before"\n' + MESSAGE),
    "thanks": ("thank_you", '[trigger]\non = "purchase"\nwhen = "2 days after"\n' + MESSAGE),
    "service": (
        "service_reminder",
        '[trigger]\non = "service_due"\n[[step]]\nid = "first"\nwhen = "30 days before"\nsubject = "Wartung"\n'
        'body = "{{ greeting }}, fällig: {% for one in items %}{{ one.name }}; {% endfor %}"\n',
    ),
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Build the shop and import everybody; only the last file is changed later."""
    shutil.copytree(ROOT / "templates", tmp_path / "templates")
    (tmp_path / "campaigns").mkdir()
    (tmp_path / "config.toml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "wording.txt").write_text("Ja, schreibt mir.\n", encoding="utf-8")
    for name, (kind, rest) in CAMPAIGNS.items():
        text = HEAD.format(id=name, kind=kind) + rest
        (tmp_path / "campaigns" / f"{name}.toml").write_text(text, encoding="utf-8")
    _import(tmp_path, "customers", CUSTOMERS)
    _import(tmp_path, "purchases", PURCHASES)
    _import(tmp_path, "service-items", ITEMS)
    stamp = "2016-11-01T10:00:00+01:00"
    kinds = "birthday;thank_you;service_reminder"
    mailboxes = sorted({line.split(",")[1].lower() for line in CUSTOMERS.splitlines()[1:]} - {""})
    lines = [f"{email},confirmed,{stamp},{kinds},newsletter-2015,{stamp},laden,zettel" for email in mailboxes]
    _import(tmp_path, "consents", "\n".join(["email,state,at,kinds,wording,requested_at,source,proof", *lines]))
    return tmp_path


def _import(home: Path, what: str, text: str) -> None:
    file = home / f"{what}.csv"
    file.write_text(text, encoding="utf-8")
    within(home, "import", what, str(file), "--yes")


def _tick(home: Path, at: str) -> dict[tuple[str, str], str]:
    """Make one pass and return what it has decided: (campaign, customer) -> state, or the reason for a skip."""
    before = {row["message_id"] for row in lines_within(home, "log", "--rehearsal") if row["state"] != "planned"}
    within(home, "tick", "--at", at)
    rows = [row for row in lines_within(home, "log", "--rehearsal") if row["message_id"] not in before]
    decided: dict[tuple[str, str], str] = {}
    for row in sorted(rows, key=lambda row: row["state"] == "sent"):
        decided[row["campaign"], row["customer"]] = row["reason"] if row["state"] == "skipped" else row["state"]
    return decided


def test_on_the_last_of_february_everybody_gets_what_is_theirs(home: Path) -> None:
    _import(home, "customers", "customer_id,email\nmoved,neu@example.com\n")
    decided = _tick(home, "2017-02-28T09:00:00+01:00")
    assert {key: word for key, word in decided.items() if key[0] != "ahead"} == {
        ("birthday", "leap-1"): "sent",
        ("birthday", "leap-2"): "sent",
        ("birthday", "twin-1"): "sent",
        ("birthday", "twin-2"): "same_address",
        ("birthday", "double-1"): "sent",
        ("birthday", "double-2"): "same_address",
        ("birthday", "moved"): "no_consent",
        ("birthday", "nobody"): "no_address",
        ("service", "boilers"): "sent",
        ("thanks", "kept"): "sent",
    }


def test_three_boilers_share_one_mail(home: Path) -> None:
    _tick(home, "2017-02-28T09:00:00+01:00")
    rows = lines_within(home, "log", "--rehearsal", "campaign:service")
    assert sorted((row["state"], row["reason"]) for row in rows) == [
        ("sent", None),
        ("skipped", "same_address"),
        ("skipped", "same_address"),
    ]
    sent = next(row for row in rows if row["state"] == "sent")
    text = within(home, "log", "show", sent["message_id"], "--text")
    assert all(name in text for name in ("Therme oben", "Therme unten", "Therme Garten"))


def test_three_days_before_new_year_is_the_birthday_of_the_year_that_comes(home: Path) -> None:
    assert _tick(home, "2016-12-28T09:00:00+01:00") == {("ahead", "eve"): "sent"}
    assert _tick(home, "2016-12-29T09:00:00+01:00") == {("ahead", "new-year"): "sent"}
    occasions = {row["customer"]: row["occasion"] for row in lines_within(home, "log", "--rehearsal", "campaign:ahead")}
    assert occasions == {"eve": "2016", "new-year": "2017"}


def test_in_auckland_the_first_of_march_begins_while_berlin_has_supper(home: Path) -> None:
    assert ("birthday", "auckland") not in _tick(home, "2017-02-28T11:00:00+01:00")
    assert _tick(home, "2017-02-28T12:30:00+01:00")["birthday", "auckland"] == "planned"
    assert _tick(home, "2017-02-28T21:00:00+01:00")["birthday", "auckland"] == "sent"
