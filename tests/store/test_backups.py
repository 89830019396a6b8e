"""A backup that is there is a backup that works."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from engine.errors import StoreError, UsageError
from engine.store import backups
from engine.store.database import Database
from tests.people import NOW, add_customer


def test_a_backup_holds_the_rows_of_a_store_that_is_in_use(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        add_customer(session)

    with sqlite_database.write() as session:
        add_customer(session, "2", "bert@example.com")
        copy = backups.back_up(sqlite_database, NOW)

    with closing(sqlite3.connect(copy.path)) as connection:
        assert connection.execute("SELECT count(*) FROM customer").fetchone() == (1,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert copy.rows["customer"] == 1
    assert copy.path.name == "store-20261123T083000Z.db"
    assert copy.path.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in copy.path.parent.iterdir()] == [copy.path.name]


def test_only_the_newest_copies_are_kept(sqlite_database: Database) -> None:
    made = [backups.back_up(sqlite_database, NOW + timedelta(hours=hour), keep=2).path for hour in range(4)]

    assert sorted(made[0].parent.iterdir()) == made[2:]
    assert backups.latest(sqlite_database) == made[-1]


def test_a_copy_that_cannot_be_written_is_a_clear_error(sqlite_database: Database, tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()

    with pytest.raises(StoreError, match="cannot be written"):
        backups.back_up(sqlite_database, NOW, in_the_way)


def test_postgresql_is_left_to_its_own_tools(postgres_database: Database) -> None:
    with pytest.raises(UsageError) as refusal:
        backups.back_up(postgres_database, NOW)
    assert "pg_dump" in refusal.value.hint
