"""What is wrong with a text that is not TOML, said so that the owner can mend it.

The standard library tells a line and a column and little more; these are the mistakes people really make.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from engine.errors import Finding

Repeats = Callable[[], Sequence[tuple[tuple[str | int, ...], tuple[int, int, int], tuple[int, int, int]]]]
Say = Callable[[str], str]

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_TYPOGRAPHIC = "„“”‚‘’«»"
_DEEPEST = 60


def explain_fault(file: str, text: str, fault: Exception, repeats: Repeats, say: Say) -> Finding:
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
    message, remedy = _reason(text.split("\n")[line - 1], str(fault)[: found.start()], say)
    return Finding(file, line, column, "E004", message, remedy)


def _place(text: str, found: re.Match[str]) -> tuple[int, int]:
    """Return line and column; the end of the document is the end of its last line that says something."""
    if found[1] is None:
        return _end(text)
    line, column = int(found[1]), int(found[2])
    lines = text.split("\n")
    return (line, column) if line <= len(lines) else _end(text)


def _end(text: str) -> tuple[int, int]:
    written = text.rstrip()
    return written.count("\n") + 1, len(written) - (written.rfind("\n") + 1) + 1


def _may_be_repeated(message: str) -> bool:
    return any(word in message for word in ("overwrite", "twice", "Duplicate", "mutate"))


def _said_twice(
    file: str, repeated: tuple[tuple[str | int, ...], tuple[int, int, int], tuple[int, int, int]], say: Say
) -> Finding:
    path, first, second = repeated
    key = ".".join(str(part) for part in path)
    message = say("`{key}` stands twice: in line {first} and in line {second}")
    return Finding(
        file,
        second[0],
        second[1],
        "E005",
        message.format(key=key, first=first[0], second=second[0]),
        say("remove one of the two lines"),
        length=second[2],
    )


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


def _reason(line: str, fault: str, say: Say) -> tuple[str, str]:
    """Return what is wrong with this line and how to mend it."""
    key = re.match(r"\s*\[{0,2}\s*([^\s=\[\]\"'#.]+)", line)
    value = re.match(r"\s*[^=#]+=\s*(.*)$", line)
    if key and not key[1].isascii() and not any(letter in _TYPOGRAPHIC for letter in key[1]):
        return say("`{key}` needs quotes: a key with umlauts is written in quotes").format(
            key=key[1]
        ), f'"{key[1]}" = …'
    if value and value[1][:1] and value[1][:1] in _TYPOGRAPHIC:
        return say("these are typographic quotes; TOML knows only the straight ones"), say('write "…" instead of „…“')
    if value and re.fullmatch(r"\d{1,2}\.\d{1,2}\.\d{4}\s*(?:#.*)?", value[1]):
        return say("a date is written year-month-day, without quotes"), "2026-12-01"
    if value and re.fullmatch(r"(?i)(?:true|false|ja|nein|yes|no|an|aus|on|off)\s*(?:#.*)?", value[1]):
        return say("yes and no are written true and false, in small letters"), "enabled = true"
    if value and re.match(r"[^\W\d]", value[1]):
        return say("text stands in quotes"), say('write … = "{text}"').format(text=value[1].split("#")[0].strip()[:40])
    if "Unescaped" in fault or "escape" in fault.lower():
        return say("a backslash in quotes has a meaning of its own"), say("write / instead, or put the text in '…'")
    if "control" in fault.lower() or "Illegal character" in fault:
        return say("there is a line break or a control character inside the quotes"), say(
            'close the text with " on the same line, or use """ for several lines'
        )
    return say("this is not TOML: {fault}").format(fault=fault), ""
