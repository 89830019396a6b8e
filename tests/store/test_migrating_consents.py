"""Consents that were stored before there was a chain: none is lost, and each stands in it in its old order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config as AlembicConfig

from engine.domain.permission import ConsentState
from engine.store import consent_check, consents, schema
from engine.store.consents import NewConsent
from engine.store.database import Database
from tests import postgres
from tests.people import NOW

COLUMNS = (
    "id, fingerprint, address_id, customer_id, state, at, recorded_at, kinds, wording, requested_at, source, proof, "
    "proven, actor, after_attempt"
)
STORED = [
    (3, "a" * 64, 1, None, "requested", "2020-01-01 10:00:00.000000", "", "", "", "", "false", "owner", None),
    (4, "b" * 64, 2, None, "claimed", "2021-05-01 00:00:00.000001", ";birthday;", "laden", "Kasse „Süd“", "Zettel 4",
     "false", "import", None),
    (9, "c" * 64, 1, None, "confirmed", "2020-01-01 10:05:07.120000", ";birthday;winback;", "laden", "web", "Klick",
     "true", "import", 7),
    (10, "d" * 64, 1, None, "objected", "2026-11-01 08:00:00.000000", "", "", "Anruf", "", "false", "owner", 12),
]  # fmt: skip


@pytest.fixture(params=["sqlite", "postgres"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path / 'old.db'}")
    else:
        url = request.getfixturevalue("postgres_url")
        postgres.create(url, "old_consents")
        database = Database(url.format(name="old_consents"))
    yield database
    database.close()
    if request.param == "postgres":
        postgres.drop(url, "old_consents")


def bring_to(database: Database, revision: str) -> None:
    with database.connection() as connection:
        config = AlembicConfig()
        config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.commit()


def fill(database: Database) -> None:
    zone = "" if database.sqlite else "+00"
    with database.write() as session:
        connection = session.connection()
        for number, email in enumerate(("anna@example.com", "ben@example.com"), 1):
            connection.exec_driver_sql(
                "INSERT INTO address (id, exact, canonical, email, created_at) "  # noqa: S608
                f"VALUES ({number}, '{email}', '{email}', '{email}', '2020-01-01 00:00:00.000000{zone}')"
            )
        for number, mark, address, _, state, at, kinds, wording, source, proof, proven, actor, latest in STORED:
            last = "NULL" if latest is None else f"{latest}"
            values = (
                f"{number}, '{mark}', {address}, NULL, '{state}', '{at}{zone}', '{at}{zone}', '{kinds}', '{wording}', "
                f"{'NULL' if number == 10 else repr(at + zone)}, '{source}', '{proof}', {proven}, '{actor}', {last}"
            )
            connection.exec_driver_sql(" ".join(("INSERT INTO consent_event (", COLUMNS, ") VALUES (", values, ")")))


@pytest.mark.parametrize("revision", ["0004", "0005"])
def test_earlier_consents_are_chained_in_their_order_with_all_their_evidence(empty: Database, revision: str) -> None:
    bring_to(empty, revision)
    fill(empty)
    assert schema.upgrade(empty) == (revision, schema.known())
    with empty.read() as session:
        entries = sorted(consents.timeline(session, [1, 2]), key=lambda one: one.seq)
        seen = consent_check.walk(session)
    assert (seen.size, seen.faults, seen.erased) == (4, [], 0)
    assert [(one.seq, one.id, one.state, one.source, one.proof, one.actor, one.proven) for one in entries] == [
        (1, 3, "requested", "", "", "owner", False),
        (2, 4, "claimed", "Kasse „Süd“", "Zettel 4", "import", False),
        (3, 9, "confirmed", "web", "Klick", "import", True),
        (4, 10, "objected", "Anruf", "", "owner", False),
    ]
    assert all(one.details == {"migrated": True} for one in entries)
    assert [one.at.isoformat() for one in entries][1:3] == [
        "2021-05-01T00:00:00.000001+00:00", "2020-01-01T10:05:07.120000+00:00"
    ]  # fmt: skip


def test_the_log_goes_on_and_is_guarded_after_the_migration(empty: Database) -> None:
    bring_to(empty, "0005")
    fill(empty)
    schema.upgrade(empty)
    with empty.write() as session:
        new = NewConsent(1, ConsentState.CONFIRMED, NOW, frozenset({"birthday"}), "laden", NOW, "web", "Klick")
        assert consents.append(session, [new], NOW, "web") == 1
    with empty.read() as session:
        seen = consent_check.walk(session)
        last = max(consents.timeline(session, [1]), key=lambda one: one.seq)
    assert (seen.size, seen.faults, last.seq, last.id) == (5, [], 5, 11)
    for statement in ("UPDATE consent_event SET actor = 'x'", "DELETE FROM consent_event"):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), empty.write() as session:
            session.connection().exec_driver_sql(statement)


def test_a_store_without_consents_has_an_empty_log(empty: Database) -> None:
    bring_to(empty, "0005")
    schema.upgrade(empty)
    with empty.read() as session:
        assert consent_check.walk(session).faults == []
        assert consent_check.walk(session).size == 0
