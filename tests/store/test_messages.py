"""Messages move one way, once, and leave a trace."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from engine.domain.words import Reason, State
from engine.store import messages
from engine.store.database import Database
from engine.store.message_tables import MessageEvent
from engine.store.messages import ForbiddenMove, Move
from tests.people import NOW, add_customer
from tests.store.rows import add_messages, row_of

EVENTS: sa.Table = MessageEvent.__table__  # type: ignore[attr-defined]


def test_a_move_leaves_who_when_why(database: Database) -> None:
    with database.write() as session:
        (number,) = add_messages(session, 1)
        move = Move(row_of(session, number), State.SKIPPED, Reason.NO_CONSENT, "no consent names birthday")
        made = messages.transition(session, [move], now=NOW, actor="daemon")
    with database.read() as session:
        event = session.connection().execute(sa.select(EVENTS)).one()
        row = row_of(session, number)
    assert len(made) == 1
    assert (row.state, row.reason) == (State.SKIPPED, Reason.NO_CONSENT)
    assert (event.before, event.after, event.actor, event.reason) == ("planned", "skipped", "daemon", "no_consent")
    assert event.at == NOW
    assert event.detail == "no consent names birthday"


def test_a_row_that_moved_on_is_left_alone(database: Database) -> None:
    with database.write() as session:
        (number,) = add_messages(session, 1)
        seen = row_of(session, number)
        messages.transition(session, [Move(seen, State.CLAIMED)], now=NOW, actor="a")
        late = messages.transition(session, [Move(seen, State.SKIPPED)], now=NOW, actor="b")
        row = row_of(session, number)
    assert late == []
    assert row.state is State.CLAIMED


def test_an_old_fence_moves_nothing(database: Database) -> None:
    with database.write() as session:
        (number,) = add_messages(session, 1, state=State.SENDING, fence=3)
        old = row_of(session, number)._replace(fence=2)
        assert messages.transition(session, [Move(old, State.SENT)], now=NOW, actor="a") == []
        assert row_of(session, number).state is State.SENDING


def test_a_forbidden_move_writes_nothing(database: Database) -> None:
    with database.write() as session:
        (number,) = add_messages(session, 1, state=State.SENT)
        with pytest.raises(ForbiddenMove, match="from sent to planned"):
            messages.move_all(session, [row_of(session, number)], State.PLANNED, now=NOW, actor="a")
        assert row_of(session, number).state is State.SENT


def test_a_bulk_move_leaves_one_event_each(database: Database) -> None:
    with database.write() as session:
        ids = add_messages(session, 30)
        rows = messages.by_ids(session, ids)
        moved = messages.move_all(session, rows, State.EXPIRED, now=NOW, actor="a", reason=Reason.TOO_LATE)
        count = session.connection().execute(sa.select(sa.func.count()).select_from(EVENTS)).scalar_one()
    assert {row.id for row in moved} == set(ids)
    assert {row.state for row in moved} == {State.EXPIRED}
    assert count == 30


def test_history_cannot_be_changed(database: Database) -> None:
    with database.write() as session:
        (number,) = add_messages(session, 1)
        messages.transition(session, [Move(row_of(session, number), State.HELD)], now=NOW, actor="a")
    for statement in (sa.update(EVENTS).values(actor="nobody"), sa.delete(EVENTS)):
        with database.pretend() as session, pytest.raises(sa.exc.DBAPIError, match="append-only"):
            session.connection().execute(statement)


def test_only_what_waits_is_overdue(database: Database) -> None:
    late = NOW - timedelta(hours=1)
    with database.write() as session:
        anna = add_customer(session)
        ids = {state: add_messages(session, 1, anna, state=state, expires_at=late)[0] for state in State}
        assert {row.id for row in messages.overdue(session, NOW, 100)} == {ids[State.PLANNED], ids[State.RETRYING]}
        messages.move_all(session, messages.overdue(session, NOW, 100), State.EXPIRED, now=NOW, actor="a")
        assert [row.id for row in messages.overdue(session, NOW, 100)] == [ids[State.HELD]]


def test_open_messages_are_found_without_reading_the_history(sqlite_database: Database) -> None:
    conditions = {
        "ix_message_queue": sa.and_(messages.WAITING, messages.TABLE.c.send_after <= NOW),
        "ix_message_open": sa.and_(messages.UNDER_WAY, messages.TABLE.c.state == State.HELD),
    }
    with sqlite_database.read() as session:
        for index, condition in conditions.items():
            select = sa.select(*messages.COLUMNS).where(condition)
            text = str(select.compile(session.connection(), compile_kwargs={"literal_binds": True}))
            plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {text}").all()
            assert index in str(plan)
