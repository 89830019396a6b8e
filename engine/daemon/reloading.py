"""Takes up changed campaigns and templates while the daemon runs: all of them, or none.

A broken file keeps the old version and says so in the log, at file:line:column. An editor's passing files are not
looked at, and a file still being written is left until two looks in a row see the same.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import structlog

from engine.app import App, read_campaigns, reassemble
from engine.errors import Invalid, TreuepostError

log = structlog.get_logger(__name__)

Marks = dict[Path, tuple[int, int]]


class Watch:
    """Remembers which files the running version was read from."""

    def __init__(self, app: App) -> None:
        self._lock = threading.Lock()
        self._taken = marks(app.home)
        self._seen = self._taken

    def look(self, app: App) -> App:
        """Return the app with changed files taken up, or the same app."""
        with self._lock:
            present = marks(app.home)
            still, self._seen = present == self._seen, present
            if not still or present == self._taken:
                return app
            self._taken = present
            return _attempt(app, _with_campaigns)

    def reload_all(self, app: App) -> App:
        """Return the app with config, campaigns and templates read again, or the same app."""
        with self._lock:
            self._taken = self._seen = marks(app.home)
            return _attempt(app, reassemble)


def marks(home: Path) -> Marks:
    """Return each campaign's and template's time and size; what an editor leaves behind for a moment is passed over."""
    found: Marks = {}
    for path in _files(home):
        try:
            state = path.stat()
        except FileNotFoundError:
            continue
        found[path] = (state.st_mtime_ns, state.st_size)
    return found


def _files(home: Path) -> Iterator[Path]:
    for folder in (home / "campaigns", home / "templates"):
        for path in folder.rglob("*"):
            passing = path.name.startswith(".") or path.name.endswith(("~", ".swp", ".tmp", ".bak"))
            if not passing and path.is_file():
                yield path


def _attempt(app: App, read: Callable[[App], App]) -> App:
    """Read anew; on any mistake say where it is and keep what runs."""
    try:
        fresh = read(app)
    except TreuepostError as error:
        refusal = error
    else:
        log.info("reloaded", campaigns=len(fresh.campaigns))
        return fresh
    for finding in refusal.findings if isinstance(refusal, Invalid) else ():
        log.error("not taken up", place=finding.place, error=finding.message, hint=finding.help)
    log.error("reload refused", kept="the version that was running", error=refusal.message, hint=refusal.hint)
    return app


def _with_campaigns(app: App) -> App:
    campaigns, renderer = read_campaigns(app.config)
    return replace(app, campaigns=campaigns, renderer=renderer)
