"""A PostgreSQL that could forget what it has reported, or lend our session to somebody else, is refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine.errors import StoreError
from engine.store import ownership, soundness
from engine.store.database import Database
from tests.pooler import pooler


@pytest.fixture(params=["transaction", "session"])
def pooled(request: pytest.FixtureRequest, postgres_database: Database) -> Iterator[tuple[str, Database]]:
    """Give a store that is reached through a pooler, and the pooler's mode."""
    url = postgres_database.url.render_as_string(hide_password=False)
    with pooler(url, request.param) as door:
        database = Database(door)
        yield request.param, database
        database.close()


def test_a_pooler_that_lends_sessions_out_is_refused_and_one_that_keeps_them_is_not(
    pooled: tuple[str, Database],
) -> None:
    mode, database = pooled
    if mode == "session":
        with ownership.one_of_many(database) as sender:
            assert sender.holds()
        return
    with pytest.raises(StoreError, match="pooler in transaction mode") as refusal, ownership.one_of_many(database):
        pass
    assert "pool_mode = session" in refusal.value.hint


def test_a_server_that_keeps_what_it_reports_is_sound(database: Database) -> None:
    soundness.require_sound(database)


def test_a_server_that_may_forget_a_commit_is_refused_by_the_name_of_the_setting(postgres_database: Database) -> None:
    name = postgres_database.url.database
    with postgres_database.write() as session:
        session.connection().exec_driver_sql(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    forgetful = Database(postgres_database.url.render_as_string(hide_password=False))
    with pytest.raises(StoreError, match="synchronous_commit = off"), ownership.sole_sender(forgetful):
        pass
    forgetful.close()
