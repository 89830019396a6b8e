"""Who may claim, and who is provably dead."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from engine.domain.words import State
from engine.errors import StoreError
from engine.store import ownership, workers
from engine.store.database import Database
from engine.store.message_tables import Worker
from tests.end_to_end.command import until
from tests.store.rows import add_messages

PROGRAM = """
import sys
from engine.store import ownership
from engine.store.database import Database
with ownership.one_of_many(Database(sys.argv[1])) as sender:
    print(sender.name, flush=True)
    sys.stdin.read()
"""


@contextmanager
def colleague(database: Database) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run another process that is one of many, and say its name."""
    url = database.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", PROGRAM, url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def kill(database: Database, process: subprocess.Popen[str], name: str) -> None:
    """Kill a process; a server hears of it a moment later."""
    process.kill()
    process.wait()
    until(lambda: ownership.dead(database, {name}) == {name}, seconds=30, what="the server to notice")


def rows(database: Database) -> list[tuple[int, str]]:
    with database.read() as session:
        query = sa.select(Worker.__table__.c.id, Worker.__table__.c.name).order_by("id")  # type: ignore[attr-defined]
        return [tuple(row) for row in session.connection().execute(query)]


def end_sessions(database: Database) -> None:
    """End every session that holds an advisory lock, as a restart of the server does."""
    with database.write() as session:
        session.connection().exec_driver_sql(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )


def test_who_lives_is_not_dead_and_who_is_killed_is(database: Database) -> None:
    with colleague(database) as (process, name):
        assert ownership.dead(database, {name, "nobody"}) == {"nobody"}
        kill(database, process, name)
        assert ownership.dead(database, {name, "nobody"}) == {name, "nobody"}


def test_a_stopped_process_is_not_dead(database: Database) -> None:
    with colleague(database) as (process, name):
        process.send_signal(signal.SIGSTOP)
        assert ownership.dead(database, {name}) == frozenset()


def test_we_ourselves_are_alive_while_we_are_registered(database: Database) -> None:
    with ownership.sole_sender(database) as sender:
        assert sender.name == ownership.owner_name()
        assert ownership.dead(database, [sender.name]) == frozenset()
        with ownership.one_of_many(database) as second:
            assert second.name != sender.name
            assert ownership.dead(database, [sender.name, second.name]) == frozenset()
    assert ownership.dead(database, [sender.name]) == {sender.name}


def test_asking_about_nobody_asks_nothing(database: Database) -> None:
    assert ownership.dead(database, []) == frozenset()


def test_two_who_look_at_once_do_not_take_each_other_for_the_worker(postgres_database: Database) -> None:
    with colleague(postgres_database) as (process, name):
        kill(postgres_database, process, name)
        with postgres_database.read() as session:
            assert session.connection().execute(workers._FREE).scalars().all() == [name]
            assert ownership.dead(postgres_database, {name}) == {name}


def test_who_ends_in_peace_leaves_no_row_and_no_file(database: Database) -> None:
    with ownership.one_of_many(database):
        assert len(rows(database)) == 1
    assert rows(database) == []
    if database.path:
        assert [file.name for file in database.path.parent.glob("*.sender-*")] == []


def test_the_dead_are_remembered_as_long_as_a_message_names_them(database: Database) -> None:
    with colleague(database) as (process, name):
        with database.write() as session:
            (number,) = add_messages(session, 1, state=State.SENDING, owner=name)
        kill(database, process, name)
    assert workers.tidy(database) == 0
    assert [known for _, known in rows(database)] == [name]
    with database.write() as session:
        message = sa.text("UPDATE message SET state = 'in_doubt', owner = '' WHERE id = :number")
        session.connection().execute(message, {"number": number})
    assert workers.tidy(database) == 1
    assert rows(database) == []


def test_the_living_are_not_forgotten(database: Database) -> None:
    with colleague(database) as (_, name):
        assert workers.tidy(database) == 0
        assert [known for _, known in rows(database)] == [name]


def test_a_number_is_never_given_twice(database: Database) -> None:
    numbers = []
    for _ in range(3):
        with ownership.one_of_many(database):
            numbers += [number for number, _ in rows(database)]
    assert len(set(numbers)) == 3


def test_a_number_whose_lock_is_held_by_a_stranger_is_passed_over(sqlite_database: Database) -> None:
    assert sqlite_database.path
    stranger = workers.lock_file(sqlite_database.path, 1)
    assert stranger.take()
    with ownership.one_of_many(sqlite_database) as sender:
        assert rows(sqlite_database) == [(2, sender.name)]
        assert sender.holds()
    stranger.let_go()


def test_whom_the_server_has_cut_off_goes_on_under_a_new_name(postgres_database: Database) -> None:
    with ownership.sole_sender(postgres_database) as sender:
        before = sender.name
        end_sessions(postgres_database)
        assert not sender.holds()
        assert ownership.dead(postgres_database, [before]) == {before}
        sender.renew()
        assert sender.holds()
        assert sender.name == ownership.owner_name() != before
        assert ownership.dead(postgres_database, [before, sender.name]) == {before}


def test_a_lock_file_that_was_deleted_is_noticed(sqlite_database: Database) -> None:
    with ownership.one_of_many(sqlite_database) as sender:
        (file,) = Path(sqlite_database.path or "").parent.glob("*.sender-*")
        file.unlink()
        assert not sender.holds()
        sender.renew()
        assert sender.holds()


def test_a_lease_outlives_three_of_the_longest_calls() -> None:
    ownership.check_lease(ownership.LEASE / 3)
    with pytest.raises(StoreError, match="a lease is 120 s"):
        ownership.check_lease(ownership.LEASE / 3 + timedelta(seconds=1))
