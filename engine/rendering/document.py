"""A document for people who do not know the program: one HTML page that stands alone, to read and to print.

Nothing in it is fetched from anywhere, and every text that comes from outside is escaped: a customer's name is never
markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, StrictUndefined

_TEMPLATE = Path(__file__).parent / "document.html"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings; cells of the columns in `plain` are set in a fixed width (hashes, ids)."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    plain: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Section:
    """One numbered part: sentences, facts by name, texts to be quoted word by word, and a table."""

    title: str
    sentences: Sequence[str] = ()
    facts: Sequence[tuple[str, str]] = ()
    quotes: Sequence[tuple[str, str]] = ()
    tables: Sequence[Table] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Document:
    """A whole page: who hands it out, what it is, the result in one sentence, and its parts."""

    language: str
    sender: Sequence[str]
    title: str
    facts: Sequence[tuple[str, str]]
    result: str
    sections: Sequence[Section]
    footer: str


def render(document: Document) -> str:
    """Return the page."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(page=document)
