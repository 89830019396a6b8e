"""The breaker in the store: it outlives the process, and only one of many senders gets the probe."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.domain.breaker import FIRST_PAUSE, THRESHOLD
from engine.domain.words import Accepted, InDoubt, NotSent, Refused, Result
from engine.steps import breaking
from engine.store import breakers
from engine.store.database import Database
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


def test_it_outlives_the_process(database: Database) -> None:
    note(database, *[SILENT] * THRESHOLD)
    again = Database(database.url.render_as_string(hide_password=False))
    assert allowed(again) == 0
    again.close()
