"""Enrolments and the messages planned for them: the constraint on them is what makes "once" true.

Occasions come in as a SELECT (the triggers build it) and are compared with what is planned in the same statement, so
that a second scan reads nothing and writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, lru_cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain.words import OnDoubt, Reason, State
from engine.store import messages, tuples
from engine.store.lookups import Lookup
from engine.store.message_tables import Enrolment, Message, MessageEvent
from engine.store.tables import Customer, Purchase
from engine.store.upsert import chunks, insert_new, is_sqlite

ROWS_AT_ONCE = 500
"""Rows written in one transaction: few enough that nobody waits noticeably for the writer."""

_ENROLMENTS: sa.Table = Enrolment.__table__  # type: ignore[attr-defined]
_MESSAGES: sa.Table = Message.__table__  # type: ignore[attr-defined]
_EVENTS: sa.Table = MessageEvent.__table__  # type: ignore[attr-defined]
_PURCHASES: sa.Table = Purchase.__table__  # type: ignore[attr-defined]
_PEOPLE: sa.Table = Customer.__table__  # type: ignore[attr-defined]

Occasions = sa.Select[Any] | sa.CompoundSelect[Any]


class Due(NamedTuple):
    """An occasion that is due, as a trigger gives it, and the planned message it moves, if any."""

    customer_id: int
    uid: str
    zone: str
    address_id: int | None
    occasion: str
    step_index: int
    due: date
    due_at: datetime | None
    purchase_id: int | None
    service_item_id: int | None
    moves: int | None


class Planned(NamedTuple):
    """A message with the occasion it was planned for."""

    id: int
    step: str
    due: date
    customer_id: int
    uid: str
    occasion: str
    zone: str


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to be planned: the occasion, the step, and its times."""

    occasion: Due
    message_id: str
    step: str
    due: date
    send_after: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Plan:
    """What the messages of one campaign have in common."""

    campaign: str
    rehearsal: bool
    kind: str
    on_doubt: OnDoubt
    campaign_hash: str
    now: datetime
    keyed_by_purchase: bool = False


def unplanned(session: Session, occasions: Occasions, plan: Plan, step: str, *, follows: bool) -> Iterator[list[Due]]:
    """Yield, in chunks, the occasions of one step that have no message yet, or whose unsent message is due elsewhere.

    With `follows` only occasions count that are enrolled already: the step waits for an earlier one.
    """
    # A union of several SELECTs is asked one by one: then each is found by the columns' own indexes.
    for select in occasions.selects if isinstance(occasions, sa.CompoundSelect) else (occasions,):
        comparison = _unplanned(select, plan.campaign, plan.rehearsal, step, follows)
        yield from _tuples(session, comparison) if is_sqlite(session) else _in_chunks(session, comparison)


@lru_cache(maxsize=128)
def _unplanned(occasions: sa.Select[Any], campaign: str, rehearsal: bool, step: str, follows: bool) -> sa.Select[Any]:
    """Return the comparison of one SELECT of occasions with what is planned; each tick asks it again."""
    found = occasions.selected_columns
    to_move = sa.and_(_MESSAGES.c.state == State.PLANNED, _MESSAGES.c.due != found.due, found.due_at.is_(None))
    message = sa.and_(_MESSAGES.c.enrolment_id == _ENROLMENTS.c.id, _MESSAGES.c.step == step)
    return (
        occasions.add_columns(_MESSAGES.c.id)
        .join(_ENROLMENTS, _enrolled(found, campaign, rehearsal), isouter=not follows)
        .outerjoin(_MESSAGES, message)
        # What was kept as long as it may be was decided then: it is not planned anew.
        .where(sa.or_(sa.and_(_MESSAGES.c.id.is_(None), _ENROLMENTS.c.purged_at.is_(None)), to_move))
    )


def backlog(session: Session, occasions: Occasions, plan: Plan) -> Iterator[list[Due]]:
    """Yield, in chunks, the latest step of each occasion that is not enrolled, the most recent first."""
    latest = _latest(occasions)
    statement = (
        sa.select(*(latest.c[name] for name in Due._fields[:-1]), sa.null())
        .select_from(latest.outerjoin(_ENROLMENTS, _enrolled(latest.c, plan.campaign, plan.rehearsal)))
        .where(latest.c.rank == 1, _ENROLMENTS.c.id.is_(None))
        .order_by(latest.c.due.desc(), latest.c.uid)
    )
    yield from _in_chunks(session, statement)


def count_enrolled(session: Session, occasions: Occasions, plan: Plan) -> int:
    """Return how many of these occasions are enrolled already."""
    latest = _latest(occasions)
    joined = latest.join(_ENROLMENTS, _enrolled(latest.c, plan.campaign, plan.rehearsal))
    statement = sa.select(sa.func.count()).select_from(joined).where(latest.c.rank == 1)
    return session.connection().execute(statement).scalar_one()


