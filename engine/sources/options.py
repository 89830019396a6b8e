"""How a file is to be read: what the owner says with flags, or keeps in `[source.NAME]`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engine.errors import UsageError


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What is said about a file beforehand; everything left empty is found out or refused, never guessed silently.

    `columns` maps a header to a field (an empty field leaves the column out); `values` maps a field's own words to
    ours. `tidy_names` is None where nobody has said yes or no.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    date_format: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    tidy_names: bool | None = None


def columns_from_flags(flags: Sequence[str]) -> dict[str, str]:
    """Return what `--map "Geb.-Datum=birthday"` says; the last `=` divides, for a header may hold one."""
    columns: dict[str, str] = {}
    for flag in flags:
        header, divider, name = flag.rpartition("=")
        if not divider or not header.strip():
            raise UsageError(f'--map "{flag}" is not HEADER=FIELD.', 'Write it like --map "Geb.-Datum=birthday".')
        columns[header.strip()] = name.strip()
    return columns


def values_from_flags(flags: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return what `--values "status:completed=concluded"` says."""
    values: dict[str, dict[str, str]] = {}
    for flag in flags:
        name, colon, pair = flag.partition(":")
        theirs, divider, ours = pair.rpartition("=")
        if not colon or not divider or not name.strip():
            raise UsageError(
                f'--values "{flag}" is not FIELD:THEIRS=OURS.', 'Write it like --values "status:completed=concluded".'
            )
        values.setdefault(name.strip(), {})[theirs.strip()] = ours.strip()
    return values
