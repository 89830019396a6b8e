"""Resend's webhooks: one event each, signed as Svix does it, with an id of their own."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from engine.domain.news import DeliveryNews, NewsKind
from engine.providers.incoming import Forged, Headers, Unreadable, detail, instant, loaded, our_id, plain

TOLERANCE = timedelta(minutes=5)
"""How far the signed time may be from now: an older request is a replay."""
_KINDS: Mapping[str, NewsKind] = MappingProxyType(
    {
        "email.sent": NewsKind.ACCEPTED,
        "email.scheduled": NewsKind.ACCEPTED,
        "email.delivered": NewsKind.DELIVERED,
        "email.delivery_delayed": NewsKind.DEFERRED,
        "email.complained": NewsKind.COMPLAINED,
        "email.opened": NewsKind.OPENED,
        "email.clicked": NewsKind.CLICKED,
        "email.failed": NewsKind.FAILED,
    }
)


def verify(raw: bytes, headers: Headers, secret: str, now: datetime) -> None:
    """Raise Forged unless one of the signatures is ours over these very bytes, made within five minutes of now."""
    number, seconds = headers.get("svix-id", ""), headers.get("svix-timestamp", "")
    if not (number and seconds.isascii() and seconds.isdecimal() and len(seconds) <= 12):
        raise Forged("a signature's headers are missing")
    if abs(int(seconds) - now.timestamp()) > TOLERANCE.total_seconds():
        raise Forged("the signed time is not now")
    signed = f"{number}.{seconds}.".encode("utf-8", "replace") + raw
    right = [hmac.new(key, signed, hashlib.sha256).digest() for key in _keys(secret)]
    shown = _signatures(headers.get("svix-signature", ""))
    if not sum(hmac.compare_digest(one, other) for one in right for other in shown):
        raise Forged("no signature fits")


def _keys(secret: str) -> list[bytes]:
    """Return the signing keys (several, separated by spaces, while one replaces another)."""
    keys = [_decoded(one.removeprefix("whsec_")) for one in secret.split()]
    return [key for key in keys if key]


def _signatures(header: str) -> list[bytes]:
    return [_decoded(part.removeprefix("v1,")) for part in header.split() if part.startswith("v1,")][:10]


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def read(raw: bytes, headers: Headers) -> list[DeliveryNews]:
    """Return the event in a body; raise Unreadable if it is none."""
    events = loaded(raw)
    if len(events) != 1:
        raise Unreadable("not one event")
    event = events[0]
    data = _part(event, "data")
    kind, told = _kind(plain(event.get("type")), data)
    tags = data.get("tags")
    return [
        DeliveryNews(
            kind=kind,
            event_id=plain(headers.get("svix-id", "")),
            message_id=our_id(_tag(tags)),
            provider_id=plain(data.get("email_id")),
            at=instant(plain(event.get("created_at"))),
            detail=told,
        )
    ]


def _kind(word: str, data: Mapping[str, Any]) -> tuple[NewsKind, str]:
    """Return the kind, and what was said about it."""
    bounce, suppressed = _part(data, "bounce"), _part(data, "suppressed")
    if word == "email.bounced":
        lasting = bounce.get("type") == "Permanent"
        codes = bounce.get("diagnosticCode")
        said = " ".join(plain(code, 300) for code in codes) if isinstance(codes, list) else ""
        told = detail(word, bounce.get("type"), bounce.get("subType"), bounce.get("message"), said)
        return (NewsKind.BOUNCED if lasting else NewsKind.DEFERRED), told
    if word == "email.suppressed":
        complained = suppressed.get("reason") == "previous_complaint"
        told = detail(word, suppressed.get("reason"), suppressed.get("message"))
        return (NewsKind.COMPLAINED if complained else NewsKind.BOUNCED), told
    return _KINDS.get(word, NewsKind.OTHER), detail(word, _part(data, "failed").get("reason"))


def _part(whole: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = whole.get(name)
    return part if isinstance(part, dict) else {}


def _tag(tags: object) -> object:
    """Return our id from the tags: an object, or a list of names and values."""
    if isinstance(tags, list):
        pairs = [tag for tag in tags if isinstance(tag, dict)]
        return next((tag.get("value") for tag in pairs if tag.get("name") == "mid"), "")
    return tags.get("mid", "") if isinstance(tags, dict) else ""
