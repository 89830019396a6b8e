"""Names that were typed with the shift key held down, as people write them."""

from __future__ import annotations

import re

_PARTICLES = frozenset(
    {"von", "van", "vom", "zu", "zum", "zur", "der", "den", "dem", "de", "del", "della", "di", "da", "dos", "du", "la",
     "le", "und", "ter", "ten", "af", "av", "y", "e", "bin", "ibn"}
)  # fmt: skip
_NUMBERS = frozenset({"II", "III", "IV"})
_VOWELS = frozenset("AEIOUYÄÖÜ")
_PART = re.compile(r"[^\W\d_]+")


def tidy_name(name: str) -> str:
    """Return a name in ordinary spelling if it is all capitals or all small; anything else is kept as it is.

    `JON` is Jon, `O'BRIEN` O'Brien, `MCDONALD` McDonald, `VON DER LEYEN` von der Leyen, `MÜLLER-LÜDENSCHEIDT`
    Müller-Lüdenscheidt. A single letter may be an initial and is written large.
    """
    if not (is_shouted(name) or name.islower()):
        return name
    words = name.split(" ")
    last = len(words) - 1
    return " ".join(_word(word, particle=index < last) for index, word in enumerate(words))


def is_shouted(name: str) -> bool:
    """Say whether a name stands in capitals throughout; JP and AJ may be initials, LI and MR. are not."""
    letters = [letter for letter in name if letter.isalpha()]
    if len(letters) < 2 or any(letter.islower() and letter != "ß" for letter in letters):
        return False
    return not (len(letters) == 2 and "." not in name and (letters[1] == "J" or not _VOWELS & set(letters)))


def _word(word: str, *, particle: bool) -> str:
    if particle and word.lower() in _PARTICLES:
        return word.lower()
    return _PART.sub(lambda part: _part(word, part), word)


def _part(word: str, part: re.Match[str]) -> str:
    letters = part.group()
    if letters in _NUMBERS:
        return letters
    before = word[part.start() - 1] if part.start() else ""
    if before in {"'", "’"} and len(letters) == 1:  # a genitive: Andrea's
        return letters.lower()
    first = letters[0].upper()
    if len(first) > 1:  # ß has no capital of its own
        first = letters[0]
    return _scottish(first + letters[1:].replace("ẞ", "ß").lower())


def _scottish(name: str) -> str:
    """Write the second capital of a Scottish name where it is certain: McDonald; Macron keeps his one."""
    return f"Mc{name[2].upper()}{name[3:]}" if name.startswith("Mc") and len(name) > 3 else name
