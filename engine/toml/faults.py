"""What is wrong with a text that is not TOML, said so that the owner can mend it.

The standard library tells a line and a column and little more; these are the mistakes people really make.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Protocol

from engine.errors import Finding

Loc = tuple[str | int, ...]
Place = tuple[int, int, int]
"""Line, column and length in characters."""
Repeat = tuple[Loc, Place, Place]
Remark = tuple[str, str]
"""What is wrong, and how to mend it."""

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_TYPOGRAPHIC = "„“”‚‘’«»"
_DEEPEST = 60


class Say(Protocol):
    """Says an English sentence in the shop's language (`Language.gettext`), with the values put in."""

    def __call__(self, sentence: str, **values: object) -> str:
        """Return the sentence to show."""


def plainly(sentence: str, **values: object) -> str:
    """Say a sentence in English."""
    return sentence % values if values else sentence


def visible(text: str) -> str:
    """Return the text with control characters written out: what a file holds must not steer a terminal."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def explain_fault(file: str, text: str, fault: Exception, repeats: Callable[[], Sequence[Repeat]], say: Say) -> Finding:
    """Return the finding for a text that the TOML parser refused with `fault`."""
    if isinstance(fault, RecursionError):
        return Finding(file, _deepest_line(text), 1, "E006", say("brackets are nested too deeply here"))
    found = _PLACE.search(str(fault))
    if found is None:
        return _huge_number(file, text, say) or Finding(file, 0, 0, "E004", str(fault))
    repeated = repeats() if _may_be_repeated(str(fault)) else ()
    if repeated:
        return _said_twice(file, repeated[0], say)
    line, column = _place(text, found)
    (message, remedy), column = _reason(text.split("\n")[line - 1], column, str(fault)[: found.start()], say)
    return Finding(file, line, column, "E004", visible(message), visible(remedy))


def _place(text: str, found: re.Match[str]) -> tuple[int, int]:
    """Return line and column; the end of the document is the end of its last line that says something."""
    if found[1] is None or int(found[1]) > text.count("\n") + 1:
        written = text.rstrip()
        return written.count("\n") + 1, len(written) - (written.rfind("\n") + 1) + 1
    return int(found[1]), int(found[2])


def _may_be_repeated(message: str) -> bool:
    return any(word in message for word in ("overwrite", "twice", "Duplicate", "mutate"))


def _said_twice(file: str, repeated: Repeat, say: Say) -> Finding:
    path, first, second = repeated
    key = ".".join(str(part) for part in path)
    message = say("`%(key)s` stands twice: in line %(first)s and in line %(second)s", **_lines(key, first, second))
    return Finding(file, second[0], second[1], "E005", visible(message), say("remove one of the two"), length=second[2])


def _lines(key: str, first: Place, second: Place) -> dict[str, object]:
    return {"key": key, "first": first[0], "second": second[0]}


def _huge_number(file: str, text: str, say: Say) -> Finding | None:
    found = re.search(r"[0-9_]{1000,}", text)
    if found is None:
        return None
    line = text.count("\n", 0, found.start()) + 1
    column = found.start() - (text.rfind("\n", 0, found.start()) + 1) + 1
    return Finding(file, line, column, "E006", say("this number is far too long"), length=20)


def _deepest_line(text: str) -> int:
    depth = 0
    for number, line in enumerate(text.split("\n"), 1):
        depth += sum((letter in "[{") - (letter in "]}") for letter in line)
        if depth > _DEEPEST or line.count("[") > _DEEPEST:
            return number
    return 1


def _reason(line: str, column: int, fault: str, say: Say) -> tuple[Remark, int]:
    """Return what is wrong with this line and how to mend it, and the column it begins at."""
    key = next((word for word in re.finditer(r"[\w-]+", line) if word.start() < column <= word.end() + 1), None)
    if key and ("key" in fault or "table" in fault) and (remark := _key_remark(key[0], say)):
        return remark, key.start() + 1
    value = re.match(r"\s*[^=#]+=\s*(.*)$", line)
    if value and (remark := _value_remark(value[1], say)):
        return remark, value.start(1) + 1
    return _text_remark(fault, say) or (say("this is not TOML: %(fault)s", fault=fault), ""), column


def _key_remark(key: str, say: Say) -> Remark | None:
    if key.isascii() or any(letter in _TYPOGRAPHIC for letter in key):
        return None
    message = say("`%(key)s` needs quotes: a key with letters beyond a to z is written in quotes", key=key)
    return message, f'"{key}" = …'


def _value_remark(value: str, say: Say) -> Remark | None:
    if value[:1] and value[0] in _TYPOGRAPHIC:
        return say("these are typographic quotes; TOML knows only the straight ones"), say('write "…" instead of „…“')
    if re.fullmatch(r"\d{1,2}\.\d{1,2}\.\d{4}\s*(?:#.*)?", value):
        return say("a date is written year-month-day, without quotes"), "2026-12-01"
    if re.fullmatch(r"(?i)(?:true|false|ja|nein|yes|no|an|aus|on|off)\s*(?:#.*)?", value):
        return say("yes and no are written true and false, in small letters"), "true"
    if re.match(r"[^\W\d]", value):
        return say("text stands in quotes"), f'"{value.split("#", maxsplit=1)[0].strip()[:40]}"'
    return None


def _text_remark(fault: str, say: Say) -> Remark | None:
    if "escape" in fault.lower() or "hex value" in fault:
        return say("a backslash in quotes has a meaning of its own"), say("write / instead, or put the text in '…'")
    if "control" in fault.lower() or "Illegal character" in fault:
        message = say("there is a line break or a control character inside the quotes")
        return message, say('close the text with " on the same line, or use """ for several lines')
    return None
