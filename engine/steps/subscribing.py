"""What people allow and forbid, from any channel: it counts from the moment the person is answered.

Every "no" is kept three times: as an event, as a suppression that outlives the address, and as a line of
suppressions.log that outlives the store.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel import Session

from engine.config.loading import Config
from engine.config.sections import Notice
from engine.domain.addresses import exact, masked
from engine.domain.existing_customer import SalesRules, Shown
from engine.domain.permission import ADVERTISING, KINDS, ConsentState, Policy, withdrawal_scope
from engine.domain.words import Reason
from engine.errors import NothingFound, UsageError
from engine.keys import Keyring
from engine.steps.shop import Premises
from engine.steps.suppressing import Ledger, Stop, block, keep, ledger_of, stop_mail, valid_address
from engine.store import addresses, consents, people, suppressions
from engine.store.consents import NewConsent
from engine.store.people import Person
from engine.store.suppressions import NewSuppression

PAGE = "page"
"""Who acts where a customer does so on one of the public pages."""
_REASONS = {ConsentState.OBJECTED: Reason.OBJECTION, ConsentState.WITHDRAWN: Reason.WITHDRAWN}


@dataclass(frozen=True, slots=True)
class Stopped:
    """What a "no" came to: who is meant, at which addresses, and what became of the mails on their way."""

    people: tuple[Person, ...]
    emails: tuple[str, ...]
    skipped: int = 0
    under_way: int = 0

    @property
    def known(self) -> bool:
        """Say whether the shop knows this person; if not, the address alone is blocked."""
        return bool(self.people)


@dataclass(frozen=True, slots=True)
class Hearsay:
    """What the owner notes down about an address: somebody asked for mail, or is said to have agreed."""

    email: str
    state: str
    at: datetime
    source: str
    wording: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class _No:
    """One person's "no", as it was said."""

    state: ConsentState
    because: str
    now: datetime
    kinds: frozenset[str] = frozenset()
    actor: str = "owner"

    @property
    def reason(self) -> Reason:
        """Return the reason it gives for a mail that is not sent."""
        return _REASONS[self.state]

    @property
    def scope(self) -> str:
        """Return what it stops."""
        return withdrawal_scope(self.kinds) if self.state is ConsentState.WITHDRAWN else ADVERTISING


def policy_of(config: Config) -> Policy:
    """Return what the shop's config says about permission."""
    return Policy(
        zone=config.shop.zone,
        wordings={name: frozenset(wording.kinds) for name, wording in config.wording.items()},
        special_wordings={
            name: frozenset(category.strip().lower() for category in wording.special_categories)
            for name, wording in config.wording.items()
            if wording.special_categories
        },
        stale_consent=config.legal.stale_consent,
        sales=SalesRules(
            notices={name: shown for name, one in config.notice.items() if (shown := shown_of(one))},
            similarity=config.legal.similarity,
            special_categories=config.legal.special_categories,
            single_assortment=config.legal.single_assortment,
            strict_sale=config.legal.strict_sale,
            stale_customer=config.legal.stale_customer,
        ),
    )


def shown_of(notice: Notice) -> Shown | None:
    """Return the days on which a notice was shown; one that nobody declares by name, with proof, does not count."""
    if notice.shown_from is None or not notice.declared_by or not notice.proof:
        return None
    return Shown(notice.shown_from, notice.shown_until)


def record(session: Session, ledger: Ledger, events: Sequence[NewConsent], now: datetime, actor: str) -> int:
    """Append consent events within the caller's transaction, every "no" among them for good; return the new."""
    added = consents.append(session, events, now, actor)
    noes = [event for event in events if event.state in _REASONS]
    emails = addresses.emails_of(session, sorted({event.address_id for event in noes}))
    keep(session, ledger, [_kept(ledger.keyring, event, emails[event.address_id], now) for event in noes])
    return added


def _kept(keyring: Keyring, event: NewConsent, email: str, now: datetime) -> NewSuppression:
    no = _No(event.state, event.source, event.at or now, event.kinds)
    hashes = suppressions.address_hashes(keyring, email)
    return NewSuppression(hashes, no.scope, no.reason, no.now, no.because, event.address_id)


def object_from_any_channel(shop: Premises, who: str, because: str, now: datetime) -> Stopped:
    """Take an objection to all advertising by phone, letter or reply: for the person and all their addresses."""
    with shop.database.write() as session:
        found = find_one(session, who)
        if found:
            return _say_no(session, shop, found, _No(ConsentState.OBJECTED, because, now))
        if "@" not in who:
            raise NothingFound(
                f'Nobody is known as "{who}".', "WHO is a customer number, an address, or a name in quotes."
            )
        return object_at(session, shop, valid_address(who), because, now)


