"""The one row that says who this store is: its uuid names every customer and message for ever.

It remembers where the store lies (`place`), what its owner said when it turned up elsewhere (`adopted`), and, once it
was put back from a backup, until when mails may have left that it knows nothing of (`lost_until`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain.guard import CLOCK_SET, Answer, Memory, numbered
from engine.errors import StoreError
from engine.store.lookups import Question
from engine.store.tables import Installation
from engine.store.upsert import insert_new

_ROW = 1
_ASSUMED = "pages answer"
_TABLE: sa.Table = Installation.__table__  # type: ignore[attr-defined]
_BUMP = sa.update(_TABLE).where(_TABLE.c.id == _ROW).values(data_version=_TABLE.c.data_version + 1)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the store remembers of itself."""

    uuid: UUID
    created_at: datetime
    canary: str
    data_version: int
    mode: str
    real_since: date | None
    last_tick_at: datetime | None
    place: str = ""
    adopted: str = ""
    lost_until: datetime | None = None
    pages_seen_at: datetime | None = None
    ordinal: int = 0

    @property
    def memory(self) -> Memory:
        """Return what the guard asks of it."""
        return Memory(str(self.uuid), self.last_tick_at, self.place, self.adopted, ordinal=self.ordinal)


_HERE = Question(sa.select(*(_TABLE.c[one.name] for one in fields(Standing))).where(_TABLE.c.id == _ROW))


def find(session: Session) -> Standing | None:
    """Return what the store remembers of itself; None for a store nobody has opened yet."""
    row = _HERE.first(session)
    return Standing(UUID(row[0]), *row[1:]) if row else None


def ensure(session: Session, now: datetime) -> Standing:
    """Return who this store is, giving it a uuid on its first day."""
    row = {"id": _ROW, "uuid": str(uuid4()), "created_at": now, "canary": "", "data_version": 0, "mode": ""}
    insert_new(session, _TABLE, [row], conflict=["id"])
    standing = find(session)
    if standing is None:
        raise StoreError("The store lost its installation row.", "Restore the last backup (`treuepost db status`).")
    return standing


def bump_data_version(session: Session) -> None:
    """Note that imported data changed, so that planning asks its whole window again."""
    session.connection().execute(_BUMP)


def note_canary(session: Session, marks: str) -> None:
    """Keep the marks of the keys this store was written with."""
    _change(session, canary=marks)


def note_tick(session: Session, now: datetime, ordinal: int | None = None) -> None:
    """Note the latest instant the daemon has worked at, under a number that grows each time, at least to `ordinal`.

    A clock set back a little does not move the instant back; one that was far ahead was wrong, and is forgotten.
    """
    last, number, least = _TABLE.c.last_tick_at, _TABLE.c.ordinal, numbered(now) if ordinal is None else ordinal
    moves = sa.or_(last.is_(None), last < now, last > now + CLOCK_SET)
    values = {
        "last_tick_at": sa.case((moves, sa.literal(now, last.type)), else_=last),
        "ordinal": sa.case((number >= least, number + 1), else_=sa.literal(least, number.type)),
    }
    session.connection().execute(sa.update(_TABLE).where(_TABLE.c.id == _ROW).values(**values))


def note_place(session: Session, place: str) -> None:
    """Note where the store lies."""
    _change(session, place=place)


def adopt(session: Session, answer: Answer, place: str, lost_until: datetime | None) -> None:
    """Note the owner's word on a store that lies at `place` now; what an earlier backup has lost stays lost."""
    _change(session, adopted=answer.value, place=place)
    if lost_until is not None:
        earlier = sa.or_(_TABLE.c.lost_until.is_(None), _TABLE.c.lost_until < lost_until)
        session.connection().execute(
            sa.update(_TABLE).where(_TABLE.c.id == _ROW, earlier).values(lost_until=lost_until)
        )


def note_pages_seen(session: Session, now: datetime) -> None:
    """Note that the public pages answered just now."""
    _change(session, pages_seen_at=now)


def assume_pages(session: Session, lapse: timedelta) -> None:
    """Let this session look ahead: whose pages answered when the daemon last worked, has them at any later time too."""
    standing = find(session)
    if standing is None or standing.pages_seen_at is None:
        return
    last = standing.last_tick_at
    session.info[_ASSUMED] = last is None or standing.pages_seen_at >= last - lapse


def pages_seen(session: Session, now: datetime | None = None) -> datetime | None:
    """Return when the public pages last answered; where a look ahead assumes that they do, that is `now`."""
    if now is not None and session.info.get(_ASSUMED):
        return now
    return session.connection().execute(sa.select(_TABLE.c.pages_seen_at).where(_TABLE.c.id == _ROW)).scalar()


def note_mode(session: Session, *, rehearsal: bool, today: date) -> None:
    """Note whether the store rehearses; the day of a switch from rehearsal to a real provider is remembered."""
    standing = find(session)
    mode = "rehearsal" if rehearsal else "real"
    if standing is None or standing.mode == mode:
        return
    if standing.mode == "rehearsal":
        _change(session, mode=mode, real_since=today)
    else:
        _change(session, mode=mode)


def _change(session: Session, **values: object) -> None:
    session.connection().execute(sa.update(_TABLE).where(_TABLE.c.id == _ROW).values(**values))
