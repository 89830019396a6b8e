"""The small invented shop of `treuepost demo`: forty customers with a past that makes somebody due today."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/Berlin")
Row = Sequence[object]

NAMES = (
    "Frau Petra Sommer",
    "Herr Jonas Weber",
    "Frau Lena Schulz",
    "Herr Max Fischer",
    "Frau Anna Becker",
    "Herr Paul Hoffmann",
    "Frau Mia Koch",
    "Herr Leon Richter",
    "Frau Emma Klein",
    "Herr Felix Wolf",
    "Frau Hannah Neumann",
    "Herr Lukas Schwarz",
    "Frau Sophie Braun",
    "Herr Tim Zimmermann",
    "Frau Marie Krüger",
    "Herr Jan Hartmann",
    "Frau Laura Lange",
    "Herr Nico Werner",
    "Frau Julia Schmitt",
    "Herr David Krause",
    "Frau Lisa Meier",
    "Herr Simon Lehmann",
    "Frau Clara Huber",
    "Herr Tom Mayer",
    "Frau Nina Kaiser",
    "Herr Erik Fuchs",
    "Frau Katja Peters",
    "Herr Moritz Lang",
    "Frau Ines Scholz",
    "Herr Bernd Möller",
    "Frau Ute Weiß",
    "Herr Karl Jung",
    "Frau Greta Hahn",
    "Herr Oskar Vogel",
    "Frau Ida Keller",
    "Herr Ralf Günther",
    "Frau Vera Frank",
    "Herr Uwe Berger",
    "Frau Elif Yılmaz",
    "Herr Milan Novák",
)
WITHOUT_ADDRESS = frozenset({36})
WITHOUT_CONSENT = frozenset({2, 6, 12, 15, 19, 23, 28, 33})
WITHDRAWN = frozenset({9, 25})
OBJECTED = frozenset({31})
LAPSING = range(10, 16)
BUYING = range(16, 24)
SERVICED = range(24, 34)
ITEMS = ("Trekkingrad Contour", "E-Bike Sinus", "Rennrad Aeolus", "Lastenrad Packster", "Kinderrad Frog")

CONFIG = """\
# Ein erfundener Laden. Provider "outbox": jede Mail wird eine Datei in outbox/, niemand wird angeschrieben.
[shop]
name = "Radhaus Sommer"
address = "Lindenallee 4, 80331 München"
legal_form = "e.K."
represented_by = "Petra Sommer"
register_entry = "Amtsgericht München, HRA 12345"
phone = "+49 89 1234567"
email = "laden@radhaus-sommer.example"
url = "https://radhaus-sommer.example"
privacy = "https://radhaus-sommer.example/datenschutz"
language = "de"
address_form = "Sie"
holidays = "DE-BY"

[store]
url = "sqlite:///treuepost.db"

[provider]
use = "outbox"
from = "Radhaus Sommer <post@radhaus-sommer.example>"

[rules]
at_most = "2 per 30 days"
quiet_hours = "20:00-08:00"

[wording.newsletter]
file = "wordings/newsletter.txt"
kinds = ["newsletter", "birthday", "winback", "thank_you", "service_reminder"]
product_scope = "Fahrräder, Zubehör und Werkstatt"
"""
WORDING = (
    "Ja, Radhaus Sommer darf mir per E-Mail schreiben: Geburtstagsgrüße, Erinnerungen an die Wartung und Neues rund "
    "ums Rad. Ich kann das jederzeit beenden.\n"
)


def instant_before(now: datetime) -> datetime:
    """Return the last weekday at 10:00, when mails may go out: a demo at night still shows some."""
    local = now.astimezone(ZONE)
    day = local.date() if local.hour >= 10 else local.date() - timedelta(days=1)
    day -= timedelta(days=max(0, day.weekday() - 4))
    return datetime(day.year, day.month, day.day, 10, tzinfo=ZONE)


def write(folder: Path, today: date) -> None:
    """Write the shop's config, wording and lists."""
    sources = []
    for what, (heading, rows) in lists(today).items():
        file = folder / "data" / f"{what}.csv"
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("w", encoding="utf-8", newline="") as out:
            table = csv.writer(out, delimiter=";")
            table.writerow(heading)
            table.writerows(rows)
        sources.append(f'[source.{what}]\nfrom = "file"\nfile = "data/{what}.csv"\nwhat = "{what}"\n')
    (folder / "config.toml").write_text("\n".join([CONFIG, *sources]), encoding="utf-8")
    (folder / "wordings").mkdir()
    (folder / "wordings" / "newsletter.txt").write_text(WORDING, encoding="utf-8")


