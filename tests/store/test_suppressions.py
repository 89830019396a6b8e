"""Suppressions as keyed hashes, and the log beside the store."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from engine.domain.permission import Block
from engine.domain.words import Reason
from engine.errors import StoreError
from engine.keys import Keyring
from engine.store import suppressions
from engine.store.database import Database
from engine.store.suppression_log import SuppressionLog
from engine.store.suppressions import NewSuppression
from engine.store.tables import Suppression
from tests.people import NOW

KEYS = Keyring((b"k" * 40,))


def new(email: str, reason: Reason = Reason.OBJECTION, scope: str = "advertising") -> NewSuppression:
    return NewSuppression(suppressions.address_hashes(KEYS, email), scope, reason, NOW)


def test_the_same_no_is_kept_once(database: Database) -> None:
    with database.write() as session:
        assert len(suppressions.add(session, [new("anna@example.com"), new("ben@example.com")])) == 2
        assert suppressions.add(session, [new("anna@example.com")]) == []
        assert len(suppressions.listing(session)) == 2


def test_no_address_stands_in_the_table(database: Database) -> None:
    with database.write() as session:
        suppressions.add(session, [new("anna@example.com")])
        rows = session.execute(sa.select(Suppression.__table__)).all()  # type: ignore[attr-defined]
    assert "anna" not in str(rows)


def test_what_is_lifted_no_longer_stands_and_a_no_of_the_person_cannot_be_lifted(database: Database) -> None:
    with database.write() as session:
        suppressions.add(session, [new("a@example.com", Reason.SUPPRESSED, "all"), new("a@example.com")])
        suppressions.lift(session, [one.id for one in suppressions.listing(session)], NOW)
        marks = suppressions.address_marks(KEYS, "a@example.com", "a@example.com")
        found = {block for blocks in suppressions.blocks(session, marks).values() for block in blocks}
    assert found == {Block(Reason.OBJECTION, "advertising", NOW)}


def test_with_another_key_nothing_is_found(database: Database) -> None:
    with database.write() as session:
        suppressions.add(session, [new("anna@example.com")])
        wrong = suppressions.address_marks(Keyring((b"w" * 40,)), "anna@example.com", "anna@example.com")
        assert suppressions.blocks(session, wrong) == {}


def test_what_was_logged_is_read_back_in_order(tmp_path: Path) -> None:
    log = SuppressionLog(tmp_path / "suppressions.log")
    entries = [new("a@example.com"), new("b@example.com", Reason.HARD_BOUNCE, "all")]
    log.append(entries[:1])
    log.append(entries[1:])
    log.append([])
    assert [(one.hashes, one.reason, one.scope, one.at) for one in log.read()] == [
        (one.hashes, one.reason, one.scope, one.at) for one in entries
    ]


def test_every_line_is_json_with_nothing_personal(tmp_path: Path) -> None:
    log = SuppressionLog(tmp_path / "suppressions.log")
    log.append([NewSuppression(suppressions.address_hashes(KEYS, "a@b.de"), "all", Reason.SUPPRESSED, NOW, "Frau M.")])
    assert set(json.loads(log.path.read_text())) == {"exact", "canonical", "scope", "reason", "at"}


@pytest.mark.parametrize("torn", [b'{"exact":"a', b"\x00\x00\x00", b'{"exact":"a"}', b"[]", b'"x"', b"\xff\xfe"])
def test_a_torn_line_is_passed_over_and_the_next_one_stands_alone(tmp_path: Path, torn: bytes) -> None:
    log = SuppressionLog(tmp_path / "suppressions.log")
    log.append([new("a@example.com")])
    with log.path.open("ab") as file:
        file.write(torn)
    log.append([new("b@example.com")])
    assert [one.hashes for one in log.read()] == [new("a@example.com").hashes, new("b@example.com").hashes]


def test_a_log_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "suppressions.log").mkdir()
    with pytest.raises(StoreError, match="Is a directory"):
        SuppressionLog(tmp_path / "suppressions.log").append([new("a@example.com")])


def test_many_writers_leave_whole_lines(tmp_path: Path) -> None:
    log = SuppressionLog(tmp_path / "suppressions.log")
    writers = [
        threading.Thread(target=lambda n=n: [log.append([new(f"k{n}.{i}@example.com")]) for i in range(20)])
        for n in range(4)
    ]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    assert len(list(log.read())) == 80


def test_two_objections_at_different_times_are_both_kept(database: Database) -> None:
    first = new("anna@example.com")
    later = NewSuppression(first.hashes, first.scope, first.reason, NOW + timedelta(days=400))
    with database.write() as session:
        assert suppressions.add(session, [first, later]) == [first, later]
