"""The brake that nobody has to pull: too many complaints, a flood of noes, or refusals for our sake stop advertising.

It is looked at after news that could have changed it. Mails that are owed go on. Only the owner lets advertising go on
again (`treuepost resume --all`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from engine.domain import bounces, complaints
from engine.domain.bounces import Bounce
from engine.domain.complaints import Brake, Mood
from engine.domain.news import NOES, DeliveryNews, NewsKind
from engine.steps.shop import Premises
from engine.store import delivery_events, pauses
from engine.store.database import Database


@dataclass(frozen=True, slots=True)
class Figures:
    """What was told and sent lately: complaints of seven days, noes of an hour, refusals for our sake of a day."""

    complaints: int = 0
    sent_in_week: int = 0
    noes: int = 0
    refused: int = 0
    sent_in_day: int = 0
    complained_at: datetime | None = None


def after(shop: Premises, news: Sequence[DeliveryNews], now: datetime) -> list[Brake]:
    """Stop advertising where these news were one too many; return what was newly found too much.

    Only what they are about is weighed: what the owner has let go on is not stopped again by something else.
    """
    about = {brake for one in news for brake in _touched(one)}
    pulled = about & set(_too_much(figures(shop.database, now))) if about else set()
    if not pulled:
        return []
    with shop.database.write() as session:
        return [brake for brake in sorted(pulled) if pauses.pause(session, pauses.brake_name(brake), now)]


def _touched(one: DeliveryNews) -> Iterator[Brake]:
    """Yield the brakes that a piece of news can pull."""
    if one.kind in NOES:
        yield Brake.FLOOD
    if one.kind is NewsKind.COMPLAINED:
        yield Brake.COMPLAINTS
    if bounces.about_news(one) is Bounce.POLICY:
        yield Brake.POLICY


def figures(database: Database, now: datetime) -> Figures:
    """Count what was told and sent lately."""
    with database.read() as session:
        told = delivery_events.lately(session, now - complaints.WITHIN, now)
        sent = delivery_events.sent_since(session, now - complaints.WITHIN)
        day = delivery_events.sent_since(session, now - complaints.SENT_WITHIN)
    complained = [one for one in told if one.kind == NewsKind.COMPLAINED]
    hour, yesterday = now - complaints.HOUR, now - complaints.SENT_WITHIN
    policy = {
        one.message
        for one in told
        if one.received_at > yesterday and bounces.about(one.kind, one.detail) is Bounce.POLICY
    }
    return Figures(
        complaints=len({one.message for one in complained}),
        sent_in_week=sent,
        noes=sum(one.received_at > hour and one.kind in NOES for one in told),
        refused=len(policy),
        sent_in_day=day,
        complained_at=max((one.received_at for one in complained), default=None),
    )


def _too_much(found: Figures) -> list[Brake]:
    is_true = {
        Brake.COMPLAINTS: complaints.mood(found.complaints, found.sent_in_week) is Mood.STOP,
        Brake.FLOOD: complaints.is_flood(found.noes, found.sent_in_day),
        Brake.POLICY: complaints.is_unwanted(found.refused, found.sent_in_day),
    }
    return [brake for brake, true in is_true.items() if true]
