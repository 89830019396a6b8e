"""The words campaigns are written in: spans, dates around a day, caps, windows, weekdays; each can be said back.

The parser is strict, so that no value means something the owner did not mean. What it refuses it refuses with the
forms that are allowed. Whole days and longer count local days; hours count from an instant.
"""

from __future__ import annotations

import math
import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, time, timedelta
from fractions import Fraction

from engine.domain import phrases

UNITS = ("hours", "days", "weeks", "months", "years")
_LONGEST = {"hours": 8784, "days": 36500, "weeks": 5200, "months": 1200, "years": 100}
_LIKELY = {
    "stunde": "hours",
    "stunden": "hours",
    "tag": "days",
    "tage": "days",
    "tagen": "days",
    "woche": "weeks",
    "wochen": "weeks",
    "monat": "months",
    "monate": "months",
    "jahr": "years",
    "jahre": "years",
    "h": "hours",
    "d": "days",
    "w": "weeks",
    "m": "months",
    "y": "years",
}
_WAITS = '"90 seconds", "15 minutes", "2 hours"'
_SPANS = '"3 days", "2 weeks", "12 months", "1 year", "2 hours"'


class GrammarError(ValueError):
    """A value says nothing this language knows.

    `pattern` is the sentence with its gaps, `values` fills them: a floor above can say it in the shop's language.
    """

    def __init__(self, pattern: str, **values: object) -> None:
        super().__init__(pattern % values)
        self.pattern = pattern
        self.values = values


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time in the owner's words: `3 days`, `2 weeks`, `12 months`, `2 hours`."""

    amount: int
    unit: str

    @classmethod
    def parse(cls, text: str) -> Span:
        """Read `"3 days"`; months and years are calendar months and years."""
        found = re.fullmatch(r"([0-9]{1,9})\s+([A-Za-z]+)", text.strip())
        if found is None:
            raise GrammarError(
                "%(text)s is not a length of time; write for example %(examples)s", **_shown(text, _SPANS)
            )
        unit = _unit(found[2], text)
        amount = int(found[1])
        if amount > _LONGEST[unit]:
            raise GrammarError(
                "%(text)s is too long; at most %(longest)s %(unit)s",
                text=quoted(text),
                longest=_LONGEST[unit],
                unit=unit,
            )
        return cls(amount, unit)

    @property
    def is_hours(self) -> bool:
        """Say whether this counts from an instant instead of in local days."""
        return self.unit == "hours"

    @property
    def hours(self) -> timedelta:
        """Return the length of a span that counts from an instant."""
        if not self.is_hours:
            raise ValueError(f"{self} counts local days, not hours")
        return timedelta(hours=self.amount)

    def after(self, day: date) -> date:
        """Return the local day this long after `day`; a month that is too short ends on its last day."""
        return self._moved(day, self.amount)

    def before(self, day: date) -> date:
        """Return the local day this long before `day`."""
        return self._moved(day, -self.amount)

    def _moved(self, day: date, amount: int) -> date:
        if self.unit == "days":
            return day + timedelta(days=amount)
        if self.unit == "weeks":
            return day + timedelta(weeks=amount)
        if self.is_hours:
            raise ValueError(f"{self} counts from an instant, not from a day")
        return _months_on(day, amount * (12 if self.unit == "years" else 1))

    def words(self, language: str) -> str:
        """Say it: `3 Tage`, `1 year`."""
        return phrases.amount(self.amount, self.unit, language)

    def __str__(self) -> str:
        return f"{self.amount} {self.unit[:-1] if self.amount == 1 else self.unit}"


def parse_wait(text: str) -> timedelta:
    """Read a wait between two questions: `90 seconds`, `15 minutes`, `2 hours`; at most a day."""
    found = re.fullmatch(r"([0-9]{1,5})\s+(second|minute|hour)s?", text.strip())
    wait = timedelta(**{f"{found[2]}s": int(found[1])}) if found else timedelta.max
    if wait > timedelta(days=1):
        raise GrammarError("%(text)s is not a length of time; write for example %(examples)s", **_shown(text, _WAITS))
    return wait


