"""What was done with somebody's data, when and by whom: appended, never changed (law: Art. 5(2) GDPR)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session

from engine.store.lawful_tables import PrivacyEvent
from engine.store.upsert import append, chunks

_EVENT: sa.Table = PrivacyEvent.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that was done: `subject` is a keyed hash, `detail` names nobody."""

    at: datetime
    operator: str
    action: str
    subject: str = ""
    detail: str = ""


def note(session: Session, deed: Deed) -> None:
    """Append what was done."""
    names = ("at", "operator", "action", "subject", "detail")
    append(session, _EVENT, [{name: getattr(deed, name) for name in names}])


def about(session: Session, subjects: tuple[str, ...]) -> list[Deed]:
    """Return what was done with one person's data, the oldest first; `subjects` are all of their hashes."""
    found: list[tuple[int, Deed]] = []
    for part in chunks(sorted(subjects)):
        names = ("id", "at", "operator", "action", "subject", "detail")
        query = sa.select(*(_EVENT.c[name] for name in names)).where(_EVENT.c.subject.in_(part))
        found += [(number, Deed(*rest)) for number, *rest in session.connection().execute(query)]
    return [deed for _, deed in sorted(found, key=lambda pair: pair[0])]


def since(session: Session, at: datetime) -> list[Deed]:
    """Return everything that was done since an instant, the oldest first."""
    names = ("at", "operator", "action", "subject", "detail")
    query = sa.select(*(_EVENT.c[name] for name in names)).where(_EVENT.c.at >= at).order_by(_EVENT.c.id)
    return [Deed(*row) for row in session.connection().execute(query)]
