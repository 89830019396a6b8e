"""From lines to rows: each line becomes a sound row or a refusal that says where, which field and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from engine.sources.mailboxes import punycode
from engine.sources.mapping import Mapping
from engine.sources.money import Evidence, read_evidence
from engine.sources.rows import ROWS, Birthday, CustomerRow, Reading, Row
from engine.sources.tables import Refusal, Table, shortened

_MANY = 20
_SENTENCES = {
    "umlaut_address": "{n} with an umlaut before the @: few mail servers take them, so nobody is written to there",
    "mixed_script": "{n} with a domain that mixes alphabets, as look-alikes do",
    "role_address": "{n} at an address that no person reads (like noreply@)",
    "disposable_address": "{n} at a throw-away mailbox",
    "line_break": "{n} with a line break in a name; it became a blank",
}


@dataclass(slots=True)
class Watch:
    """What is remarkable about a file as a whole; fill it on the first pass."""

    rows: int = 0
    birthdays: Counter[Birthday] = field(default_factory=Counter)
    notes: dict[str, list[str]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def see(self, row: Row, notes: Sequence[str]) -> None:
        """Take note of one row."""
        self.rows += 1
        if isinstance(row, CustomerRow) and row.birthday:
            self.birthdays[row.birthday] += 1
        for note in notes:
            self.counts[note] += 1
            examples = self.notes.setdefault(note, [])
            if len(examples) < 3:
                examples.append(_example(note, row))

    def warnings(self) -> tuple[str, ...]:
        """Return the sentences the owner should read."""
        noted = [
            f"{_SENTENCES[note].format(n=_customers(count))} ({', '.join(self.notes[note])}"
            f"{', …' if count > len(self.notes[note]) else ''})"
            for note, count in self.counts.items()
        ]
        return (*noted, *self._too_common())

    def _too_common(self) -> Iterator[str]:
        """Warn of a birthday that so many share that it is probably a filler."""
        for birthday, count in self.birthdays.most_common(3):
            if count >= _MANY and count * 100 > self.rows:
                day = f"{birthday.year or '-'}-{birthday.md // 100:02}-{birthday.md % 100:02}"
                yield f"{count} of {self.rows} rows have the birthday {day}: is it a filler for an unknown one?"


def _customers(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _example(note: str, row: Row) -> str:
    address = getattr(row, "email", None)
    return f"row {row.line} {punycode(address)}" if note == "mixed_script" and address else f"row {row.line}"


def validated(table: Table, mapping: Mapping, watch: Watch | None = None) -> Iterator[Row | Refusal]:
    """Yield every row of the table as a frozen model, or as a refusal; call it once for each pass."""
    model = ROWS[mapping.what]
    reading = _reading(table, mapping)
    given = mapping.given
    plan = [(table.headers.index(header), name) for header, name in mapping.columns.items()]
    words = [
        (name, {theirs.casefold(): ours for theirs, ours in mapping.values[name].items()})
        for _, name in plan
        if name in mapping.values
    ]
    always = {"currency": ""} if mapping.what == "purchases" and "currency" not in given else {}
    notes = reading.notes
    for number, cells, fault in table.lines():
        if fault:
            yield Refusal(number, "", fault, "", cells)
            continue
        raw: dict[str, object] = {name: cells[index] for index, name in plan}
        raw.update(always, line=number, given=given, cells=cells)
        for name, ours in words:
            raw[name] = ours.get(str(raw[name]).strip().casefold(), raw[name])
        try:
            row = model.model_validate(raw, context=reading)
        except ValidationError as error:
            yield _refusal(error, number, raw, cells)
        else:
            if watch:
                watch.see(row, notes)
            yield row
        if notes:
            notes.clear()


def _refusal(error: ValidationError, number: int, raw: dict[str, object], cells: Sequence[str]) -> Refusal:
    """Return the first thing that is wrong with a row, and the other things behind it."""
    found = [
        (str(fault["loc"][0]) if fault["loc"] else "customer_id", fault["msg"])
        for fault in error.errors(include_url=False, include_context=False)
    ]
    name, reason = found[0]
    others = "".join(f"; {other}: {sentence}" for other, sentence in found[1:])
    return Refusal(number, name, reason + others, shortened(str(raw.get(name, ""))), cells)


def _reading(table: Table, mapping: Mapping) -> Reading:
    surroundings = mapping.surroundings
    return Reading(
        dates=mapping.dates,
        zone=surroundings.zone,
        currency=surroundings.currency,
        now=surroundings.now,
        today=surroundings.now.astimezone(surroundings.zone).date(),
        tidy_names=mapping.tidy_names,
        money=_money(table, mapping),
    )


def _money(table: Table, mapping: Mapping) -> Evidence:
    """Return which decimal sign the column of amounts proves; found once per table, by reading the whole column."""
    header = mapping.header_of("amount")
    if header is None:
        return Evidence()
    key = f"money:{header}"
    if key not in table.remembered:
        index = table.headers.index(header)
        table.remembered[key] = read_evidence(
            (number, cells[index]) for number, cells, fault in table.lines() if not fault
        )
    found = table.remembered[key]
    return found if isinstance(found, Evidence) else Evidence()
