"""Whom we must not write to: bounces, complaints, the owner's word, and what a restored backup has forgotten.

The log comes first: if the machine dies between the line in suppressions.log and the commit, the next start finds the
"no" there and puts it into the store. Only a bounce that a call itself told waits for the commit of that call's
results: a bounce in the store of which no result is known would stand against the repeat that ends the call's doubt.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from email_validator import EmailNotValidError, validate_email
from sqlmodel import Session

from engine.domain.addresses import canonical, exact
from engine.domain.permission import ADVERTISING, EVERYTHING, Block, is_advertising
from engine.domain.states import AT_REST, UNDER_WAY
from engine.domain.words import Reason, State
from engine.errors import UsageError
from engine.keys import Keyring
from engine.steps.shop import Premises
from engine.store import addresses, consents, messages, people, suppressions
from engine.store.database import Database
from engine.store.people import Person
from engine.store.suppression_log import SuppressionLog
from engine.store.suppressions import Listed, NewSuppression

_FOR_ALL_MAIL = frozenset({Reason.SUPPRESSED, Reason.HARD_BOUNCE, Reason.LEGAL_BLOCK})
"""An objection must never stop an invoice; a dead mailbox stops everything."""

NEVER_BLOCKED = frozenset({"dsr_response", "security_notice"})
"""What the law makes us send even to somebody who forbids everything (law C10)."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What it takes to keep a "no": the keys that hash the address, and the log beside the store."""

    keyring: Keyring
    log: SuppressionLog


def ledger_of(shop: Premises) -> Ledger:
    """Return the ledger of this shop's store."""
    return Ledger(shop.keyring, SuppressionLog.beside(shop.database, shop.home))


def keep(session: Session, ledger: Ledger, new: Sequence[NewSuppression]) -> int:
    """Keep suppressions within the caller's transaction, logged before it can commit; return how many are new."""
    fresh = suppressions.add(session, new)
    ledger.log.append(fresh)
    return len(fresh)


def replay(database: Database, log: SuppressionLog) -> int:
    """Put back every "no" the store lacks (at each start: the store may be a restored backup); return how many."""
    entries = list(log.read())
    with database.read() as session:
        missing = suppressions.unknown(session, entries)
    if not missing:
        return 0
    with database.write() as session:
        return len(suppressions.add(session, missing))


def complete(database: Database, log: SuppressionLog) -> int:
    """Put into the log what the store holds and it lacks: the process died before the line; return how many."""
    told = {one.key for one in log.read()}
    with database.read() as session:
        missing = [one for one in suppressions.kept(session) if one.key not in told]
    log.append(missing)
    return len(missing)


def block(session: Session, ledger: Ledger, emails: Iterable[str], reason: Reason, because: str, now: datetime) -> int:
    """Suppress addresses within the caller's transaction (a bounce, a complaint, an imported list); return the new."""
    fresh = note(session, ledger.keyring, emails, reason, because, now)
    ledger.log.append(fresh)
    return len(fresh)


def note(
    session: Session, keyring: Keyring, emails: Iterable[str], reason: Reason, because: str, now: datetime
) -> list[NewSuppression]:
    """Suppress addresses in the store alone and return the new, for the caller to log once that is committed."""
    wanted = {exact(email): email for email in emails}
    mailboxes = people.mailboxes_like(session, wanted.values())
    addresses.lock(session, mailboxes)
    at = consents.after_all_said(session, mailboxes, now)
    known = addresses.find(session, list(wanted))
    scope = EVERYTHING if reason in _FOR_ALL_MAIL else ADVERTISING
    new = [
        NewSuppression(suppressions.address_hashes(keyring, email), scope, reason, at, because, known.get(form))
        for form, email in wanted.items()
    ]
    standing = suppressions.blocks(session, {one.hashes.exact for one in new})
    return suppressions.add(session, [one for one in new if not _stands(one, standing.get(one.hashes.exact, ()))])


def _stands(one: NewSuppression, blocks: Iterable[Block]) -> bool:
    """Say whether a lasting block is there already: a bounce is told twice; an objection anew counts anew."""
    return one.scope == EVERYTHING and any(block.reason is one.reason for block in blocks)


@dataclass(frozen=True, slots=True)
class Suppressed:
    """What `suppress add` came to."""

    email: str
    new: bool
    people: tuple[Person, ...]
    skipped: int
    under_way: int


