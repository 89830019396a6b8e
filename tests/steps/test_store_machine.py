"""The state machine over the store: on SQLite always, on PostgreSQL in a shorter form. `TREUEPOST_LONG=1` runs long."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from engine.domain.words import Call, InDoubt, NotSent, Result
from engine.store.database import Database
from tests import postgres
from tests.steps.pocket_provider import PocketProvider
from tests.steps.store_machine import Setting, StoreMachine, settle

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


@pytest.fixture
def new_store(sqlite_template: Path, folder: Path) -> Callable[[], Database]:
    """Give fresh copies of a store with the people in it."""
    peopled = folder / "peopled.db"
    shutil.copy(sqlite_template, peopled)
    with closing(Database(f"sqlite:///{peopled}")) as database:
        settle(database)

    def copy() -> Database:
        path = folder / f"{next(_numbers)}.db"
        shutil.copy(peopled, path)
        return Database(f"sqlite:///{path}")

    return copy


def test_whatever_happens_nobody_is_mailed_twice_or_against_their_will(new_store: Callable[[], Database]) -> None:
    _run(new_store, 400 if LONG else 12, 40 if LONG else 15)


def test_where_the_owner_chose_so_a_mail_goes_again_once_its_key_has_died_in_the_night(
    new_store: Callable[[], Database],
) -> None:
    """The window opens after the key's life is over: nothing can tell any more, and `on_doubt` is "resend"."""
    machine = type("Machine", (StoreMachine,), {"new_store": staticmethod(new_store)})()
    machine.begin(Setting("key", 1, "resend"))
    machine.tick(["lose_answer"], None, timedelta(hours=13))
    machine.send(["refuse", "lose_call"], 11, timedelta(minutes=12))
    machine.pause("birthday", False)
    machine.plan(None)
    machine.send(["lose_call"], 12, timedelta(minutes=1))
    assert list(machine.provider.delivered().values()) == [1]
    machine.teardown()
    assert machine.provider.delivered().most_common(1)[0][1] == 2


def test_the_machine_sees_a_mail_that_goes_again_while_its_key_lives(new_store: Callable[[], Database]) -> None:
    machine = type("Machine", (StoreMachine,), {"new_store": staticmethod(new_store)})()
    machine.begin(Setting("key", 1, "resend"))
    machine.provider = Liar("key")
    with pytest.raises(AssertionError):
        for _ in range(3):
            machine.tick(["lose_answer"], None, timedelta(minutes=12))
    machine.store.close()


class Liar(PocketProvider):
    """A provider that says "not sent" when its answer was lost: whoever believes it mails twice."""

    def send(self, call: Call) -> list[Result]:
        return [NotSent("") if isinstance(result, InDoubt) else result for result in super().send(call)]


def test_the_machine_sees_a_mail_that_is_sent_twice(new_store: Callable[[], Database]) -> None:
    machine = type("Machine", (StoreMachine,), {"new_store": staticmethod(new_store)})()
    machine.begin(Setting("look_up", 1, "hold"))
    machine.provider = Liar("look_up")
    with pytest.raises(AssertionError):
        machine.tick(["lose_answer"], None, timedelta(minutes=12))
    with pytest.raises(AssertionError):
        machine.teardown()
    assert max(machine.provider.delivered().values()) > 1
    machine.store.close()


def test_whatever_happens_on_postgresql_nobody_is_mailed_twice(postgres_url: str) -> None:
    def new_store() -> Database:
        name = f"machine_{next(_numbers)}"
        postgres.create(postgres_url, name, "treuepost_template")
        database = Database(postgres_url.format(name=name))
        settle(database)
        return database

    _run(new_store, 60 if LONG else 3, 40 if LONG else 15)
