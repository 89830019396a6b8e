"""A store moves to another database whole, compared row by row, or not at all."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import UTCDateTime

from engine.domain.guard import ARRIVING, FROM_BACKUP, MOVED_AWAY
from engine.errors import AlreadyRunning, StoreBusy, StoreError, UsageError
from engine.store import moving, ownership
from engine.store.columns import Day
from engine.store.database import Database
from engine.store.tables import Installation
from tests.end_to_end.command import until
from tests.people import add_customer
from tests.store.rows import add_messages

Stores = tuple[Database, Database]
TABLES = SQLModel.metadata.sorted_tables
ROWS = 3
LATEST = datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)


@pytest.fixture(params=["to postgres", "to sqlite"])
def stores(
    request: pytest.FixtureRequest, sqlite_template: Path, tmp_path: Path
) -> Iterator[tuple[Database, Database]]:
    """Give a store on one database and an empty one on the other."""
    shutil.copy(sqlite_template, tmp_path / "file.db")
    file = Database(f"sqlite:///{tmp_path / 'file.db'}")
    server: Database = request.getfixturevalue("postgres_database")
    yield (file, server) if request.param == "to postgres" else (server, file)
    file.close()


def _value(column: sa.Column[Any], number: int) -> object:
    """Return a value of the column's type, as odd as it may be."""
    if column.nullable and number == 1 and not column.primary_key:
        return None
    if column.primary_key or column.foreign_keys:
        return f"key-{number}" if isinstance(column.type, sa.String) else _key(column, number)
    if isinstance(column.type, sa.Enum):
        members = list(column.type.enum_class or ())
        return members[number % len(members)]
    return _scalar(column, number)


def _key(column: sa.Column[Any], number: int) -> object:
    if isinstance(column.type, Day):
        return date(2026, 1, 1) + timedelta(days=number)
    return bool(number % 2) if isinstance(column.type, sa.Boolean) else number + 1


def _scalar(column: sa.Column[Any], number: int) -> object:
    if isinstance(column.type, Day):
        return date(1969, 12, 31) + timedelta(days=number)
    if isinstance(column.type, UTCDateTime):
        return LATEST - timedelta(microseconds=number)
    if isinstance(column.type, sa.Boolean):
        return bool(number % 2)
    if isinstance(column.type, sa.Integer):
        return 2_147_483_647 - number
    return f"{column.name} {number} Größe\u2028'\"\\ 🎂 \t"


def fill(database: Database) -> None:
    """Put rows with odd values into every table."""
    with database.write() as session:
        for table in TABLES:
            rows = [{column.name: _value(column, number) for column in table.columns} for number in range(ROWS)]
            if table.name == "message":  # the first is carried by the last, which comes later
                rows = [row | {"carried_by": ROWS if row["id"] == 1 else None} for row in rows]
                session.connection().execute(sa.insert(table), [row | {"carried_by": None} for row in rows])
                tied = sa.update(table).where(table.c.id == 1).values(carried_by=ROWS)
                session.connection().execute(tied)
            else:
                session.connection().execute(sa.insert(table), rows)


def content(database: Database) -> dict[str, list[dict[str, object]]]:
    """Return every row of every table."""
    with database.read() as session:
        ask = session.connection().execute
        return {
            table.name: [dict(row) for row in ask(sa.select(table).order_by(*table.primary_key.columns)).mappings()]
            for table in TABLES
        }


def test_every_value_of_every_table_arrives(stores: Stores) -> None:
    source, target = stores
    fill(source)
    before = content(source)
    moved: list[int] = []
    rows = moving.move(source, target, moved.append)
    assert rows == {table.name: ROWS for table in TABLES}
    assert sum(moved) == moving.count(source) == ROWS * len(TABLES)
    assert content(source) == before
    for row in before["installation"]:
        row["place"] = ARRIVING
    assert content(target) == before


def test_the_moved_store_goes_on_counting_and_keeps_its_guards(stores: Stores) -> None:
    source, target = stores
    with source.write() as session:
        add_messages(session, 2)
    moving.move(source, target)
    with target.write() as session:
        add_customer(session, "2", "ben@example.com")
    with pytest.raises(DBAPIError, match="may not go"), target.write() as session:
        session.connection().execute(sa.text("UPDATE message SET state = 'sent'"))


