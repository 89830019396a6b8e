"""The campaign language as pydantic fields: `after: SpanField` reads `"90 days"` and is a `Span` afterwards.

For the triggers, the config and the campaigns. Every alias takes the text of the file or a value that is read already;
what the grammar refuses comes out of pydantic as a `value_error` whose `ctx["error"]` is the
GrammarError.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from engine.domain.grammar import Cap, Span, UsualInterval, Weekdays, When, Window, parse_wait

Value = TypeVar("Value")

FROZEN = ConfigDict(frozen=True, extra="forbid", strict=True, serialize_by_alias=True)
"""How every table of config.toml and of a campaign is read: no unknown keys, no guessing of types."""


def _reader(kind: type[Value], parse: Callable[[str], Value]) -> PlainValidator:
    def read(value: object) -> Value:
        if isinstance(value, kind):
            return value
        if not isinstance(value, str):
            raise PydanticCustomError("string_type", "Input should be a valid string")
        return parse(value)

    return PlainValidator(read)


def _length_or_multiple(text: str) -> Span | UsualInterval:
    return UsualInterval.parse(text) if "x" in text or "×" in text or "usual" in text else Span.parse(text)


def _schema(*examples: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "examples": list(examples)})


def _lowered(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.strip().lower() for text in values if text.strip()))


_AS_TEXT = PlainSerializer(str, return_type=str)

SpanField = Annotated[Span, _reader(Span, Span.parse), _AS_TEXT, _schema("3 days", "2 weeks", "12 months", "2 hours")]
WaitField = Annotated[
    timedelta,
    _reader(timedelta, parse_wait),
    PlainSerializer(lambda wait: f"{wait // timedelta(seconds=1)} seconds", return_type=str),
    _schema("15 minutes", "90 seconds", "2 hours"),
]
WhenField = Annotated[
    When, _reader(When, When.parse), _AS_TEXT, _schema("on the day", "3 days before", "1 day after", "2 hours after")
]
CapField = Annotated[Cap, _reader(Cap, Cap.parse), _AS_TEXT, _schema("1 per 30 days", "4 per 12 months")]
WindowField = Annotated[Window, _reader(Window, Window.parse), _AS_TEXT, _schema("09:00-18:00")]
WeekdaysField = Annotated[Weekdays, _reader(Weekdays, Weekdays.parse), _AS_TEXT, _schema("Mon-Sat", "Mon,Wed,Fri")]
AfterField = Annotated[
    Span | UsualInterval,
    _reader((Span, UsualInterval), _length_or_multiple),
    _AS_TEXT,
    _schema("90 days", "2.5 x usual interval"),
]
"""`lapsed.after`: a span, or a multiple of the usual interval."""

Texts = Annotated[tuple[str, ...], Field(strict=False)]
"""A list of texts, as they are written."""

Tags = Annotated[tuple[str, ...], Field(strict=False), AfterValidator(_lowered)]
"""A list of tags, categories or types: compared in lower case, each once."""
