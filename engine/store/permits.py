"""The one way to shorten a message's history: a permit that is written and taken away within one transaction.

`message_event` is append-only by trigger (law: Art. 5(2) GDPR, proof). Retention and erasure must shorten it all the
same: under a permit for that very message its details may be emptied, or all of it may go. A permit never outlives its
transaction, so that no accident, and no other command, ever finds one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import sqlalchemy as sa
from sqlmodel import Session

from engine.store.rights_tables import PurgePermit
from engine.store.upsert import append, chunks

_PERMIT: sa.Table = PurgePermit.__table__  # type: ignore[attr-defined]


@contextmanager
def shortening(session: Session, messages: Sequence[int]) -> Iterator[None]:
    """Permit the histories of these messages to be shortened until the end of the block."""
    append(session, _PERMIT, [{"message": number} for number in messages])
    yield
    for part in chunks(messages):
        session.connection().execute(sa.delete(_PERMIT).where(_PERMIT.c.message.in_(part)))