def count_not_enrolled(session: Session, occasions: Occasions, plan: Plan) -> int:
    """Return how many of these occasions nobody was enrolled for, each with all its steps as one."""
    latest = _latest(occasions)
    joined = latest.outerjoin(_ENROLMENTS, _enrolled(latest.c, plan.campaign, plan.rehearsal))
    alone = (latest.c.rank == 1, _ENROLMENTS.c.id.is_(None))
    return session.connection().execute(sa.select(sa.func.count()).select_from(joined).where(*alone)).scalar_one()


def plan_messages(session: Session, plan: Plan, new: Sequence[NewMessage]) -> int:
    """Enrol the customers and plan the messages that do not exist yet; return how many are new.

    A message that is too late already is recorded as expired, so that the log says what became of the occasion.
    """
    ids = _enrol(session, plan, [message.occasion for message in new])
    # In the customers' order, so that of two at one address the same one leads in a forecast and in the real pass.
    ordered = sorted(new, key=lambda message: message.occasion.customer_id)
    rows = [_message(plan, message, ids[message.occasion.uid, message.occasion.occasion]) for message in ordered]
    insert_new(session, _MESSAGES, rows, conflict=["message_id"])
    return _note_planned(session, plan.now, [message.message_id for message in new])


def move_messages(session: Session, rows: Sequence[dict[str, object]]) -> None:
    """Give unsent messages the due day that a correction of the data has given their occasion.

    A message that a sender has taken since it was read keeps the day it goes out for.
    """
    if rows:
        given = [{f"new_{name}": value for name, value in row.items()} for row in rows]
        session.connection().execute(_moving(), given)


@cache
def _moving() -> sa.Update:
    """Return the statement that moves one message nobody has taken; built once."""
    bound = {name: sa.bindparam(f"new_{name}", type_=_MESSAGES.c[name].type) for name in ("id", *_TIMES)}
    untouched = sa.and_(_MESSAGES.c.id == bound["id"], _MESSAGES.c.state == State.PLANNED)
    return sa.update(_MESSAGES).where(untouched).values({name: bound[name] for name in _TIMES})


_TIMES = ("due", "send_after", "expires_at")


def planned(session: Session, ids: Sequence[int]) -> list[Planned]:
    """Return these messages with their occasions."""
    return [Planned._make(row) for row in _PLANNED.rows(session, ids)]


def waiting(session: Session, plan: Plan) -> Iterator[list[Planned]]:
    """Yield, in chunks, the campaign's messages that are planned, not yet claimed and not too late."""
    # Spelled as in the queue's partial index, so that only open messages are read.
    is_open: sa.ColumnElement[bool] = sa.literal_column("message.state IN ('planned', 'retrying')")
    mine = (
        _MESSAGES.c.campaign == plan.campaign,
        _MESSAGES.c.rehearsal == plan.rehearsal,
        _MESSAGES.c.expires_at > plan.now,
    )
    last = 0
    while True:
        select = _planned().where(is_open, _MESSAGES.c.state == State.PLANNED, *mine, _MESSAGES.c.id > last)
        found = session.connection().execute(select.order_by(_MESSAGES.c.id).limit(ROWS_AT_ONCE)).all()
        if not found:
            return
        last = found[-1].id
        yield [Planned(*row) for row in found]


def _planned() -> sa.Select[Any]:
    return (
        sa.select(
            _MESSAGES.c.id,
            _MESSAGES.c.step,
            _MESSAGES.c.due,
            _MESSAGES.c.customer_id,
            _ENROLMENTS.c.customer_uid,
            _ENROLMENTS.c.occasion,
            _PEOPLE.c.timezone,
        )
        .join(_ENROLMENTS, _ENROLMENTS.c.id == _MESSAGES.c.enrolment_id)
        .join(_PEOPLE, _PEOPLE.c.id == _MESSAGES.c.customer_id)
    )


_PLANNED = Lookup(_planned(), _MESSAGES.c.id)


def _latest(occasions: Occasions) -> sa.Subquery:
    found = occasions.subquery("due")
    newest = (found.c.due.desc(), found.c.step_index.desc())
    rank = sa.func.row_number().over(partition_by=(found.c.uid, found.c.occasion), order_by=newest)
    return sa.select(found, rank.label("rank")).subquery("latest")


def _enrolled(found: sa.ColumnCollection[str, Any], campaign: str, rehearsal: bool) -> sa.ColumnElement[bool]:
    return sa.and_(
        _ENROLMENTS.c.campaign == campaign,
        _ENROLMENTS.c.customer_uid == found.uid,
        _ENROLMENTS.c.occasion == found.occasion,
        _ENROLMENTS.c.rehearsal == rehearsal,
    )


