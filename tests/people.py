"""People the tests know by name, and the rows that make them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain import addresses, identity
from engine.domain.permission import ConsentState
from engine.store import consents
from engine.store.consents import NewConsent
from engine.store.tables import Address, ConsentEvent, Customer, CustomerAddress, Installation, Purchase, ServiceItem

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
"""A Monday morning, 09:30 in Berlin."""

INSTALLATION = UUID("7e0e9d1c-5a57-4a61-9f7e-0f4d3f3c2b1a")
KINDS = "newsletter;birthday;winback;coupon;thank_you;feedback_request;service_reminder"


def add_address(session: Session, email: str) -> Address:
    """Find or make a mailbox."""
    key = addresses.exact(email)
    found = session.execute(sa.select(Address).where(Address.exact == key)).scalar_one_or_none()  # type: ignore[arg-type]
    if found is None:
        found = Address(exact=key, canonical=addresses.canonical(email), email=email, created_at=NOW)
        session.add(found)
        session.flush()
    return found


def add_customer(
    session: Session, customer_id: str = "1", email: str | None = "anna@example.com", **columns: object
) -> Customer:
    """Make a customer; `birthday` (a date) may be given instead of birth_md and birth_year, `tags` as a tuple."""
    birthday = columns.pop("birthday", None)
    if isinstance(birthday, date):
        columns |= {"birth_md": birthday.month * 100 + birthday.day, "birth_year": birthday.year}
    tags = columns.pop("tags", ())
    mailbox = add_address(session, email) if email else None
    installation = session.execute(sa.select(Installation.uuid)).scalar_one_or_none()
    space = UUID(installation) if installation else INSTALLATION
    row = Customer(
        uid=str(identity.customer_uid(space, customer_id, mailbox.exact if mailbox else None)),
        customer_id=customer_id,
        address_id=mailbox.id if mailbox else None,
        tags=f";{';'.join(tags)};" if tags else "",  # type: ignore[arg-type]
        updated_at=NOW,
        **columns,
    )
    session.add(row)
    session.flush()
    if mailbox:
        session.add(CustomerAddress(customer_id=row.id, address_id=mailbox.id))
        session.flush()
    return row


def add_purchase(
    session: Session, customer: Customer, purchase_id: str, at: datetime, *, refresh: bool = True, **columns: object
) -> Purchase:
    """Make a purchase; with `refresh` the customer's figures follow, as an import would leave them."""
    columns = {"currency": "EUR", "status": "concluded", "local_on": at.date(), "amount_minor": 4900} | columns
    row = Purchase(purchase_id=purchase_id, customer_id=customer.id, purchased_at=at, updated_at=NOW, **columns)
    session.add(row)
    if refresh and row.status == "concluded":
        if customer.last_purchase_on is None or row.local_on >= customer.last_purchase_on:
            customer.last_purchase_on, customer.last_purchase_id = row.local_on, purchase_id
        customer.purchase_count += 1
        session.add(customer)
    session.flush()
    return row


def add_service_item(
    session: Session, customer: Customer, service_item_id: str, due_on: date, **columns: object
) -> ServiceItem:
    """Make a service item that falls due on `due_on`."""
    columns = {"name": "Gastherme Vaillant", "item_type": "heating", "interval": "12 months", "cycle": 1} | columns
    row = ServiceItem(
        service_item_id=service_item_id,
        customer_id=customer.id,
        next_service_on=due_on,
        due_on=due_on,
        updated_at=NOW,
        **columns,
    )
    session.add(row)
    session.flush()
    return row


def add_consent(
    session: Session,
    customer: Customer,
    *,
    state: str = "confirmed",
    at: datetime = datetime(2026, 1, 5, 12, 0, tzinfo=UTC),
    kinds: str = KINDS,
    wording: str = "newsletter-2015",
    proven: bool = True,
) -> ConsentEvent:
    """Append a consent event for the customer's address."""
    event = NewConsent(
        address_id=customer.address_id or 0,
        state=ConsentState(state),
        at=at,
        kinds=frozenset(kind for kind in kinds.split(";") if kind),
        wording=wording,
        requested_at=at,
        source="web:https://shop.example/anmelden",
        proof="f00d",
        proven=proven,
        customer_id=customer.id,
    )
    session.flush()
    consents.append(session, [event], at, "import")
    found = sa.select(ConsentEvent).where(ConsentEvent.fingerprint == event.fingerprint)  # type: ignore[arg-type]
    return session.execute(found).scalar_one()
