"""Whose evidence has been kept as long as it may be: consents nobody uses, old addresses, what erasures left behind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain.addresses import ERASED
from engine.store import scrubbing
from engine.store.legal_holds import Kept
from engine.store.message_tables import Enrolment, Message
from engine.store.tables import Address, ConsentEvent, Customer, CustomerAddress, Purchase, ServiceItem, Visit

AT_ONCE = 500

_MESSAGE: sa.Table = Message.__table__  # type: ignore[attr-defined]
_ENROLMENT: sa.Table = Enrolment.__table__  # type: ignore[attr-defined]
_ADDRESS: sa.Table = Address.__table__  # type: ignore[attr-defined]
_EVENT: sa.Table = ConsentEvent.__table__  # type: ignore[attr-defined]
_CUSTOMER: sa.Table = Customer.__table__  # type: ignore[attr-defined]
_KNOWN: sa.Table = CustomerAddress.__table__  # type: ignore[attr-defined]
_PURCHASE: sa.Table = Purchase.__table__  # type: ignore[attr-defined]
_ITEM: sa.Table = ServiceItem.__table__  # type: ignore[attr-defined]
_VISIT: sa.Table = Visit.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Terms:
    """Until when what counts: evidence that ended before `evidence` goes, a "yes" used since `used` is still in use."""

    evidence: datetime
    used: datetime


def unused_consents(session: Session, terms: Terms, kept: Kept) -> list[int]:
    """Return the addresses whose consents came to their end, and were last relied on, before the term (law H).

    A "yes" that still permits a mail is in use, however long ago it was given.
    """
    said = sa.func.max(_EVENT.c.at)
    sent = sa.select(sa.func.max(_MESSAGE.c.sent_at)).where(_MESSAGE.c.address_id == _EVENT.c.address_id)
    ended = (
        sa.select(_EVENT.c.address_id)
        .where(_EVENT.c.address_id.not_in(kept.addresses))
        .group_by(_EVENT.c.address_id)
        .having(said < terms.evidence, sa.func.coalesce(sent.scalar_subquery(), said) < terms.evidence)
    )
    return [number for number in session.connection().execute(ended).scalars() if not _in_use(session, number, terms)]


def _in_use(session: Session, address: int, terms: Terms) -> bool:
    last = sa.select(_EVENT.c.state, _EVENT.c.at).where(_EVENT.c.address_id == address)
    said = session.connection().execute(last.order_by(_EVENT.c.at.desc(), _EVENT.c.id.desc()).limit(1)).one()
    lives = sa.select(_CUSTOMER.c.id).where(_CUSTOMER.c.address_id == address).limit(1)
    sent = sa.select(sa.func.max(_MESSAGE.c.sent_at)).where(_MESSAGE.c.address_id == address)
    used = session.connection().execute(sent).scalar() or said.at
    at_work = max(used, said.at) >= terms.used
    return said.state == "confirmed" and at_work and session.connection().execute(lives).first() is not None


def last_of(session: Session, customer: int | None, address_ids: tuple[int, ...]) -> datetime | None:
    """Return the last time anything happened that there is evidence of: a mail, or a word about mail."""
    said = sa.select(sa.func.max(_EVENT.c.at)).where(_EVENT.c.address_id.in_(address_ids))
    sent = sa.select(sa.func.max(_MESSAGE.c.sent_at)).where(_MESSAGE.c.customer_id == customer)
    found = [session.connection().execute(query).scalar() for query in (said, sent)]
    return max((at for at in found if at is not None), default=None)


def left_addresses(session: Session, before: datetime, kept: Kept) -> list[int]:
    """Return addresses that are nobody's any more and prove nothing: no customer's, no mail's, no living consent's."""
    current = sa.select(_CUSTOMER.c.id).where(_CUSTOMER.c.address_id == _ADDRESS.c.id).exists()
    mailed = sa.select(_MESSAGE.c.id).where(_MESSAGE.c.address_id == _ADDRESS.c.id).exists()
    said = sa.select(_EVENT.c.id).where(_EVENT.c.address_id == _ADDRESS.c.id, _EVENT.c.at >= before).exists()
    left = sa.select(_ADDRESS.c.id).where(
        _ADDRESS.c.created_at < before,
        _ADDRESS.c.email.not_like(f"{ERASED}%"),
        _ADDRESS.c.id.not_in(kept.addresses),
        *(~current, ~mailed, ~said),
    )
    return list(session.connection().execute(left.order_by(_ADDRESS.c.id).limit(AT_ONCE)).scalars())


def forget_addresses(session: Session, numbers: list[int]) -> None:
    """Put nothing where these addresses stood, and take them from whoever had them once."""
    session.connection().execute(sa.delete(_KNOWN).where(_KNOWN.c.address_id.in_(numbers)))
    scrubbing.mailboxes(session, numbers)


def old_occasions(session: Session, before: datetime) -> int:
    """Delete the rows of occasions whose messages are gone and that lie before this instant: none comes again."""
    mailed = sa.select(_MESSAGE.c.id).where(_MESSAGE.c.enrolment_id == _ENROLMENT.c.id).exists()
    old = sa.select(_ENROLMENT.c.id).where(
        _ENROLMENT.c.purged_at.is_not(None), _ENROLMENT.c.created_at < before, ~mailed
    )
    numbers = list(session.connection().execute(old.order_by(_ENROLMENT.c.id).limit(AT_ONCE)).scalars())
    session.connection().execute(sa.delete(_ENROLMENT).where(_ENROLMENT.c.id.in_(numbers)))
    return len(numbers)


def remains(session: Session, before: datetime) -> int:
    """Delete what proved the sales to people erased before this instant, once none of their mails is left to prove."""
    gone = sa.select(_CUSTOMER.c.id).where(_CUSTOMER.c.erased_at < before)
    tables: tuple[tuple[sa.Table, sa.Column[Any]], ...] = (
        (_MESSAGE, _MESSAGE.c.customer_id),
        (_ENROLMENT, _ENROLMENT.c.customer_id),
    )
    for table, owner in tables:
        gone = gone.where(~sa.select(table.c.id).where(owner == _CUSTOMER.c.id).exists())
    items = sa.select(_ITEM.c.id).where(_ITEM.c.customer_id.in_(gone))
    connection = session.connection()
    deleted = 0
    for delete in (
        sa.delete(_VISIT).where(_VISIT.c.service_item_id.in_(items)),
        sa.delete(_ITEM).where(_ITEM.c.customer_id.in_(gone)),
        sa.delete(_PURCHASE).where(_PURCHASE.c.customer_id.in_(gone)),
    ):
        deleted += connection.execute(delete).rowcount
    return deleted
