"""The rows behind people's rights: texts they were shown, mails they asked for, and what was done with their data."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

_AUTOINCREMENT = {"sqlite_autoincrement": True}


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


class Wording(SQLModel, table=True):
    """One version of a text people agree to, under the hash of its `content` (canonical JSON). Append-only."""

    __table_args__ = (sa.Index("ix_wording_name", "name", "seen_at"),)
    sha256: str = Field(primary_key=True)
    name: str
    content: str
    seen_at: datetime


class NoticeVersion(SQLModel, table=True):
    """One version of a § 7(3) hint and of where it was shown, under the hash of its `content`. Append-only."""

    __tablename__ = "notice_version"
    __table_args__ = (sa.Index("ix_notice_version_name", "name", "seen_at"),)
    sha256: str = Field(primary_key=True)
    name: str
    content: str
    seen_at: datetime


class Reply(SQLModel, table=True):
    """A mail somebody asked for on a page: the confirmation of a sign-up, or the link to their own data.

    `state` is waiting, sending, sent, refused, unknown or expired. `address_key` is the keyed hash of the address,
    which stays when `email` is erased; of the token only its hash is kept, `used_at` says when it was used.
    """

    __table_args__ = (
        sa.Index("ix_reply_token", "token_sha256"),
        sa.Index("ix_reply_address", "address_key", "asked_at"),
        sa.Index("ix_reply_open", "asked_at", **_where("state IN ('waiting', 'sending')")),
        _AUTOINCREMENT,
    )
    id: int | None = Field(default=None, primary_key=True)
    message_id: str = Field(unique=True)
    kind: str
    state: str = "waiting"
    address_key: str
    email: str
    language: str = ""
    wording: str = ""
    wording_version: str = ""
    evidence: str = ""
    token_sha256: str
    asked_at: datetime
    expires_at: datetime
    called_at: datetime | None = None
    ended_at: datetime | None = None
    used_at: datetime | None = None
    owner: str = ""
    attempts: int = 0
    provider: str = ""
    provider_id: str = ""
    body_sha256: str = ""
    detail: str = ""


class PrivacyEvent(SQLModel, table=True):
    """What was done with somebody's data, when and by whom; `subject` is a keyed hash or a uid. Append-only."""

    __tablename__ = "privacy_event"
    __table_args__ = (sa.Index("ix_privacy_event_subject", "subject"), _AUTOINCREMENT)
    id: int | None = Field(default=None, primary_key=True)
    at: datetime
    operator: str
    action: str
    subject: str = ""
    detail: str = ""


class LegalHold(SQLModel, table=True):
    """A case for which somebody's data is kept: nothing is mailed, erased or purged while it stands."""

    __tablename__ = "legal_hold"
    __table_args__ = (sa.Index("ix_legal_hold_customer", "customer_id"), _AUTOINCREMENT)
    id: int | None = Field(default=None, primary_key=True)
    customer_id: int | None = Field(default=None, foreign_key="customer.id")
    address_key: str = ""
    case_ref: str
    operator: str
    at: datetime
    lifted_at: datetime | None = None


class RefusalCount(SQLModel, table=True):
    """How many messages of a campaign ended unsent in a month, and why: what stays when their rows are purged."""

    __tablename__ = "refusal_count"
    month: str = Field(primary_key=True)
    campaign: str = Field(primary_key=True)
    state: str = Field(primary_key=True)
    reason: str = Field(primary_key=True)
    count: int = 0
