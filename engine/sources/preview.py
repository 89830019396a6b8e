"""What an import would do with a file, before it does anything: the mapping, what is proposed, and how to keep it."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Mapping as Words
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from engine.sources.evidence import DATE_FIELDS, NAME_FIELDS, DateGuess, Sight, guess_dates
from engine.sources.mapping import Mapping, Surroundings, missing_columns, proposals, read_as_told
from engine.sources.options import ReadOptions
from engine.sources.tables import Refusal, Table, shortened
from engine.sources.validating import validated

LOOKED_AT = 20_000
"""Rows a preview looks at; the import itself looks at every one."""
CHECKED = 5_000
"""Rows it checks like an import, to say how many would be refused."""


@dataclass(frozen=True, slots=True)
class Column:
    """One line of the preview."""

    header: str
    field: str
    sample: str
    note: str
    proposed: bool = False


@dataclass(frozen=True, slots=True)
class Preview:
    """How a file would be read.

    `told` is what the owner said, `options` that and every proposal; `mapping` follows `options`. `settled` says that
    what was told is enough to import the file.
    """

    table: Table
    what: str
    told: ReadOptions
    options: ReadOptions
    mapping: Mapping
    columns: tuple[Column, ...]
    missing: tuple[tuple[str, ...], ...]
    added: dict[str, str]
    dates: DateGuess | None
    propose_tidy: bool
    looked_at: int
    settled: bool

    def command(self) -> str:
        """Return the command line that imports this way."""
        words = ["treuepost", "import", self.what, str(self.table.path)]
        exact = {header for header in self.mapping.columns if header.strip().lower() == self.mapping.columns[header]}
        for header, name in self.options.columns.items():
            if header not in exact:
                words += ["--map", f"{header}={name}"]
        for name, pairs in self.options.values.items():
            for theirs, ours in pairs.items():
                words += ["--values", f"{name}:{theirs}={ours}"]
        for flag in ("date_format", "encoding", "delimiter", "sheet"):
            if getattr(self.options, flag):
                words += [f"--{flag.replace('_', '-')}", str(getattr(self.options, flag))]
        if self.options.tidy_names:
            words.append("--tidy-names")
        return shlex.join(words)

    def source(self, home: Path) -> str:
        """Return the lines for config.toml that keep this reading for `treuepost pull`."""
        path = self.table.path.resolve()
        file = path.relative_to(home.resolve()) if path.is_relative_to(home.resolve()) else path
        lines = [f"[source.{self.what}]", 'from = "file"', f"file = {_toml(str(file))}", f"what = {_toml(self.what)}"]
        if self.options.columns:
            lines.append(f"columns = {_inline(self.options.columns)}")
        if self.options.values:
            inner = ", ".join(f"{_toml(name)} = {_inline(pairs)}" for name, pairs in self.options.values.items())
            lines.append(f"values = {{ {inner} }}")
        said = {key: getattr(self.options, key) for key in ("date_format", "delimiter", "sheet")}
        lines += [f"{key} = {_toml(value)}" for key, value in said.items() if value]
        encoding = self.options.encoding or (self.table.encoding if self.table.notes else None)
        if encoding:
            lines.append(f"encoding = {_toml(encoding)}")
        if self.options.tidy_names is not None:
            lines.append(f"tidy_names = {str(self.options.tidy_names).lower()}")
        return "\n".join(lines)


def propose(table: Table, what: str, options: ReadOptions, surroundings: Surroundings) -> Preview:
    """Look at the first rows of a table and return how it would be read, and what is only proposed about that."""
    told = read_as_told(table, what, options, surroundings)
    added = proposals(table, told)
    fields = {header: name for header in table.headers if (name := told.columns.get(header) or added.get(header))}
    sights, looked_at = _look(table, fields)
    dates = _guess(sights, fields, options)
    tidy = options.tidy_names is None and _is_shouted(sights, fields)
    accepted = replace(
        options,
        columns={**options.columns, **added},
        date_format=options.date_format or (dates.format if dates else None),
        tidy_names=True if tidy else options.tidy_names,
    )
    mapping = read_as_told(table, what, accepted, surroundings)
    missing = tuple(missing_columns(mapping))
    refused = Counter[str]() if missing else _refused(table, mapping)
    return Preview(
        table=table,
        what=what,
        told=options,
        options=accepted,
        mapping=mapping,
        columns=tuple(_column(header, fields, added, sights, (dates, tidy), refused) for header in table.headers),
        missing=missing,
        added=added,
        dates=dates,
        propose_tidy=tidy,
        looked_at=looked_at,
        settled=not missing_columns(told) and dates is None,
    )


def _look(table: Table, fields: dict[str, str]) -> tuple[dict[str, Sight], int]:
    sights = {header: Sight() for header in table.headers}
    plan = [(index, sights[header], fields.get(header)) for index, header in enumerate(table.headers)]
    looked_at = 0
    for _, cells, fault in islice(table.lines(), LOOKED_AT):
        looked_at += 1
        if not fault:
            for index, sight, name in plan:
                sight.see(cells[index], name)
    return sights, looked_at


def _guess(sights: dict[str, Sight], fields: dict[str, str], options: ReadOptions) -> DateGuess | None:
    if options.date_format:
        return None
    return guess_dates([sights[header] for header, name in fields.items() if name in DATE_FIELDS])


def _is_shouted(sights: dict[str, Sight], fields: dict[str, str]) -> bool:
    names = [sights[header] for header, name in fields.items() if name in NAME_FIELDS]
    return sum(sight.shouted for sight in names) * 2 > sum(sight.filled for sight in names)


def _refused(table: Table, mapping: Mapping) -> Counter[str]:
    rows = islice(validated(table, mapping), CHECKED)
    return Counter(row.field for row in rows if isinstance(row, Refusal))


def _column(
    header: str,
    fields: dict[str, str],
    added: dict[str, str],
    sights: dict[str, Sight],
    seen: tuple[DateGuess | None, bool],
    refused: Counter[str],
) -> Column:
    name = fields.get(header, "")
    sight = sights[header]
    notes = [] if sight.filled else ["empty throughout"]
    if header in added:
        notes.append("proposed")
    notes += _notes(name, sight, seen)
    if refused[name] and name:
        notes.append(f"{refused[name]:,} refused" + (f" of {CHECKED:,}" if sight.filled > CHECKED else ""))
    return Column(header, name, shortened(sight.sample, 28), "; ".join(notes), header in added)


def _notes(name: str, sight: Sight, seen: tuple[DateGuess | None, bool]) -> Sequence[str]:
    dates, tidy = seen
    if dates and name in DATE_FIELDS and sight.untold:
        return [f"{sight.untold:,} dates, {dates.because}"]
    if tidy and name in NAME_FIELDS and sight.shouted:
        return [f"{sight.shouted:,} in capitals; --tidy-names writes them as usual"]
    return []


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _inline(pairs: Words[str, str]) -> str:
    return "{ " + ", ".join(f"{_toml(key)} = {_toml(value)}" for key, value in pairs.items()) + " }"
