"""The rows Treuepost remembers. Rows do not validate: raw data enters through pydantic models only.

No relationships, no lazy loads: joins are written where they are needed. Instants are aware UTC, local days are
`Day`, lists within one cell are stored as `;a;b;` in lower case so that a filter is one LIKE.
"""

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from engine.domain.words import Reason
from engine.store.columns import day, words


def _key() -> Any:
    return Field(default=None, primary_key=True)


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


_PLACE = ("timezone", "address_id")


class Installation(SQLModel, table=True):
    """One row: who this store is, and what it has last seen."""

    id: int | None = _key()
    uuid: str
    created_at: datetime
    canary: str = ""
    data_version: int = 0
    mode: str = ""
    real_since: date | None = day()
    last_tick_at: datetime | None = None
    place: str = ""
    adopted: str = ""
    lost_until: datetime | None = None
    pages_seen_at: datetime | None = None
    ordinal: int = Field(default=0, sa_type=sa.BigInteger)


class Address(SQLModel, table=True):
    """One mailbox. Consent hangs on the exact form; suppression on either; every release locks this row."""

    id: int | None = _key()
    exact: str = Field(unique=True)
    canonical: str = Field(index=True)
    email: str
    created_at: datetime
    paused_until: datetime | None = None


class Customer(SQLModel, table=True):
    """One customer of the shop, with the figures that make scans cheap."""

    __table_args__ = (
        # These two hold all that a scan asks of a customer: nobody's row is looked up, wherever in the table it lies.
        sa.Index("ix_customer_birthday", "birth_md", "uid", "birth_year", *_PLACE, **_where("birth_md IS NOT NULL")),
        sa.Index(
            "ix_customer_last_purchase",
            *("last_purchase_on", "uid", "last_purchase_id", *_PLACE),
            **_where("last_purchase_on IS NOT NULL"),
        ),
        sa.Index("ix_customer_usual", "usual_days", "last_purchase_on", **_where("usual_days IS NOT NULL")),
    )
    id: int | None = _key()
    uid: str = Field(unique=True)
    customer_id: str | None = Field(default=None, unique=True)
    address_id: int | None = Field(default=None, foreign_key="address.id", index=True)
    first_name: str = ""
    last_name: str = ""
    salutation: str = ""
    company: str = ""
    birth_md: int | None = None
    birth_year: int | None = None
    language: str = ""
    address_form: str = ""
    timezone: str = Field(default="", index=True)
    country: str = ""
    customer_since: date | None = day()
    tags: str = ""
    last_purchase_on: date | None = day()
    last_purchase_id: str | None = None
    purchase_count: int = 0
    usual_days: int | None = None
    not_in_source: bool = False
    restricted_at: datetime | None = None
    parents_agreed_at: datetime | None = None
    erased_at: datetime | None = None
    updated_at: datetime


class CustomerAddress(SQLModel, table=True):
    """Every address a customer has ever had: an objection is for the person and all of them."""

    __tablename__ = "customer_address"
    customer_id: int = Field(foreign_key="customer.id", primary_key=True)
    address_id: int = Field(foreign_key="address.id", primary_key=True, index=True)


class Purchase(SQLModel, table=True):
    """One purchase, by the shop's own id. `status` is open, concluded, cancelled, returned or revoked."""

    __table_args__ = (
        sa.Index("ix_purchase_day", "local_on", **_where("status = 'concluded'")),
        sa.Index("ix_purchase_instant", "purchased_at", **_where("status = 'concluded'")),
        sa.Index("ix_purchase_customer", "customer_id", "local_on"),
        sa.Index("ix_purchase_notice", "customer_id", **_where("notice <> ''")),
    )
    id: int | None = _key()
    purchase_id: str = Field(unique=True)
    customer_id: int = Field(foreign_key="customer.id")
    purchased_at: datetime
    local_on: date = day()
    amount_minor: int | None = None
    currency: str = ""
    status: str = "concluded"
    categories: str = ""
    items: str = ""
    email_from_sale: bool | None = None
    notice: str = ""
    notice_version: str = ""
    notice_shown_at: datetime | None = None
    updated_at: datetime