@dataclass(frozen=True, slots=True)
class When:
    """A date around the occasion: `3 days before`, `on the day`, `2 hours after`."""

    span: Span | None
    direction: str

    @classmethod
    def parse(cls, text: str) -> When:
        """Read `"on the day"`, or a span with `before` or `after`."""
        plain = " ".join(text.split())
        if plain == "on the day":
            return cls(None, "on")
        length, _, direction = plain.rpartition(" ")
        if direction not in {"before", "after"}:
            allowed = '"on the day", "3 days before", "1 day after", "2 hours after"'
            raise GrammarError(
                "%(text)s is not a date around the occasion; write %(examples)s", **_shown(text, allowed)
            )
        span = Span.parse(length)
        if span.is_hours and direction == "before":
            raise GrammarError('%(text)s: hours count from what happened, so only "… hours after"', text=quoted(text))
        return cls(span, direction)

    @property
    def is_hours(self) -> bool:
        """Say whether this counts from an instant instead of in local days."""
        return self.span is not None and self.span.is_hours

    def due(self, anchor: date) -> date:
        """Return the local day this falls on when the occasion is on `anchor`."""
        if self.span is None:
            return anchor
        return self.span.before(anchor) if self.direction == "before" else self.span.after(anchor)

    def words(self, language: str) -> str:
        """Say it: `3 Tage vorher`, `on the day`."""
        return phrases.around(self.span.words(language) if self.span else "", self.direction, language)

    def __str__(self) -> str:
        return "on the day" if self.span is None else f"{self.span} {self.direction}"


@dataclass(frozen=True, slots=True)
class UsualInterval:
    """So many times the customer's own usual interval between purchases."""

    factor: Fraction

    @classmethod
    def parse(cls, text: str) -> UsualInterval:
        """Read `"2.5 x usual interval"`."""
        found = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,3})?)\s*[x×]\s*usual\s+interval", text.strip())
        if found is None or not Fraction(found[1]):
            examples = '"2.5 x usual interval"'
            raise GrammarError(
                "%(text)s is not a multiple of the usual interval; write %(examples)s", **_shown(text, examples)
            )
        return cls(Fraction(found[1]))

    def days(self, usual: int) -> int:
        """Return the days this comes to for a customer who usually waits `usual` days, rounded up."""
        return math.ceil(self.factor * usual)

    def words(self, language: str) -> str:
        """Say it: `das 2,5-fache des üblichen Abstands`."""
        return phrases.multiple(self._number(), language)

    def _number(self) -> str:
        return f"{float(self.factor):g}"

    def __str__(self) -> str:
        return f"{self._number()} x usual interval"


@dataclass(frozen=True, slots=True)
class Cap:
    """How many mails one address may get in a span: `1 per 30 days`."""

    count: int
    per: Span

    @classmethod
    def parse(cls, text: str) -> Cap:
        """Read `"1 per 30 days"`; `"1 per day"` means one day."""
        found = re.fullmatch(r"([0-9]{1,4})\s+per\s+(.+)", " ".join(text.split()))
        if found is None or found[1].strip("0") == "":
            examples = '"1 per 30 days", "4 per 12 months"'
            raise GrammarError("%(text)s is not a limit; write for example %(examples)s", **_shown(text, examples))
        rest = found[2] if found[2][0].isdigit() else f"1 {found[2]}"
        span = Span.parse(rest)
        if span.is_hours or span.amount == 0:
            raise GrammarError("%(text)s: a limit counts days, weeks, months or years", text=quoted(text))
        return cls(int(found[1]), span)

    def words(self, language: str) -> str:
        """Say it: `höchstens 1 Mail in 30 Tagen`."""
        return phrases.cap(self.count, self.per.amount, self.per.unit, language)

    def __str__(self) -> str:
        return f"{self.count} per {self.per}"


