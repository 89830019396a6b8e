"""What a proof is made of besides consents and the sent log: texts, hints, contracts, replies, and kept bytes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlmodel import Session

from engine.store.lawful_tables import NoticeVersion, PrivacyEvent, Reply, Wording
from engine.store.message_tables import Attempt, MessageBody
from engine.store.tables import Purchase, ServiceItem

_WORDING: sa.Table = Wording.__table__  # type: ignore[attr-defined]
_NOTICE: sa.Table = NoticeVersion.__table__  # type: ignore[attr-defined]
_REPLY: sa.Table = Reply.__table__  # type: ignore[attr-defined]
_PRIVACY: sa.Table = PrivacyEvent.__table__  # type: ignore[attr-defined]
_PURCHASE: sa.Table = Purchase.__table__  # type: ignore[attr-defined]
_ITEM: sa.Table = ServiceItem.__table__  # type: ignore[attr-defined]
_BODY: sa.Table = MessageBody.__table__  # type: ignore[attr-defined]
_ATTEMPT: sa.Table = Attempt.__table__  # type: ignore[attr-defined]


class Text(NamedTuple):
    """One version of a text that was shown, and since when it is known."""

    sha256: str
    name: str
    content: str
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Hinted:
    """A purchase at which the § 7(3) hint was shown."""

    purchase_id: str
    on: date
    status: str
    categories: str
    email_from_sale: bool | None
    notice: str
    notice_version: str
    shown_at: datetime | None


@dataclass(frozen=True, slots=True)
class Contracted:
    """A contract about a thing at the customer's."""

    service_item_id: str
    name: str
    ref: str
    since: date | None
    until: date | None


@dataclass(frozen=True, slots=True)
class Replied:
    """A mail somebody asked for on a page; of its body the hash is kept."""

    message_id: str
    kind: str
    state: str
    email: str
    wording: str
    wording_version: str
    evidence: str
    asked_at: datetime
    called_at: datetime | None
    ended_at: datetime | None
    used_at: datetime | None
    attempts: int
    provider: str
    provider_id: str
    body_sha256: str


class Kept(NamedTuple):
    """What is kept of a mail's bytes: their hash, and whether the bytes themselves are there."""

    sha256: str
    whole: bool


def wordings(session: Session, names: Collection[str]) -> list[Text]:
    """Return every version of these texts that people agreed to."""
    return _texts(session, _WORDING, names)


def notices(session: Session, names: Collection[str]) -> list[Text]:
    """Return every version of these hints."""
    return _texts(session, _NOTICE, names)


def _texts(session: Session, table: sa.Table, names: Collection[str]) -> list[Text]:
    columns = (table.c[name] for name in Text._fields)
    query = sa.select(*columns).where(table.c.name.in_(sorted(names))).order_by(table.c.name, table.c.seen_at)
    return [Text(*row) for row in session.connection().execute(query)]


def hints(session: Session, customers: Collection[int]) -> list[Hinted]:
    """Return these customers' purchases that carry a hint, the oldest first."""
    names = ("purchase_id", "local_on", "status", "categories", "email_from_sale", "notice", "notice_version")
    query = sa.select(*(_PURCHASE.c[name] for name in (*names, "notice_shown_at")))
    mine = query.where(_PURCHASE.c.customer_id.in_(list(customers)), _PURCHASE.c.notice != "")
    return [Hinted(*row) for row in session.connection().execute(mine.order_by(_PURCHASE.c.local_on, _PURCHASE.c.id))]


def contracts(session: Session, customers: Collection[int]) -> list[Contracted]:
    """Return these customers' contracts."""
    names = ("service_item_id", "name", "contract_ref", "contract_from", "contract_until")
    query = sa.select(*(_ITEM.c[name] for name in names)).where(_ITEM.c.customer_id.in_(list(customers)))
    rows = session.connection().execute(query.where(_ITEM.c.contract_ref != "").order_by(_ITEM.c.id))
    return [Contracted(*row) for row in rows]


def replies(session: Session, marks: Collection[str], emails: Collection[str]) -> list[Replied]:
    """Return the mails somebody at these addresses asked for, by the addresses' hashes or as they stand there."""
    theirs = sa.or_(_REPLY.c.address_key.in_(list(marks)), sa.func.lower(_REPLY.c.email).in_(list(emails)))
    query = sa.select(*(_REPLY.c[name] for name in Replied.__slots__)).where(theirs).order_by(_REPLY.c.id)
    return [Replied(*row) for row in session.connection().execute(query)]


def bodies(session: Session, numbers: Sequence[int]) -> dict[int, Kept]:
    """Return what is kept of these mails: the frozen bytes, or only their hash where they were purged."""
    found: dict[int, Kept] = {}
    tried = sa.select(_ATTEMPT.c.message, _ATTEMPT.c.sha256).where(_ATTEMPT.c.message.in_(numbers))
    for number, sha256 in session.connection().execute(tried.order_by(_ATTEMPT.c.id)):
        found[number] = Kept(sha256, whole=False)
    frozen: sa.Select[Any] = sa.select(_BODY.c.message, _BODY.c.sha256, (_BODY.c.html + _BODY.c.text) != "")
    for number, sha256, whole in session.connection().execute(frozen.where(_BODY.c.message.in_(numbers))):
        found[number] = Kept(sha256, bool(whole))
    return found


def note(session: Session, subject: str, operator: str, detail: str, now: datetime) -> None:
    """Write down that somebody's proof was handed out, and by whom (law: Art. 5(2) GDPR)."""
    row = {"at": now, "operator": operator, "action": "proof", "subject": subject, "detail": detail}
    session.connection().execute(sa.insert(_PRIVACY).values(**row))
