"""The senders' clock is the server's: a machine's clock has no say where the store is on PostgreSQL."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from engine.clock import stopped_at, system_clock
from engine.store import clocks
from engine.store.database import Database
from tests.people import NOW


def _servers(database: Database) -> object:
    with database.read() as session:
        return session.connection().execute(sa.text("SELECT clock_timestamp()")).scalar_one()


def test_with_one_file_the_machines_clock_is_the_one(sqlite_database: Database) -> None:
    assert clocks.of(sqlite_database, system_clock) is system_clock


def test_a_clock_that_was_stopped_stays(postgres_database: Database) -> None:
    assert clocks.of(postgres_database, stopped_at(NOW))() == NOW


def test_a_machine_whose_clock_is_wrong_goes_by_the_servers(
    postgres_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = stopped_at(NOW - timedelta(days=9000))
    monkeypatch.setattr(clocks, "system_clock", wrong)
    clock = clocks.of(postgres_database, wrong)
    before = _servers(postgres_database)
    shown = clock()
    assert before <= shown
    assert shown.tzinfo is not None


def test_it_is_never_behind_the_server_and_never_goes_back(
    postgres_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = clocks.of(postgres_database, system_clock)
    shown = [(_servers(postgres_database), clock()) for _ in range(50)]
    assert all(server <= ours for server, ours in shown)
    assert [ours for _, ours in shown] == sorted(ours for _, ours in shown)


def test_the_server_is_asked_once_a_second_at_most(
    postgres_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = [100.0]
    monkeypatch.setattr(clocks, "stopwatch", lambda: watch[0])
    clock = clocks.of(postgres_database, system_clock)
    first = clock()
    watch[0] += 0.9
    assert clock() - first == timedelta(seconds=0.9)
    watch[0] += 3000
    assert clock() - first < timedelta(seconds=2000), "a stopwatch that ran on was believed"
