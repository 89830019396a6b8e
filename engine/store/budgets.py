"""What all senders of one provider share: the pace, the day's budget, and whether the provider is stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session

from engine.store.lookups import Question
from engine.store.message_tables import Budget, ProviderStop
from engine.store.upsert import insert_new, put

_TABLE: sa.Table = Budget.__table__  # type: ignore[attr-defined]
_PACE = "pace"
_BELOW = 1.012
"""Mails leave a little slower than the rate allows: no machine wakes its threads to the instant."""
_LONGEST_LINE = timedelta(hours=1)
"""A line longer than this was written by a clock that has been set back since."""
_STOPS: sa.Table = ProviderStop.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Allowance:
    """One budget: its name in the store and how many mails it allows."""

    name: str
    limit: int


@dataclass(frozen=True, slots=True)
class Pace:
    """How far apart mails leave, and how far ahead of its turn one may be released.

    Turns in the store lie a little further apart than the line of one process needs: it can catch up with them.
    """

    interval: timedelta
    ahead: timedelta

    @property
    def turn(self) -> timedelta:
        """Return how far apart turns are given out."""
        return self.interval * _BELOW

    @classmethod
    def per_minute(cls, mails: int, ahead: timedelta) -> Pace:
        """Return the pace that keeps within so many mails a minute."""
        return cls(timedelta(minutes=1) / mails * _BELOW, ahead)


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a provider is stopped, and until when."""

    at: datetime
    until: datetime
    detail: str
    credentials: bool


_STOP = tuple(_STOPS.c[one.name] for one in fields(Stop))


def allowances(today: date, per_day: int | None) -> tuple[Allowance, ...]:
    """Return the budgets that hold today; no number means no limit."""
    return (Allowance(f"day:{today}", per_day),) if per_day else ()


def take(session: Session, provider: str, budgets: Sequence[Allowance], wanted: int) -> int:
    """Take up to `wanted` mails from every window at once and return how many there were in all of them."""
    if not budgets:
        return wanted
    names = [window.name for window in budgets]
    rows = [{"provider": provider, "window": name, "taken": 0} for name in names]
    insert_new(session, _TABLE, rows, conflict=["provider", "window"])
    mine = sa.and_(_TABLE.c.provider == provider, _TABLE.c.window.in_(names))
    locked = sa.select(_TABLE.c.window, _TABLE.c.taken).where(mine).order_by(_TABLE.c.window).with_for_update()
    taken: dict[str, int] = {row.window: row.taken for row in session.connection().execute(locked)}
    granted = max(0, min(wanted, *(window.limit - taken[window.name] for window in budgets)))
    _add(session, mine, granted)
    return granted


def free_at(session: Session, provider: str) -> datetime | None:
    """Return when the provider's rate lets the next mail leave; None where none has left yet."""
    mine = (_TABLE.c.provider == provider, _TABLE.c.window == _PACE)
    return session.connection().execute(sa.select(_TABLE.c.free_at).where(*mine)).scalar_one_or_none()


def take_turns(session: Session, provider: str, pace: Pace, wanted: int, now: datetime) -> tuple[int, timedelta]:
    """Take turns in the line of mails that leave one after the other; return how many, and how soon the first.

    Turns lie `pace.turn` apart, whoever takes them; only those within `pace.ahead` from now are given out.
    """
    insert_new(session, _TABLE, [{"provider": provider, "window": _PACE}], conflict=["provider", "window"])
    mine = sa.and_(_TABLE.c.provider == provider, _TABLE.c.window == _PACE)
    locked = sa.select(_TABLE.c.free_at).where(mine).with_for_update()
    free: datetime | None = session.connection().execute(locked).scalar_one()
    first = max(now, free) if free is not None and free - now < _LONGEST_LINE else now
    granted = min(wanted, max(0, int((now + pace.ahead - first) / pace.turn) + 1)) if first <= now + pace.ahead else 0
    if granted:
        after = first + pace.turn * granted
        session.connection().execute(sa.update(_TABLE).where(mine).values(free_at=after))
    return granted, first - now


def give_back(session: Session, provider: str, budgets: Sequence[Allowance], count: int) -> None:
    """Return mails that were taken and not sent to the windows they came from; never more than were taken."""
    names = [window.name for window in budgets]
    if names:
        _add(session, sa.and_(_TABLE.c.provider == provider, _TABLE.c.window.in_(names)), -count)


def _add(session: Session, mine: sa.ColumnElement[bool], count: int) -> None:
    if count:
        taken = sa.case((_TABLE.c.taken + count > 0, _TABLE.c.taken + count), else_=0)
        session.connection().execute(sa.update(_TABLE).where(mine).values(taken=taken))


def stop(session: Session, provider: str, why: Stop) -> None:
    """Stop a provider: nothing is claimed for it before `why.until`, nor before a stop that stands already is over."""
    if insert_new(session, _STOPS, [{"provider": provider} | asdict(why)], conflict=["provider"]):
        return
    mine = _STOPS.c.provider == provider
    locked = sa.select(*_STOP).where(mine).with_for_update()
    found = session.connection().execute(locked).one_or_none()
    both = _both(Stop(*found), why) if found else why
    put(session, _STOPS, [{"provider": provider} | asdict(both)], conflict=["provider"])


def _both(standing: Stop, why: Stop) -> Stop:
    """Return one stop that is as long as the longer; it says why with the credentials' words where they are refused."""
    of_a_wrong_clock = standing.at - why.at > _LONGEST_LINE
    if standing.until <= why.at or of_a_wrong_clock:
        return why
    telling = max(standing, why, key=lambda one: (one.credentials, one.until))
    return replace(telling, until=max(standing.until, why.until))


_STANDING_STOP = Question(
    sa.select(*_STOP).where(_STOPS.c.provider == sa.bindparam("provider", required=False, type_=sa.String))
)


def find_stop(session: Session, provider: str) -> Stop | None:
    """Return the provider's last stop, whether over or not; None once it has worked again."""
    found = _STANDING_STOP.first(session, provider=provider)
    return Stop(*found) if found else None


def lift_stop(session: Session, provider: str) -> None:
    """Forget a stop: the provider works, or the owner says so."""
    session.connection().execute(sa.delete(_STOPS).where(_STOPS.c.provider == provider))
