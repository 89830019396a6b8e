"""Claims: every due message is taken once."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from engine.domain.words import State
from engine.store import claims, messages
from engine.store.claims import claim
from engine.store.database import Database
from engine.store.tuples import Asked
from tests.people import NOW, add_customer
from tests.store.rows import add_messages, row_of


def _claim(
    database: Database, owner: str = "me", limit: int = 10, campaigns: tuple[str, ...] = ("birthday",)
) -> list[int]:
    with database.write() as session:
        taken = claim(session, owner=owner, now=NOW, limit=limit, campaigns=campaigns, rehearsal=False)
    return [row.id for row in taken]


def test_eight_threads_take_two_thousand_messages_exactly_once(database: Database) -> None:
    with database.write() as session:
        ids = add_messages(session, 2000)

    def work(owner: int) -> list[int]:
        mine: list[int] = []
        while taken := _claim(database, f"thread {owner}", 25):
            mine += taken
        return mine

    with ThreadPoolExecutor(8) as pool:
        taken = Counter(number for mine in pool.map(work, range(8)) for number in mine)
    assert taken == Counter(ids)


def test_the_longest_waiting_goes_first(database: Database) -> None:
    with database.write() as session:
        anna = add_customer(session)
        late = add_messages(session, 1, anna, send_after=NOW - timedelta(hours=1))
        early = add_messages(session, 1, anna, send_after=NOW - timedelta(hours=2))
        add_messages(session, 1, anna)
    assert _claim(database, limit=2) == early + late


def test_what_is_not_due_or_too_late_or_elsewhere_is_left(database: Database) -> None:
    with database.write() as session:
        anna = add_customer(session)
        add_messages(session, 1, anna, send_after=NOW + timedelta(seconds=1))
        add_messages(session, 1, anna, expires_at=NOW)
        add_messages(session, 1, anna, campaign="lapsed")
        add_messages(session, 1, anna, rehearsal=True)
        for state in set(State) - {State.PLANNED, State.RETRYING}:
            add_messages(session, 1, anna, state=state)
        wanted = add_messages(session, 1, anna) + add_messages(session, 1, anna, state=State.RETRYING)
    assert _claim(database, limit=100) == wanted


def test_no_campaign_on_means_nothing_is_claimed(database: Database) -> None:
    with database.write() as session:
        add_messages(session, 1)
    assert _claim(database, campaigns=()) == []


def test_a_claim_names_its_owner(database: Database) -> None:
    with database.write() as session:
        (number,) = add_messages(session, 1)
    _claim(database, "host:17")
    with database.read() as session:
        row = row_of(session, number)
        assert (row.state, row.owner, row.fence) == (State.CLAIMED, "host:17", 0)
        assert claims.count_due(session, NOW) == 0
        assert len(messages.under_way(session, [State.CLAIMED])) == 1


def test_a_claim_reads_the_messages_that_wait_and_not_a_campaigns_history(sqlite_database: Database) -> None:
    asked = Asked(claims._due(NOW, 500, ["birthday"], rehearsal=False))
    with sqlite_database.read() as session:
        plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {asked._sql}", asked._values).all()

    steps = [row[3] for row in plan]
    assert any("message USING INDEX ix_message_queue" in step for step in steps), steps
    assert not any("TEMP B-TREE" in step for step in steps), steps
