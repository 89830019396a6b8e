"""The ways a message may go."""

from __future__ import annotations

import itertools

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.states import CLAIMABLE, EDGES, FINAL, MAY_HAVE_LEFT, OPEN, may_go
from engine.domain.words import State
from engine.store import messages
from engine.store.database import Database
from engine.store.messages import ForbiddenMove, Move
from tests.people import NOW
from tests.store.rows import add_messages, row_of

PAIRS = [(before, after) for before, after in itertools.product(State, State) if before != after]


def test_only_an_unknown_message_leaves_a_final_state_and_only_to_sent() -> None:
    assert {(before, after) for before, after in PAIRS if before in FINAL and may_go(before, after)} == {
        (State.UNKNOWN, State.SENT)
    }


def test_a_message_that_may_have_left_is_never_claimed_without_having_been_retrying() -> None:
    assert {before for before in State if may_go(before, State.CLAIMED)} == set(CLAIMABLE)


def test_every_open_state_leads_to_an_end() -> None:
    for state in OPEN:
        reached, grown = {state}, set(EDGES[state])
        while grown - reached:
            reached |= grown
            grown = set().union(*(EDGES[step] for step in reached))
        assert reached & FINAL


@given(st.lists(st.sampled_from(list(State)), max_size=12))
def test_no_way_leads_from_sent_back_to_the_queue(way: list[State]) -> None:
    state = State.SENT
    for step in way:
        if may_go(state, step):
            state = step
    assert state is State.SENT


def test_what_counts_as_written_has_begun_its_call() -> None:
    assert {State.PLANNED, State.CLAIMED, State.RETRYING, State.REJECTED}.isdisjoint(MAY_HAVE_LEFT)


def test_the_one_function_and_the_database_refuse_every_forbidden_way(database: Database) -> None:
    with database.write() as session:
        ids = dict(zip(PAIRS, add_messages(session, len(PAIRS)), strict=True))
    for before in State:
        _stand_in(database, before, [ids[pair] for pair in PAIRS if pair[0] is before])
    refused_here = {pair for pair in PAIRS if _refused_by_the_function(database, ids[pair], pair)}
    refused_there = {pair for pair in PAIRS if _refused_by_the_database(database, ids[pair], pair[1])}
    expected = {pair for pair in PAIRS if not may_go(*pair)}
    assert refused_here == expected
    assert refused_there == expected


def _stand_in(database: Database, state: State, ids: list[int]) -> None:
    """Bring messages into a state by allowed ways only."""
    ways: dict[State, list[State]] = {State.PLANNED: []}
    while len(ways) < len(State):
        for known, way in list(ways.items()):
            for step in EDGES[known]:
                ways.setdefault(step, [*way, step])
    with database.write() as session:
        for step in ways[state]:
            session.connection().execute(
                sa.update(messages.TABLE).where(messages.TABLE.c.id.in_(ids)).values(state=step)
            )


def _refused_by_the_function(database: Database, message: int, pair: tuple[State, State]) -> bool:
    with database.pretend() as session:
        try:
            made = messages.transition(session, [Move(row_of(session, message), pair[1])], now=NOW, actor="test")
        except ForbiddenMove:
            return True
        assert len(made) == 1
        return False


def _refused_by_the_database(database: Database, message: int, after: State) -> bool:
    change = sa.update(messages.TABLE).where(messages.TABLE.c.id == message).values(state=after)
    with database.pretend() as session:
        try:
            session.connection().execute(change)
        except sa.exc.DBAPIError as error:
            return "may not go" in str(error)
        return False


@pytest.mark.parametrize("state", list(State))
def test_every_state_is_either_open_or_final(state: State) -> None:
    assert (state in OPEN) is not (state in FINAL)
