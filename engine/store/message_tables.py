"""The rows of the way of a message: campaigns as they were seen, enrolments, messages, and what senders share.

What is said in `tables` about rows holds here too.
"""

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from engine.domain.words import Basis, OnDoubt, Reason, State
from engine.store.columns import Day, day, words


def _key() -> Any:
    return Field(default=None, primary_key=True)


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


class CampaignState(SQLModel, table=True):
    """What the store knows of a campaign, per mode: since when it is on, when its trigger changed, what is unchecked.

    Nobody claims what was planned since `unchecked_from` before it was looked at; `unchecked_times` counts how often
    the mark was set, so that whoever has looked takes away no mark that was set meanwhile.
    """

    __tablename__ = "campaign_state"
    campaign: str = Field(primary_key=True)
    rehearsal: bool = Field(primary_key=True)
    enabled: bool = True
    enabled_on: date = day()
    trigger_hash: str = ""
    edited_on: date | None = day()
    seen_at: datetime
    unchecked_from: datetime | None = None
    unchecked_times: int = 0


class Scan(SQLModel, table=True):
    """How far a campaign has been planned, per time zone and mode."""

    campaign: str = Field(primary_key=True)
    zone: str = Field(primary_key=True)
    rehearsal: bool = Field(primary_key=True)
    last_day: date = day()
    window_day: date = day()
    data_version: int = 0


class Pause(SQLModel, table=True):
    """A campaign the owner has paused; campaign `*` is all of them."""

    campaign: str = Field(primary_key=True)
    at: datetime


class Enrolment(SQLModel, table=True):
    """One customer, one campaign, one occasion: the row that makes "once" true.

    `purged_at`: its messages were kept as long as they may be; the row stays, so that "once" stays true.
    """

    __table_args__ = (sa.UniqueConstraint("campaign", "customer_uid", "occasion", "rehearsal"),)
    id: int | None = _key()
    campaign: str
    customer_id: int = Field(foreign_key="customer.id", index=True)
    customer_uid: str
    occasion: str
    rehearsal: bool
    purchase_id: int | None = Field(default=None, foreign_key="purchase.id")
    service_item_id: int | None = Field(default=None, foreign_key="service_item.id")
    created_at: datetime
    purged_at: datetime | None = None


class Message(SQLModel, table=True):
    """One mail to one address: its way, its reasons and its evidence. `message_id` is its public name."""

    __table_args__ = (
        sa.Index("ix_message_queue", "send_after", "id", **_where("state IN ('planned', 'retrying')")),
        sa.Index(
            "ix_message_open",
            "state",
            **_where("state IN ('claimed', 'sending') OR state IN ('in_doubt', 'held')"),
        ),
        sa.Index("ix_message_address", "address_id", "sent_at"),
        sa.Index("ix_message_campaign", "campaign", "planned_at"),
        sa.UniqueConstraint("enrolment_id", "step"),
    )
    id: int | None = _key()
    message_id: str = Field(unique=True)
    enrolment_id: int = Field(foreign_key="enrolment.id")
    customer_id: int = Field(foreign_key="customer.id", index=True)
    address_id: int | None = Field(default=None, foreign_key="address.id")
    campaign: str
    step: str
    step_index: int = 0
    kind: str
    on_doubt: OnDoubt = Field(sa_type=words(OnDoubt))
    rehearsal: bool
    due: date = day()
    send_after: datetime
    expires_at: datetime
    planned_at: datetime
    state: State = Field(default=State.PLANNED, sa_type=words(State))
    reason: Reason | None = Field(default=None, sa_type=words(Reason), nullable=True)
    detail: str = ""
    basis: Basis | None = Field(default=None, sa_type=words(Basis), nullable=True)
    evidence: str = ""
    carried_by: int | None = Field(default=None, foreign_key="message.id")
    language: str = ""
    campaign_hash: str = ""
    template_hash: str = ""
    owner: str = ""
    fence: int = 0
    attempts: int = 0
    first_call_at: datetime | None = None
    sent_at: datetime | None = None
    provider: str = ""
    provider_id: str = ""
    subject: str = ""
    lease_until: datetime | None = None
    check_at: datetime | None = None
    look_ups: int = 0


