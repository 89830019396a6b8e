"""A proof that the provider has taken a mail is believed: it ends a doubt, or keeps the mail from going a second time.

A mail whose call is still under way is left to its result, and to recovery: both ask for the proof.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from engine.domain.news import DeliveryNews, NewsKind
from engine.domain.words import Reason, State
from engine.store import attempts, delivery_events, messages
from engine.store.messages import MessageRow, Move

_OPEN_DOUBT = frozenset({State.IN_DOUBT, State.UNKNOWN})
_WOULD_GO = frozenset({State.PLANNED, State.RETRYING, State.HELD, State.CLAIMED})


@dataclass(frozen=True, slots=True)
class Proof:
    """What shows that a mail was taken, in words, and the provider's number of it where that was told."""

    detail: str
    provider_id: str = ""


def believe(session: Session, proofs: Mapping[int, Proof], *, now: datetime, actor: str) -> int:
    """Settle these messages, which the caller holds (`delivery_events.hold`); return how many moved."""
    called = attempts.last_begun(session, proofs)
    found = [_move(row, proofs[row.id], called.get(row.id, now)) for row in messages.by_ids(session, proofs)]
    return len(messages.transition(session, [move for move in found if move], now=now, actor=actor))


def _move(row: MessageRow, proof: Proof, called: datetime) -> Move | None:
    """Return what a proof comes to; a mail that is proved left with its last call, which began at `called`."""
    if row.state in _OPEN_DOUBT:
        values = {"sent_at": called, "provider_id": proof.provider_id, "owner": "", "check_at": None}
        return Move(row, State.SENT, Reason.PROVED, proof.detail, values)
    if row.state in _WOULD_GO:  # an earlier call was taken after all: it must not go twice
        return Move(row, State.SKIPPED, Reason.PROVED, proof.detail, {"owner": ""})
    return None


def keep_late_yes(session: Session, provider: str, row: MessageRow, proof: Proof, now: datetime, actor: str) -> bool:
    """Keep an "accepted" that came after its message was taken for lost, as news of the provider; say if it moved.

    So whoever has the message in hand by now finds the proof, as he finds what a webhook told.
    """
    event = f"late {row.message_id} {row.fence}"
    news = DeliveryNews(NewsKind.ACCEPTED, event, row.message_id, proof.provider_id, now)
    delivery_events.keep(session, provider, [news], {row.message_id: row.id}, now)
    return believe(session, {row.id: proof}, now=now, actor=actor) > 0
