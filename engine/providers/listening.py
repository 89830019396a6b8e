"""The registry of those who tell us news: one file each, and one line here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Protocol

from engine.domain.news import DeliveryNews
from engine.providers import brevo_events, postmark_events, resend_events
from engine.providers.incoming import Headers


class Reader(Protocol):
    """What each of these modules offers."""

    def verify(self, raw: bytes, headers: Headers, secret: str, now: datetime) -> None:
        """Raise Forged unless the provider itself sent these bytes now; nothing in them is read."""

    def read(self, raw: bytes, headers: Headers) -> list[DeliveryNews]:
        """Return the events in the bytes; raise Unreadable where they are none of this provider's."""


READERS: Mapping[str, Reader] = MappingProxyType(
    {"brevo": brevo_events, "postmark": postmark_events, "resend": resend_events}
)
"""Provider -> the module that reads its webhooks. The others send none."""
