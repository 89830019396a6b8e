"""A document about a person as one page that needs nothing else: no script, no picture, no link to anywhere.

Everything is escaped; a page is made of headings, lists and tables only, so that it can be printed and read aloud.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import Enum
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from engine.domain.calendar import local_time
from engine.language import Language
from engine.rendering.labels import LABELS

_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "h2{margin-top:2rem}dt{font-weight:600}dd{margin:0 0 .4rem}.wide{overflow-x:auto}table{border-collapse:collapse}"
    "th,td{border:1px solid;padding:.25rem .5rem;text-align:left;vertical-align:top}pre{white-space:pre-wrap}"
)


class Page:
    """One page in one language; instants are shown by the shop's clock."""

    def __init__(self, language: str, zone: ZoneInfo) -> None:
        self._say = Language(language).gettext
        self._language, self._zone = language, zone

    def render(self, title: str, document: Mapping[str, Any]) -> str:
        """Return the page; `title` is a sentence of the catalogue."""
        said, body = escape(self._say(title)), self.body(document)
        return (
            f'<!doctype html>\n<html lang="{self._language}"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{said}</title><style>{_STYLE}</style></head><body><main><h1>{said}</h1>{body}</main></body></html>\n"
        )

    def body(self, document: Mapping[str, Any]) -> str:
        """Return the parts of a document under headings, to stand in a page."""
        return "".join(self._section(name, value) for name, value in document.items() if _tells(value))

    def _section(self, name: str, value: object) -> str:
        if name == "persons" and isinstance(value, Sequence) and all(isinstance(one, Mapping) for one in value):
            return "".join(self._section(part, one) for person in value for part, one in person.items() if _tells(one))
        return f"<section><h2>{self._label(name)}</h2>{self._block(value)}</section>"

    def _label(self, name: str) -> str:
        return escape(self._say(LABELS[name]) if name in LABELS else name)

    def _block(self, value: object) -> str:
        if isinstance(value, Mapping):
            pairs = (
                f"<dt>{self._label(str(name))}</dt><dd>{self._block(one)}</dd>"
                for name, one in value.items()
                if _tells(one)
            )
            return f"<dl>{''.join(pairs)}</dl>"
        if isinstance(value, Sequence) and not isinstance(value, str):
            if value and all(isinstance(one, Mapping) for one in value):
                return self._table(value)
            return f"<ul>{''.join(f'<li>{self._block(one)}</li>' for one in value)}</ul>"
        return self._text(value)

    def _table(self, rows: Sequence[Mapping[str, Any]]) -> str:
        names = [
            name for name in dict.fromkeys(key for row in rows for key in row) if any(_tells(r.get(name)) for r in rows)
        ]
        head = "".join(f'<th scope="col">{self._label(name)}</th>' for name in names)
        lines = "".join(
            f"<tr>{''.join(f'<td>{self._block(row.get(name))}</td>' for name in names)}</tr>" for row in rows
        )
        return (
            f'<div class="wide" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>'
        )

    def _text(self, value: object) -> str:
        if value is None:
            return ""
        if isinstance(value, bool):
            return escape(self._say("yes") if value else self._say("no"))
        if isinstance(value, datetime):
            return escape(local_time(value, self._zone, seconds=True))
        if isinstance(value, date):
            return escape(value.isoformat())
        text = str(value.value if isinstance(value, Enum) else value)
        return f"<pre>{escape(text)}</pre>" if "\n" in text else escape(text)


def _tells(value: object) -> bool:
    """Say whether a value says anything at all."""
    return value not in (None, "", [], {}, ())
