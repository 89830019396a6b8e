"""What a process that died has left."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import Session

from engine.domain.words import Accepted, Reason, Refused, Result, State
from engine.errors import AlreadyRunning
from engine.steps import recording, recovering, suppressing
from engine.steps.calling import Landed
from engine.steps.releasing import Outgoing, Released
from engine.store import attempts, calls, messages, ownership
from engine.store.database import Database
from engine.store.messages import MessageRow
from tests.conftest import MakeApp
from tests.people import NOW, add_customer
from tests.providers.conftest import MAIL, Served
from tests.steps.sending_shop import ATTEMPTS, EVENTS, real_config, rows
from tests.store.rows import add_messages, row_of

DEAD = "elsewhere:17:abc"


class Died(Exception):
    """What stands for a process that ends in the middle."""


class Store:
    """As much of the program as recovery needs."""

    def __init__(self, database: Database) -> None:
        self.database = database


def _recover(database: Database) -> int:
    return recovering.recover(Store(database), NOW)


def begin(session: Session, row: MessageRow) -> None:
    """Write down that a message goes out in a call of its own."""
    (number,) = calls.begin(session, "brevo", {f"key-{row.id}": ["hash"]}, NOW).values()
    attempts.begin(session, [attempts.Part(row, number, 0, "hash")], "brevo", NOW)


def told(row: MessageRow, result: Result) -> list[Landed]:
    """Return what a call with one mail has come to."""
    return [Landed(Outgoing("key", (Released(row, MAIL, "hash"),)), [result])]


def test_a_claimed_message_goes_back_to_where_it_came_from(database: Database) -> None:
    with database.write() as session:
        anna = add_customer(session)
        (fresh,) = add_messages(session, 1, anna, state=State.CLAIMED, owner=DEAD)
        (tried,) = add_messages(session, 1, anna, state=State.CLAIMED, owner=DEAD, first_call_at=NOW, attempts=1)
    assert _recover(database) == 2
    with database.read() as session:
        found = [row_of(session, number) for number in (fresh, tried)]
    assert [(row.state, row.reason) for row in found] == [
        (State.PLANNED, Reason.GIVEN_BACK),
        (State.RETRYING, Reason.GIVEN_BACK),
    ]


def test_a_message_whose_sender_died_is_in_doubt(database: Database) -> None:
    with database.write() as session:
        (number,) = add_messages(session, 1, state=State.SENDING, owner=DEAD, fence=1, attempts=1)
        begin(session, row_of(session, number))
    assert _recover(database) == 1
    with database.read() as session:
        row = row_of(session, number)
        (attempt,) = session.connection().execute(ATTEMPTS.select()).all()
        events = session.connection().execute(EVENTS.select().order_by(EVENTS.c.id)).all()
    assert (row.state, row.reason) == (State.IN_DOUBT, Reason.OWNER_DIED)
    assert (attempt.result, attempt.finished_at) == ("owner_died", NOW)
    assert [(event.after, event.reason) for event in events] == [("in_doubt", "owner_died")]


def test_what_this_process_is_sending_is_left_alone(database: Database) -> None:
    with database.write() as session:
        (mine,) = add_messages(session, 1, state=State.SENDING, owner=ownership.owner_name())
    with ownership.SENDING:
        assert _recover(database) == 0
    assert _recover(database) == 1
    with database.read() as session:
        assert row_of(session, mine).state is State.IN_DOUBT


def test_on_postgresql_nothing_is_taken_while_its_lease_runs(database: Database) -> None:
    with database.write() as session:
        (held,) = add_messages(session, 1, state=State.SENDING, owner=DEAD, lease_until=NOW + timedelta(seconds=1))
    assert _recover(database) == (1 if database.sqlite else 0)
    assert recovering.recover(Store(database), NOW + timedelta(seconds=2)) == (0 if database.sqlite else 1)
    with database.read() as session:
        assert row_of(session, held).state is State.IN_DOUBT


def test_recovering_twice_changes_nothing(database: Database) -> None:
    with database.write() as session:
        add_messages(session, 600, state=State.SENDING, owner=DEAD)
    assert _recover(database) == 600
    assert _recover(database) == 0


def test_a_late_yes_proves_a_doubt(make_app: MakeApp) -> None:
    app = make_app()
    with app.database.write() as session:
        (number,) = add_messages(session, 1, state=State.SENDING, owner=DEAD, fence=1, attempts=1)
        released = row_of(session, number)
        begin(session, released)
    recovering.recover(app, NOW)
    with app.database.write() as session:
        counts = recording.record(session, app, told(released, Accepted("4711")), now=NOW, owner="late").counts
    (row,) = rows(app)
    assert counts == {"late": 1}
    assert (row.state, row.provider_id) == (State.SENT, "4711")


def test_a_bounce_is_not_logged_before_the_result_that_told_it(make_app: MakeApp, brevo: Served) -> None:
    """A logged bounce without its result would stand against the repeat that ends the doubt about the whole call."""
    app = make_app(config=real_config(brevo))
    with app.database.write() as session:
        (number,) = add_messages(session, 1, state=State.SENDING, owner="me", fence=1, attempts=1)
        released = row_of(session, number)
        begin(session, released)
    log, bounce = suppressing.ledger_of(app).log, Refused("550", hard_bounce=True)
    with suppress(Died), app.database.write() as session:
        written = recording.record(session, app, told(released, bounce), now=NOW, owner="me")
        assert [entry.reason for entry in written.bounced] == [Reason.HARD_BOUNCE]
        raise Died
    assert list(log.read()) == []
    with app.database.write() as session:
        recording.record(session, app, told(released, bounce), now=NOW, owner="me")
    assert suppressing.complete(app.database, log) == 1  # it died again, before the line: the next start writes it


def test_a_late_result_with_an_old_fence_is_evidence_only(make_app: MakeApp) -> None:
    app = make_app()
    with app.database.write() as session:
        (number,) = add_messages(session, 1, state=State.SENDING, owner="new", fence=2, attempts=2)
        old = row_of(session, number)._replace(fence=1, attempts=1)
    with app.database.write() as session:
        recording.record(session, app, told(old, Accepted("4711")), now=NOW, owner="late")
    (row,) = rows(app)
    (event,) = rows(app, EVENTS)
    assert (row.state, row.provider_id) == (State.SENDING, "")
    assert event.before == event.after == "sending"
    assert "accepted" in event.detail


def test_one_process_sends_from_a_store(database: Database) -> None:
    other = Database(database.url.render_as_string(hide_password=False))
    with ownership.sole_sender(database), pytest.raises(AlreadyRunning, match="already"), ownership.sole_sender(other):
        pass
    with ownership.sole_sender(other) as sender:
        assert sender.name == ownership.owner_name()
        assert sender.holds()
    other.close()


def test_whom_the_server_has_cut_off_learns_that_somebody_else_may_send(postgres_database: Database) -> None:
    other = Database(postgres_database.url.render_as_string(hide_password=False))
    with ownership.sole_sender(postgres_database) as sender:
        with other.write() as session:
            session.connection().exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        assert not sender.holds()
        with ownership.sole_sender(other) as heir:
            assert heir.holds()
    other.close()


def test_the_lock_names_its_holder_and_dies_with_it(sqlite_database: Database, tmp_path: Path) -> None:
    program = (
        "import sys; from engine.store.database import Database; from engine.store.ownership import sole_sender\n"
        f"with sole_sender(Database({str(sqlite_database.url)!r})): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        with pytest.raises(AlreadyRunning, match=f"pid {process.pid}"), ownership.sole_sender(sqlite_database):
            pass
        process.kill()
    with ownership.sole_sender(sqlite_database):
        pass


def test_messages_can_be_found_by_the_beginning_of_their_id(database: Database) -> None:
    with database.write() as session:
        (number,) = add_messages(session, 1)
        row = row_of(session, number)
        assert [found.id for found in messages.named(session, row.message_id[:8])] == [number]
        assert messages.named(session, "%") == []
