"""The bike shop in plain Python: who is due on a day, read from the CSV files without the engine's SQL.

This is the second opinion the engine is held against, so it shares no line with it: `csv`, `datetime` and loops.
"""

from __future__ import annotations

import calendar
import csv
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

BERLIN = ZoneInfo("Europe/Berlin")
STEPS = {"in-30-days": -30, "in-7-days": -7, "overdue": 14}
BIRTHDAY, LAPSED, SERVICE, THANKS = "birthday", "lapsed", "service", "thanks"
Rows = list[dict[str, str]]


@dataclass
class Files:
    """The rows of the shop's files."""

    customers: Rows
    purchases: Rows
    items: Rows
    consents: Rows


@dataclass
class Due:
    """Who is due on one day, per campaign, and who of them must not be written to, with the reason."""

    people: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    refused: dict[tuple[str, str], str] = field(default_factory=dict)


def read(path: Path, encoding: str = "utf-8") -> Rows:
    with path.open(encoding=encoding, newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, rows: Rows) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.DictWriter(file, list(rows[0]))
        out.writeheader()
        out.writerows(rows)
    return path


def opening(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 9, tzinfo=BERLIN)


def add_months(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def bought_on(row: dict[str, str]) -> date:
    return datetime.fromisoformat(row["purchased_at"]).astimezone(BERLIN).date()


def serviced_noon(row: dict[str, str]) -> datetime:
    return datetime.fromisoformat(f"{row['last_service_on']}T12:00:00+01:00")


def known_by(files: Files, now: datetime) -> Files:
    """Return the rows that are dated before `now`: what the store may hold at that moment."""
    return Files(
        customers=files.customers,
        purchases=[row for row in files.purchases if datetime.fromisoformat(row["purchased_at"]) < now],
        items=[row for row in files.items if serviced_noon(row) < now],
        consents=[row for row in files.consents if not row["at"] or datetime.fromisoformat(row["at"]) < now],
    )


def due_on(files: Files, day: date) -> Due:
    """Return everybody with an occasion on `day`."""
    due = Due()
    _birthdays(files, day, due)
    _lapses_and_thanks(files, day, due)
    _services(files, day, due)
    _refusals(files, day, due)
    return due


def _birthdays(files: Files, day: date, due: Due) -> None:
    for row in files.customers:
        if not row["birthday"]:
            continue
        born = date.fromisoformat(row["birthday"])
        celebrated = (born.month, born.day)
        if celebrated == (2, 29) and not calendar.isleap(day.year):
            celebrated = (2, 28)
        if celebrated == (day.month, day.day) and born.year < day.year:
            due.people[BIRTHDAY].add(row["customer_id"])


def _lapses_and_thanks(files: Files, day: date, due: Due) -> None:
    last: dict[str, date] = {}
    for row in files.purchases:
        if row["status"] != "concluded":
            continue
        bought = bought_on(row)
        last[row["customer_id"]] = max(bought, last.get(row["customer_id"], bought))
        if bought + timedelta(days=2) == day:
            due.people[THANKS].add(row["customer_id"])
    due.people[LAPSED] |= {customer for customer, bought in last.items() if bought + timedelta(days=90) == day}


def _services(files: Files, day: date, due: Due) -> None:
    for row in files.items:
        if row["contract_ref"]:
            continue
        service = add_months(date.fromisoformat(row["last_service_on"]), 12)
        if any(service + timedelta(days=offset) == day for offset in STEPS.values()):
            due.people[SERVICE].add(row["customer_id"])


def _refusals(files: Files, day: date, due: Due) -> None:
    history = said_by(files)
    address = {row["customer_id"]: row["email"].lower() for row in files.customers}
    bought = {row["customer_id"] for row in files.purchases if row["status"] == "concluded"}
    for campaign, people in due.people.items():
        for customer in people:
            reason = _reason(address[customer], history, day)
            if reason == "no_consent" and customer in bought:
                reason = "kind_needs_consent" if campaign == BIRTHDAY else "notice_missing"
            if reason:
                due.refused[campaign, customer] = reason


def said_by(files: Files) -> dict[str, list[tuple[str, str]]]:
    """Return what was said at each address, with its time."""
    history: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in files.consents:
        history[row["email"].lower()].append((row["at"], row["state"]))
    return history


def _reason(email: str, history: dict[str, list[tuple[str, str]]], day: date) -> str:
    if not email:
        return "no_address"
    if not email.isascii():
        return "unsendable_address"
    said = sorted(history[email])
    states = [state for _, state in said]
    if "withdrawn" in states:
        return "withdrawn"
    if "confirmed" in states:
        given = max(at for at, state in said if state == "confirmed")
        # A rehearsal mails nobody, so no consent is used in it.
        return "" if add_months(datetime.fromisoformat(given).astimezone(BERLIN).date(), 24) >= day else "stale_consent"
    # A bare claim has no date: it counts from its import, which is later than the day that is played.
    return "not_confirmed" if "requested" in states else "no_consent"