def lists(today: date) -> dict[str, tuple[Row, Iterator[Row]]]:
    """Return each list's heading and rows."""
    return {
        "customers": (("customer_id", "email", "salutation", "first_name", "last_name", "birthday"), customers(today)),
        "purchases": (("purchase_id", "customer_id", "purchased_at", "amount", "currency", "items"), purchases(today)),
        "service-items": (
            ("service_item_id", "customer_id", "name", "item_type", "next_service_on", "interval", "contract_ref"),
            service_items(today),
        ),
        "consents": (("email", "state", "at", "kinds", "wording", "requested_at", "source", "proof"), consents(today)),
    }


def customers(today: date) -> Iterator[Row]:
    """Yield forty people; three have their birthday today, some in the coming days."""
    for number, name in enumerate(NAMES):
        salutation, first, last = name.split()
        ahead = 0 if number < 3 else number - 2 if number < 10 else number * 9
        yield number + 1001, email(number), salutation, first, last, birthday(today + timedelta(days=ahead), number)


def birthday(day: date, number: int) -> date:
    """Return a day of birth on this day of the year."""
    year = 1950 + (number * 7) % 55
    return day.replace(year=year if (day.month, day.day) != (2, 29) else year // 4 * 4)


def email(number: int) -> str:
    """Return the address of one of the forty; one has none."""
    _, first, last = NAMES[number].lower().translate(str.maketrans(_ASCII)).split()
    return "" if number in WITHOUT_ADDRESS else f"{first}.{last}@example.org"


_ASCII: dict[str, str | int | None] = {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ı": "i", "á": "a"}


def purchases(today: date) -> Iterator[Row]:
    """Yield purchases: some customers have lapsed today by their own rhythm, some bought two days ago."""
    number = 5000
    for customer, day in _days_of_purchase(today):
        number += 1
        at = datetime(day.year, day.month, day.day, 11, number % 60, tzinfo=ZONE)
        amount = f"{19 + number * 37 % 400},{number % 100:02d}"
        yield number, customer + 1001, at.isoformat(), amount, "EUR", ITEMS[number % len(ITEMS)]


def _days_of_purchase(today: date) -> Iterator[tuple[int, date]]:
    for place, customer in enumerate(LAPSING):
        last = today - timedelta(days=75 - place // 3)
        yield from ((customer, last - timedelta(days=30 * before)) for before in (3, 2, 1, 0))
    for place, customer in enumerate(BUYING):
        yield customer, today - timedelta(days=2 - place // 3)
    for customer in (*range(10), *SERVICED):
        yield customer, today - timedelta(days=200 + customer * 3)


def service_items(today: date) -> Iterator[Row]:
    """Yield bikes whose service falls due in a month or a week; every other one has a contract."""
    for place, customer in enumerate(SERVICED):
        due = today + timedelta(days=(30, 7, 32)[place % 3] + place // 6)
        contract = f"WV-{2000 + customer}" if place % 2 else ""
        item = ITEMS[customer % len(ITEMS)]
        yield f"R-{customer}", customer + 1001, item, "bike", due, "12 months", contract


def consents(today: date) -> Iterator[Row]:
    """Yield what people agreed to, and who has changed their mind."""
    asked = datetime(today.year, today.month, today.day, 9, tzinfo=ZONE) - timedelta(days=150)
    kinds = "newsletter;birthday;winback;thank_you;service_reminder"
    for number in range(len(NAMES)):
        if number in WITHOUT_CONSENT or number in WITHOUT_ADDRESS:
            continue
        at = asked + timedelta(minutes=7 + number)
        proof = f"doi-{number + 1001}"
        yield email(number), "confirmed", at.isoformat(), kinds, "newsletter", asked.isoformat(), "web", proof
    for number, state in [*((n, "withdrawn") for n in WITHDRAWN), *((n, "objected") for n in OBJECTED)]:
        at = asked + timedelta(days=100)
        yield email(number), state, at.isoformat(), "", "", "", "phone", ""
