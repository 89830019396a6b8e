"""Postmark's webhooks: one event each, told apart by `RecordType`; no signature, an id only for bounces."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from engine.domain.news import DeliveryNews, NewsKind
from engine.providers.incoming import Headers, check_shared_secret, detail, fingerprint, instant, loaded, our_id, plain

_LASTING = frozenset({"HardBounce", "BadEmailAddress", "ManuallyDeactivated"})
_PASSING = frozenset(
    {"SoftBounce", "Transient", "DnsError", "Blocked", "DMARCPolicy", "SMTPApiError", "TemplateRenderingFailed"}
)
_COMPLAINTS = frozenset({"SpamNotification", "SpamComplaint"})
_TIMES = ("DeliveredAt", "BouncedAt", "ReceivedAt", "ChangedAt")
_KINDS: Mapping[str, NewsKind] = MappingProxyType(
    {
        "Delivery": NewsKind.DELIVERED,
        "Open": NewsKind.OPENED,
        "Click": NewsKind.CLICKED,
        "SpamComplaint": NewsKind.COMPLAINED,
    }
)


def verify(raw: bytes, headers: Headers, secret: str, now: datetime) -> None:  # noqa: ARG001  (every provider is asked alike)
    """Raise Forged unless the request shows the shared secret."""
    check_shared_secret(headers, secret)


def read(raw: bytes, headers: Headers) -> list[DeliveryNews]:  # noqa: ARG001  (every provider is asked alike)
    """Return the events in a body; raise Unreadable if it has none."""
    return [_news(event) for event in loaded(raw)]


def _news(event: Mapping[str, Any]) -> DeliveryNews:
    word = plain(event.get("RecordType"))
    when = next((event[name] for name in _TIMES if event.get(name)), None)
    metadata = event.get("Metadata")
    what = (event.get("ID"), event.get("Type"), event.get("OriginalLink"), event.get("SuppressSending"))
    return DeliveryNews(
        kind=_kind(word, event),
        event_id=fingerprint(word, event.get("MessageID"), when, *what),
        message_id=our_id(metadata.get("mid")) if isinstance(metadata, dict) else "",
        provider_id=plain(event.get("MessageID")),
        at=instant(plain(when)),
        detail=detail(
            word, event.get("Type"), event.get("SuppressionReason"), event.get("Description"), event.get("Details")
        ),
    )


def _kind(word: str, event: Mapping[str, Any]) -> NewsKind:
    kind = plain(event.get("Type"))
    if word == "SubscriptionChange":
        return _change(event)
    if word == "Bounce":
        if kind in _LASTING:
            return NewsKind.BOUNCED
        if kind in _COMPLAINTS:
            return NewsKind.COMPLAINED
        if kind == "Unsubscribe":
            return NewsKind.UNSUBSCRIBED
        return NewsKind.DEFERRED if kind in _PASSING else NewsKind.OTHER
    return _KINDS.get(word, NewsKind.OTHER)


def _change(event: Mapping[str, Any]) -> NewsKind:
    """Say what a changed subscription means. Whoever is taken back on is not written to by us for that alone."""
    if event.get("SuppressSending") is not True:
        return NewsKind.OTHER
    reasons = {"HardBounce": NewsKind.BOUNCED, "SpamComplaint": NewsKind.COMPLAINED}
    return reasons.get(plain(event.get("SuppressionReason")), NewsKind.UNSUBSCRIBED)
