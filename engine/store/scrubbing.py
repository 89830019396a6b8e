"""Takes a person out of the rows: what named them goes, what is proof or figures stays without a name.

Rows others refer to (the customer, an address, a message) stay as tombstones. Overwriting is SQLite's secure_delete,
which every connection has on, and what `Database.overwrite` does afterwards (law E9, G4; Art. 17 GDPR).
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain.addresses import ERASED
from engine.domain.states import FINAL
from engine.store import consent_log
from engine.store.lawful_tables import Reply
from engine.store.message_tables import Attempt, DeliveryEvent, Message, MessageBody, MessageEvent
from engine.store.permits import shortening
from engine.store.tables import Address, Customer, CustomerAddress, Purchase, ServiceItem, Suppression, Visit
from engine.store.upsert import chunks

_CUSTOMER: sa.Table = Customer.__table__  # type: ignore[attr-defined]
_ADDRESS: sa.Table = Address.__table__  # type: ignore[attr-defined]
_KNOWN: sa.Table = CustomerAddress.__table__  # type: ignore[attr-defined]
_PURCHASE: sa.Table = Purchase.__table__  # type: ignore[attr-defined]
_ITEM: sa.Table = ServiceItem.__table__  # type: ignore[attr-defined]
_VISIT: sa.Table = Visit.__table__  # type: ignore[attr-defined]
_MESSAGE: sa.Table = Message.__table__  # type: ignore[attr-defined]
_BODY: sa.Table = MessageBody.__table__  # type: ignore[attr-defined]
_EVENT: sa.Table = MessageEvent.__table__  # type: ignore[attr-defined]
_ATTEMPT: sa.Table = Attempt.__table__  # type: ignore[attr-defined]
_NEWS: sa.Table = DeliveryEvent.__table__  # type: ignore[attr-defined]
_SUPPRESSION: sa.Table = Suppression.__table__  # type: ignore[attr-defined]
_REPLY: sa.Table = Reply.__table__  # type: ignore[attr-defined]

TOUCHED = (
    *(_CUSTOMER, _ADDRESS, _KNOWN, _PURCHASE, _ITEM, _VISIT, _MESSAGE, _BODY, _EVENT, _ATTEMPT, _NEWS),
    *(_SUPPRESSION, _REPLY, consent_log.PII),
)
"""The tables an erasure overwrites rows of."""

_NO_BODY = dict.fromkeys(
    ("sender", "sender_name", "reply_to", "recipient", "recipient_name", "subject", "html", "text"), ""
) | {"headers": "{}"}

_NO_REPLY = dict.fromkeys(("email", "token_sha256", "evidence", "detail"), "")

_NOBODY: dict[str, Any] = {
    **dict.fromkeys(("first_name", "last_name", "salutation", "company", "language", "address_form", "tags"), ""),
    **dict.fromkeys(("timezone", "country"), ""),
    **dict.fromkeys(("customer_id", "address_id", "birth_md", "birth_year", "customer_since", "usual_days"), None),
    **dict.fromkeys(("last_purchase_on", "last_purchase_id", "restricted_at", "parents_agreed_at"), None),
    "purchase_count": 0,
    "not_in_source": True,
}


def alone_at(session: Session, customer: int) -> tuple[set[int], set[int]]:
    """Return the addresses only this customer ever had, and those others had or have too."""
    mine = sa.select(_KNOWN.c.address_id).where(_KNOWN.c.customer_id == customer)
    found = set(session.connection().execute(mine).scalars())
    others = sa.select(_KNOWN.c.address_id).where(_KNOWN.c.customer_id != customer, _KNOWN.c.address_id.in_(found))
    shared = set(session.connection().execute(others).scalars())
    return found - shared, shared


def messages_of(session: Session, customer: int) -> list[tuple[int, str, bool]]:
    """Return a customer's messages: number, public id, and whether each has come to an end."""
    query = sa.select(_MESSAGE.c.id, _MESSAGE.c.message_id, _MESSAGE.c.state).where(_MESSAGE.c.customer_id == customer)
    rows = session.connection().execute(query.order_by(_MESSAGE.c.id))
    return [(number, message_id, state in FINAL) for number, message_id, state in rows]


def customer(session: Session, number: int, now: datetime) -> None:
    """Leave a tombstone of a customer: no name, no number of the shop's, and a uid nobody can compute."""
    values = _NOBODY | {"uid": f"{ERASED}{secrets.token_hex(16)}", "erased_at": now, "updated_at": now}
    connection = session.connection()
    connection.execute(sa.update(_CUSTOMER).where(_CUSTOMER.c.id == number).values(**values))
    connection.execute(sa.delete(_KNOWN).where(_KNOWN.c.customer_id == number))


