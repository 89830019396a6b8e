"""The breaker in the store: it outlives the process, and only one of many senders gets the probe."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlmodel import Session

from engine.domain.breaker import FIRST_PAUSE, THRESHOLD
from engine.domain.words import Accepted, InDoubt, NotSent, Refused, Result
from engine.steps import breaking
from engine.store import breakers
from engine.store.database import Database
from tests.end_to_end.command import until
from tests.people import NOW

SILENT = InDoubt("no answer within 30 s")
GONE = NotSent("connection refused")


def note(database: Database, *results: Result) -> None:
    with database.write() as session:
        breaking.note(session, "brevo", results, NOW)


def allowed(database: Database, later: timedelta = timedelta(0), provider: str = "brevo") -> int | None:
    with database.write() as session:
        return breaking.allowed(session, provider, NOW + later)


@pytest.mark.parametrize("result", [SILENT, GONE], ids=["doubt", "unreachable"])
def test_a_row_of_them_opens_it_for_this_provider_and_no_other(database: Database, result: Result) -> None:
    note(database, *[result] * (THRESHOLD - 1))
    assert allowed(database) == 1
    note(database, result)
    assert allowed(database) == 0
    assert allowed(database, provider="postmark") is None
    with database.read() as session:
        assert breakers.detail(session, "brevo") == result.detail


CLEAR = {
    "accepted": Accepted("1"),
    "refused": Refused("no such mailbox"),
    "refused in a batch": NotSent("no such mailbox", whole=True),
}


@pytest.mark.parametrize("answer", CLEAR.values(), ids=CLEAR)
def test_one_clear_answer_closes_it(database: Database, answer: Result) -> None:
    note(database, *[SILENT] * THRESHOLD)
    note(database, answer)
    assert allowed(database) is None


def test_a_clear_answer_between_begins_the_count_anew(database: Database) -> None:
    note(database, *[SILENT] * (THRESHOLD - 1), Accepted("1"), SILENT)
    assert allowed(database) == THRESHOLD - 1


def test_a_fault_of_the_account_says_nothing_of_it(database: Database) -> None:
    note(database, *[NotSent("401", account=True)] * (2 * THRESHOLD))
    assert allowed(database) is None
    note(database, *[SILENT] * THRESHOLD)
    note(database, NotSent("401", account=True))
    assert allowed(database) == 0


def test_only_one_of_many_gets_the_probe(database: Database) -> None:
    note(database, *[SILENT] * THRESHOLD)
    assert [allowed(database, FIRST_PAUSE) for _ in range(3)] == [1, 0, 0]


def test_another_senders_doubt_does_not_close_one_that_is_just_opening(postgres_database: Database) -> None:
    other = threading.Thread(target=note, args=(postgres_database, SILENT))
    with postgres_database.write() as session:
        breaking.note(session, "brevo", [SILENT] * THRESHOLD, NOW)
        other.start()
        until(lambda: _waiting(session), seconds=30, what="the other sender")
    other.join()
    with postgres_database.read() as session:
        standing = breakers.find(session, "brevo")
    assert standing.failures == THRESHOLD + 1
    assert standing.is_open


def test_a_doubt_after_a_clear_answer_of_another_sender_is_counted_from_the_start(postgres_database: Database) -> None:
    note(postgres_database, *[SILENT] * (THRESHOLD - 1))
    other = threading.Thread(target=note, args=(postgres_database, SILENT))
    with postgres_database.write() as session:
        breaking.note(session, "brevo", [Accepted("1")], NOW)
        other.start()
        until(lambda: _waiting(session), seconds=30, what="the other sender")
    other.join()
    assert allowed(postgres_database) == THRESHOLD - 1


def _waiting(session: Session) -> bool:
    """Say whether anybody waits for a lock."""
    return bool(session.connection().exec_driver_sql("SELECT count(*) FROM pg_locks WHERE NOT granted").scalar_one())


def test_who_closes_it_learns_whether_there_was_anything_to_close(database: Database) -> None:
    note(database, SILENT)
    with database.write() as session:
        assert [breakers.close(session, "brevo") for _ in range(2)] == [True, False]


def test_it_outlives_the_process(database: Database) -> None:
    note(database, *[SILENT] * THRESHOLD)
    again = Database(database.url.render_as_string(hide_password=False))
    assert allowed(again) == 0
    again.close()
