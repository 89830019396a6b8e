"""Every call to the provider, written before it is made, and the frozen bytes it sends."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import cache

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain.words import Accepted, Email, InDoubt, NotSent, Refused, Result
from engine.store.message_tables import Attempt, MessageBody
from engine.store.messages import TABLE as MESSAGES
from engine.store.messages import MessageRow
from engine.store.upsert import insert_new

_ATTEMPTS: sa.Table = Attempt.__table__  # type: ignore[attr-defined]
_BODIES: sa.Table = MessageBody.__table__  # type: ignore[attr-defined]
_WORDS: dict[type[Result], str] = {
    Accepted: "accepted",
    Refused: "refused",
    NotSent: "not_sent",
    InDoubt: "in_doubt",
}


def digest(email: Email) -> str:
    """Return the SHA-256 of everything the provider is given for this mail."""
    text = json.dumps(asdict(email), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


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
            "headers": json.dumps(email.headers, ensure_ascii=False),
            "sha256": sha256,
            "frozen_at": now,
        }
        for message, email, sha256 in mails
    ]
    insert_new(session, _BODIES, rows, conflict=["message"])


def frozen(session: Session, messages: Iterable[int]) -> dict[int, Email]:
    """Return the mails that were released before, as they were frozen, by message."""
    statement = (
        sa.select(_BODIES, MESSAGES.c.message_id.label("public_id"), MESSAGES.c.campaign)
        .join(MESSAGES, MESSAGES.c.id == _BODIES.c.message)
        .where(_BODIES.c.message.in_(list(messages)))
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
        headers=json.loads(row.headers),
    )


def begin(session: Session, calls: Sequence[tuple[MessageRow, str]], provider: str, now: datetime) -> None:
    """Write down the calls that are about to be made: the released rows, each with its digest."""
    if calls:
        session.connection().execute(
            sa.insert(_ATTEMPTS),
            [
                {
                    "message": row.id,
                    "number": row.attempts,
                    "fence": row.fence,
                    "provider": provider,
                    "sha256": sha256,
                    "started_at": now,
                }
                for row, sha256 in calls
            ],
        )


def finish(session: Session, row: MessageRow, result: Result, now: datetime) -> bool:
    """Close the attempt this row was released with; False when somebody closed it before."""
    return _close(session, row, word(result), getattr(result, "provider_id", ""), result.detail, now)


def abandon(session: Session, row: MessageRow, why: str, now: datetime) -> bool:
    """Close an attempt that brought no result: never begun, or begun by a process that died."""
    return _close(session, row, why, "", "", now)


def word(result: Result) -> str:
    """Return the word that stands for a result in the store."""
    return _WORDS[type(result)]


def _close(session: Session, row: MessageRow, result: str, provider_id: str, detail: str, now: datetime) -> bool:
    given = {"new_result": result, "new_provider_id": provider_id, "new_detail": detail[:4000], "new_finished_at": now}
    where = {"old_message": row.id, "old_fence": row.fence}
    return session.connection().execute(_closing(), given | where).rowcount == 1


@cache
def _closing() -> sa.Update:
    """Return the statement that closes one attempt that is still open; built once."""
    return (
        sa.update(_ATTEMPTS)
        .where(
            _ATTEMPTS.c.message == sa.bindparam("old_message"),
            _ATTEMPTS.c.fence == sa.bindparam("old_fence"),
            _ATTEMPTS.c.finished_at.is_(None),
        )
        .values(
            {
                name: sa.bindparam(f"new_{name}", type_=_ATTEMPTS.c[name].type)
                for name in ("result", "provider_id", "detail", "finished_at")
            }
        )
    )