def filled_again(session: Session) -> list[int]:
    """Return the tombstones that an import, which had read the customer before the erasure, has written a name on."""
    names = [_CUSTOMER.c[name] != "" for name in ("first_name", "last_name", "company", "tags")]
    links = [_CUSTOMER.c[name].is_not(None) for name in ("customer_id", "address_id", "birth_md")]
    query = sa.select(_CUSTOMER.c.id).where(_CUSTOMER.c.erased_at.is_not(None), sa.or_(*names, *links))
    return list(session.connection().execute(query).scalars())


def things(session: Session, number: int) -> None:
    """Take out of purchases, service items and visits what was bought and where; status and day stay as proof."""
    items = sa.select(_ITEM.c.id).where(_ITEM.c.customer_id == number)
    bare = dict.fromkeys(
        ("last_service_on", "next_service_on", "booked_for", "contract_from", "contract_until", "due_on"), None
    )
    connection = session.connection()
    connection.execute(
        sa.update(_PURCHASE).where(_PURCHASE.c.customer_id == number).values(items="", amount_minor=None, currency="")
    )
    connection.execute(
        sa.update(_ITEM)
        .where(_ITEM.c.customer_id == number)
        .values(name="", contract_ref="", interval="", cycle_due_on=None, **bare)
    )
    connection.execute(sa.update(_VISIT).where(_VISIT.c.service_item_id.in_(items)).values(report_url=""))


def mailboxes(session: Session, ids: Collection[int]) -> None:
    """Put something that is no address where these addresses stood."""
    for number in sorted(ids):
        nothing = f"{ERASED}{secrets.token_hex(16)}"
        values = {"exact": nothing, "canonical": nothing, "email": nothing, "paused_until": None}
        session.connection().execute(sa.update(_ADDRESS).where(_ADDRESS.c.id == number).values(**values))


def leave_shared(session: Session, number: int, shared: Collection[int]) -> None:
    """Let a customer's mails no longer say which shared address they went to: it is somebody else's as well."""
    mine = sa.and_(_MESSAGE.c.customer_id == number, _MESSAGE.c.address_id.in_(shared))
    session.connection().execute(sa.update(_MESSAGE).where(mine).values(address_id=None))


def texts(session: Session, numbers: Sequence[int]) -> None:
    """Empty what these messages, their history and their calls tell in words; bodies keep nothing but their hash."""
    bodies(session, numbers)
    connection = session.connection()
    for part in chunks(numbers):
        connection.execute(sa.update(_MESSAGE).where(_MESSAGE.c.id.in_(part)).values(subject="", detail=""))
        connection.execute(sa.update(_ATTEMPT).where(_ATTEMPT.c.message.in_(part)).values(detail=""))
        connection.execute(sa.update(_NEWS).where(_NEWS.c.message.in_(part)).values(detail=""))
        with shortening(session, part):
            told = sa.and_(_EVENT.c.message.in_(part), _EVENT.c.detail != "")
            connection.execute(sa.update(_EVENT).where(told).values(detail=""))


def bodies(session: Session, numbers: Sequence[int]) -> None:
    """Empty the frozen bytes of these messages; their hash stays: what was sent can still be proven."""
    for part in chunks(numbers):
        session.connection().execute(sa.update(_BODY).where(_BODY.c.message.in_(part)).values(**_NO_BODY))


def reasons_given(session: Session, ids: Collection[int], marks: Collection[str]) -> None:
    """Empty the words in which a "no" was noted; the "no" itself stays as its hash."""
    theirs = sa.or_(_SUPPRESSION.c.address_id.in_(ids), _SUPPRESSION.c.exact_hash.in_(marks))
    session.connection().execute(sa.update(_SUPPRESSION).where(theirs).values(source=""))


def replies(session: Session, emails: Collection[str], keys: Collection[str], now: datetime) -> int:
    """Take an address out of what it asked for on a page; what still waits is never sent."""
    spelled = {form for email in emails for form in (email, email.lower())}
    theirs = sa.or_(_REPLY.c.email.in_(spelled), _REPLY.c.address_key.in_(keys))
    connection = session.connection()
    waiting = sa.and_(theirs, _REPLY.c.state == "waiting")
    connection.execute(sa.update(_REPLY).where(waiting).values(state="expired", ended_at=now))
    done = sa.and_(theirs, _REPLY.c.state != "sending", _REPLY.c.email != "")
    return int(connection.execute(sa.update(_REPLY).where(done).values(**_NO_REPLY)).rowcount)
