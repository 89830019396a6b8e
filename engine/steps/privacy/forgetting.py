"""Forgetting a person: what names them goes from every row, file and log of ours; what must stay stays nameless.

The order is what makes it safe to break off anywhere (law G4; Art. 17 GDPR): first a line in `erasures.log` and the
suppression, so that nobody is written to meanwhile; then the mails in flight are waited for; then one transaction takes
everything. Whoever is killed in between does it again, and the next start does it by itself: a line in `erasures.log`
without its row in the store is an erasure that was not finished, or that a restored backup has forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from threading import Event

from sqlmodel import Session

from engine.clock import stopwatch
from engine.domain.addresses import canonical, exact
from engine.domain.calendar import local_day
from engine.domain.permission import ADVERTISING, Block
from engine.domain.retention import kept_until
from engine.domain.words import Reason, State
from engine.providers import outbox
from engine.steps.privacy.subjects import Subject, refuse_held
from engine.steps.shop import Premises
from engine.steps.suppressing import Stop, keep, ledger_of, stop_mail
from engine.store import (
    addresses,
    calls,
    consent_log,
    consents,
    erasures,
    evidence,
    people,
    privacy_events,
    scrubbing,
    suppressions,
)
from engine.store.erasure_log import ErasureLog, Tombstone, tombstone
from engine.store.privacy_events import Deed
from engine.store.suppressions import NewSuppression
from engine.store.traces import found_in

PATIENCE = 30.0
"""Seconds an erasure waits for mails that are just being sent."""
_LOOK_EVERY = 0.2
_IN_HAND = frozenset({State.CLAIMED, State.SENDING})


@dataclass(frozen=True, slots=True)
class Order:
    """Who wants an erasure, why, and how long it may wait for mails in flight."""

    operator: str
    because: str = ""
    patience: float = PATIENCE


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure came to. `in_doubt` mails keep their frozen text until they are settled; `purge` ends it then.

    `traces` are our own files in which the address can still be read, `emptied` says that the store's log was cut.
    """

    skipped: int
    in_doubt: int
    files: int
    shared: int
    traces: tuple[str, ...] = ()
    emptied: bool = True


def erase(shop: Premises, subject: Subject, order: Order, now: datetime) -> Erased:
    """Forget a person; safe to repeat, and to be killed in."""
    own, shared = _mailboxes(shop, subject)
    stone = tombstone(shop.keyring, subject.uid, subject.customer_id, tuple(subject.emails_at(own)), now)
    skipped = _stop(shop, subject, stone, (own, shared), now)
    wait_for_mails(shop, subject, order.patience)
    files = outbox.discard(shop.home, _message_ids(shop, subject))
    with shop.database.write() as session:
        refuse_held(session, shop.keyring, subject)
        left = _take_out(session, shop, subject, (own, shared), now)
        _note(session, shop, stone, subject)
        because = subject.without_names(order.because)
        privacy_events.note(session, Deed(now, order.operator, "erase", stone.uid or stone.addresses[0], because))
    _, emptied, traces = finish(shop, now, subject.emails_at(own))
    return Erased(skipped, left, files, len(shared), tuple(traces), emptied)


def evidence_until(shop: Premises, subject: Subject) -> date | None:
    """Return the last day on which what proves the mails to a person is kept, nameless; None where there is nothing."""
    with shop.database.read() as session:
        last = evidence.last_of(session, subject.number, subject.addresses)
    zone, years = shop.config.shop.zone, shop.config.privacy.evidence_years
    return kept_until(local_day(last, zone), years) if last else None


def is_shared(shop: Premises, subject: Subject) -> bool:
    """Say whether somebody else is, or was, at one of the addresses: there nobody gets advertising any more."""
    return bool(_mailboxes(shop, subject)[1])


def _mailboxes(shop: Premises, subject: Subject) -> tuple[set[int], set[int]]:
    with shop.database.read() as session:
        if subject.number is None:
            return set(subject.addresses), set()
        return scrubbing.alone_at(session, subject.number)


