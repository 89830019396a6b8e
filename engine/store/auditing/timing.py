"""No mail left too early, too late, at night, outside its campaign's hours or more often than the shop has promised."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain.calendar import is_open, local_day, local_time
from engine.domain.gates import free_on
from engine.domain.grammar import EVERY_DAY, Cap, Window
from engine.domain.permission import is_advertising
from engine.domain.states import MAY_HAVE_LEFT
from engine.store.auditing.contract import (
    ATTEMPTS,
    CALLED,
    LAST_CALL,
    LEFT_AT,
    MESSAGES,
    STATE,
    Ground,
    Hours,
    Violation,
    asked,
)
from engine.store.tables import Customer

_CUSTOMERS: sa.Table = Customer.__table__  # type: ignore[attr-defined]
_ALWAYS = Hours(Window.parse("00:00-24:00"), EVERY_DAY)


def early_or_late(session: Session, _ground: Ground) -> Iterator[Violation]:
    """Find calls begun before their mail was to go, or after it was too late."""
    early = sa.select(MESSAGES.c.message_id, MESSAGES.c.send_after, LAST_CALL.label("at")).where(
        STATE.in_(sorted(CALLED)), MESSAGES.c.send_after > LAST_CALL
    )
    for row in asked(session, early):
        yield Violation("time", row.message_id, f"called at {_utc(row.at)}, before {_utc(row.send_after)}")
    late = (
        sa.select(MESSAGES.c.message_id, MESSAGES.c.expires_at, ATTEMPTS.c.started_at)
        .join(ATTEMPTS, ATTEMPTS.c.message == MESSAGES.c.id)
        .where(ATTEMPTS.c.started_at >= MESSAGES.c.expires_at)
    )
    for row in asked(session, late):
        yield Violation(
            "time", row.message_id, f"called at {_utc(row.started_at)}, too late since {_utc(row.expires_at)}"
        )


def at_a_forbidden_hour(session: Session, ground: Ground) -> Iterator[Violation]:
    """Find calls in quiet hours, or outside the hours and weekdays of their campaign's file."""
    for call in asked(session, _calls()):
        hours = ground.hours.get(call.campaign_hash, _ALWAYS)
        quiet = ground.quiet if call.started_at >= ground.rules_since else None
        zone = ground.place(call.timezone)
        if not is_open(call.started_at, zone, hours.between, hours.days, quiet):
            yield Violation("hours", call.message_id, f"called on {call.started_at.astimezone(zone):%a %Y-%m-%d %H:%M}")


def _calls() -> sa.Select[Any]:
    return (
        sa.select(MESSAGES.c.message_id, MESSAGES.c.campaign_hash, _CUSTOMERS.c.timezone, ATTEMPTS.c.started_at)
        .join(ATTEMPTS, ATTEMPTS.c.message == MESSAGES.c.id)
        .join(_CUSTOMERS, _CUSTOMERS.c.id == MESSAGES.c.customer_id)
    )


def more_than_allowed(session: Session, ground: Ground) -> Iterator[Violation]:
    """Find mails to an address that had as many as it may get already."""
    if not ground.at_most and not any(hours.limit for hours in ground.hours.values()):
        return
    for _, mails in groupby(asked(session, _mails()), lambda mail: (mail.address_id, mail.rehearsal)):
        written: list[Any] = []
        for mail in mails:
            if cap := _over(mail, written, ground):
                yield Violation("cap", mail.message_id, f"{cap}, called on {local_time(mail.at, ground.zone)}")
            written.append(mail)


def _mails() -> sa.Select[Any]:
    names = ("message_id", "address_id", "rehearsal", "campaign", "campaign_hash", "kind")
    at = sa.func.coalesce(LEFT_AT, MESSAGES.c.sent_at, MESSAGES.c.first_call_at).label("at")
    return (
        sa.select(*(MESSAGES.c[name] for name in names), _CUSTOMERS.c.timezone, at)
        .join(_CUSTOMERS, _CUSTOMERS.c.id == MESSAGES.c.customer_id)
        .where(STATE.in_(sorted(MAY_HAVE_LEFT)), MESSAGES.c.address_id.is_not(None), at.is_not(None))
        .order_by(MESSAGES.c.address_id, MESSAGES.c.rehearsal, at, MESSAGES.c.id)
    )


def _over(mail: Any, written: Sequence[Any], ground: Ground) -> Cap | None:
    """Return the cap that left no room for this mail; None where all did."""
    zone = ground.place(mail.timezone)
    hours = ground.hours.get(mail.campaign_hash)
    own = [one.at for one in written if one.campaign == mail.campaign]
    if hours and hours.limit and _full(hours.limit, own, zone, mail.at):
        return hours.limit
    if not is_advertising(mail.kind) or mail.at < ground.rules_since:
        return None
    advertised = [one.at for one in written if is_advertising(one.kind)]
    return next((cap for cap in ground.at_most if _full(cap, advertised, zone, mail.at)), None)


def _full(cap: Cap, written: Sequence[datetime], zone: ZoneInfo, at: datetime) -> bool:
    day = free_on(cap, written, zone, at)
    return day is not None and day > local_day(at, zone)


def _utc(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%S}Z"
