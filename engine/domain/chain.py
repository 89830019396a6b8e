"""The consent log's hash chain: one event follows another, and none can be changed, left out or moved unseen.

An event is written as canonical JSON (sorted keys, no blanks, UTF-8, NFC, only texts, whole numbers, booleans and
null; with these it equals RFC 8785) and hashed together with the hash before it. Personal data stays outside: the
event only holds a commitment to it, which says nothing once the data and its salt are erased.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from json.encoder import encode_basestring as _quote
from typing import Any
from unicodedata import is_normalized, normalize

Value = str | int | bool | None

GENESIS = "0" * 64
"""What stands before the first event."""
_LEAF = b"\x00"


def canonical(content: Mapping[str, Value]) -> str:
    """Return the one way in which this content is written."""
    plain = {_plain(name): _plain(value) for name, value in content.items()}
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _plain(value: Value) -> Value:
    if isinstance(value, str):
        return text(value)
    if value is None or isinstance(value, bool | int):
        return value
    raise TypeError(f"{value!r} has no canonical form: only texts, whole numbers, booleans and null have one")


def text(value: str) -> str:
    """Return a text in NFC: an umlaut is one letter, however it was typed."""
    return value if value.isascii() or is_normalized("NFC", value) else normalize("NFC", value)


def instant(at: datetime | None) -> str | None:
    """Return an instant as it stands in an event: UTC, to the second, or to the microsecond where it has any."""
    if at is None:
        return None
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat()}Z"


def link(before: str, body: str) -> str:
    """Return the hash of an event that follows the event with the hash `before`."""
    return sha256(_LEAF + bytes.fromhex(before) + body.encode("utf-8", "surrogateescape")).hexdigest()


def commitment(salt: str, content: str) -> str:
    """Return what an event holds of personal data: it fits no other data, and tells nothing without the salt."""
    return hmac.digest(bytes.fromhex(salt), content.encode("utf-8", "surrogateescape"), "sha256").hex()


def frame(names: Iterable[str]) -> str:
    """Return the frame of contents with these names; `%` fills in the values as `written`, in the names' sorted order.

    It makes what `canonical` makes, many times faster.
    """
    return ",".join(f"{_quote(name)}:%s" for name in sorted(names)).join("{}")


def written(value: Value) -> str:
    """Return one value as it stands in canonical JSON; a KeyError where it has no place there."""
    return _WRITTEN[type(value)](value)


def _quoted(value: str) -> str:
    return _quote(value if value.isascii() else text(value))


_WRITTEN: dict[type, Callable[[Any], str]] = {
    str: _quoted,
    bool: lambda value: "true" if value else "false",
    int: int.__repr__,
    type(None): lambda _value: "null",
}