@dataclass(frozen=True, slots=True)
class Window:
    """Hours of the day, start included, end not; it may pass midnight. `00:00-24:00` is the whole day."""

    start: time
    end: time

    @classmethod
    def parse(cls, text: str) -> Window:
        """Read `"09:00-18:00"`."""
        found = re.fullmatch(r"([0-9]{1,2}:[0-9]{2})\s*[-–]\s*([0-9]{1,2}:[0-9]{2})", text.strip())
        if found is None:
            examples = '"09:00-18:00"'
            raise GrammarError("%(text)s is not a pair of times; write %(examples)s", **_shown(text, examples))
        end_of_day = found[2] == "24:00"
        window = cls(_time(found[1], text), time(0) if end_of_day else _time(found[2], text))
        if window.start == window.end and not (window.is_whole_day and end_of_day):
            raise GrammarError('%(text)s is empty; the whole day is "00:00-24:00"', text=quoted(text))
        return window

    @property
    def is_whole_day(self) -> bool:
        """Say whether this never closes."""
        return self.start == self.end == time(0)

    @property
    def passes_midnight(self) -> bool:
        """Say whether the end lies on the next day."""
        return self.end < self.start and self.end != time(0)

    def __contains__(self, moment: time) -> bool:
        if self.passes_midnight:
            return moment >= self.start or moment < self.end
        return moment >= self.start and (self.end == time(0) or moment < self.end)

    def words(self, language: str) -> str:
        """Say it: `von 09:00 bis 18:00 Uhr`."""
        return phrases.hours(f"{self.start:%H:%M}", self._closing(), language)

    def _closing(self) -> str:
        return "24:00" if self.end == time(0) else f"{self.end:%H:%M}"

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self._closing()}"


class Weekdays(frozenset[int]):
    """Days of the week, Monday = 0: `Mon-Sat`, `Mon,Wed,Fri`."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Weekdays:
        """Read single days and ranges, separated by commas; a range may pass Sunday."""
        days: set[int] = set()
        for part in text.split(","):
            first, dash, last = (piece.strip() for piece in part.replace("–", "-").partition("-"))
            start = _weekday(first, text)
            end = _weekday(last, text) if dash else start
            days |= {(start + step) % 7 for step in range((end - start) % 7 + 1)}
        return cls(days)

    def words(self, language: str) -> str:
        """Say it: `Montag bis Samstag`."""
        return phrases.weekdays(sorted(self), language)

    def __str__(self) -> str:
        return phrases.short_weekdays(sorted(self))


EVERY_DAY = Weekdays(range(7))


def quoted(text: str, longest: int = 60) -> str:
    """Return `text` in quotes for a message, shortened, with control characters made visible."""
    shown = text if len(text) <= longest else text[: longest - 1] + "…"
    visible = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in shown)
    return f'"{visible}"'


def _shown(text: str, examples: str) -> dict[str, str]:
    return {"text": quoted(text), "examples": examples}


def _unit(word: str, text: str) -> str:
    for unit in UNITS:
        if word in {unit, unit[:-1]}:
            return unit
    likely = _LIKELY.get(word.lower()) or next((unit for unit in UNITS if unit.startswith(word.lower())), "")
    if likely:
        raise GrammarError('%(text)s: write the unit as "%(unit)s"', text=quoted(text), unit=likely)
    raise GrammarError("%(text)s: the unit is one of %(units)s", text=quoted(text), units=", ".join(UNITS))


def _time(clock: str, text: str) -> time:
    hour, minute = (int(part) for part in clock.split(":"))
    if hour > 23 or minute > 59:
        raise GrammarError("%(text)s: there is no %(clock)s o'clock; 00:00 to 24:00", text=quoted(text), clock=clock)
    return time(hour, minute)


def _weekday(word: str, text: str) -> int:
    if word in phrases.SHORT_DAYS:
        return phrases.SHORT_DAYS.index(word)
    raise GrammarError(
        "%(text)s is not a list of weekdays; write %(examples)s with %(days)s",
        **_shown(text, '"Mon-Sat", "Mon,Wed,Fri"'),
        days=", ".join(phrases.SHORT_DAYS),
    )


def _months_on(day: date, months: int) -> date:
    """Return the same day of the month so many months on; a month that is too short ends on its last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
