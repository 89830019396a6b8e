"""The breaker of each provider, kept so that no restart forgets it.

A row stays once it is there: who waits for a row that is deleted meanwhile finds none, and what is not there cannot be
locked.
"""

from __future__ import annotations

from dataclasses import asdict

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain.breaker import CLOSED, Breaker
from engine.store.lookups import Question
from engine.store.message_tables import ProviderBreaker
from engine.store.upsert import insert_new, put

_TABLE: sa.Table = ProviderBreaker.__table__  # type: ignore[attr-defined]
_COLUMNS = (_TABLE.c.failures, _TABLE.c.openings, _TABLE.c.until, _TABLE.c.probe_until)
_STANDING = Question(
    sa.select(*_COLUMNS).where(_TABLE.c.provider == sa.bindparam("provider", required=False, type_=sa.String))
)


def find(session: Session, provider: str, *, lock: bool = False) -> Breaker:
    """Return how a provider stands; with `lock` nobody else changes it before the transaction ends."""
    if not lock:
        seen = _STANDING.first(session, provider=provider)
        return Breaker(*seen) if seen else CLOSED
    insert_new(session, _TABLE, [{"provider": provider}], conflict=["provider"])
    query = sa.select(*_COLUMNS).where(_TABLE.c.provider == provider)
    return Breaker(*session.connection().execute(query.with_for_update()).one())


def detail(session: Session, provider: str) -> str:
    """Return what the provider last said, or did not say."""
    query = sa.select(_TABLE.c.detail).where(_TABLE.c.provider == provider)
    return session.connection().execute(query).scalar_one_or_none() or ""


def keep(session: Session, provider: str, breaker: Breaker, told: str) -> None:
    """Write down how a provider stands, and what it last said."""
    put(session, _TABLE, [{"provider": provider} | asdict(breaker) | {"detail": told}], conflict=["provider"])


def close(session: Session, provider: str) -> bool:
    """Forget every failure: the provider has answered, or the owner says so. False where there was none."""
    failing = sa.or_(_TABLE.c.failures > 0, _TABLE.c.until.is_not(None))
    closed = sa.update(_TABLE).where(_TABLE.c.provider == provider, failing).values(**asdict(CLOSED), detail="")
    return session.connection().execute(closed).rowcount > 0
