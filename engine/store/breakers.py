"""The breaker of each provider, kept so that no restart forgets it."""

from __future__ import annotations

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain.breaker import CLOSED, Breaker
from engine.store.lookups import Question
from engine.store.message_tables import ProviderBreaker
from engine.store.upsert import put

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
    query = sa.select(*_COLUMNS).where(_TABLE.c.provider == provider)
    found = session.connection().execute(query.with_for_update()).one_or_none()
    return Breaker(*found) if found else CLOSED


def detail(session: Session, provider: str) -> str:
    """Return what the provider last said, or did not say."""
    query = sa.select(_TABLE.c.detail).where(_TABLE.c.provider == provider)
    return session.connection().execute(query).scalar_one_or_none() or ""


def keep(session: Session, provider: str, breaker: Breaker, told: str) -> None:
    """Write down how a provider stands, and what it last said."""
    row = {
        "provider": provider,
        "failures": breaker.failures,
        "openings": breaker.openings,
        "until": breaker.until,
        "probe_until": breaker.probe_until,
        "detail": told,
    }
    put(session, _TABLE, [row], conflict=["provider"])


def close(session: Session, provider: str) -> bool:
    """Forget every failure: the provider has answered, or the owner says so. False where there was none."""
    return session.connection().execute(sa.delete(_TABLE).where(_TABLE.c.provider == provider)).rowcount > 0
