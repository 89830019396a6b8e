"""What an audit finds, and what it must be told besides the store: the rules that stand in files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain.grammar import Cap, Window
from engine.domain.words import State
from engine.store.checkpoints import Checkpoint
from engine.store.message_tables import Attempt, Enrolment, Message, MessageBody, MessageEvent, ProviderCall

MESSAGES: sa.Table = Message.__table__  # type: ignore[attr-defined]
ENROLMENTS: sa.Table = Enrolment.__table__  # type: ignore[attr-defined]
ATTEMPTS: sa.Table = Attempt.__table__  # type: ignore[attr-defined]
CALLS: sa.Table = ProviderCall.__table__  # type: ignore[attr-defined]
BODIES: sa.Table = MessageBody.__table__  # type: ignore[attr-defined]
EVENTS: sa.Table = MessageEvent.__table__  # type: ignore[attr-defined]

STATE = sa.type_coerce(MESSAGES.c.state, sa.String)
"""The state as it stands there, even if it is no state at all."""
CALLED = frozenset({State.SENDING, State.IN_DOUBT, State.SENT, State.REJECTED, State.UNKNOWN})
"""States no message comes to without a call to the provider."""
LAST_CALL = sa.select(sa.func.max(ATTEMPTS.c.started_at)).where(ATTEMPTS.c.message == MESSAGES.c.id).scalar_subquery()
LEFT_AT = (
    sa.select(sa.func.max(ATTEMPTS.c.started_at))
    .where(ATTEMPTS.c.message == MESSAGES.c.id)
    .where(sa.or_(MESSAGES.c.sent_at.is_(None), ATTEMPTS.c.started_at <= MESSAGES.c.sent_at))
    .scalar_subquery()
)
"""The last call that may have carried a mail off: once it was proved, it only goes along when its call is repeated."""
_AT_ONCE = 2000
EVER = datetime.min.replace(tzinfo=UTC)
"""Before anything was released."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise: which check found it, at which message ("" where it is nobody's own), and what is there."""

    check: str
    message_id: str
    what: str


@dataclass(frozen=True, slots=True)
class Hours:
    """What one version of a campaign's file says about when and how often it may write."""

    between: Window
    days: frozenset[int]
    limit: Cap | None = None


@dataclass(frozen=True, slots=True)
class Ground:
    """The rules that stand in files. `hours` goes by the hash of a campaign's file, `replays` by the provider's name.

    `checkpoints` lie beside the store, or in `home`; they go by the number of consent events there were.

    What was released before `rules_since` was released under rules nobody knows any more, and is not held to these.
    """

    zone: ZoneInfo
    quiet: Window | None = None
    at_most: tuple[Cap, ...] = ()
    rules_since: datetime = EVER
    hours: Mapping[str, Hours] = field(default_factory=dict)
    replays: Mapping[str, timedelta | None] = field(default_factory=dict)
    home: Path | None = None
    checkpoints: Mapping[int, Checkpoint] = field(default_factory=dict)

    def place(self, timezone: str) -> ZoneInfo:
        """Return a customer's zone; the shop's where there is none, or none that is known."""
        try:
            return ZoneInfo(timezone) if timezone else self.zone
        except (ZoneInfoNotFoundError, ValueError):
            return self.zone


Question = Callable[[Session, Ground], Iterator[Violation]]


def asked(session: Session, select: sa.Select[Any]) -> Iterator[Any]:
    """Yield the rows of a question, a few at a time however many there are."""
    streaming = {"yield_per": _AT_ONCE}
    yield from session.connection().execute(select, execution_options=streaming)


def pages(session: Session, select: sa.Select[Any], key: sa.ColumnElement[int]) -> Iterator[list[Any]]:
    """Yield the rows in pages that follow the key: the last page costs what the first does. The key comes first."""
    last = 0
    while True:
        page = select.where(key > last).order_by(key).limit(_AT_ONCE)
        rows = list(session.connection().execute(page))
        if not rows:
            return
        yield rows
        last = rows[-1][0]