def suppress(shop: Premises, email: str, because: str, now: datetime) -> Suppressed:
    """Stop every mail to an address, by the owner's word."""
    address = valid_address(email)
    with shop.database.write() as session:
        new = block(session, ledger_of(shop), [address], Reason.SUPPRESSED, because, now) == 1
        mailboxes = people.mailboxes_like(session, [address])
        stop = Stop(Reason.SUPPRESSED, now, transactional=True)
        skipped, under_way = stop_mail(session, [], mailboxes, stop)
        return Suppressed(address, new, tuple(people.at_addresses(session, mailboxes)), skipped, under_way)


def forbid(shop: Premises, email: str, because: str, now: datetime) -> Suppressed:
    """Stop every automated mail to whoever is at an address, for good (law C10: a cease-and-desist letter).

    It reaches the person and all their addresses, now and later, and no command lifts it.
    """
    address = valid_address(email)
    with shop.database.write() as session:
        mailboxes = people.mailboxes_like(session, [address])
        found = people.at_addresses(session, mailboxes)
        mailboxes |= people.addresses_of(session, [person.id for person in found])
        addresses.lock(session, consents.touching(session, mailboxes))
        emails = [address, *addresses.emails_of(session, sorted(mailboxes)).values()]
        ledger = ledger_of(shop)
        new = block(session, ledger, emails, Reason.LEGAL_BLOCK, because, now) > 0
        if new:
            hashes = [suppressions.person_hashes(shop.keyring, person.uid) for person in found]
            keep(session, ledger, [NewSuppression(one, EVERYTHING, Reason.LEGAL_BLOCK, now, because) for one in hashes])
        stop = Stop(Reason.LEGAL_BLOCK, now, transactional=True, spared=NEVER_BLOCKED)
        skipped, under_way = stop_mail(session, found, mailboxes, stop)
        return Suppressed(address, new, tuple(found), skipped, under_way)


@dataclass(frozen=True, slots=True)
class Lifted:
    """What `suppress remove` lifted, and what stays because only the person can lift it."""

    lifted: tuple[Listed, ...]
    stays: tuple[Listed, ...]


def unsuppress(shop: Premises, email: str, now: datetime) -> Lifted:
    """Lift the owner's own entry or a bounce; an objection, complaint, erasure or legal block stays."""
    marks = suppressions.address_marks(shop.keyring, exact(email), canonical(email))
    with shop.database.write() as session:
        addresses.lock(session, people.mailboxes_like(session, [email]))
        standing = suppressions.standing(session, marks)
        lifted = tuple(row for row in standing if row.reason in suppressions.LIFTABLE)
        suppressions.lift(session, [row.id for row in lifted], now)
    return Lifted(lifted, tuple(row for row in standing if row not in lifted))


def valid_address(text: str) -> str:
    """Return an address that can exist, or say why it is none."""
    try:
        return validate_email(text.strip(), check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise UsageError(f'"{text}" is no e-mail address: {error}', "Write it like name@example.com.") from error


@dataclass(frozen=True, slots=True)
class Stop:
    """Which open mail a "no" stops: the kinds it names (else all advertising), and contract mail only if it says so."""

    reason: Reason
    now: datetime
    kinds: frozenset[str] = frozenset()
    transactional: bool = False
    actor: str = "owner"
    spared: frozenset[str] = frozenset()

    def reaches(self, kind: str) -> bool:
        """Say whether mail of this kind is stopped."""
        if kind in self.spared:
            return False
        return kind in self.kinds if self.kinds else self.transactional or is_advertising(kind)


def stop_mail(session: Session, found: Sequence[Person], mailboxes: Collection[int], stop: Stop) -> tuple[int, int]:
    """Skip what waits; return how many, and how many may be on their way already."""
    customers = [person.id for person in found]
    waiting = people.mail_of(session, customers, mailboxes, AT_REST)
    under_way = people.mail_of(session, customers, mailboxes, UNDER_WAY)
    skipped = messages.move_all(
        session,
        [row for row in waiting if stop.reaches(row.kind)],
        State.SKIPPED,
        now=stop.now,
        actor=stop.actor,
        reason=stop.reason,
    )
    return len(skipped), sum(stop.reaches(row.kind) for row in under_way)
