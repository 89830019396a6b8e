"""What all webhooks have in common: who may speak is proved on the raw bytes, before anything in them is read.

Whatever comes is distrusted: any bytes end in news, `Forged` or `Unreadable`, and in nothing else.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

Headers = Mapping[str, str]
"""A request's headers; their names in lower case."""
MOST_BYTES = 1024 * 1024
LONGEST_DETAIL = 300
_LONGEST_ID = 200
_ADDRESS = re.compile(r"[^\s<>\"'(),;:]+@[^\s<>\"'(),;:]+")


class Forged(Exception):
    """Whoever sent this could not prove to be the provider. It changes nothing."""


class Unreadable(Exception):
    """The provider sent what is none of its own events."""


def check_shared_secret(headers: Headers, secret: str) -> None:
    """Let in whoever shows one of the secrets (separated by spaces): as a bearer token, or as user:password.

    Raise Forged otherwise, in a time that does not tell how much of it was right. Without a secret nobody is let in.
    """
    scheme, _, value = headers.get("authorization", "").partition(" ")
    shown = {"bearer": value.strip().encode("utf-8", "replace"), "basic": _decoded(value)}.get(scheme.lower(), b"")
    # A sum looks at all of them, where `any` would stop at the first.
    if not sum(hmac.compare_digest(shown, one.encode()) for one in secret.split()):
        raise Forged("the shared secret is missing or wrong")


def check_size(raw: bytes) -> None:
    """Refuse a body no webhook of any provider has."""
    if len(raw) > MOST_BYTES:
        raise Unreadable(f"{len(raw)} bytes; {MOST_BYTES} are the most")


def loaded(raw: bytes) -> list[dict[str, Any]]:
    """Return the events in a body: one JSON object, or an array of them."""
    check_size(raw)
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Unreadable("no JSON") from error
    events = document if isinstance(document, list) else [document]
    if not all(isinstance(event, dict) for event in events):
        raise Unreadable("no JSON object")
    return events


def plain(value: object, longest: int = _LONGEST_ID) -> str:
    """Return a value as one line of printable text that any store can keep; "" where it is neither text nor number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    text = str(value)[: longest * 2].encode("utf-8", "replace").decode()
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:longest]


def detail(*values: object) -> str:
    """Return what was said about an event, without the addresses in it: it outlives them."""
    told = " ".join(part for part in (plain(value, LONGEST_DETAIL) for value in values) if part)
    return _ADDRESS.sub("<address>", told)[:LONGEST_DETAIL]


def our_id(*values: object) -> str:
    """Return the first of these that has the form of our message ids; "" where none has."""
    for value in values:
        text = plain(value)
        try:
            if str(UUID(text)) == text.lower():
                return text.lower()
        except ValueError:
            continue
    return ""


def instant(value: object) -> datetime | None:
    """Return an instant: ISO text (UTC where it names no zone), or milliseconds since 1970."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000, UTC)
        found = datetime.fromisoformat(plain(value))
        return (found.replace(tzinfo=UTC) if found.tzinfo is None else found).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def fingerprint(*values: object) -> str:
    """Return the same id for the same event, where the provider gives it none."""
    return hashlib.sha256(json.dumps([plain(value, 2000) for value in values]).encode()).hexdigest()


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""
