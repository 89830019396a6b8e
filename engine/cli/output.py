"""What commands print: tables and sentences for people, JSON for machines.

With --json one document (or one object a line) goes to stdout; everything a person reads then goes to stderr. Addresses
are masked for people unless they ask; machines get them in full.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from engine.domain.addresses import masked
from engine.errors import Finding, Invalid, TreuepostError

if TYPE_CHECKING:  # Rich is imported only by commands that draw with it
    from rich.console import Console

NOT_SHOWN = "E111"
"""The finding that a secret stands where everybody can read it: its line is not shown again."""
WIDEST = 120

Json = Mapping[str, object] | Sequence[object]


def print_json(document: Json) -> None:
    """Print one JSON document on stdout."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2, default=plain) + "\n")


def print_json_line(row: Json) -> None:
    """Print one JSON object on a line of its own."""
    sys.stdout.write(json.dumps(row, ensure_ascii=False, default=plain) + "\n")


def plain(value: object) -> object:
    """Return a value as JSON has it."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, UUID | Path):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(str(member) for member in value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def say(text: str = "", *, err: bool = False) -> None:
    """Print a sentence for people: to stdout, or to stderr beside JSON."""
    print(text, file=sys.stderr if err else sys.stdout)


def console(*, err: bool = False) -> Console:
    """Return a Rich console that never guesses markup or highlights in people's names."""
    from rich.console import Console

    return Console(stderr=err, highlight=False, markup=False, emoji=False, soft_wrap=False)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[int] = (), title: str = "") -> None:
    """Print rows under headings, aligned; the columns numbered in `right` are figures."""
    from rich import box
    from rich.table import Table

    figures = set(right)
    grid = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False, show_edge=False)
    for index, heading in enumerate(columns):
        grid.add_column(heading, justify="right" if index in figures else "left", overflow="fold")
    for row in rows:
        grid.add_row(*row)
    console().print(grid)


def shown(address: str | None, *, in_full: bool = False) -> str:
    """Return an address as a person at the terminal may see it."""
    if not address:
        return "–"
    return address if in_full else masked(address)


def show_error(error: TreuepostError) -> None:
    """Print an error and its remedy on stderr; every finding of an invalid file on its own."""
    if isinstance(error, Invalid):
        for finding in error.findings:
            show_finding(finding)
        return
    say(f"error: {error.message}", err=True)
    for line in error.hint.splitlines():
        say(f"  {line}", err=True)


def show_finding(finding: Finding) -> None:
    """Print one mistake in one file on stderr, with the place and the remedy."""
    code = f"[{finding.code}]" if finding.code else ""
    say(f"{finding.level}{code}: {finding.message}", err=True)
    say(f"  --> {finding.place}", err=True)
    for line in _underlined(finding):
        say(line, err=True)
    if finding.help:
        say(f"   = {finding.help}", err=True)


def _underlined(finding: Finding) -> list[str]:
    """Return the line of the file with carets under the mistake; nothing where it cannot be read, or holds a secret."""
    if finding.code == NOT_SHOWN:
        return []
    try:
        lines = Path(finding.file).read_text(encoding="utf-8-sig", errors="replace").split("\n")
        text = lines[finding.line - 1] if finding.line else ""
    except (OSError, IndexError):
        return []
    if not text:
        return []
    first = max(0, finding.column - WIDEST // 2) if len(text) > WIDEST else 0
    part = "".join(letter if letter.isprintable() else " " for letter in text[first : first + WIDEST])
    before = max(0, finding.column - 1 - first)
    carets = " " * before + "^" * max(1, min(finding.length, len(part) - before))
    number = str(finding.line)
    return [f"{'':>{len(number)}} |", f"{number} | {part.rstrip()}", f"{'':>{len(number)}} | {carets}"]
