"""After the call: what the provider tells later, in any order and any number of times.

Each event is kept once. One that shows that the provider had taken the mail ends a doubt; a bounce, a complaint or an
unsubscription counts at once, for the address of that very message and for no other. Whatever is not proved to come
from the provider changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel import Session

from engine.domain import bounces
from engine.domain.addresses import exact
from engine.domain.bounces import Bounce
from engine.domain.news import NOES, PROOFS, DeliveryNews, NewsKind
from engine.domain.words import Reason
from engine.errors import NothingFound, StoreBusy
from engine.providers.incoming import check_size
from engine.providers.listening import READERS
from engine.steps import braking, subscribing, suppressing
from engine.steps.believing import Proof, believe
from engine.steps.consent import answering
from engine.steps.shop import Premises
from engine.steps.suppressing import Stop
from engine.store import addresses, consents, delivery_events, people
from engine.store.messages import MessageRow

_ACTOR = "webhook"
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Received:
    """What one request came to: events kept, told before, and about no mail of ours; doubts ended; noes heeded."""

    kept: int = 0
    repeated: int = 0
    foreign: int = 0
    proved: int = 0
    noes: int = 0

    def __add__(self, other: Received) -> Received:
        return Received(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))


def receive(
    app: Premises, provider: str, headers: Mapping[str, str], raw: bytes, now: datetime, *, secret: str
) -> Received:
    """Take one webhook request, as its raw bytes; raise Forged or Unreadable, and change nothing, if it is none.

    When this returns, everything in it is on disk and in force; the same request again changes nothing.
    """
    reader = READERS.get(provider)
    if reader is None:
        raise NothingFound(f'"{provider}" tells no news.', f"Those who do: {', '.join(READERS)}.")
    named = {name.lower(): value for name, value in headers.items()}
    check_size(raw)
    reader.verify(raw, named, secret, now)
    return take(app, provider, reader.read(raw, named), now)


def take(app: Premises, provider: str, news: Sequence[DeliveryNews], now: datetime) -> Received:
    """Keep events that are proved to be the provider's, and do what they ask for."""
    noes = [one for one in news if _may_be_a_no(one)]
    quiet = [one for one in news if not _may_be_a_no(one)]
    total = _patiently(app, provider, quiet, now) if quiet else Received()
    fresh = []
    # A transaction for each "no": it holds addresses, and two of them would wait for each other.
    for one in noes:
        came_to = _patiently(app, provider, [one], now)
        fresh += [one] if came_to.kept else []
        total += came_to
    with suppress(StoreBusy):  # the news are kept; the next of their kind are weighed with them
        braking.after(app, fresh, now)
    return total


def _may_be_a_no(one: DeliveryNews) -> bool:
    """Say whether an event can be a reason to write to an address no more: then its addresses are held first."""
    return one.kind in NOES or bounces.about_news(one) is not None


def _patiently(app: Premises, provider: str, news: Sequence[DeliveryNews], now: datetime) -> Received:
    """Try again when another transaction was in the way; whoever still fails is told again by the provider."""
    for _ in range(_TRIES - 1):
        with suppress(StoreBusy), app.database.write() as session:
            return _take(session, app, provider, news, now)
    with app.database.write() as session:
        return _take(session, app, provider, news, now)


def _take(session: Session, app: Premises, provider: str, news: Sequence[DeliveryNews], now: datetime) -> Received:
    news = _named(session, provider, news)
    rows = delivery_events.messages_of(session, provider, [one.message_id for one in news])
    _hold(session, [rows[one.message_id] for one in news if _may_be_a_no(one) and one.message_id in rows])
    delivery_events.hold(session, rows.values())
    new = delivery_events.keep(session, provider, news, {number: row.id for number, row in rows.items()}, now)
    ours = [(one, rows[one.message_id]) for one in new if one.message_id in rows]
    noes = [_heed(session, app, provider, one, row, now) for one, row in ours if _may_be_a_no(one)]
    answered = answering.heed(session, app, provider, [one for one in new if one.message_id not in rows], now)
    proofs = [(one, row) for one, row in ours if one.kind in PROOFS]
    return Received(
        kept=len(new),
        repeated=len(news) - len(new),
        foreign=len(new) - len(ours) - answered.ours,
        proved=_settle(session, provider, proofs, now) + answered.proved,
        noes=sum(noes) + answered.noes,
    )


def _named(session: Session, provider: str, news: Sequence[DeliveryNews]) -> list[DeliveryNews]:
    """Find our id by the provider's where it was not told; only for a "no", which must not be missed."""
    nameless = [one.provider_id for one in news if not one.message_id and one.kind in NOES]
    known = delivery_events.by_provider_ids(session, provider, nameless)
    return [one if one.message_id else replace(one, message_id=known.get(one.provider_id, "")) for one in news]


def _hold(session: Session, rows: Sequence[MessageRow]) -> None:
    """Hold every address a "no" about these mails can reach, before their messages, as a release does."""
    emails = {email for row in rows if (email := delivery_events.recipient(session, row))}
    if emails:
        found = {person.id for email in emails for person in people.find(session, email)}
        reached = consents.touching(session, people.addresses_of(session, found))
        addresses.lock(session, reached | people.mailboxes_like(session, emails))


def _heed(session: Session, app: Premises, provider: str, news: DeliveryNews, row: MessageRow, now: datetime) -> bool:
    """Write no more to the address of this message, and stop what waits for it; False where nothing asks for that."""
    email = delivery_events.recipient(session, row)
    about = bounces.about_news(news)
    if email is None or (about and not _is_lasting(session, app, email, about, now)):
        return email is None  # an erased address is not written to anyway
    because = f"{provider}: {news.detail}"[:200]
    if news.kind is NewsKind.UNSUBSCRIBED:
        subscribing.object_at(session, app, email, because, now, actor=_ACTOR)
        return True
    reason = Reason.HARD_BOUNCE if about else Reason.COMPLAINT
    suppressing.block(session, suppressing.ledger_of(app), [email], reason, because, now)
    stop = Stop(reason, now, transactional=reason is Reason.HARD_BOUNCE, actor=_ACTOR)
    suppressing.stop_mail(session, [], people.mailboxes_like(session, [email]), stop)
    return True


def _is_lasting(session: Session, app: Premises, email: str, about: Bounce, now: datetime) -> bool:
    """Say whether an address is dead by this bounce, or by those before it (this one is kept already)."""
    if about in (Bounce.DEAD, Bounce.CONTENT, Bounce.POLICY):
        return about is Bounce.DEAD
    mine = addresses.find(session, [exact(email)]).values()
    before = delivery_events.bounces_at(session, mine, now - 2 * bounces.WITHIN)
    told = [(one.at, bounces.about(one.kind, one.detail)) for one in before]
    # A dead mailbox told of before is blocked already, or its owner has lifted the block.
    counted = [bounces.Told(at, what) for at, what in told if what and what is not Bounce.DEAD]
    return bounces.lasting(counted, app.config.shop.zone)


def _settle(session: Session, provider: str, proofs: Sequence[tuple[DeliveryNews, MessageRow]], now: datetime) -> int:
    """End the doubts these events answer, the first of each message; return how many."""
    told = {row.id: Proof(f"{provider} told later: {one.kind}", one.provider_id) for one, row in reversed(proofs)}
    return believe(session, told, now=now, actor=_ACTOR)