@pytest.mark.parametrize(
    ("place", "kept"),
    [("here", ""), ("", ""), (FROM_BACKUP, FROM_BACKUP), (MOVED_AWAY, MOVED_AWAY), (ARRIVING, ARRIVING)],
)
def test_the_new_store_is_the_one_only_if_the_old_one_was(
    place: str, kept: str, sqlite_database: Database, postgres_database: Database
) -> None:
    table: sa.Table = Installation.__table__  # type: ignore[attr-defined]
    with sqlite_database.write() as session:
        row = {"id": 1, "uuid": str(uuid4()), "created_at": LATEST, "place": place}
        session.connection().execute(sa.insert(table), [row])
    moving.move(sqlite_database, postgres_database)
    moving.hand_over(sqlite_database, postgres_database)
    assert content(sqlite_database)["installation"][0]["place"] == MOVED_AWAY
    assert content(postgres_database)["installation"][0]["place"] == kept


def test_a_target_with_a_single_row_is_refused(stores: Stores) -> None:
    source, target = stores
    fill(source)
    with target.write() as session:
        add_customer(session)
    with pytest.raises(UsageError, match='table "address" holds rows'):
        moving.move(source, target)
    assert len(content(target)["customer"]) == 1


def test_a_row_the_target_cannot_keep_leaves_it_empty(sqlite_database: Database, postgres_database: Database) -> None:
    with sqlite_database.write() as session:
        add_customer(session, first_name="An\0na")
    with pytest.raises(StoreError, match=r'table "customer".*NUL'):
        moving.move(sqlite_database, postgres_database)
    assert moving.count(postgres_database) == 0
    with sqlite_database.write() as session:
        session.connection().execute(sa.text("UPDATE customer SET first_name = 'Anna'"))
    assert moving.move(sqlite_database, postgres_database)["customer"] == 1


def test_a_table_that_comes_out_differently_is_found(stores: Stores) -> None:
    source, target = stores
    with source.write() as session:
        add_customer(session, first_name="Anna")
    with target.write() as session:
        if target.sqlite:
            change = "UPDATE customer SET first_name = 'X' WHERE id = NEW.id;"
            trigger = f"CREATE TRIGGER meddles AFTER INSERT ON customer BEGIN {change} END"
        else:
            body = "BEGIN NEW.first_name := 'X'; RETURN NEW; END"
            session.connection().execute(
                sa.text(f"CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$")
            )
            trigger = "CREATE TRIGGER meddles BEFORE INSERT ON customer FOR EACH ROW EXECUTE FUNCTION meddle()"
        session.connection().execute(sa.text(trigger))
    with pytest.raises(StoreError, match='Table "customer" came out differently'):
        moving.move(source, target)
    assert moving.count(target) == 0


def test_nobody_writes_to_the_source_meanwhile(stores: Stores) -> None:
    source, target = stores
    with source.write() as session:
        add_customer(session)
    url = source.url.render_as_string(hide_password=False)
    other = Database(url, wait_seconds=0)
    tried: list[str] = []

    def write_beside(_rows: int) -> None:
        try:
            with other.write() as session:
                if not source.sqlite:
                    session.connection().execute(sa.text("SET LOCAL lock_timeout = '10ms'"))
                session.connection().execute(sa.text("UPDATE customer SET first_name = 'Ben'"))
        except (StoreBusy, DBAPIError):
            tried.append("kept out")

    moving.move(source, target, write_beside)
    assert tried
    assert content(source)["customer"][0]["first_name"] != "Ben"
    other.close()


def test_killed_half_way_the_target_is_as_empty_as_before(stores: Stores) -> None:
    source, target = stores
    fill(source)
    urls = [store.url.render_as_string(hide_password=False) for store in stores]
    program = (
        "import sys; from engine.store import moving; from engine.store.database import Database\n"
        "seen = []\n"
        "def half(rows):\n"
        "    seen.append(rows)\n"
        "    if len(seen) == 9: print('half', flush=True); sys.stdin.read()\n"
        "moving.move(Database(sys.argv[1]), Database(sys.argv[2]), half)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, *urls], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "half\n"
        process.kill()
    until(lambda: moving.count(target) == 0, seconds=30, what="the server to roll back")
    assert moving.move(source, target) == {table.name: ROWS for table in TABLES}


def test_while_somebody_sends_nothing_is_moved(database: Database) -> None:
    with (
        ownership.one_of_many(database),
        pytest.raises(AlreadyRunning, match="Other processes send"),
        ownership.nobody_sends(database),
    ):
        pass
    with (
        ownership.sole_sender(database),
        pytest.raises(AlreadyRunning, match="is sending"),
        ownership.nobody_sends(database),
    ):
        pass
    with ownership.nobody_sends(database), pytest.raises(AlreadyRunning), ownership.sole_sender(database):
        pass
