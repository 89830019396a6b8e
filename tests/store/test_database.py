"""The two doors of the store, its schema, and what it refuses by itself."""

from __future__ import annotations

import socket
import sqlite3
import threading
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlmodel import SQLModel

from engine.domain.states import EDGES, may_go
from engine.domain.words import State
from engine.errors import SchemaMismatch, StoreBusy, StoreError
from engine.store import schema
from engine.store.database import Database
from engine.store.message_tables import Enrolment, Message
from engine.store.tables import Customer
from tests.people import NOW, add_consent, add_customer


def test_the_migrations_build_exactly_the_tables_the_code_knows(database: Database) -> None:
    with database.connection() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_a_fault_of_the_store_names_nobody(database: Database) -> None:
    """Its text goes to the daemon's log."""
    with pytest.raises(sa.exc.DBAPIError) as caught, database.write() as session:
        session.connection().execute(sa.text("SELECT :who FROM nowhere"), {"who": "Anna Röschen"})
    assert "Röschen" not in str(caught.value)


def test_a_second_upgrade_changes_nothing(database: Database) -> None:
    assert schema.upgrade(database) == (schema.known(), schema.known())


def test_an_empty_store_is_refused_until_it_is_upgraded(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'new.db'}")
    with pytest.raises(SchemaMismatch, match="empty"):
        schema.require(database)
    schema.upgrade(database)
    schema.require(database)
    database.close()


def test_a_store_of_a_newer_program_is_refused(database: Database) -> None:
    with database.write() as session:
        session.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaMismatch, match="9999"):
        schema.require(database)


def test_a_file_that_is_no_database_is_refused_with_a_way_out(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"Kundenliste 2026\n" * 100)
    database = Database(f"sqlite:///{path}")
    with pytest.raises(StoreError, match="not a database") as caught, database.read() as session:
        session.execute(sa.select(Customer.id))
    assert "Restore" in caught.value.hint
    database.close()


def test_a_block_that_raises_leaves_nothing_behind(database: Database) -> None:
    with pytest.raises(RuntimeError, match="halfway"), database.write() as session:
        add_customer(session)
        raise RuntimeError("halfway")
    with database.read() as session:
        assert session.execute(sa.select(sa.func.count()).select_from(Customer)).scalar_one() == 0


def test_what_is_pretended_never_stays(database: Database) -> None:
    with database.pretend() as session:
        add_customer(session)
        assert session.execute(sa.select(sa.func.count()).select_from(Customer)).scalar_one() == 1
    with database.read() as session:
        assert session.execute(sa.select(sa.func.count()).select_from(Customer)).scalar_one() == 0


def test_a_reader_does_not_wait_for_a_writer(database: Database) -> None:
    with database.write() as session:
        add_customer(session)
        with database.read() as other:
            assert other.execute(sa.select(sa.func.count()).select_from(Customer)).scalar_one() == 0


def test_sqlite_loses_no_commit_at_a_power_cut(sqlite_database: Database) -> None:
    with sqlite_database.read() as session:
        pragmas = [session.execute(sa.text(f"PRAGMA {name}")).scalar_one() for name in ("journal_mode", "synchronous")]
    assert pragmas == ["wal", 2]


def test_a_store_held_by_another_program_is_said_so(sqlite_database: Database) -> None:
    impatient = Database(sqlite_database.url.render_as_string(), wait_seconds=0)
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with sqlite_database.write() as session:
            add_customer(session)
            held.set()
            release.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert held.wait(10)
        with pytest.raises(StoreBusy, match="held by another program"), impatient.write():
            pass
    finally:
        release.set()
        holder.join()
        impatient.close()


