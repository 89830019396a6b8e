"""A shop for planning: a store, a config and campaign files, read as the program reads them, without a provider."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from engine.campaigns.loading import load_campaigns
from engine.campaigns.model import Campaign
from engine.config.loading import Config
from engine.steps import planning
from engine.store import installation
from engine.store.database import Database
from engine.store.message_tables import Enrolment, Message, MessageEvent
from engine.store.tables import Customer
from tests.people import INSTALLATION, NOW
from tests.steps.premises import write_config

BERLIN = ZoneInfo("Europe/Berlin")
MESSAGE = '[message]\nsubject = "Hallo"\nbody = "Hallo"\n'


@dataclass(frozen=True)
class PlannedShop:
    config: Config
    database: Database
    campaigns: tuple[Campaign, ...]
    installation: UUID
    rehearsal: bool = False

    def plan(self, now: datetime) -> planning.PlanReport:
        return planning.plan(self, now)

    def messages(self, *extra: str) -> list[Any]:
        return planned(self.database, *extra)


def open_shop(database: Database, home: Path, *campaigns: str, rehearsal: bool = False, zone: str = "") -> PlannedShop:
    folder = home / "campaigns"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for index, text in enumerate(campaigns):
        (folder / f"{index}.toml").write_text(text, encoding="utf-8")
    config = write_config(home, zone=zone)
    with database.write() as session:
        installation.ensure(session, NOW)
    return PlannedShop(config, database, load_campaigns(folder, config), INSTALLATION, rehearsal)


def planned(database: Database, *extra: str) -> list[Any]:
    message, enrolment, customer = Message.__table__, Enrolment.__table__, Customer.__table__  # type: ignore[attr-defined]
    names = ("step", "due", "state", *extra)
    select = (
        sa.select(customer.c.customer_id, enrolment.c.occasion, *(message.c[name] for name in names))
        .join(enrolment, enrolment.c.id == message.c.enrolment_id)
        .join(customer, customer.c.id == message.c.customer_id)
        .order_by(message.c.due, customer.c.customer_id, enrolment.c.occasion, message.c.step_index)
    )
    with database.read() as session:
        return [tuple(row) for row in session.connection().execute(select)]


def events(database: Database) -> list[tuple[str, str, str, str]]:
    table = MessageEvent.__table__  # type: ignore[attr-defined]
    select = sa.select(table.c.before, table.c.after, table.c.actor, table.c.reason).order_by(table.c.id)
    with database.read() as session:
        return [tuple(row) for row in session.connection().execute(select)]


def morning(day: date, zone: ZoneInfo = BERLIN) -> datetime:
    return datetime.combine(day, time(9), zone).astimezone(UTC)


def campaign(
    trigger: str, more: str = "", *, name: str = "test", kind: str = "newsletter", steps: str = MESSAGE
) -> str:
    return f'id = "{name}"\nkind = "{kind}"\n[trigger]\n{trigger}\n{more}\n{steps}'
