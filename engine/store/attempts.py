"""Every call to the provider, written before it is made, and the frozen bytes it sends."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter

import orjson
import sqlalchemy as sa
from sqlmodel import Session

from engine.domain.words import Accepted, Email, InDoubt, NotSent, Refused, Result
from engine.store.lookups import Lookup
from engine.store.message_tables import Attempt, MessageBody
from engine.store.messages import TABLE as MESSAGES
from engine.store.messages import MessageRow
from engine.store.upsert import append, change, insert_new

_ATTEMPTS: sa.Table = Attempt.__table__  # type: ignore[attr-defined]
_BODIES: sa.Table = MessageBody.__table__  # type: ignore[attr-defined]
_OPEN = Lookup(
    sa.select(_ATTEMPTS.c.id, _ATTEMPTS.c.message, _ATTEMPTS.c.fence).where(_ATTEMPTS.c.finished_at.is_(None)),
    _ATTEMPTS.c.message,
)
LONGEST_DETAIL = 4000
_TEXTS = attrgetter(*(field.name for field in fields(Email) if field.name != "headers"))
_WORDS: dict[type[Result], str] = {
    Accepted: "accepted",
    Refused: "refused",
    NotSent: "not_sent",
    InDoubt: "in_doubt",
}


@dataclass(frozen=True, slots=True)
class Part:
    """A released row's part in a call: the call's number, the place in it, and the digest of its mail."""

    row: MessageRow
    call: int | None
    position: int
    sha256: str


def digest(email: Email) -> str:
    """Return the SHA-256 of everything the provider is given for this mail."""
    texts = list(_TEXTS(email))
    for pair in sorted(email.headers.items()):
        texts += pair
    return hashlib.sha256("".join([f"{len(text)}:{text}" for text in texts]).encode()).hexdigest()


def freeze(session: Session, mails: Sequence[tuple[int, Email, str]], now: datetime) -> None:
    """Keep the bytes of released mails (message, mail, digest); what is frozen already stays as it is."""
    rows = [
        {
            "message": message,
            "sender": email.sender,
            "sender_name": email.sender_name,
            "reply_to": email.reply_to,
            "recipient": email.to,
            "recipient_name": email.to_name,
            "subject": email.subject,
            "html": email.html,
            "text": email.text,
            "headers": orjson.dumps(email.headers).decode(),
            "sha256": sha256,
            "frozen_at": now,
        }
        for message, email, sha256 in mails
    ]
    insert_new(session, _BODIES, rows, conflict=["message"])


def frozen(session: Session, messages: Iterable[int]) -> dict[int, Email]:
    """Return the mails that were released before, as they were frozen, by message."""
    wanted = list(messages)
    if not wanted:
        return {}
    statement = (
        sa.select(_BODIES, MESSAGES.c.message_id.label("public_id"), MESSAGES.c.campaign)
        .join(MESSAGES, MESSAGES.c.id == _BODIES.c.message)
        .where(_BODIES.c.message.in_(wanted))
    )
    return {row.message: _email(row) for row in session.connection().execute(statement)}


def _email(row: sa.Row[tuple[object, ...]]) -> Email:
    return Email(
        message_id=row.public_id,
        campaign=row.campaign,
        sender=row.sender,
        sender_name=row.sender_name,
        reply_to=row.reply_to,
        to=row.recipient,
        to_name=row.recipient_name,
        subject=row.subject,
        html=row.html,
        text=row.text,
        headers=orjson.loads(row.headers),
    )


def begin(session: Session, parts: Sequence[Part], provider: str, now: datetime) -> None:
    """Write down the parts released rows have in calls that are about to be made."""
    append(
        session,
        _ATTEMPTS,
        [
            {
                "message": part.row.id,
                "number": part.row.attempts,
                "fence": part.row.fence,
                "provider": provider,
                "sha256": part.sha256,
                "call_id": part.call,
                "position": part.position,
                "started_at": now,
            }
            for part in parts
        ],
    )


def last_begun(session: Session, messages: Iterable[int]) -> dict[int, datetime]:
    """Return when the last call with each of these messages began."""
    begun = sa.select(_ATTEMPTS.c.message, sa.func.max(_ATTEMPTS.c.started_at))
    mine = begun.where(_ATTEMPTS.c.message.in_(list(messages))).group_by(_ATTEMPTS.c.message)
    return {row[0]: row[1] for row in session.connection().execute(mine)}


def finish(session: Session, results: Sequence[tuple[MessageRow, Result]], now: datetime) -> set[int]:
    """Close the attempts these rows were released with; return the messages whose attempt was still open."""
    closings = [
        Closing(row, word(result), getattr(result, "provider_id", ""), result.detail[:LONGEST_DETAIL])
        for row, result in results
    ]
    return close(session, closings, now)


def abandon(session: Session, rows: Sequence[MessageRow], why: str, now: datetime) -> set[int]:
    """Close attempts that brought no result: never begun, or begun by a process that died."""
    return close(session, [Closing(row, why) for row in rows], now)


def word(result: Result) -> str:
    """Return the word that stands for a result in the store."""
    return _WORDS[type(result)]


@dataclass(frozen=True, slots=True)
class Closing:
    """How the attempt a row was released with ends."""

    row: MessageRow
    result: str
    provider_id: str = ""
    detail: str = ""


def close(session: Session, closings: Sequence[Closing], now: datetime) -> set[int]:
    """End attempts that are still open; return their messages."""
    still_open = {
        (message, fence): number
        for number, message, fence in _OPEN.rows(session, [closing.row.id for closing in closings])
    }
    rows = [
        {
            "id": still_open[closing.row.id, closing.row.fence],
            "result": closing.result,
            "provider_id": closing.provider_id,
            "detail": closing.detail,
            "finished_at": now,
        }
        for closing in closings
        if (closing.row.id, closing.row.fence) in still_open
    ]
    change(session, _ATTEMPTS, rows)
    return {closing.row.id for closing in closings if (closing.row.id, closing.row.fence) in still_open}