def _in_chunks(session: Session, statement: sa.Select[Any]) -> Iterator[list[Due]]:
    streaming = {"yield_per": ROWS_AT_ONCE}
    for part in session.connection().execute(statement, execution_options=streaming).partitions():
        yield [Due(*row) for row in part]


def _tuples(session: Session, select: sa.Select[Any]) -> Iterator[list[Due]]:
    for part in _asked(select).chunks(session, ROWS_AT_ONCE):
        yield list(map(Due._make, part))


@lru_cache(maxsize=128)
def _asked(select: sa.Select[Any]) -> tuples.Asked:
    return tuples.Asked(select)


def _enrol(session: Session, plan: Plan, occasions: Sequence[Due]) -> dict[tuple[str, str], int]:
    purchases = _purchases(session, plan, occasions)
    rows = [
        {
            "campaign": plan.campaign,
            "customer_id": due.customer_id,
            "customer_uid": due.uid,
            "occasion": due.occasion,
            "rehearsal": plan.rehearsal,
            "purchase_id": due.purchase_id or purchases.get(due.occasion),
            "service_item_id": due.service_item_id,
            "created_at": plan.now,
        }
        for due in occasions
    ]
    insert_new(session, _ENROLMENTS, rows, conflict=["campaign", "customer_uid", "occasion", "rehearsal"])
    columns = (_ENROLMENTS.c.customer_uid, _ENROLMENTS.c.occasion, _ENROLMENTS.c.id)
    mine = (_ENROLMENTS.c.campaign == plan.campaign, _ENROLMENTS.c.rehearsal == plan.rehearsal)
    found: dict[tuple[str, str], int] = {}
    for part in chunks(sorted({due.uid for due in occasions})):
        select = sa.select(*columns).where(*mine, _ENROLMENTS.c.customer_uid.in_(part))
        found |= {(uid, occasion): key for uid, occasion, key in session.connection().execute(select)}
    return found


def _purchases(session: Session, plan: Plan, occasions: Sequence[Due]) -> dict[str, int]:
    """Return the purchases' rows where the occasion is their id and the trigger left finding them to us."""
    found: dict[str, int] = {}
    if plan.keyed_by_purchase:
        for part in chunks([due.occasion for due in occasions if due.purchase_id is None]):
            select = sa.select(_PURCHASES.c.purchase_id, _PURCHASES.c.id).where(_PURCHASES.c.purchase_id.in_(part))
            found |= {row.purchase_id: row.id for row in session.connection().execute(select)}
    return found


def _message(plan: Plan, new: NewMessage, enrolment: int) -> dict[str, object]:
    too_late = new.expires_at <= plan.now
    return {
        "message_id": new.message_id,
        "enrolment_id": enrolment,
        "customer_id": new.occasion.customer_id,
        "address_id": new.occasion.address_id,
        "campaign": plan.campaign,
        "step": new.step,
        "step_index": new.occasion.step_index,
        "kind": plan.kind,
        "on_doubt": plan.on_doubt,
        "rehearsal": plan.rehearsal,
        "due": new.due,
        "send_after": new.send_after,
        "expires_at": new.expires_at,
        "planned_at": plan.now,
        "state": State.EXPIRED if too_late else State.PLANNED,
        "reason": Reason.TOO_LATE if too_late else None,
        "campaign_hash": plan.campaign_hash,
    } | _NOTHING_YET


_NOTHING_YET = {
    "detail": "",
    "evidence": "",
    "language": "",
    "template_hash": "",
    "owner": "",
    "fence": 0,
    "attempts": 0,
    "provider": "",
    "provider_id": "",
    "subject": "",
}


def _note_planned(session: Session, now: datetime, message_ids: Sequence[str]) -> int:
    """Write the first events of the messages that have none: those that were planned just now."""
    untold = ~sa.select(_EVENTS.c.id).where(_EVENTS.c.message == _MESSAGES.c.id).exists()
    events: list[dict[str, object]] = []
    new = 0
    for part in chunks(message_ids):
        select = sa.select(_MESSAGES.c.id, _MESSAGES.c.state).where(_MESSAGES.c.message_id.in_(part), untold)
        for key, state in session.connection().execute(select.order_by(_MESSAGES.c.id)).all():
            new += 1
            events.append(_event(key, now, "", State.PLANNED))
            if state == State.EXPIRED:
                events.append(_event(key, now, State.PLANNED, State.EXPIRED, Reason.TOO_LATE))
    messages.note_events(session, events)
    return new


def _event(message: int, now: datetime, before: str, after: str, reason: str = "") -> dict[str, object]:
    row = {"message": message, "at": now, "before": str(before), "after": str(after), "actor": "planner"}
    return row | {"reason": str(reason), "detail": "", "fence": 0}