@pytest.mark.parametrize("how", ["silent", "nameless", "closed"])
def test_a_server_that_gives_no_answer_is_a_store_that_cannot_be_reached(how: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        where = {"silent": f"127.0.0.1:{port}", "nameless": "db.invalid", "closed": "127.0.0.1:1"}[how]
        database = Database(f"postgresql+psycopg://u@{where}/x?connect_timeout=2")
        with pytest.raises(StoreError, match="cannot be reached") as caught, database.read():
            pass
        database.close()
    assert "[store] url" in caught.value.hint


def test_connections_that_are_all_in_use_are_said_so(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    small = Database(database.url.render_as_string(hide_password=False), connections=1)
    monkeypatch.setattr(small._engine.pool, "_timeout", 0.05)
    with ExitStack() as held:
        for _ in range(5):
            held.enter_context(small.read())
        with pytest.raises(StoreBusy, match="cannot be reached"), small.read():
            pass
    small.close()


def test_a_lock_somebody_else_has_is_known_by_its_code_and_not_by_a_word(postgres_database: Database) -> None:
    mine = sa.text("LOCK TABLE customer IN EXCLUSIVE MODE NOWAIT")
    with postgres_database.write() as session:
        session.execute(mine)
        with pytest.raises(StoreBusy, match="give way"), postgres_database.write() as other:
            other.execute(mine)


def test_who_must_give_way_to_another_writer_is_told_to_try_again(postgres_database: Database) -> None:
    seen = sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    change = sa.text("UPDATE customer SET first_name = 'B'")
    with postgres_database.write() as session:
        add_customer(session)
    with pytest.raises(StoreBusy, match="give way"), postgres_database.write() as session:
        session.execute(seen)
        session.execute(sa.text("SELECT 1 FROM customer"))
        with postgres_database.write() as other:
            other.execute(change)
        session.execute(change)


def test_a_writer_waits_for_its_place_and_takes_it_when_it_is_free(sqlite_database: Database) -> None:
    entered, wrote = threading.Event(), threading.Event()

    def come_second() -> None:
        entered.set()
        with sqlite_database.write() as session:
            add_customer(session, "2", "bea@example.com")
        wrote.set()

    second = threading.Thread(target=come_second)
    with sqlite_database.write() as session:
        add_customer(session)
        second.start()
        assert entered.wait(10)
        assert not wrote.is_set()
    second.join(10)
    assert wrote.is_set()


def test_only_a_writers_place_is_asked_for_again_and_again(sqlite_database: Database) -> None:
    patient = Database(sqlite_database.url.render_as_string(), wait_seconds=7)
    with patient.write() as session:
        assert session.execute(sa.text("PRAGMA busy_timeout")).scalar_one() == 7000
    patient.close()


def test_a_day_plus_days_is_a_day_in_sql(database: Database) -> None:
    with database.write() as session:
        add_customer(session, last_purchase_on=date(2026, 1, 31), usual_days=30)
        later = Customer.last_purchase_on + 28  # type: ignore[operator]
        usual = Customer.last_purchase_on + Customer.usual_days  # type: ignore[operator]
        assert session.execute(sa.select(later, usual)).one() == (date(2026, 2, 28), date(2026, 3, 2))


def _add_message(database: Database, state: State) -> int:
    with database.write() as session:
        customer = add_customer(session)
        enrolment = Enrolment(
            campaign="c",
            customer_id=customer.id,
            customer_uid=customer.uid,
            occasion="2026",
            rehearsal=True,
            created_at=NOW,
        )
        session.add(enrolment)
        session.flush()
        message = Message(
            message_id="m", enrolment_id=enrolment.id, customer_id=customer.id, campaign="c", step="1", kind="birthday",
            on_doubt="hold", rehearsal=True, due=NOW.date(), send_after=NOW, expires_at=NOW + timedelta(days=3),
            planned_at=NOW, state=state,
        )  # fmt: skip
        session.add(message)
        session.flush()
        assert message.id is not None
        return message.id


@pytest.mark.parametrize("before", list(State))
def test_the_database_itself_refuses_every_way_that_is_not_in_the_table(database: Database, before: State) -> None:
    message = _add_message(database, before)
    for after in State:
        change = sa.update(Message).where(Message.id == message).values(state=after)  # type: ignore[arg-type]
        with database.pretend() as session:
            if after == before or may_go(before, after):
                session.execute(change)
            else:
                with pytest.raises(sa.exc.DBAPIError, match="may not go"):
                    session.execute(change)


def test_every_state_has_its_row_in_the_table_of_ways() -> None:
    assert set(EDGES) == set(State)


@pytest.mark.parametrize("verb", ["UPDATE consent_event SET proven = NOT proven", "DELETE FROM consent_event"])
def test_the_consent_log_cannot_be_changed(database: Database, verb: str) -> None:
    with database.write() as session:
        add_consent(session, add_customer(session))
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), database.write() as session:
        session.execute(sa.text(verb))


@pytest.mark.skipif(sqlite3.sqlite_version_info >= (3, 51, 3), reason="the library's own fault is mended")
def test_nobody_commits_while_the_log_is_folded_into_the_file(sqlite_database: Database) -> None:
    impatient = Database(str(sqlite_database.url), wait_seconds=0)
    with sqlite_database.write(), pytest.raises(StoreBusy):
        impatient.checkpoint()
    impatient.checkpoint()
    impatient.close()
