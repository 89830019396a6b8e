"""Pulling: the files of `[source.NAME]` are imported when they have changed, and only when they are whole.

A file is left alone until two looks in a row find the same size and time. What cannot be read, or has suddenly lost
most of its rows, keeps the old data in place and says so. The same content is never imported twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from engine.config.sections import Source
from engine.errors import NothingFound, StoreError, TreuepostError
from engine.sources.options import ReadOptions
from engine.steps.importing.contract import Asked, Progress, file_mark
from engine.steps.importing.files import ImportReport, ignore, import_as_asked
from engine.steps.shop import Premises
from engine.store import imports
from engine.store.imports import Run, Seen


@dataclass(frozen=True, slots=True)
class PullResult:
    """What came of one source: a report; or nothing to do, because the content is known; or why it was left."""

    source: str
    what: str
    file: Path
    report: ImportReport | None = None
    error: str = ""
    hint: str = ""

    @property
    def unchanged(self) -> bool:
        """Say whether the content was imported before."""
        return self.report is None and not self.error


def pull(
    shop: Premises, name: str | None, now: datetime, *, yes: bool = False, progress: Progress = ignore
) -> list[PullResult]:
    """Import the named source, or all of them: customers before what refers to them."""
    return [_pull_one(shop, each, now, yes, progress) for each in _wanted(shop, name)]


def changed_sources(shop: Premises, now: datetime) -> list[str]:
    """Return the sources whose file has changed since it was imported and is no longer being written.

    To be asked once a tick. What a look found is kept in the store, so that passes started by cron count as looks too.
    """
    return [name for name in _in_order(shop) if _is_ready(shop, name, now)]


def _is_ready(shop: Premises, name: str, now: datetime) -> bool:
    """Say whether two looks in a row find the same file, and its content is worth a try."""
    found = _look(shop, name)
    with shop.database.read() as session:
        before, last = imports.last_look(session, name), imports.last(session, name)
        again = last is not None and imports.worth_another_try(session, last, now)
    if before == (found, True):
        return bool(found) and again
    if before is None or before.found != found:
        if not found:
            _missing(shop, name, now)
        _note(shop, name, Seen(found, handled=False), now)
        return False
    if found and (again or last is None or last.mark != _mark(shop, name)):
        return True
    _settle(shop, name, Seen(found, handled=True), last if found else None, now)
    return False


def _settle(shop: Premises, name: str, seen: Seen, known: Run | None, now: datetime) -> None:
    """Note that a file was dealt with; one written anew with the same good content counts as fresh data."""
    with shop.database.write() as session:
        if known and known.good and imports.last_look(session, name) != seen:
            imports.confirm(session, known, now)
        imports.note_look(session, name, seen, now)


def _note(shop: Premises, name: str, seen: Seen, now: datetime) -> None:
    with shop.database.write() as session:
        imports.note_look(session, name, seen, now)


def source_path(shop: Premises, name: str) -> Path:
    """Return where a source's file lies; a relative path starts at the config's folder."""
    return shop.home / Path(shop.config.source[name].file).expanduser()


def options_of(source: Source) -> ReadOptions:
    """Return how a source's file is to be read."""
    return ReadOptions(
        columns=source.columns,
        values=source.values,
        date_format=source.date_format,
        encoding=source.encoding,
        delimiter=source.delimiter,
        sheet=source.sheet,
        tidy_names=source.tidy_names,
    )


def _pull_one(shop: Premises, name: str, now: datetime, yes: bool, progress: Progress) -> PullResult:
    source, path = shop.config.source[name], source_path(shop, name)
    found = _look(shop, name)
    if not found:
        return _missing(shop, name, now)
    mark = _mark(shop, name)
    with shop.database.read() as session:
        last = imports.last(session, name, good=True)
        again = last is not None and imports.worth_another_try(session, last, now)
    if last and last.mark == mark and not again:
        _settle(shop, name, Seen(found, handled=True), last, now)
        return PullResult(name, source.what, path)
    asked = Asked(
        what=source.what,
        now=now,
        zone=shop.config.shop.zone,
        complete=source.complete,
        yes=yes,
        source=name,
        mark=mark,
        at_least=last.read // 2 if last else 0,
    )
    result = _imported(shop, asked, path, progress)
    _note(shop, name, Seen(found, handled=True), now)
    return result


def _missing(shop: Premises, name: str, now: datetime) -> PullResult:
    """Say, and remember, that a source's file is not there; the data from last time stays."""
    source, path = shop.config.source[name], source_path(shop, name)
    error = f"{path} does not exist."
    with shop.database.write() as session:
        imports.fail(session, source.what, name, path.name, now, ("", error))
    return PullResult(name, source.what, path, error=error, hint=f"Check file in [source.{name}].")


def _imported(shop: Premises, asked: Asked, path: Path, progress: Progress) -> PullResult:
    """Import a source's file; a file that is refused whole is a result, a store that fails is not."""
    source = shop.config.source[asked.source]
    try:
        report = import_as_asked(shop, path, options_of(source), asked, progress)
    except StoreError:
        raise
    except TreuepostError as error:
        return PullResult(asked.source, source.what, path, error=error.message, hint=error.hint)
    return PullResult(asked.source, source.what, path, report)


def _wanted(shop: Premises, name: str | None) -> list[str]:
    if name is None:
        return list(_in_order(shop))
    if name not in shop.config.source:
        known = ", ".join(shop.config.source) or "none"
        raise NothingFound(f'There is no source "{name}".', f"Sources in config.toml: {known}.")
    return [name]


def _in_order(shop: Premises) -> Iterator[str]:
    """Go through the sources so that what others refer to comes first."""
    order = ("suppressions", "customers", "purchases", "service-items", "visits", "consents")
    yield from sorted(shop.config.source, key=lambda name: order.index(shop.config.source[name].what))


def _look(shop: Premises, name: str) -> str:
    """Return the file's size, time of change and settings; empty where there is no file."""
    try:
        found = source_path(shop, name).stat()
    except OSError:
        return ""
    return f"{found.st_size} {found.st_mtime_ns} {_settings(shop, name)}"


def _mark(shop: Premises, name: str) -> str:
    """Return what recognises the content together with how it is read: other settings make other rows of it."""
    return f"{file_mark(source_path(shop, name))} {_settings(shop, name)}"


def _settings(shop: Premises, name: str) -> str:
    """Return the hash of what says how the file is read; for purchases that is the notices, too: they mark the rows."""
    source = shop.config.source[name]
    notices = shop.config.notice if source.what == "purchases" else {}
    said = [source.model_dump_json(), *(f"{one}{notice.model_dump_json()}" for one, notice in sorted(notices.items()))]
    return hashlib.sha256("".join(said).encode()).hexdigest()[:16]