def object_at(
    session: Session, shop: Premises, email: str, because: str, now: datetime, *, actor: str = "owner"
) -> Stopped:
    """Take the objection of whoever is at a mailbox, within the caller's transaction."""
    if found := people.find(session, email):
        return _say_no(session, shop, found, _No(ConsentState.OBJECTED, because, now, actor=actor))
    # Only the hash of an address nobody has yet is kept: enough that a later import cannot mail it.
    block(session, ledger_of(shop), [email], Reason.OBJECTION, because, now)
    return Stopped((), (email,))


def object_on_page(session: Session, shop: Premises, found: Sequence[Person], because: str, now: datetime) -> Stopped:
    """Take these people's objection to all advertising, made on a page, within the caller's transaction."""
    return _say_no(session, shop, found, _No(ConsentState.OBJECTED, because, now, actor=PAGE))


def withdraw_on_page(
    session: Session, shop: Premises, found: Sequence[Person], kinds: Collection[str], because: str, now: datetime
) -> Stopped:
    """Take these people's "no" to some kinds of mail, made on a page, within the caller's transaction."""
    return _say_no(session, shop, found, _No(ConsentState.WITHDRAWN, because, now, frozenset(kinds), PAGE))


def withdraw(shop: Premises, who: str, because: str, now: datetime, kinds: Collection[str] = ()) -> Stopped:
    """Take back consent, for the kinds named or for all."""
    if unknown := sorted(set(kinds) - set(KINDS)):
        raise UsageError(f"{', '.join(unknown)}: no such kind of mail.", f"Allowed: {', '.join(KINDS)}.")
    with shop.database.write() as session:
        found = find_one(session, who)
        if not found:
            raise NothingFound(
                f'Nobody is known as "{who}".', f'To block an address nobody has: treuepost stop "{who}".'
            )
        return _say_no(session, shop, found, _No(ConsentState.WITHDRAWN, because, now, frozenset(kinds)))


def _say_no(session: Session, shop: Premises, found: Sequence[Person], no: _No) -> Stopped:
    mailboxes = people.addresses_of(session, [person.id for person in found])
    addresses.lock(session, consents.touching(session, mailboxes))
    stop = Stop(no.reason, no.now, no.kinds, actor=no.actor)
    no = replace(no, now=consents.after_all_said(session, mailboxes, no.now))
    ledger = ledger_of(shop)
    events = [NewConsent(number, no.state, no.now, no.kinds, source=no.because) for number in sorted(mailboxes)]
    record(session, ledger, events, stop.now, no.actor)
    keep(session, ledger, [_of_person(ledger.keyring, person, no) for person in found])
    emails = tuple(sorted(addresses.emails_of(session, sorted(mailboxes)).values()))
    skipped, under_way = stop_mail(session, found, mailboxes, stop)
    return Stopped(tuple(found), emails, skipped, under_way)


def _of_person(keyring: Keyring, person: Person, no: _No) -> NewSuppression:
    """Keep the "no" for the person too, who may have no address yet, or another one tomorrow."""
    hashes = suppressions.person_hashes(keyring, person.uid)
    return NewSuppression(hashes, no.scope, no.reason, no.now, no.because, person.address_id)


def note(shop: Premises, said: Hearsay, now: datetime) -> bool:
    """Write down what the owner heard; this never permits anything. Return False if it was noted before.

    A confirmation is the customer's own act: it is never taken from the owner's hand.
    """
    if said.state not in (ConsentState.REQUESTED, ConsentState.CLAIMED):
        raise UsageError(
            f'A consent cannot be recorded as "{said.state}" by hand: only the customer can confirm.',
            "Allowed: requested, claimed. Confirmations with their proof: treuepost import consents FILE.",
        )
    if said.at > now:
        raise UsageError(f"{said.at.isoformat()} has not come yet.", "--at is when the customer asked or agreed.")
    kinds = _kinds_of(shop.config, said.wording)
    with shop.database.write() as session:
        number = addresses.find_or_add(session, [valid_address(said.email)], now)[exact(said.email)]
        state = ConsentState(said.state)
        event = NewConsent(number, state, said.at, kinds, said.wording, said.at, said.source, said.note)
        return record(session, ledger_of(shop), [event], now, "owner") == 1


def _kinds_of(config: Config, wording: str) -> frozenset[str]:
    if not wording:
        return frozenset()
    if wording not in config.wording:
        known = ", ".join(config.wording) or "none yet"
        raise UsageError(f'There is no wording "{wording}".', f"In config.toml: {known}.")
    return frozenset(config.wording[wording].kinds)


def find_one(session: Session, who: str) -> list[Person]:
    """Return whom somebody means: one customer, or all on one mailbox; several namesakes are refused with a list."""
    found = people.find(session, who)
    if len(found) > 1 and "@" not in who:
        names = "\n".join(f"{one.customer_id or '–'}  {one.name}  {masked(one.email or '–')}" for one in found)
        count = f"{len(found)} people" + (" or more" if len(found) == people.MOST_NAMESAKES else "")
        raise UsageError(f'"{who}" can be {count}. Name one by number or address.', names)
    return found
