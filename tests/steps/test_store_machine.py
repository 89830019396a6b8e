"""The state machine over the store: on SQLite always, on PostgreSQL in a shorter form. `TREUEPOST_LONG=1` runs long."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from engine.store.database import Database
from tests import postgres
from tests.steps.store_machine import StoreMachine, settle

LONG = bool(os.environ.get("TREUEPOST_LONG"))
_numbers = itertools.count()


def _run(new_store: object, examples: int, steps: int) -> None:
    machine = type("Machine", (StoreMachine,), {"new_store": staticmethod(new_store)})
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=checks
        ),
    )


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder in memory where there is one: a power cut is no subject here."""
    memory = Path("/dev/shm")  # noqa: S108
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


def test_whatever_happens_nobody_is_mailed_twice_or_against_their_will(sqlite_template: Path, folder: Path) -> None:
    peopled = folder / "peopled.db"
    shutil.copy(sqlite_template, peopled)
    database = Database(f"sqlite:///{peopled}")
    settle(database)
    with database.connection() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.exec_driver_sql("BEGIN")
    database.close()

    def new_store() -> Database:
        path = folder / f"{next(_numbers)}.db"
        shutil.copy(peopled, path)
        return Database(f"sqlite:///{path}")

    _run(new_store, 400 if LONG else 12, 40 if LONG else 15)


def test_whatever_happens_on_postgresql_nobody_is_mailed_twice(postgres_url: str) -> None:
    def new_store() -> Database:
        name = f"machine_{next(_numbers)}"
        postgres.create(postgres_url, name, "treuepost_template")
        database = Database(postgres_url.format(name=name))
        settle(database)
        return database

    _run(new_store, 60 if LONG else 3, 40 if LONG else 15)
