"""What came before what: by the rows' own order under the address's lock, not by clocks, which are set and differ."""

from __future__ import annotations

import sqlalchemy as sa
from sqlmodel import Session

from engine.store.message_tables import Attempt

_ATTEMPT: sa.Table = Attempt.__table__  # type: ignore[attr-defined]
_LAST = sa.select(sa.func.max(_ATTEMPT.c.id))


def last_attempt(session: Session) -> int:
    """Return the number of the last attempt there is.

    Asked by whoever holds an address: of the attempts at that address those up to this number came before, and the
    others after, for a release holds the address too.
    """
    return session.connection().execute(_LAST).scalar() or 0
