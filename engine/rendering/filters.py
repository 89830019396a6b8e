"""The filters a template may use: dates, months, money, numbers and lists in the mail's own language, through Babel."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import lru_cache

from babel import Locale, dates, lists, numbers
from jinja2 import TemplateRuntimeError, Undefined

from engine.rendering.context import Amount, Record

LOCALES = {"de": Locale("de", "DE"), "en": Locale("en", "GB")}
LANGUAGES = tuple(LOCALES)
DATE_STYLES = {
    "de": {"short": "dd.MM.y", "long": "d. MMMM y", "full": "EEEE, d. MMMM y", "day": "d. MMMM", "weekday": "EEEE"},
    "en": {"short": "dd/MM/y", "long": "d MMMM y", "full": "EEEE, d MMMM y", "day": "d MMMM", "weekday": "EEEE"},
}
_SCHEMES = ("https://", "http://", "mailto:", "tel:")
Filter = Callable[..., object]


@lru_cache(maxsize=4096)
def format_day(day: date, style: str, language: str) -> str:
    """Write a day in words: `23. November 2026`, `23 November 2026`."""
    return dates.format_date(day, DATE_STYLES[language][style], locale=LOCALES[language])


@lru_cache(maxsize=4096)
def _format_month(day: date, language: str) -> str:
    return dates.format_date(day, "LLLL y", locale=LOCALES[language])


@lru_cache(maxsize=4096)
def _format_money(value: Decimal, currency: str, language: str) -> str:
    return numbers.format_currency(value, currency, locale=LOCALES[language])


@lru_cache(maxsize=4096)
def format_number(value: Decimal | int, language: str) -> str:
    """Write a number: `1.234,5`, `1,234.5`."""
    return numbers.format_decimal(value, locale=LOCALES[language])


def _wrong(name: str, wanted: str, value: object) -> TemplateRuntimeError:
    return TemplateRuntimeError(f"the filter `{name}` needs {wanted}, not {_shown(value)}")


def _shown(value: object) -> str:
    return repr(value) if isinstance(value, str | int | Decimal) else type(value).__name__


def _words(value: object) -> str:
    if isinstance(value, Record):
        value = value.field("name")
    if not isinstance(value, str):
        raise _wrong("list", "a list of words", value)
    return value


def filters(language: str, currency: str) -> dict[str, Filter]:
    """Return the closed set of filters for one language. An absent value passes through, so that `or` can catch it."""
    styles = DATE_STYLES[language]

    def day(value: object, style: str = "long") -> object:
        if style not in styles:
            raise TemplateRuntimeError(f"date style {style!r} is not known (known: {', '.join(styles)})")
        return format_day(_a_date("date", value), style, language)

    def month(value: object) -> object:
        return _format_month(_a_date("month", value), language)

    def money(value: object) -> object:
        return _format_money(Decimal(_a_number("money", value)), getattr(value, "currency", currency), language)

    def number(value: object) -> object:
        return format_number(_a_number("number", value), language)

    def enumeration(value: object) -> object:
        if not isinstance(value, tuple | list):
            raise _wrong("list", "a list", value)
        return lists.format_list([_words(word) for word in value], locale=LOCALES[language])

    own = {"date": day, "month": month, "money": money, "number": number, "list": enumeration}
    return {name: _unless_absent(convert) for name, convert in own.items()} | _plain_filters()


def _unless_absent(convert: Filter) -> Filter:
    def passing(value: object, *more: object, **named: object) -> object:
        return value if isinstance(value, Undefined) else convert(value, *more, **named)

    return passing


def _a_date(name: str, value: object) -> date:
    if not isinstance(value, date):
        raise _wrong(name, "a date", value)
    return value


def _a_number(name: str, value: object) -> Decimal | int:
    if isinstance(value, bool) or not isinstance(value, Decimal | int | Amount):
        raise _wrong(name, "a number", value)
    return value


def _plain_filters() -> dict[str, Filter]:
    return {
        "default": _default,
        "d": _default,
        "upper": lambda value: _text("upper", value).upper(),
        "lower": lambda value: _text("lower", value).lower(),
        "capitalize": lambda value: _text("capitalize", value).capitalize(),
        "trim": lambda value: _text("trim", value).strip(),
        "length": _length,
        "first": lambda value: _end("first", value, 0),
        "last": lambda value: _end("last", value, -1),
    }


def _default(value: object, instead: object = "") -> object:
    return instead if isinstance(value, Undefined) else value


def _text(name: str, value: object) -> str:
    if isinstance(value, Undefined):
        return str(value)  # an absent value says so
    if not isinstance(value, str):
        raise _wrong(name, "text", value)
    return value


def _length(value: object) -> int:
    if isinstance(value, Undefined):
        return 0
    if not isinstance(value, str | tuple | list):
        raise _wrong("length", "a list or text", value)
    return len(value)


def _end(name: str, value: object, index: int) -> object:
    if isinstance(value, Undefined) or not value:
        return value
    if not isinstance(value, tuple | list):
        raise _wrong(name, "a list", value)
    return value[index]


def web_link(value: object) -> object:
    """Let a value stand at the start of a link only if it is one: http(s), mailto or tel (never javascript:)."""
    if isinstance(value, Undefined):
        return value
    text = str(value)
    if text.lower().startswith(_SCHEMES):
        return text
    raise TemplateRuntimeError(f"a link must begin with https://, http://, mailto: or tel:, not {text[:40]!r}")
