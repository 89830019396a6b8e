"""What the provider tells later of a mail somebody asked for: a bounce, a complaint, or that it was taken after all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from engine.domain import bounces
from engine.domain.bounces import Bounce
from engine.domain.news import NOES, PROOFS, DeliveryNews, NewsKind
from engine.domain.words import Reason
from engine.steps import subscribing, suppressing
from engine.steps.shop import Premises
from engine.store import replies
from engine.store.replies import ReplyRow

_ACTOR = "webhook"
_BLOCKS = {NewsKind.BOUNCED: Reason.HARD_BOUNCE, NewsKind.COMPLAINED: Reason.COMPLAINT}


@dataclass(frozen=True, slots=True)
class Answered:
    """How many events were about replies, how many doubts they ended, and how many noes were heeded."""

    ours: int = 0
    proved: int = 0
    noes: int = 0


def heed(session: Session, app: Premises, provider: str, news: Sequence[DeliveryNews], now: datetime) -> Answered:
    """Do what these events ask for, as far as they are about replies, within the caller's transaction."""
    known = replies.told_of(session, provider, [(one.message_id, one.provider_id) for one in news])
    ours = [(one, known[key]) for one in news if (key := one.message_id or one.provider_id) in known]
    proved = [replies.prove(session, row, one.provider_id, now) for one, row in ours if one.kind in PROOFS]
    noes = [_refuse(session, app, provider, one, row, now) for one, row in ours]
    return Answered(len(ours), sum(proved), sum(noes))


def _refuse(session: Session, app: Premises, provider: str, news: DeliveryNews, row: ReplyRow, now: datetime) -> bool:
    """Write no more to the address of this reply; False where nothing asks for that, or the address was erased."""
    about = bounces.about_news(news)
    # A full mailbox, and a bounce that is about us, say nothing lasting of an address (law O1).
    if not row.email or news.kind not in NOES or (about and about is not Bounce.DEAD):
        return False
    because = f"{provider}: {news.detail}"[:200]
    if news.kind is NewsKind.UNSUBSCRIBED:
        subscribing.object_at(session, app, row.email, because, now, actor=_ACTOR)
    else:
        suppressing.block(session, suppressing.ledger_of(app), [row.email], _BLOCKS[news.kind], because, now)
    return True