def _stop(
    shop: Premises, subject: Subject, stone: Tombstone, mailboxes: tuple[set[int], set[int]], now: datetime
) -> int:
    """Say "no" for good, in both logs and in the store, and end what waits; return how many mails."""
    everywhere = mailboxes[0] | mailboxes[1]
    with shop.database.write() as session:
        addresses.lock(session, consents.touching(session, everywhere))
        refuse_held(session, shop.keyring, subject)
        ErasureLog.beside(shop.database, shop.home).append(stone)
        _suppress(session, shop, subject, everywhere, now, now)
        return _end_mail(session, subject, mailboxes[0], now)


def _suppress(
    session: Session, shop: Premises, subject: Subject, everywhere: Collection[int], now: datetime, since: datetime
) -> None:
    """Keep a "no" for the person and for every address, unless this erasure (`since`) has left one there already."""
    at = consents.after_all_said(session, everywhere, now)
    new = [
        NewSuppression(suppressions.address_hashes(shop.keyring, email), ADVERTISING, Reason.ERASED, at, "", number)
        for number, email in sorted(subject.emails.items())
        if number in everywhere
    ]
    if subject.uid:
        person = suppressions.person_hashes(shop.keyring, subject.uid)
        new.append(NewSuppression(person, ADVERTISING, Reason.ERASED, at))
    standing = suppressions.blocks(session, {one.hashes.exact for one in new})
    erased = {mark for mark, blocks in standing.items() if any(_is_of(one, since) for one in blocks)}
    keep(session, ledger_of(shop), [one for one in new if one.hashes.exact not in erased])


def _is_of(block: Block, since: datetime) -> bool:
    return block.reason is Reason.ERASED and block.at >= since


def _end_mail(session: Session, subject: Subject, own: Collection[int], now: datetime) -> int:
    found = people.find_by_number(session, subject.number) if subject.number is not None else []
    return stop_mail(session, found, own, Stop(Reason.ERASED, now, transactional=True))[0]


def wait_for_mails(shop: Premises, subject: Subject, patience: float) -> None:
    """Wait until no sender holds a mail of this person, or the patience is over; a mail in doubt is not waited for."""
    if subject.number is None:
        return
    pause, until = Event(), stopwatch() + patience
    while _in_hand(shop, subject.number) and stopwatch() < until:
        pause.wait(_LOOK_EVERY)


def _in_hand(shop: Premises, number: int) -> bool:
    with shop.database.read() as session:
        return bool(people.mail_of(session, [number], [], _IN_HAND)) or calls.is_along(session, number)


def _message_ids(shop: Premises, subject: Subject) -> list[str]:
    if subject.number is None:
        return []
    with shop.database.read() as session:
        return [message_id for _, message_id, _ in scrubbing.messages_of(session, subject.number)]


def _take_out(
    session: Session, shop: Premises, subject: Subject, mailboxes: tuple[set[int], set[int]], now: datetime
) -> int:
    """Take the person out of every row; return how many mails are not settled and keep their frozen text."""
    own, shared = mailboxes
    keyring = shop.keyring
    addresses.lock(session, own | shared)
    _end_mail(session, subject, own, now)
    emails = subject.emails_at(own)
    keys = [mark for email in emails for mark in _address_marks(shop, email)]
    marks = [*keys, *(suppressions.person_marks(keyring, subject.uid) if subject.uid else ())]
    scrubbing.reasons_given(session, own, marks)
    scrubbing.replies(session, emails, keys, now)
    consent_log.forget(session, own)
    scrubbing.mailboxes(session, own)
    if subject.number is None:
        return 0
    mails = scrubbing.messages_of(session, subject.number)
    scrubbing.texts(session, [number for number, _, settled in mails if settled])
    scrubbing.leave_shared(session, subject.number, shared)
    scrubbing.things(session, subject.number)
    scrubbing.customer(session, subject.number, now)
    return sum(not settled for _, _, settled in mails)


def _address_marks(shop: Premises, email: str) -> tuple[str, ...]:
    return suppressions.address_marks(shop.keyring, exact(email), canonical(email))


def _note(session: Session, shop: Premises, stone: Tombstone, subject: Subject) -> None:
    """Note the erasure, and with it every earlier one of the same person that was broken off."""
    erasures.note(session, stone, subject.number)
    log = ErasureLog.beside(shop.database, shop.home)
    same = [one for one in log.read() if one.uid == stone.uid and (stone.uid or one.addresses == stone.addresses)]
    for one in erasures.missing(session, same):
        erasures.note(session, one, subject.number)


