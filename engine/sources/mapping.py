"""Which column is which field: exact names and what the owner said count; everything else is only proposed."""

from __future__ import annotations

import re
from collections.abc import Mapping as Words
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from zoneinfo import ZoneInfo

from engine.errors import TreuepostError, UsageError
from engine.sources.dates import DateFormat
from engine.sources.headings import SYNONYMS
from engine.sources.options import ReadOptions
from engine.sources.rows import ROWS, fields_of
from engine.sources.tables import Table


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a file does not say and the shop does: its time zone, its currency, and the present instant."""

    zone: ZoneInfo
    currency: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Mapping:
    """A settled reading of one file: which header is which field, and how its cells are to be understood."""

    what: str
    columns: dict[str, str]
    surroundings: Surroundings
    values: Words[str, Words[str, str]] = field(default_factory=dict)
    dates: DateFormat | None = None
    tidy_names: bool = False

    @property
    def given(self) -> frozenset[str]:
        """Return the fields that have a column."""
        return frozenset(self.columns.values())

    def header_of(self, name: str) -> str | None:
        """Return the header of a field's column."""
        return next((header for header, given in self.columns.items() if given == name), None)


def settle(table: Table, what: str, options: ReadOptions, surroundings: Surroundings) -> Mapping:
    """Return the reading that exact names and the owner's word give; raise when a column the file needs is missing."""
    mapping = read_as_told(table, what, options, surroundings)
    missing = missing_columns(mapping)
    if missing:
        raise UsageError(missing_sentence(table, missing), proposal_hint(table, mapping))
    return mapping


def read_as_told(table: Table, what: str, options: ReadOptions, surroundings: Surroundings) -> Mapping:
    """Return what exact names and the owner's word give, complete or not."""
    allowed = fields_of(what)
    told = _told(table, what, options.columns, allowed)
    columns = dict(told)
    for header in table.headers:
        name = header.strip().lower()
        if header not in told and name in allowed:
            columns[header] = name
    columns = {header: name for header, name in columns.items() if name}
    _refuse_twice(columns, table)
    _refuse_unknown_values(options.values, what, allowed)
    return Mapping(
        what=what,
        columns={header: columns[header] for header in table.headers if header in columns},
        surroundings=surroundings,
        values=options.values,
        dates=DateFormat.parse(options.date_format) if options.date_format else None,
        tidy_names=bool(options.tidy_names),
    )


def _told(table: Table, what: str, columns: Words[str, str], allowed: tuple[str, ...]) -> dict[str, str]:
    """Return the owner's word by the file's own headers; raise for a header or a field that does not exist."""
    by_name = {header.strip().casefold(): header for header in table.headers}
    told = {}
    for header, name in columns.items():
        found = by_name.get(header.strip().casefold())
        if found is None:
            near = get_close_matches(header, table.headers, n=1, cutoff=0.5)
            hint = f'Did you mean "{near[0]}"?' if near else f"The file has: {listed(table.headers)}."
            raise UsageError(f'{table.path.name} has no column "{header}".', hint)
        if name and name not in allowed:
            near = get_close_matches(name, allowed, n=1, cutoff=0.5)
            hint = f"Did you mean {near[0]}?" if near else f"Fields of {what}: {', '.join(allowed)}."
            raise UsageError(f'{what} have no field "{name}".', hint)
        told[found] = name
    return told


def _refuse_twice(columns: dict[str, str], table: Table) -> None:
    for name in set(columns.values()):
        headers = [header for header, given in columns.items() if given == name]
        if len(headers) > 1:
            raise UsageError(
                f"{table.path.name}: {listed(headers)} would both be {name}.",
                f'Leave one out with --map "{headers[-1]}=".',
            )


def _refuse_unknown_values(values: Words[str, Words[str, str]], what: str, allowed: tuple[str, ...]) -> None:
    for name in values:
        if name not in allowed:
            raise UsageError(f'--values: {what} have no field "{name}".', f"Fields of {what}: {', '.join(allowed)}.")


def missing_columns(mapping: Mapping) -> list[tuple[str, ...]]:
    """Return the groups of columns of which the file has none."""
    return [group for group in ROWS[mapping.what].NEEDS if not mapping.given & set(group)]


def missing_sentence(table: Table, missing: list[tuple[str, ...]]) -> str:
    """Say which columns are missing and which there are."""
    needed = " and ".join(" or ".join(group) for group in missing)
    return f"{table.path.name} has no column {needed}. It has: {listed(table.headers)}."


def proposal_hint(table: Table, mapping: Mapping) -> str:
    """Return the flags that would map what looks like a field, or how to map by hand."""
    flags = [f'--map "{header}={name}"' for header, name in proposals(table, mapping).items()]
    return f"Perhaps: {' '.join(flags)}" if flags else 'Say which column it is, like --map "Kundennr.=customer_id".'


def proposals(table: Table, mapping: Mapping) -> dict[str, str]:
    """Return what unknown headers look like: a usual word for a field, or a field's name with a slip in it."""
    free = [name for name in fields_of(mapping.what) if name not in mapping.given]
    found: dict[str, str] = {}
    for header in table.headers:
        if header in mapping.columns:
            continue
        name = _likely(header, [name for name in free if name not in found.values()])
        if name:
            found[header] = name
    return found


def _likely(header: str, free: list[str]) -> str | None:
    plain = plain_heading(header)
    for name in free:
        if plain in SYNONYMS.get(name, ()) or plain == name.replace("_", ""):
            return name
    near = get_close_matches(plain, [name.replace("_", "") for name in free], n=1, cutoff=0.84)
    return next((name for name in free if near and name.replace("_", "") == near[0]), None)


def plain_heading(header: str) -> str:
    """Return a heading without case, blanks, dots and hyphens."""
    return re.sub(r"[\W_]+", "", header.casefold())


def listed(names: list[str] | tuple[str, ...]) -> str:
    """Return names in quotes, the first dozen of them."""
    shown = ", ".join(f'"{name}"' for name in names[:12])
    return shown + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def refuse_headers(headers: tuple[str, ...], where: str) -> None:
    """Raise when one heading stands twice, or when there is none at all."""
    if not any(header.strip() for header in headers):
        raise TreuepostError(f"{where}: the first row holds no headings.", "The first row names the columns.")
    seen: dict[str, int] = {}
    for index, header in enumerate(headers, 1):
        key = header.strip().casefold()
        if key and key in seen:
            raise TreuepostError(
                f'{where}: the heading "{header.strip()}" stands twice (columns {seen[key]} and {index}).',
                "Rename or remove one of them.",
            )
        seen[key] = index
