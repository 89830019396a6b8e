"""What a provider tells of a mail later on, as a value that is the same for every provider."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class NewsKind(StrEnum):
    """What happened to a mail after the call. These are events, not states: they come in any order."""

    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    DEFERRED = "deferred"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    OPENED = "opened"
    CLICKED = "clicked"
    FAILED = "failed"
    OTHER = "other"


PROOFS = frozenset(NewsKind) - {NewsKind.OTHER}
"""Kinds that show that the provider had taken the mail; of an event nobody knows, nothing is concluded."""
NOES = frozenset({NewsKind.BOUNCED, NewsKind.COMPLAINED, NewsKind.UNSUBSCRIBED})
"""Kinds after which the address is not written to any more. `bounced` is for good; what may pass is `deferred`."""


@dataclass(frozen=True, slots=True)
class DeliveryNews:
    """One event. It carries no address: whom it is about is known from our own message.

    `event_id` is the same whenever the same event is told; `message_id` is ours and empty where the provider does not
    know it; `at` is None where it does not say; `detail` has no address in it.
    """

    kind: NewsKind
    event_id: str
    message_id: str = ""
    provider_id: str = ""
    at: datetime | None = None
    detail: str = ""