def overwrite(shop: Premises, emails: Sequence[str]) -> tuple[bool, list[str]]:
    """Let nothing be read in the store's files any more; return whether the log was cut, and files that still tell."""
    names = [table.name for table in scrubbing.TOUCHED]
    emptied = shop.database.overwrite(names)
    store = shop.database.path
    if store is None:
        return emptied, []
    files = [store.with_name(store.name + ending) for ending in ("", "-wal", "-shm")]
    if found_in(files, emails):  # an older program wrote here without secure_delete
        emptied = shop.database.overwrite(names, anew=True)
    return emptied, [file.name for file in found_in(files, emails)]


def settle(session: Session, discard: Callable[[Sequence[str]], int]) -> list[int]:
    """Empty the mails that erasures had to leave alone, where they are settled by now; return the erasures done."""
    done = []
    for erasure, number in erasures.unfinished(session):
        mails = scrubbing.messages_of(session, number) if number is not None else []
        settled = [one for one, _, ended in mails if ended]
        scrubbing.texts(session, settled)
        discard([message_id for _, message_id, _ in mails])
        if len(settled) == len(mails):
            done.append(erasure)
    return done


def mend(session: Session, now: datetime) -> int:
    """Make tombstones of those again that an import has filled at the very moment they were erased; return how many."""
    found = scrubbing.filled_again(session)
    for number in found:
        scrubbing.mailboxes(session, scrubbing.alone_at(session, number)[0])
        scrubbing.customer(session, number, now)
    return len(found)


def finish(shop: Premises, now: datetime, emails: Sequence[str] = ()) -> tuple[int, bool, list[str]]:
    """End every erasure as far as it can be ended; return how many, and what `overwrite` says.

    It is noted as finished only when the files are overwritten: whoever dies before does it at the next start.
    """
    with shop.database.read() as session:
        if not erasures.unfinished(session):
            return 0, True, []
    with shop.database.write() as session:
        done = settle(session, lambda ids: outbox.discard(shop.home, ids))
    emptied, traces = overwrite(shop, emails)
    with shop.database.write() as session:
        erasures.finish(session, done, now)
    return len(done), emptied, traces


# -- a backup was put back, or an erasure broken off -----------------------------------------------------------------


def replay(shop: Premises, now: datetime) -> int:
    """Erase again whom the store still has although `erasures.log` says they are gone; return how many.

    Done at every start; where nothing is missing it costs one look at the file.
    """
    entries = list(ErasureLog.beside(shop.database, shop.home).read())
    if not entries:
        return 0
    with shop.database.read() as session:
        missing = erasures.missing(session, entries)
        found = erasures.find(session, shop.keyring, missing) if missing else []
    back: list[str] = []
    for one in found:
        with shop.database.write() as session:
            back += _erase_again(session, shop, one, now)
    with shop.database.read() as session:
        ready = erasures.ready(session)
    if ready or back:
        finish(shop, now, back)
    return sum(bool(one.customers or one.addresses) for one in found)


def _erase_again(session: Session, shop: Premises, found: erasures.Found, now: datetime) -> list[str]:
    """Erase whom one line is about; return the addresses that went."""
    gone: list[str] = []
    for number in found.customers:
        subject = Subject.of(session, people.find_by_number(session, number)[0])
        mailboxes = scrubbing.alone_at(session, number)
        _suppress(session, shop, subject, mailboxes[0] | mailboxes[1], now, found.tombstone.at)
        gone += subject.emails_at(mailboxes[0])
        outbox.discard(shop.home, [message_id for _, message_id, _ in scrubbing.messages_of(session, number)])
        _take_out(session, shop, subject, mailboxes, now)
    bare = addresses.nobodys(session, found.addresses)
    subject = Subject(None, None, None, "", addresses.emails_of(session, sorted(bare)))
    _suppress(session, shop, subject, bare, now, found.tombstone.at)
    gone += subject.emails_at(bare)
    _take_out(session, shop, subject, (bare, set()), now)
    erasures.note(session, found.tombstone, next(iter(found.customers), None))
    return gone
