"""The files of `privacy export`, and a document about people as plain text."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from engine.cli.opening import Translate
from engine.cli.output import plain
from engine.errors import TreuepostError
from engine.rendering.dossier import Page
from engine.rendering.labels import LABELS
from engine.sources.refused import defused

Document = Mapping[str, Any]


def write_access(out: Path, document: Document, zone: ZoneInfo) -> list[Path]:
    """Write the access document as JSON and as one page; only their owner can read the files."""
    page = Page(document["language"], zone).render("What we know of you", document)
    return _write(out, {"privacy-export.json": _json(document), "privacy-export.html": page})


def write_portable(out: Path, document: Document) -> list[Path]:
    """Write what the person gave as JSON and, one table a file, as CSV a spreadsheet cannot be tricked with."""
    files = {"portable.json": _json(document)}
    for name, rows in document.items():
        if isinstance(rows, Sequence) and not isinstance(rows, str) and rows:
            files[f"portable-{name}.csv"] = _csv(rows)
    return _write(out, files)


def _json(document: Document) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2, default=plain) + "\n"


def _csv(rows: Sequence[Document]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow([defused(_cell(row.get(name))) for name in names])
    return "\ufeff" + text.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ";".join(_cell(one) for one in value)
    return value if isinstance(value, str) else str(plain(value)) if not isinstance(value, int) else str(value)


def _write(out: Path, files: Mapping[str, str]) -> list[Path]:
    written = []
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, text in files.items():
            file = out / name
            file.touch(mode=0o600)
            file.chmod(0o600)
            file.write_text(text, encoding="utf-8", newline="")
            written.append(file)
    except OSError as error:
        raise TreuepostError(f"{out} cannot be written: {error.strerror}.", "Name another place with --out.") from error
    return written


def as_text(document: Document, _: Translate) -> str:
    """Return a document as text under headings."""
    return "\n".join(
        line
        for name, value in document.items()
        if value
        for line in ("", _(LABELS[name]).upper(), *_lines(value, _, "  "))
    ).strip()


def _lines(value: object, _: Translate, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, one in value.items():
            if one not in (None, ""):
                yield f"{indent}{_(LABELS[name])}: {one}"
        return
    for one in value if isinstance(value, list | tuple) else [value]:
        if isinstance(one, Mapping):
            yield indent + "– " + "; ".join(f"{_(LABELS[k])}: {v}" for k, v in one.items() if v not in (None, ""))
        else:
            yield f"{indent}– {one}"
