"""Days and instants as people write them: ISO and TT.MM.JJJJ just work, everything else needs to be told.

`--date-format` takes `D/M/YYYY`, `TT.MM.JJJJ`, `%d/%m/%y` or `excel`; ISO is understood beside it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from engine.errors import UsageError
from engine.sources.faults import Unfit
from engine.sources.tables import shortened

EARLIEST = 1900
"""No day before this year is a customer's; what stands there is a filler or a slip."""
NOON = time(12)
"""The hour of a purchase of which only the day is known: the same local day in almost every zone."""

_CLOCK = r"(?:[T ]+(?P<H>\d{1,2}):(?P<I>\d{2})(?::(?P<S>\d{2})(?:[.,]\d+)?)?)?"
_ISO = re.compile(rf"(?P<Y>\d{{4}})-(?P<M>\d{{2}})-(?P<D>\d{{2}}){_CLOCK}\Z")
_DOTTED = re.compile(rf"(?P<D>\d{{1,2}})\.(?P<M>\d{{1,2}})\.(?P<Y>\d{{4}}){_CLOCK}\Z")
_NO_YEAR = re.compile(r"--(?P<M>\d{2})-(?P<D>\d{2})\Z")
_SLASHED = re.compile(r"(\d{1,2})([/.\-])(\d{1,2})\2(\d{4}|\d{2})(?:[T ].*)?\Z")
_SERIAL = re.compile(r"\d{4,6}(?:\.\d+)?\Z")
_EXCEL_ZERO = date(1899, 12, 30)
_EXCEL = "excel"
_PERCENT = {"%d": "D", "%m": "M", "%Y": "YYYY", "%y": "YY", "%H": "H", "%M": "I", "%S": "S"}
_ALLOWED = 'Use D, M and YYYY (or YY) like "D/M/YYYY" or "TT.MM.JJJJ", strptime\'s like "%d/%m/%Y", or "excel".'


@dataclass(frozen=True, slots=True)
class DateFormat:
    """One way to write a day: a pattern with the groups D, M, Y (or y for two digits), and the hours it may carry."""

    text: str
    pattern: re.Pattern[str] | None
    timed: bool = False

    @classmethod
    def parse(cls, text: str) -> DateFormat:
        """Read what `--date-format` says."""
        if text.strip().lower() == _EXCEL:
            return cls(_EXCEL, None)
        pattern, timed = _compiled(text)
        if not {"D", "M"} <= set(pattern.groupindex) or not {"Y", "y"} & set(pattern.groupindex):
            raise UsageError(f'--date-format "{text}" does not say where day, month and year stand.', _ALLOWED)
        return cls(text, pattern, timed)


def _compiled(text: str) -> tuple[re.Pattern[str], bool]:
    """Turn a format into a pattern; after an hour an M is minutes."""
    source, seen = "", set[str]()
    for part in re.findall(r"%.|[DdTt]+|[Mm]+|[YyJj]+|[Hh]+|[Ss]+|[Ii]+|.", text.strip()):
        group = _group(part, seen, text)
        if not group:
            source += r"[T ]+" if part == " " else re.escape(part)
            continue
        if group in seen:
            raise UsageError(f'--date-format "{text}" names a part twice.', _ALLOWED)
        seen.add(group)
        source += f"(?P<{group}>{ {'Y': r'[0-9]{4}', 'y': r'[0-9]{2}'}.get(group, r'[0-9]{1,2}') })"
    timed = "H" in seen
    return re.compile(source + ("" if timed else _CLOCK) + r"\Z"), timed


def _group(part: str, seen: set[str], text: str) -> str:
    if part.startswith("%"):
        if part not in _PERCENT:
            raise UsageError(f'--date-format "{text}": {part} is not known here.', _ALLOWED)
        part = _PERCENT[part]
    letter = part[0].upper()
    if letter not in "DTMYJHSI":
        return ""
    if letter in "YJ":
        return "Y" if len(part) == 4 else "y"
    if letter == "M" and "H" in seen:
        return "I"
    return {"T": "D"}.get(letter, letter)


@lru_cache(maxsize=50_000)
def read_day(text: str, told: DateFormat | None = None) -> date | None:
    """Return the local day a cell names; None for an empty one."""
    found = _parts(text.strip(), told)
    if found is None:
        return None
    day, clock = found
    if clock not in {None, time(0)}:
        raise Unfit(f"{_quoted(text)} has an hour; only the day belongs here")
    if day.year < EARLIEST:
        raise Unfit(f"{_quoted(text)} is before {EARLIEST}; leave the cell empty if the day is not known")
    return day


