"""A week of rehearsal, then a real provider: real mail for what is due from that day on, and for nothing before."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from engine.steps import planning, sending
from tests.brevo_double import BrevoDouble, serving
from tests.conftest import CONFIG, MakeApp
from tests.people import add_consent, add_customer

BERLIN = ZoneInfo("Europe/Berlin")
FIRST = date(2026, 11, 9)
SWITCH = date(2026, 11, 16)

CAMPAIGN = """
id = "geburtstag"
name = "Geburtstag"
kind = "birthday"
advertises = ["fahrraeder"]

[trigger]
on = "birthday"

[message]
subject = "Alles Gute!"
body = "{{ greeting }}, alles Gute."
"""


def _at(day: date, hour: int = 9) -> datetime:
    return datetime(day.year, day.month, day.day, hour, 30, tzinfo=BERLIN)


def test_the_switch_mails_from_its_day_on_and_nothing_from_before(make_app: MakeApp, tmp_path: Path) -> None:
    rehearsal = make_app(campaigns={"geburtstag": CAMPAIGN}, now=_at(FIRST))
    with rehearsal.database.write() as session:
        for offset in range(12):
            born = (FIRST + timedelta(days=offset)).replace(year=1980)
            customer = add_customer(session, str(offset), f"k{offset}@example.com", birthday=born)
            add_consent(session, customer)
    for offset in range((SWITCH - FIRST).days):
        _tick(make_app(campaigns={}, now=_at(FIRST + timedelta(days=offset))))
    _tick(make_app(campaigns={}, now=_at(SWITCH)))
    assert len(list((rehearsal.home / "outbox").glob("*.eml"))) == 8

    double = BrevoDouble(tmp_path / "book.jsonl")
    with serving(double) as url:
        real = CONFIG.replace('use = "outbox"', f'use = "brevo"\nbase_url = "{url}"').replace(
            "[wording.", '[web]\npublic_url = "https://post.radhaus-sommer.example.com"\n\n[wording.', 1
        )
        for offset in range((SWITCH - FIRST).days, 12):
            _tick(make_app(config=real, campaigns={}, now=_at(FIRST + timedelta(days=offset), hour=11)))
            _tick(make_app(config=real, campaigns={}, now=_at(FIRST + timedelta(days=offset), hour=12)))
    assert Counter(mail["to"] for mail in double.mails()) == {f"k{offset}@example.com": 1 for offset in range(7, 12)}


def _tick(app) -> None:  # type: ignore[no-untyped-def]
    planning.plan(app, app.clock())
    sending.send_due(app, app.clock)
