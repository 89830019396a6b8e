"""`treuepost messages`: what waits, and the owner's word on it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from engine.clock import system_clock
from engine.domain.words import State
from engine.store import messages
from engine.store.database import Database
from engine.store.tables import Customer
from tests.cli.typed import document, lay_out, lines, typed
from tests.store.rows import add_messages


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return lay_out(tmp_path / "laden")


def _add(home: Path, *states: State) -> list[str]:
    now = system_clock()
    database = Database(f"sqlite:///{home / 'store.db'}")
    with database.write() as session:
        anna = session.execute(sa.select(Customer)).scalars().first()
        times = {"send_after": now + timedelta(hours=3), "expires_at": now + timedelta(days=3), "due": now.date()}
        ids = [add_messages(session, 1, anna, state=state, **times)[0] for state in states]
        found = {row.id: row.message_id for row in messages.by_ids(session, ids)}
    database.close()
    return [found[number] for number in ids]


def test_what_waits_is_listed_and_what_is_done_is_not(home: Path) -> None:
    held, planned, _sent = _add(home, State.HELD, State.PLANNED, State.SENT)
    assert {row["message_id"] for row in lines(home, "messages", "list")} == {held, planned}
    assert [row["message_id"] for row in lines(home, "messages", "list", "--state", "held")] == [held]
    shown = typed(home, "messages", "list").stdout
    assert held[:8] in shown
    assert "anna@example.com" not in shown
    assert "anna@example.com" in typed(home, "messages", "list", "--show-addresses").stdout


def test_an_empty_queue_says_so(home: Path) -> None:
    assert typed(home, "messages", "list").stdout.strip() == "Es wartet nichts."


@pytest.mark.parametrize(
    ("word", "state", "after"),
    [
        ("release", State.HELD, "planned"),
        ("cancel", State.HELD, "cancelled"),
        ("cancel", State.PLANNED, "cancelled"),
        ("cancel", State.RETRYING, "cancelled"),
        ("retry", State.RETRYING, "retrying"),
    ],
)
def test_the_owners_word_moves_a_message(home: Path, word: str, state: State, after: str) -> None:
    (name,) = _add(home, state)
    assert document(home, "messages", word, name[:8]) == [{"message_id": name, "before": state, "state": after}]
    (row,) = lines(home, "messages", "list", "--state", after)
    if word == "retry":
        assert str(row["send_after"]) < (system_clock() + timedelta(hours=1)).isoformat()


@pytest.mark.parametrize(
    ("word", "state"),
    [("release", State.PLANNED), ("cancel", State.SENT), ("cancel", State.SENDING), ("retry", State.UNKNOWN)],
)
def test_what_may_have_left_is_not_touched(home: Path, word: str, state: State) -> None:
    (name,) = _add(home, state)
    result = typed(home, "messages", word, name)
    assert result.exit_code == 2
    assert state.value in result.stderr


def test_one_wrong_id_and_nothing_is_done(home: Path) -> None:
    (name,) = _add(home, State.HELD)
    assert typed(home, "messages", "release", name, "ffffffff-nobody").exit_code == 7
    assert [row["state"] for row in lines(home, "messages", "list")] == ["held"]


def test_a_word_that_is_no_state_is_answered_with_those_there_are(home: Path) -> None:
    result = typed(home, "messages", "list", "--state", "waiting")
    assert result.exit_code == 2
    assert "in_doubt" in result.stderr