@lru_cache(maxsize=50_000)
def read_birthday(text: str, told: DateFormat | None, today: date) -> tuple[int, int | None] | None:
    """Return a birthday as month*100+day and the year where it is known; None for an empty cell."""
    bare = text.strip()
    yearless = _NO_YEAR.match(bare)
    if yearless:
        month, number = int(yearless["M"]), int(yearless["D"])
        _day(2000, month, number, bare)
        return month * 100 + number, None
    day = read_day(bare, told)
    if day is None:
        return None
    if day > today and told and told.pattern and "y" in told.pattern.groupindex:
        day = _day(day.year - 100, day.month, day.day, bare)
    if day > today:
        raise Unfit(f"{_quoted(bare)} lies in the future; nobody has been born then")
    return day.month * 100 + day.day, day.year


def read_instant(text: str, told: DateFormat | None, zone: ZoneInfo) -> datetime | None:
    """Return the instant a cell names, in UTC; without an offset it is the shop's time, without an hour noon there."""
    bare = text.strip()
    if not bare:
        return None
    instant = _iso_instant(bare)
    if instant is None:
        found = _parts(bare, told)
        if found is None:
            return None
        day, clock = found
        instant = datetime.combine(day, clock or NOON, zone)
    if instant.year < EARLIEST:
        raise Unfit(f"{_quoted(bare)} is before {EARLIEST}")
    try:
        return (instant if instant.tzinfo else instant.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError as error:
        raise Unfit(f"{_quoted(bare)}: no such date") from error


def names_only_a_day(text: str) -> bool:
    """Say whether a cell names a day without an hour."""
    return ":" not in text


def _iso_instant(bare: str) -> datetime | None:
    """Return a day with an hour in ISO form, with or without an offset; None for anything else."""
    if len(bare) < 16 or bare[4] != "-" or bare[7] != "-":
        return None
    try:
        return datetime.fromisoformat(bare)
    except ValueError:
        return None


def _parts(bare: str, told: DateFormat | None) -> tuple[date, time | None] | None:
    """Return the day and the hour of a cell, by the format we were told, else by the two that need no telling."""
    if not bare:
        return None
    if told and told.pattern is None and _SERIAL.match(bare):
        return _EXCEL_ZERO + timedelta(days=int(float(bare))), None
    patterns = (told.pattern, _ISO) if told and told.pattern else (_ISO, _DOTTED)
    for pattern in patterns:
        match = pattern.match(bare)
        if match:
            return _built(match, bare)
    raise Unfit(_unreadable(bare, told))


def _built(match: re.Match[str], bare: str) -> tuple[date, time | None]:
    parts = match.groupdict()
    year = int(parts["Y"]) if parts.get("Y") else _full_year(int(parts["y"]))
    day = _day(year, int(parts["M"]), int(parts["D"]), bare)
    if not parts.get("H"):
        return day, None
    try:
        return day, time(int(parts["H"]), int(parts.get("I") or 0), int(parts.get("S") or 0))
    except ValueError as error:
        raise Unfit(f"{_quoted(bare)}: there is no such time of day") from error


def _full_year(two_digits: int) -> int:
    return two_digits + (1900 if two_digits >= 69 else 2000)


def _day(year: int, month: int, number: int, bare: str) -> date:
    try:
        return date(year, month, number)
    except ValueError as error:
        raise Unfit(f"{_quoted(bare)}: no such date") from error


def _unreadable(bare: str, told: DateFormat | None) -> str:
    """Say why a cell is no day, and which option would make it one."""
    if told:
        return f"{_quoted(bare)} is not written as {told.text}"
    if _SERIAL.match(bare):
        return f"{_quoted(bare)} looks like a spreadsheet's day number; say --date-format excel if it is one"
    parts = _SLASHED.match(bare)
    if parts:
        return _ambiguous(bare, *parts.groups())
    return f"{_quoted(bare)} is not a date; write YYYY-MM-DD or TT.MM.JJJJ, or say --date-format"


def _ambiguous(bare: str, first: str, divider: str, second: str, year: str) -> str:
    years = "YYYY" if len(year) == 4 else "YY"
    day_first, month_first = (f"{order}{divider}{years}" for order in (f"D{divider}M", f"M{divider}D"))
    if divider == "." and len(year) == 2:
        return f"{_quoted(bare)} has a year of two digits; say --date-format {day_first}"
    if int(first) > 12 >= int(second):
        return f"{_quoted(bare)} needs telling; say --date-format {day_first}"
    if int(second) > 12 >= int(first):
        return f"{_quoted(bare)} needs telling; say --date-format {month_first}"
    return f"{_quoted(bare)} can be read two ways; say --date-format {day_first} or --date-format {month_first}"


def _quoted(text: str) -> str:
    return f'"{shortened(text, 30)}"'


def needs_telling(cell: str) -> bool:
    """Say whether a cell is not written in one of the ways that need no telling."""
    bare = cell.strip()
    return not any(pattern.match(bare) for pattern in (_ISO, _DOTTED, _NO_YEAR)) and _iso_instant(bare) is None
