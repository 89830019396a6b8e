"""What all senders of one provider share: the minute's rate, the day's budget, and whether the provider is stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlmodel import Session

from engine.store.message_tables import Budget, ProviderStop
from engine.store.upsert import insert_new, put

_TABLE: sa.Table = Budget.__table__  # type: ignore[attr-defined]
_STOPS: sa.Table = ProviderStop.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Allowance:
    """One budget: its name in the store and how many mails it allows."""

    name: str
    limit: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a provider is stopped, and until when."""

    at: datetime
    until: datetime
    detail: str
    credentials: bool


def allowances(now: datetime, today: date, per_minute: int | None, per_day: int | None) -> tuple[Allowance, ...]:
    """Return the budgets that hold at `now`; no number means no limit."""
    minute = Allowance(f"minute:{now:%Y-%m-%dT%H:%M}", per_minute) if per_minute else None
    day = Allowance(f"day:{today}", per_day) if per_day else None
    return tuple(window for window in (day, minute) if window)


def take(session: Session, provider: str, budgets: Sequence[Allowance], wanted: int) -> int:
    """Take up to `wanted` mails from every window at once and return how many there were in all of them."""
    if not budgets:
        return wanted
    insert_new(
        session,
        _TABLE,
        [{"provider": provider, "window": window.name, "taken": 0} for window in budgets],
        conflict=["provider", "window"],
    )
    names = [window.name for window in budgets]
    mine = sa.and_(_TABLE.c.provider == provider, _TABLE.c.window.in_(names))
    locked = sa.select(_TABLE.c.window, _TABLE.c.taken).where(mine).order_by(_TABLE.c.window).with_for_update()
    taken: dict[str, int] = {row.window: row.taken for row in session.connection().execute(locked)}
    granted = max(0, min(wanted, *(window.limit - taken[window.name] for window in budgets)))
    _add(session, mine, granted)
    over = sa.and_(_TABLE.c.provider == provider, _TABLE.c.window.like("minute:%"), _TABLE.c.window.not_in(names))
    session.connection().execute(sa.delete(_TABLE).where(over))
    return granted


def give_back(session: Session, provider: str, budgets: Sequence[Allowance], count: int) -> None:
    """Return mails that were taken and not sent to the windows they came from."""
    names = [window.name for window in budgets]
    if names:
        _add(session, sa.and_(_TABLE.c.provider == provider, _TABLE.c.window.in_(names)), -count)


def _add(session: Session, mine: sa.ColumnElement[bool], count: int) -> None:
    if count:
        session.connection().execute(sa.update(_TABLE).where(mine).values(taken=_TABLE.c.taken + count))


def stop(session: Session, provider: str, why: Stop) -> None:
    """Stop a provider: nothing is claimed for it before `why.until`."""
    row = {"at": why.at, "until": why.until, "detail": why.detail, "credentials": why.credentials}
    put(session, _STOPS, [{"provider": provider} | row], conflict=["provider"])


def find_stop(session: Session, provider: str) -> Stop | None:
    """Return the provider's last stop, whether over or not; None once it has worked again."""
    columns = (_STOPS.c.at, _STOPS.c.until, _STOPS.c.detail, _STOPS.c.credentials)
    found = session.connection().execute(sa.select(*columns).where(_STOPS.c.provider == provider)).one_or_none()
    return Stop(*found) if found else None


def lift_stop(session: Session, provider: str) -> None:
    """Forget a stop: the provider works, or the owner says so."""
    session.connection().execute(sa.delete(_STOPS).where(_STOPS.c.provider == provider))
