"""Hides Jinja's tags from Markdown and from the CSS inliner, and puts them back, remembering where each stood.

Each tag becomes one word that neither Markdown nor an HTML parser touches. When it is put back it starts on a line of
its own *inside* its braces (`{{⏎ name }}`: no output), so that every line of the finished template belongs to one
tag of one file, and an error can be told at the place where the author wrote it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TAG = re.compile(
    r"\{\{(?:[^\"'}]|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|\}(?!\}))*\}\}"
    r"|\{%(?:[^\"'%]|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|%(?!\}))*%\}"
    r"|\{#.*?#\}",
    re.DOTALL,
)
_WORD = re.compile(r"<!--zqj(\d+)qz-->|zqj(\d+)qz")
_OPENING = re.compile(r"(\{[{%])([-+]?)")
_STATEMENT = re.compile(r"\{%[-+]?\s*(\w+)\s*(.*?)\s*[-+]?%\}", re.DOTALL)
_HIDDEN_PLACES = re.compile(r"<!--.*?-->|<(title|style)\b[^>]*>.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Tag:
    """One Jinja tag as the author wrote it."""

    source: str
    file: str
    line: int

    @property
    def is_statement(self) -> bool:
        """Say whether it is `{% … %}` or a comment: something that prints nothing itself."""
        return not self.source.startswith("{{")

    @property
    def statement(self) -> tuple[str, str]:
        """Return a statement's word and the rest: `("extends", '"layout.html"')`."""
        found = _STATEMENT.fullmatch(self.source)
        return (found[1], found[2]) if found else ("", "")

    @property
    def expression(self) -> str:
        """Return what stands between `{{` and `}}`."""
        return self.source[2:-2].strip("+- \n\t") if not self.is_statement else ""


class Mask:
    """The tags of one template and of everything it is put together from."""

    def __init__(self) -> None:
        self.tags: list[Tag] = []

    def hide(self, source: str, file: str, first_line: int = 1) -> str:
        """Return the source with each tag replaced by a word."""
        out, end, line = [], 0, first_line
        for found in _TAG.finditer(source):
            line += source.count("\n", end, found.start())
            out += [source[end : found.start()], self.word(found[0], file, line)]
            line += found[0].count("\n")
            end = found.end()
        return "".join([*out, source[end:]])

    def word(self, source: str, file: str, line: int) -> str:
        """Return a new word that stands for this tag."""
        self.tags.append(Tag(source, file, line))
        return f"zqj{len(self.tags) - 1}qz"

    def tag(self, word: str) -> Tag | None:
        """Return the tag a text consists of, if it is exactly one word."""
        found = _WORD.fullmatch(word.strip())
        return self.tags[int(found[1] or found[2])] if found else None

    def words(self, masked: str) -> list[tuple[re.Match[str], Tag]]:
        """Return every word in a masked text with its tag."""
        return [(found, self.tags[int(found[1] or found[2])]) for found in _WORD.finditer(masked)]

    def as_markup(self, masked: str) -> str:
        """Return HTML in which statements between elements are comments, so that a parser leaves them in place."""
        hidden = [found.span() for found in _HIDDEN_PLACES.finditer(masked)]
        out, end = [], 0
        for found, tag in self.words(masked):
            inside = any(start <= found.start() < stop for start, stop in hidden)
            out.append(masked[end : found.start()])
            out.append(f"<!--{found[0]}-->" if tag.is_statement and not inside else found[0])
            end = found.end()
        return "".join([*out, masked[end:]])

    def reveal(self, masked: str) -> Revealed:
        """Put every tag back and note where each line of the finished template comes from."""
        out: list[str] = []
        places: dict[int, tuple[str, int]] = {}
        end, line = 0, 1
        for found, tag in self.words(masked):
            text = masked[end : found.start()] + _OPENING.sub("\\1\\2\n", tag.source, count=1)
            line += text.count("\n") - tag.source.count("\n")
            for offset in range(tag.source.count("\n") + 1):
                places[line + offset] = (tag.file, tag.line + offset)
            line += tag.source.count("\n")
            out.append(text)
            end = found.end()
        return Revealed("".join([*out, masked[end:]]), places)


@dataclass(frozen=True, slots=True)
class Revealed:
    """A finished template and the place in the author's files that each of its lines comes from."""

    source: str
    places: dict[int, tuple[str, int]]

    def place(self, line: int) -> tuple[str, int]:
        """Return file and line for a line of the finished template: its own, or the last one before it."""
        known = [number for number in self.places if number <= line] or list(self.places)
        return self.places[max(known)] if known else ("", 0)
