"""Brevo's webhooks: one event or an array of them, no signature, no event id, one time that can be relied on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from engine.domain.news import DeliveryNews, NewsKind
from engine.providers.incoming import Headers, check_shared_secret, detail, fingerprint, instant, loaded, our_id, plain

_KINDS: Mapping[str, NewsKind] = MappingProxyType(
    {
        "request": NewsKind.ACCEPTED,
        "sent": NewsKind.ACCEPTED,
        "delivered": NewsKind.DELIVERED,
        "deferred": NewsKind.DEFERRED,
        "soft_bounce": NewsKind.DEFERRED,
        "hard_bounce": NewsKind.BOUNCED,
        "invalid_email": NewsKind.BOUNCED,
        "spam": NewsKind.COMPLAINED,
        "complaint": NewsKind.COMPLAINED,
        "unsubscribe": NewsKind.UNSUBSCRIBED,
        "unsubscribed": NewsKind.UNSUBSCRIBED,
        "opened": NewsKind.OPENED,
        "unique_opened": NewsKind.OPENED,
        "proxy_open": NewsKind.OPENED,
        "unique_proxy_open": NewsKind.OPENED,
        "click": NewsKind.CLICKED,
        "blocked": NewsKind.FAILED,
        "error": NewsKind.FAILED,
    }
)


def verify(raw: bytes, headers: Headers, secret: str, now: datetime) -> None:  # noqa: ARG001  (every provider is asked alike)
    """Raise Forged unless the request shows the shared secret."""
    check_shared_secret(headers, secret)


def read(raw: bytes, headers: Headers) -> list[DeliveryNews]:  # noqa: ARG001  (every provider is asked alike)
    """Return the events in a body; raise Unreadable if it has none."""
    return [_news(event) for event in loaded(raw)]


def _news(event: Mapping[str, Any]) -> DeliveryNews:
    tags = event.get("tags")
    word = plain(event.get("event"))
    host = urlsplit(plain(event.get("link"), 2000)).netloc if _is_url(event.get("link")) else ""
    return DeliveryNews(
        kind=_KINDS.get(word, NewsKind.OTHER),
        # `id` is the webhook's own; together these four are as good as an id.
        event_id=fingerprint(event.get("message-id"), word, event.get("ts_epoch"), event.get("link")),
        message_id=our_id(event.get("X-Mailin-custom"), *(tags if isinstance(tags, list) else ())),
        provider_id=plain(event.get("message-id")),
        at=instant(event.get("ts_epoch")),
        detail=detail(word, event.get("reason"), host),
    )


def _is_url(value: object) -> bool:
    try:
        return bool(urlsplit(plain(value, 2000)).netloc)
    except ValueError:
        return False
