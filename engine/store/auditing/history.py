"""Every message came to its state by allowed steps, each written down, and none is lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain.states import EDGES
from engine.domain.words import State
from engine.store import installation
from engine.store.auditing.contract import ENROLMENTS, EVENTS, MESSAGES, STATE, Ground, Violation, asked

_PATIENCE = timedelta(days=1)
_WAYS = sorted(f"{before}>{after}" for before, ways in EDGES.items() for after in ways)


def unknown_states(session: Session, _ground: Ground) -> Iterator[Violation]:
    """Find messages in a state that is none."""
    strange = sa.select(MESSAGES.c.message_id, STATE).where(STATE.not_in(sorted(State)))
    for message_id, state in asked(session, strange):
        yield Violation("state", message_id, f'"{state}" is no state')


def states_without_history(session: Session, _ground: Ground) -> Iterator[Violation]:
    """Find messages that stand elsewhere than their last event says, or have no event."""
    last = sa.select(EVENTS.c.message, sa.func.max(EVENTS.c.id).label("last")).group_by(EVENTS.c.message).subquery()
    gone = (
        sa.select(MESSAGES.c.message_id, STATE, EVENTS.c.after)
        .outerjoin(last, last.c.message == MESSAGES.c.id)
        .outerjoin(EVENTS, EVENTS.c.id == last.c.last)
        .where(sa.or_(EVENTS.c.after.is_(None), EVENTS.c.after != STATE))
    )
    for message_id, state, after in asked(session, gone):
        yield Violation("history", message_id, f"is {state}, its history ends at {after or 'nothing'}")


def broken_steps(session: Session, _ground: Ground) -> Iterator[Violation]:
    """Find events that begin elsewhere than the one before has ended, or go a way no message may go."""
    way = EVENTS.c.before + ">" + EVENTS.c.after
    steps = _steps((EVENTS.c.before, EVENTS.c.after, way.label("way")))
    stays = sa.and_(steps.c.before == steps.c.after, steps.c.before != "")
    begins = sa.and_(steps.c.before == "", steps.c.after == State.PLANNED.value)
    allowed = sa.or_(stays, begins, steps.c.way.in_(_WAYS))
    follows = sa.func.coalesce(steps.c.came, "") == steps.c.before
    wrong = _of_messages(steps, sa.not_(sa.and_(allowed, follows)))
    for row in asked(session, wrong):
        came = f" after {row.came}" if row.came != row.before else ""
        yield Violation("steps", row.message_id, f"{row.before or 'nothing'} → {row.after}{came}")


def fences_that_do_not_rise(session: Session, _ground: Ground) -> Iterator[Violation]:
    """Find releases whose number is not above the one before: a sender that was thought dead wrote after another."""
    moved = EVENTS.c.before != EVENTS.c.after  # what only notes a late result bears the number of its own call
    steps = _steps((EVENTS.c.after, EVENTS.c.fence), moved)
    lower = steps.c.fence < steps.c.had
    same = sa.and_(steps.c.after == State.SENDING.value, steps.c.fence == steps.c.had)
    for row in asked(session, _of_messages(steps, sa.or_(lower, same))):
        yield Violation("fences", row.message_id, f"{row.after} with number {row.fence} after {row.had}")
    above = sa.select(MESSAGES.c.message_id, MESSAGES.c.fence, sa.func.max(EVENTS.c.fence).label("seen")).join(
        EVENTS, EVENTS.c.message == MESSAGES.c.id
    )
    highest = above.group_by(MESSAGES.c.id, MESSAGES.c.message_id, MESSAGES.c.fence)
    for row in asked(session, highest.having(sa.func.max(EVENTS.c.fence) > MESSAGES.c.fence)):
        yield Violation("fences", row.message_id, f"its number is {row.fence}, its history has {row.seen}")


def uncounted(session: Session, _ground: Ground) -> Iterator[Violation]:
    """Find messages that were not planned exactly once, and occasions nobody planned a message for."""
    first = sa.func.sum(sa.case((EVENTS.c.before == "", 1), else_=0))
    begun = sa.select(MESSAGES.c.message_id, first).join(EVENTS, EVENTS.c.message == MESSAGES.c.id)
    for message_id, times in asked(session, begun.group_by(MESSAGES.c.id, MESSAGES.c.message_id).having(first != 1)):
        yield Violation("count", message_id, f"was planned {times} times")
    lost = sa.select(EVENTS.c.message).distinct().outerjoin(MESSAGES, MESSAGES.c.id == EVENTS.c.message)
    for (number,) in asked(session, lost.where(MESSAGES.c.id.is_(None))):
        yield Violation("count", "", f"message {number} has a history and is gone")
    empty = sa.select(ENROLMENTS.c.id, ENROLMENTS.c.campaign, ENROLMENTS.c.occasion)
    planned = sa.select(MESSAGES.c.id).where(MESSAGES.c.enrolment_id == ENROLMENTS.c.id).exists()
    # What was kept as long as it may be is gone on purpose.
    for number, campaign, occasion in asked(session, empty.where(~planned, ENROLMENTS.c.purged_at.is_(None))):
        yield Violation("count", "", f"enrolment {number} ({campaign} {occasion}) has no message")


def forgotten(session: Session, _ground: Ground) -> Iterator[Violation]:
    """Find messages that still wait a day after they were too late, though the shop was at work since."""
    standing = installation.find(session)
    if standing is None or standing.last_tick_at is None:
        return
    late = MESSAGES.c.expires_at <= standing.last_tick_at - _PATIENCE
    waits = STATE.in_((State.PLANNED.value, State.RETRYING.value, State.HELD.value, State.CLAIMED.value))
    for row in asked(session, sa.select(MESSAGES.c.message_id, STATE, MESSAGES.c.expires_at).where(waits, late)):
        yield Violation("forgotten", row.message_id, f"is {row[1]} and too late since {row.expires_at:%Y-%m-%dT%H:%M}Z")


def _steps(columns: tuple[Any, ...], *conditions: sa.ColumnElement[bool]) -> sa.Subquery:
    """Return the events, each beside what the one before of its message came to (`came`, with fence `had`)."""
    came, had = (
        sa.func.lag(column).over(partition_by=EVENTS.c.message, order_by=EVENTS.c.id).label(name)
        for column, name in ((EVENTS.c.after, "came"), (EVENTS.c.fence, "had"))
    )
    return sa.select(EVENTS.c.id, EVENTS.c.message, *columns, came, had).where(*conditions).subquery("steps")


def _of_messages(steps: sa.Subquery, wrong: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return sa.select(MESSAGES.c.message_id, steps).join(steps, steps.c.message == MESSAGES.c.id).where(wrong)
