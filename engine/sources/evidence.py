"""What a file's first rows show: how its dates are ordered, whether its names are shouted, what its cells look like."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.domain.names import is_shouted
from engine.sources.dates import needs_telling

DATE_FIELDS = frozenset(
    {"birthday", "customer_since", "purchased_at", "notice_shown_at", "last_service_on", "next_service_on",
     "booked_for", "contract_from", "contract_until", "done_on", "at", "requested_at"}
)  # fmt: skip
NAME_FIELDS = frozenset({"first_name", "last_name"})
_NUMBERS = re.compile(r"(\d{1,2})([/.\-])(\d{1,2})\2(\d{4}|\d{2})(?!\d)")
_SERIAL = re.compile(r"\d{4,6}(?:\.\d+)?\Z")


@dataclass(slots=True)
class Sight:
    """What is seen of one column."""

    sample: str = ""
    filled: int = 0
    untold: int = 0
    shouted: int = 0
    serials: int = 0
    dividers: Counter[tuple[str, int]] = field(default_factory=Counter)
    first_above_12: int = 0
    second_above_12: int = 0

    def see(self, cell: str, name: str | None) -> None:
        """Take note of one cell of the column of this field."""
        if not cell.strip():
            return
        self.filled += 1
        self.sample = self.sample or cell.strip()
        if name in NAME_FIELDS:
            self.shouted += is_shouted(cell)
        elif name in DATE_FIELDS and needs_telling(cell):
            self._see_date(cell.strip())

    def _see_date(self, cell: str) -> None:
        self.untold += 1
        self.serials += bool(_SERIAL.match(cell))
        parts = _NUMBERS.match(cell)
        if parts:
            self.dividers[parts[2], len(parts[4])] += 1
            self.first_above_12 += int(parts[1]) > 12
            self.second_above_12 += int(parts[3]) > 12


@dataclass(frozen=True, slots=True)
class DateGuess:
    """How the dates of a file seem to be written: the format where the rows prove one, and why."""

    format: str | None
    because: str


def guess_dates(sights: Sequence[Sight]) -> DateGuess | None:
    """Return what the date columns show together; None where most of their cells need no telling."""
    telling = [sight for sight in sights if sight.untold * 2 >= sight.filled > 0 and sight.untold]
    if not telling:
        return None
    untold = sum(sight.untold for sight in telling)
    if sum(sight.serials for sight in telling) == untold:
        return DateGuess("excel", "numbers, as spreadsheets count days")
    dividers: Counter[tuple[str, int]] = sum((sight.dividers for sight in telling), Counter())
    if len(dividers) != 1:
        return DateGuess(None, "dates written in more than one way; say --date-format, or mend the column")
    (divider, digits) = next(iter(dividers))
    return _ordered(telling, divider, "Y" * digits)


def _ordered(telling: Sequence[Sight], divider: str, year: str) -> DateGuess:
    first = sum(sight.first_above_12 for sight in telling)
    second = sum(sight.second_above_12 for sight in telling)
    day_first, month_first = f"D{divider}M{divider}{year}", f"M{divider}D{divider}{year}"
    if first and not second:
        return DateGuess(day_first, f"day first ({first:,} days above 12 prove it)")
    if second and not first:
        return DateGuess(month_first, f"month first ({second:,} days above 12 prove it)")
    if first and second:
        return DateGuess(None, f"some prove {day_first}, others {month_first}; the column mixes both")
    if divider == ".":
        return DateGuess(day_first, "day first, as everywhere a dot divides; two digits for the year")
    return DateGuess(None, f"can be read two ways; say --date-format {day_first} or --date-format {month_first}")