class ServiceItem(SQLModel, table=True):
    """A thing that needs service. `cycle` counts services; `cycle_due_on` stays while `due_on` is empty."""

    __tablename__ = "service_item"
    __table_args__ = (sa.Index("ix_service_item_due", "due_on", **_where("due_on IS NOT NULL")),)
    id: int | None = _key()
    service_item_id: str = Field(unique=True)
    customer_id: int = Field(foreign_key="customer.id", index=True)
    name: str = ""
    item_type: str = ""
    last_service_on: date | None = day()
    interval: str = ""
    next_service_on: date | None = day()
    booked_for: date | None = day()
    contract_ref: str = ""
    contract_from: date | None = day()
    contract_until: date | None = day()
    due_on: date | None = day()
    cycle_due_on: date | None = day()
    cycle: int = 1
    updated_at: datetime


class Visit(SQLModel, table=True):
    """A service that was done."""

    id: int | None = _key()
    visit_id: str = Field(unique=True)
    service_item_id: int = Field(foreign_key="service_item.id", index=True)
    done_on: date = day()
    next_service_on: date | None = day()
    report_url: str = ""
    updated_at: datetime


class ConsentEvent(SQLModel, table=True):
    """Something that happened to an address's permission. Append-only: the database refuses changes.

    `after_attempt` is the last attempt there was: which releases came before it and which after, whatever clocks say.
    All of it but the hashes is what the chain's hashes are made of (engine.store.consent_log).
    """

    __tablename__ = "consent_event"
    __table_args__ = (
        sa.Index("ix_consent_event_address", "address_id", "at"),
        sa.Index("ix_consent_event_seq", "seq", unique=True),
    )
    id: int | None = _key()
    fingerprint: str = Field(unique=True)
    address_id: int = Field(foreign_key="address.id")
    customer_id: int | None = Field(default=None, foreign_key="customer.id", index=True)
    state: str
    at: datetime
    recorded_at: datetime
    kinds: str = ""
    wording: str = ""
    requested_at: datetime | None = None
    proven: bool = False
    actor: str = ""
    after_attempt: int | None = None
    seq: int
    prev_hash: str
    hash: str
    details: str = "{}"
    pii_commit: str = ""


class ConsentPii(SQLModel, table=True):
    """What is personal about a consent event, under the salt of its commitment: may be erased, is never changed."""

    __tablename__ = "consent_pii"
    event_id: int = Field(primary_key=True, foreign_key="consent_event.id", sa_column_kwargs={"autoincrement": False})
    salt: str
    content: str


class ChainHead(SQLModel, table=True):
    """One row: how many consent events there are, and the hash of the last one. Who appends holds it."""

    __tablename__ = "chain_head"
    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    size: int
    hash: str


class Suppression(SQLModel, table=True):
    """An address we must not write to, as keyed hashes that outlive the address itself.

    `after_attempt` as in ConsentEvent.
    """

    __table_args__ = (
        sa.UniqueConstraint("exact_hash", "reason", "scope", "at"),
        sa.Index("ix_suppression_canonical", "canonical_hash"),
    )
    id: int | None = _key()
    exact_hash: str
    canonical_hash: str
    scope: str
    reason: Reason = Field(sa_type=words(Reason))
    at: datetime
    source: str = ""
    address_id: int | None = Field(default=None, foreign_key="address.id")
    removed_at: datetime | None = None
    after_attempt: int | None = None


class ImportRun(SQLModel, table=True):
    """One import of one file: what it read and what came of it. `what` is customers, purchases and so on."""

    __tablename__ = "import_run"
    id: int | None = _key()
    what: str = Field(index=True)
    source: str = ""
    file: str = ""
    mark: str = ""
    at: datetime
    good: bool = True
    read: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0
    detail: str = ""
