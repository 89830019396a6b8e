"""What is wrong with a single value: pydantic's error types as sentences, with a code, and what to write instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zoneinfo import available_timezones

from pydantic_core import ErrorDetails

from engine.domain.grammar import quoted
from engine.domain.permission import KINDS
from engine.toml.faults import Say
from engine.toml.source import suggest

Described = tuple[str, str, str]
"""Code, message, help."""


def describe(detail: ErrorDetails, say: Say) -> Described:
    """Return code, message and remedy for one of pydantic's errors."""
    handler = _HANDLERS.get(detail["type"])
    if handler:
        return handler(detail, say)
    if detail["type"] in _TYPES:
        wanted = say(_TYPES[detail["type"]])
        return (
            "E104",
            say("this is %(found)s; it must be %(wanted)s", wanted=wanted, found=_kind(detail["input"], say)),
            "",
        )
    if detail["type"] in _LIMITS:
        return _beyond(detail, say)
    return "E109", say(detail["msg"].removeprefix("Value error, ")), ""


_TYPES = {
    "string_type": "text in quotes",
    "int_type": "a whole number without quotes",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "date_type": "a date like 2026-12-01, without quotes",
    "date_from_datetime_inexact": "a date like 2026-12-01, without quotes",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "tuple_type": "a list in [brackets]",
    "list_type": "a list in [brackets]",
    "frozen_set_type": "a list in [brackets]",
}
_LIMITS = {
    "greater_than_equal": "%(value)s is too small; at least %(limit)s",
    "greater_than": "%(value)s is too small; more than %(limit)s",
    "less_than_equal": "%(value)s is too large; at most %(limit)s",
    "less_than": "%(value)s is too large; less than %(limit)s",
    "string_too_short": "this is empty",
    "string_too_long": "this is too long; at most %(limit)s characters",
    "too_short": "this list is empty",
    "too_long": "this list is too long; at most %(limit)s",
}
_NAMES = {
    str: "a text",
    bool: "true or false",
    int: "a number",
    float: "a decimal number",
    dict: "a table",
    list: "a list",
    tuple: "a list",
}


def _kind(value: object, say: Say) -> str:
    return say(_NAMES.get(type(value), "a date"))


def _beyond(detail: ErrorDetails, say: Say) -> Described:
    context: dict[str, Any] = detail.get("ctx", {})
    names = ("ge", "gt", "le", "lt", "max_length", "min_length")
    limit = next((context[name] for name in names if name in context), "")
    shown = str(detail["input"])
    value = shown if len(shown) <= 30 else f"{shown[:30]}…"
    return "E105", say(_LIMITS[detail["type"]], value=value, limit=limit), ""


def _choice(detail: ErrorDetails, say: Say) -> Described:
    context: dict[str, Any] = detail.get("ctx", {})
    expected = str(context.get("expected") or context.get("expected_tags", ""))
    allowed = [word.strip("'\" ") for word in expected.replace(" or ", ", ").split(", ")]
    word = context.get("tag") or detail["input"]
    message = say("%(value)s is not one of the allowed values", value=quoted(str(word)))
    meant = suggest(word, allowed, say) if isinstance(word, str) else ""
    listed = say("allowed: %(words)s", words=", ".join(f'"{word}"' for word in allowed))
    return "E103", message, f"{meant} · {listed}" if meant else listed


def _no_tag(_detail: ErrorDetails, say: Say) -> Described:
    return "E102", say("`on` is missing"), say("allowed: %(words)s", words=", ".join(f'"{word}"' for word in TRIGGERS))


TRIGGERS = ("birthday", "lapsed", "service_due", "purchase")


def _zone(detail: ErrorDetails, say: Say) -> Described:
    word = str(detail["input"])
    zones = available_timezones()
    meant = suggest(word, zones, say) or suggest(word, {zone.rpartition("/")[2] for zone in zones}, say)
    message = say("there is no time zone %(value)s", value=quoted(word))
    return "E105", message, meant or say('write it like "Europe/Berlin", "Europe/Vienna", "Europe/Zurich"')


def _kind_of_mail(detail: ErrorDetails, say: Say) -> Described:
    word = _word(detail)
    message = say("%(value)s is not a kind of mail", value=quoted(word))
    meant = suggest(word, KINDS, say)
    listed = say("allowed: %(words)s", words=", ".join(KINDS))
    return "E103", message, f"{meant} · {listed}" if meant else listed


def _word(detail: ErrorDetails) -> str:
    return str(detail.get("ctx", {}).get("word", detail["input"]))


def _no_text(sentence: str, remedy: str) -> Callable[[ErrorDetails, Say], Described]:
    def describe_it(detail: ErrorDetails, say: Say) -> Described:
        return "E105", say(sentence, value=quoted(_word(detail))), say(remedy) if remedy else ""

    return describe_it


def _template(detail: ErrorDetails, say: Say) -> Described:
    word = _word(detail)
    told = say("%(value)s is no template name: small letters, digits, -, _ and / inside templates/", value=quoted(word))
    stem = word.split("/")[-1].split("\\")[-1].split(".")[0].lower() or "birthday"
    return "E105", told, say('write for example "%(word)s", without .html', word=stem)


_HANDLERS: dict[str, Callable[[ErrorDetails, Say], Described]] = {
    "literal_error": _choice,
    "enum": _choice,
    "union_tag_invalid": _choice,
    "union_tag_not_found": _no_tag,
    "unknown_zone": _zone,
    "unknown_kind": _kind_of_mail,
    "no_address": _no_text(
        "%(value)s is not an e-mail address", 'write "name@example.com" or "Name <name@example.com>"'
    ),
    "no_web_address": _no_text("%(value)s is not a web address", "write it with https:// in front"),
    "no_door": _no_text("%(value)s is not HOST:PORT", 'write it like "127.0.0.1:8025"'),
    "control": _no_text("%(value)s holds a line break or an invisible character", ""),
    "string_pattern_mismatch": _no_text("%(value)s has not the right form", "config.example.toml shows every key"),
    "unknown_language": _no_text("%(value)s: a text is given in one of the languages de and en", ""),
    "no_id": _no_text("%(value)s is no id: small letters, digits, - and _, at most 64", ""),
    "no_template": _template,
}
