"""Whom a mail went to, by the mail's public name: what the links in it need to find their person again."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain.words import State
from engine.store import delivery_events, messages, people
from engine.store.messages import MessageRow
from engine.store.people import Person
from engine.store.tables import Address, Customer
from engine.store.upsert import chunks

_ADDRESS: sa.Table = Address.__table__  # type: ignore[attr-defined]
_CUSTOMER: sa.Table = Customer.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Recipient:
    """One mail, the address it went to (None once that was erased), and everybody it concerns.

    Those are the customer it was for, and whoever else is or was at that mailbox.
    """

    message: MessageRow
    email: str | None
    language: str
    people: tuple[Person, ...]

    @property
    def numbers(self) -> list[int]:
        """Return the customers' numbers."""
        return [person.id for person in self.people]


def of_message(session: Session, message_id: str) -> Recipient | None:
    """Return whom the mail with this name went to; None if there is no such mail."""
    row = messages.by_message_id(session, message_id)
    if row is None:
        return None
    email = delivery_events.recipient(session, row)
    found = {person.id: person for person in people.by_numbers(session, [row.customer_id])}
    mailboxes = {row.address_id} if row.address_id else set()
    if email:
        mailboxes |= people.mailboxes_like(session, [email])
    for person in people.at_addresses(session, mailboxes):
        found.setdefault(person.id, person)
    asked: sa.Select[Any] = sa.select(_CUSTOMER.c.language).where(_CUSTOMER.c.id == row.customer_id)
    language = session.connection().execute(asked).scalar() or row.language
    return Recipient(row, email, str(language or ""), tuple(found[number] for number in sorted(found)))


def kinds_sent(session: Session, customers: Collection[int]) -> set[str]:
    """Return the kinds of mail these customers were sent so far."""
    found: set[str] = set()
    for part in chunks(sorted(customers)):
        theirs = sa.and_(messages.TABLE.c.customer_id.in_(part), messages.TABLE.c.state == State.SENT)
        found.update(session.connection().execute(sa.select(messages.TABLE.c.kind).where(theirs).distinct()).scalars())
    return found


def paused_until(session: Session, address_ids: Collection[int]) -> datetime | None:
    """Return until when the last of these addresses wants to be left alone."""
    ends: list[datetime] = []
    for part in chunks(sorted(address_ids)):
        asked = sa.select(_ADDRESS.c.paused_until).where(_ADDRESS.c.id.in_(part), _ADDRESS.c.paused_until.is_not(None))
        ends += session.connection().execute(asked).scalars()
    return max(ends, default=None)


def pause(session: Session, address_ids: Collection[int], until: datetime | None) -> None:
    """Leave these addresses alone until then; None ends a pause. The caller has locked them."""
    for part in chunks(sorted(address_ids)):
        theirs = sa.update(_ADDRESS).where(_ADDRESS.c.id.in_(part))
        session.connection().execute(theirs.values(paused_until=until))