class MessageBody(SQLModel, table=True):
    """The frozen bytes of a released mail: what every attempt sends, and what `log show` prints."""

    __tablename__ = "message_body"
    message: int = Field(primary_key=True, foreign_key="message.id")
    sender: str
    sender_name: str
    reply_to: str
    recipient: str
    recipient_name: str
    subject: str
    html: str
    text: str
    headers: str
    sha256: str
    frozen_at: datetime


class MessageEvent(SQLModel, table=True):
    """Every step a message has taken, with actor and reason. Append-only."""

    __tablename__ = "message_event"
    id: int | None = _key()
    message: int = Field(foreign_key="message.id", index=True)
    at: datetime
    before: str = ""
    after: str
    actor: str
    reason: str = ""
    detail: str = ""
    fence: int = 0


class ProviderCall(SQLModel, table=True):
    """One request to a provider with its frozen, ordered members; repeated only with the same key and bytes.

    Its members are the attempts that name it, in order of `position`; `made` counts how often it was made. `closed`:
    it is never made again, because one of its members may no longer be written to, or because it was refused whole on
    account of one. `purged_at`: not all of its members are there any more. `account` is a keyed mark of the account it
    was made at, empty where that was not noted.
    """

    __tablename__ = "provider_call"
    id: int | None = _key()
    provider: str
    key: str = Field(unique=True)
    members: int
    sha256: str
    first_at: datetime
    last_at: datetime
    made: int = 1
    closed: bool = False
    purged_at: datetime | None = None
    account: str = ""


class Attempt(SQLModel, table=True):
    """One mail's part in one provider call, written before it is made and closed with its result."""

    __table_args__ = (
        sa.UniqueConstraint("message", "fence"),
        sa.Index("ix_attempt_call", "call_id", "position"),
    )
    id: int | None = _key()
    message: int = Field(foreign_key="message.id")
    number: int
    fence: int
    provider: str
    sha256: str
    call_id: int | None = Field(default=None, foreign_key="provider_call.id")
    position: int = 0
    started_at: datetime
    finished_at: datetime | None = None
    result: str = ""
    provider_id: str = ""
    detail: str = ""


class Budget(SQLModel, table=True):
    """What all senders of one provider share: the part of the day's budget used, and when the next mail may leave."""

    provider: str = Field(primary_key=True)
    window: str = Field(primary_key=True)
    taken: int = 0
    free_at: datetime | None = None


class ProviderStop(SQLModel, table=True):
    """A provider whose account refuses us: nothing is claimed for it until `until`."""

    __tablename__ = "provider_stop"
    provider: str = Field(primary_key=True)
    at: datetime
    until: datetime
    detail: str = ""
    credentials: bool = False


class ProviderBreaker(SQLModel, table=True):
    """A provider that has given no clear answer for a while: how often in a row, and until when it is left alone."""

    __tablename__ = "provider_breaker"
    provider: str = Field(primary_key=True)
    failures: int = 0
    openings: int = 0
    until: datetime | None = None
    probe_until: datetime | None = None
    detail: str = ""


class Worker(SQLModel, table=True):
    """A process that claims messages under `name`. Its lock, by this row's id, is the proof that it lives."""

    __table_args__ = {"sqlite_autoincrement": True}
    id: int | None = _key()
    name: str = Field(unique=True)
    host: str
    pid: int
    started_at: datetime
    seen_at: datetime


class DeliveryEvent(SQLModel, table=True):
    """What a provider told us of a mail later on: each event once, in whatever order they come. Append-only."""

    __tablename__ = "delivery_event"
    __table_args__ = (sa.UniqueConstraint("provider", "event_id"),)
    id: int | None = _key()
    provider: str
    event_id: str
    message: int | None = Field(default=None, foreign_key="message.id", index=True)
    kind: str
    at: datetime
    received_at: datetime
    provider_id: str = ""
    detail: str = ""


class OwnerNotice(SQLModel, table=True):
    """A mail the owner was sent about the daemon itself, so that one trouble is told once a day."""

    __tablename__ = "owner_notice"
    topic: str = Field(primary_key=True)
    on: date = Field(primary_key=True, sa_type=Day)
    at: datetime
