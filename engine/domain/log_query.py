"""The words of `treuepost log`: `campaign:birthday state:skipped since:7d anna`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from engine.domain.words import Reason, State
from engine.errors import UsageError

_AGO = re.compile(r"(\d+)(h|d|w)")
_HOURS = {"h": 1, "d": 24, "w": 168}
WORDS = ("campaign", "state", "reason", "customer", "email", "since", "until")


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which messages the log is asked for. Words of one kind add up; different kinds narrow each other."""

    campaigns: tuple[str, ...] = ()
    states: tuple[State, ...] = ()
    reasons: tuple[Reason, ...] = ()
    customers: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    texts: tuple[str, ...] = ()
    rehearsal: bool = False

    @classmethod
    def parse(cls, words: tuple[str, ...], now: datetime, zone: ZoneInfo, *, rehearsal: bool = False) -> LogQuery:
        """Read the words as they were typed; a word that says nothing is refused with what is allowed."""
        query = cls(rehearsal=rehearsal)
        for word in " ".join(words).split():
            name, colon, value = word.partition(":")
            if colon and name in WORDS:
                query = query._with(name, value, now, zone)
            elif colon and name.isalpha() and "@" not in word:
                raise UsageError(f'"{name}:" is no word of the log.', f"Allowed: {', '.join(f'{w}:' for w in WORDS)}.")
            else:
                query = replace(query, texts=(*query.texts, word))
        return query

    def _with(self, name: str, value: str, now: datetime, zone: ZoneInfo) -> LogQuery:
        if not value:
            raise UsageError(f'"{name}:" needs a value right behind the colon.', f"Like {name}:{_EXAMPLES[name]}")
        if name in {"since", "until"}:
            instant = _instant(name, value, now, zone)
            return replace(self, since=instant) if name == "since" else replace(self, until=instant)
        match name:
            case "campaign":
                return replace(self, campaigns=(*self.campaigns, value))
            case "state":
                return replace(self, states=(*self.states, _state(value)))
            case "reason":
                return replace(self, reasons=(*self.reasons, _reason(value)))
            case "customer":
                return replace(self, customers=(*self.customers, value))
            case _:
                return replace(self, emails=(*self.emails, value))


_EXAMPLES = {
    "campaign": "birthday",
    "state": "sent",
    "reason": "no_consent",
    "customer": "11000",
    "email": "anna@example.com",
    "since": "7d",
    "until": "2026-12-31",
}


def _state(value: str) -> State:
    try:
        return State(value)
    except ValueError:
        raise UsageError(f'"{value}" is no state.', f"Allowed: {', '.join(State)}.") from None


def _reason(value: str) -> Reason:
    try:
        return Reason(value)
    except ValueError:
        raise UsageError(f'"{value}" is no reason.', f"Allowed: {', '.join(Reason)}.") from None


def _instant(name: str, value: str, now: datetime, zone: ZoneInfo) -> datetime:
    """Read `7d`, an instant, or a day: its first instant, and for `until` the first of the day after."""
    try:
        if ago := _AGO.fullmatch(value):
            return now - timedelta(hours=int(ago[1]) * _HOURS[ago[2]])
        if len(value) == len("2026-12-31"):
            day = date.fromisoformat(value) + timedelta(days=int(name == "until"))
            return datetime.combine(day, time(), zone).astimezone(UTC)
        instant = datetime.fromisoformat(value)
        return (instant if instant.tzinfo else instant.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(f'"{name}:{value}" is no time.', "Like 12h, 7d, 4w, 2026-12-31 or 2026-12-31T09:00.") from None
