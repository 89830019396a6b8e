"""Copies of the SQLite store that are proven to open, to be whole, and to hold the same rows.

SQLite's backup API copies one moment of a store that is in use; copying the file would not. Each copy is written under
a passing name, flushed, checked and only then given its own, so that a backup that is there is a backup that works.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from engine.domain.guard import FROM_BACKUP
from engine.errors import StoreError, StoreFull, UsageError
from engine.store.database import Database

KEEP = 14
FOLDER = "backups"
_STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Backup:
    """One verified copy."""

    path: Path
    bytes: int
    rows: dict[str, int]


def back_up(database: Database, now: datetime, folder: Path | None = None, keep: int = KEEP) -> Backup:
    """Copy the store, prove the copy, keep the newest `keep` copies."""
    source = _file(database)
    target = (folder or source.parent / FOLDER) / f"{source.stem}-{now:{_STAMP}}.db"
    with _plain_errors(target):
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unproven = target.with_suffix(".unproven")
        try:
            rows = _copy(source, unproven)
            _prove(unproven, rows)
            unproven.replace(target)
        finally:
            _remove(unproven)
    _forget_oldest(target.parent, source.stem, max(1, keep))
    return Backup(path=target, bytes=target.stat().st_size, rows=rows)


def latest(database: Database, folder: Path | None = None) -> Path | None:
    """Return the newest copy of this store, if there is one."""
    source = database.path
    if source is None:
        return None
    return max(_copies(folder or source.parent / FOLDER, source.stem), default=None)


def _file(database: Database) -> Path:
    if database.path is None:
        raise UsageError(
            "PostgreSQL is backed up by its own tools.", f"Use pg_dump: pg_dump --format=custom {database.url.database}"
        )
    if not database.path.exists():
        raise StoreError(f"There is no store at {database.path}.", "Import something first; then there is one to copy.")
    return database.path


def _copy(source: Path, target: Path) -> dict[str, int]:
    """Copy one moment of the store and return how many rows each table had in it."""
    _remove(target)
    target.touch(mode=0o600)
    with closing(sqlite3.connect(source, timeout=30)) as old, closing(sqlite3.connect(target)) as new:
        old.isolation_level = None
        old.execute("BEGIN")
        rows = _count(old)
        old.backup(new)
        _mark(new)
        new.execute("PRAGMA journal_mode=DELETE")
    with target.open("rb") as file:
        os.fsync(file.fileno())
    return rows


def _mark(copy: sqlite3.Connection) -> None:
    """Let the copy know that it is one: whoever puts it back is asked what was sent since."""
    if "place" in {column[1] for column in copy.execute("PRAGMA table_info(installation)")}:
        copy.execute("UPDATE installation SET place = ?", (FROM_BACKUP,))
        copy.commit()


def _prove(copy: Path, rows: dict[str, int]) -> None:
    """Open the copy, let SQLite check it, and count its rows again."""
    with closing(sqlite3.connect(f"{copy.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        verdict = connection.execute("PRAGMA integrity_check").fetchone()[0]
        if verdict != "ok":
            raise StoreError(f"The copy is not whole: {verdict}.", "The store may be damaged; keep older backups.")
        counted = _count(connection)
    if counted != rows:
        raise StoreError("The copy does not hold the same rows as the store.", "Try again; keep older backups.")


def _count(connection: sqlite3.Connection) -> dict[str, int]:
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
    # The names come from the store's own catalogue.
    return {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for (name,) in names}  # noqa: S608


def _copies(folder: Path, stem: str) -> list[Path]:
    """Return this store's copies; their names sort by age."""
    return sorted(folder.glob(f"{stem}-????????T??????Z.db"))


def _forget_oldest(folder: Path, stem: str, keep: int) -> None:
    for old in _copies(folder, stem)[:-keep]:
        old.unlink()


def _remove(copy: Path) -> None:
    for name in (copy, copy.with_name(copy.name + "-journal"), copy.with_name(copy.name + "-wal")):
        name.unlink(missing_ok=True)


@contextmanager
def _plain_errors(target: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        if "full" in str(error) or "No space" in str(error):
            raise StoreFull(f"No space is left for the backup in {target.parent}.", "Free some space.") from error
        raise StoreError(
            f"The backup {target} cannot be written: {error}.", "Check the folder and its permissions."
        ) from error
