"""A shop whose mails go to a double of Brevo, and what is in its store."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from engine.clock import stopped_at
from engine.domain.words import State
from engine.steps import planning, sending
from engine.steps.sending import SendReport
from engine.store.message_tables import Attempt, Message, MessageBody, MessageEvent
from tests.conftest import CONFIG
from tests.people import NOW, add_consent, add_customer
from tests.providers.conftest import Served

if TYPE_CHECKING:
    from engine.app import App

BIRTHDAY = """
id = "birthday"
name = "Geburtstag"
kind = "birthday"
advertises = ["*"]

[trigger]
on = "birthday"

[start]
from = 2026-11-01

[message]
subject = "Alles Gute, {{ customer.first_name or 'Du' }}!"
body = "{{ greeting }}, alles Gute."
"""

SERVICE = """
id = "service"
name = "Wartung"
kind = "service_reminder"
advertises = ["service"]

[trigger]
on = "service_due"

[start]
from = 2026-11-01

[message]
subject = "Wartung"
body = "{{ greeting }}, fällig: {% for thing in items %}{{ thing.name }} {% endfor %}"
"""

MESSAGES: sa.Table = Message.__table__  # type: ignore[attr-defined]
ATTEMPTS: sa.Table = Attempt.__table__  # type: ignore[attr-defined]
BODIES: sa.Table = MessageBody.__table__  # type: ignore[attr-defined]
EVENTS: sa.Table = MessageEvent.__table__  # type: ignore[attr-defined]


def real_config(served: Served, **provider: Any) -> str:
    """Return a config that sends through a double."""
    key = served.double.book.with_name("api.key")
    key.write_text("xkeysib-test", encoding="utf-8")
    key.chmod(0o600)
    settings = {"use": "brevo", "base_url": served.url, "api_key_file": str(key)} | provider
    lines = "\n".join(f"{name} = {json.dumps(value)}" for name, value in settings.items())
    web = '[web]\npublic_url = "https://post.radhaus-sommer.example.com"\n\n'
    plain = CONFIG.replace("max_per_minute = 100000\n", "") if "max_per_minute" in provider else CONFIG
    return plain.replace('use = "outbox"', lines).replace("[wording.", web + "[wording.", 1)


def add_birthdays(app: App, count: int, *, consent: bool = True) -> None:
    """Add customers whose birthday is today."""
    with app.database.write() as session:
        for number in range(count):
            born = NOW.date().replace(year=1980)
            customer = add_customer(
                session, str(number), f"k{number}@example.com", birthday=born, first_name=f"Kim{number}"
            )
            if consent:
                add_consent(session, customer)


def tick(app: App, now: datetime = NOW) -> SendReport:
    """Plan and send once."""
    planning.plan(app, now)
    return sending.send_due(app, stopped_at(now))


def send(app: App, now: datetime = NOW) -> SendReport:
    """Send what is planned."""
    return sending.send_due(app, stopped_at(now))


def rows(app: App, table: sa.Table = MESSAGES) -> list[Any]:
    """Return every row of a table, in order."""
    with app.database.read() as session:
        return list(session.connection().execute(sa.select(table).order_by(*table.primary_key.columns)))


def states(app: App) -> Counter[str]:
    """Count the messages by state."""
    return Counter(row.state.value for row in rows(app))


def later(minutes: int) -> datetime:
    """Return an instant after NOW."""
    return NOW + timedelta(minutes=minutes)


def put_state(app: App, ids: list[int], way: list[State], **values: Any) -> None:
    """Bring messages into a state by allowed steps, behind the program's back."""
    with app.database.write() as session:
        for state in way:
            session.connection().execute(
                sa.update(MESSAGES).where(MESSAGES.c.id.in_(ids)).values(state=state, **values)
            )
