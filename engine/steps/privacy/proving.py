"""The answer to a lawyer's letter: everything that shows why somebody was written to, or that nobody wrote at all.

What is gathered here is handed out as a folder: one page to print, the same for machines, and every mail as it was
sent. It works for an address nobody knows, and says so.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path

from sqlmodel import Session

from engine.domain.addresses import canonical, exact
from engine.domain.words import Email, Reason, State
from engine.errors import NothingFound, StoreError, UsageError
from engine.providers import mime
from engine.steps.shop import Premises
from engine.steps.subscribing import find_one
from engine.steps.watching import checkpointing
from engine.store import addresses, attempts, consent_check, consents, erasures, people, proofs, reports, suppressions
from engine.store.checkpoints import Checkpoint, standing
from engine.store.consent_check import Walk
from engine.store.consents import ConsentEntry
from engine.store.erasure_log import ErasureLog
from engine.store.people import Person
from engine.store.proofs import Contracted, Hinted, Kept, Replied, Text
from engine.store.reports import Call, Entry
from engine.store.suppressions import Listed

_NEVER_LEFT = frozenset({State.PLANNED, State.CLAIMED, State.RETRYING, State.HELD, State.SKIPPED, State.EXPIRED})
_VERSION = "wording_version"


class Finding(StrEnum):
    """What the proof comes to."""

    WRITTEN_TO = "written_to"
    NEVER_WRITTEN_TO = "never_written_to"
    UNKNOWN_ADDRESS = "unknown_address"
    ERASED = "erased"
    """Forgotten, and no mail is on record any more: whether there ever was one must not be said."""


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail that left or may have left: its entry in the log, its calls, and its bytes as far as they are kept."""

    entry: Entry
    calls: tuple[Call, ...]
    kept: Kept
    email: Email | None
    file: str


@dataclass(frozen=True, slots=True)
class Proof:
    """Everything that is known about whether and why somebody was written to."""

    asked_for: str
    made_at: datetime
    made_by: str
    finding: Finding
    people: tuple[Person, ...]
    emails: tuple[str, ...]
    events: tuple[ConsentEntry, ...]
    wordings: tuple[Text, ...]
    hints: tuple[Hinted, ...]
    notices: tuple[Text, ...]
    contracts: tuple[Contracted, ...]
    mails: tuple[Mail, ...]
    unsent: tuple[Entry, ...]
    replies: tuple[Replied, ...]
    suppressions: tuple[Listed, ...]
    log: Walk
    checkpoint: Checkpoint | None
    subject: str


def prove(shop: Premises, who: str, operator: str, now: datetime) -> Proof:
    """Gather the proof for whom somebody means: a customer, everybody at an address, or an address nobody knows."""
    lines = checkpointing.kept(shop)
    with shop.database.read() as session:
        found = find_one(session, who)
        if not found and "@" not in who:
            raise NothingFound(f'Nobody is known as "{who}".', "WHO is a customer number, an address, or a name.")
        log = consent_check.walk(session, standing(lines))
        return _gathered(session, shop, _Asked(who.strip(), tuple(found), operator, now), log, lines)


@dataclass(frozen=True, slots=True)
class _Asked:
    who: str
    people: tuple[Person, ...]
    operator: str
    now: datetime


def _gathered(session: Session, shop: Premises, asked: _Asked, log: Walk, lines: Sequence[Checkpoint]) -> Proof:
    customers = [person.id for person in asked.people]
    mailboxes = people.addresses_of(session, customers)
    if "@" in asked.who:
        mailboxes |= set(addresses.find(session, [exact(asked.who)]).values())
    emails = set(addresses.emails_of(session, sorted(mailboxes)).values())
    emails |= {asked.who} if "@" in asked.who and not mailboxes else set()
    marks = _marks(shop, emails, asked.people)
    forgotten = _forgotten(session, shop, asked.who)
    customers += forgotten
    mailboxes |= erasures.mailboxes_of(session, forgotten)
    mails, unsent = _mails(session, customers, sorted(mailboxes))
    events = consents.timeline(session, mailboxes)
    hints = proofs.hints(session, customers)
    stopped = suppressions.standing(session, marks)
    replied = proofs.replies(session, marks, {exact(email) for email in emails})
    written = bool(mails) or any(one.called_at for one in replied)
    return Proof(
        asked_for=asked.who,
        made_at=asked.now,
        made_by=asked.operator,
        finding=_finding(stopped, written=written, known=bool(asked.people or mailboxes)),
        people=asked.people,
        emails=tuple(sorted(emails)),
        events=tuple(events),
        wordings=tuple(proofs.wordings(session, {event.wording for event in events} - {""})),
        hints=tuple(hints),
        notices=tuple(proofs.notices(session, {hint.notice for hint in hints})),
        contracts=tuple(proofs.contracts(session, customers)),
        mails=tuple(mails),
        unsent=tuple(unsent),
        replies=tuple(replied),
        suppressions=tuple(stopped),
        log=log,
        checkpoint=lines[-1] if lines else None,
        subject=_subject(shop, asked),
    )


def _forgotten(session: Session, shop: Premises, who: str) -> list[int]:
    """Return the nameless customers whose erasure named this address: what proves their mails is kept for this."""
    if "@" not in who:
        return []
    marks = set(suppressions.address_marks(shop.keyring, exact(who), canonical(who)))
    stones = ErasureLog.beside(shop.database, shop.home).read()
    return erasures.customers_of(session, [stone.mark for stone in stones if marks & set(stone.addresses)])


def _finding(stopped: Sequence[Listed], *, written: bool, known: bool) -> Finding:
    if written:
        return Finding.WRITTEN_TO
    if any(one.reason is Reason.ERASED for one in stopped):
        return Finding.ERASED
    return Finding.NEVER_WRITTEN_TO if known else Finding.UNKNOWN_ADDRESS


def _marks(shop: Premises, emails: set[str], found: Sequence[Person]) -> set[str]:
    marks = {mark for one in emails for mark in suppressions.address_marks(shop.keyring, exact(one), canonical(one))}
    return marks.union(*(suppressions.person_marks(shop.keyring, person.uid) for person in found))


def _subject(shop: Premises, asked: _Asked) -> str:
    """Return whom the record of this proof names: nobody by name, nor by address."""
    if asked.people:
        return " ".join(person.uid for person in asked.people)
    return suppressions.address_hashes(shop.keyring, asked.who).exact


def _mails(session: Session, customers: list[int], mailboxes: list[int]) -> tuple[list[Mail], list[Entry]]:
    entries = reports.of_people(session, customers, mailboxes)
    left = [one for one in entries if one.attempts or one.state not in _NEVER_LEFT | {State.CANCELLED, State.FAILED}]
    numbers = [one.number for one in left]
    kept, frozen = proofs.bodies(session, numbers), attempts.frozen(session, numbers)
    mails = []
    for count, one in enumerate(left, 1):
        bytes_of = kept.get(one.number, Kept("", whole=False))
        email = frozen.get(one.number) if bytes_of.whole else None
        file = f"mail-{count:03}-{one.message_id[:8]}.eml" if email else ""
        mails.append(Mail(one, tuple(reports.calls(session, one.number)), bytes_of, email, file))
    return mails, [one for one in entries if one not in left]


# -- handing it out --------------------------------------------------------------------------------------------------


def hand_out(shop: Premises, proof: Proof, page: str, folder: Path) -> list[str]:
    """Write the folder and the record that it was handed out; return the names of its files.

    Nothing is overwritten: what was handed out once stays as it was.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not an empty folder.", "Name a new one with --out: nothing is overwritten.")
    files = {"proof.html": page.encode(), "proof.json": _json(shop, proof)}
    for mail in proof.mails:
        if mail.email is not None:
            files[mail.file] = mime.build(mail.email, utf8_headers=not mail.email.to.isascii())
    with shop.database.write() as session:
        proofs.note(session, proof.subject, proof.made_by, f"{proof.finding.value}, {len(files)} files", proof.made_at)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, content in files.items():
            target = folder / name
            target.touch(mode=0o600)
            target.write_bytes(content)
    except OSError as error:
        raise StoreError(f"{folder} cannot be written: {error.strerror}.", "Name another folder with --out.") from error
    return list(files)


def _json(shop: Premises, proof: Proof) -> bytes:
    return (json.dumps(document(shop, proof), ensure_ascii=False, indent=2, default=_plain) + "\n").encode()


def document(shop: Premises, proof: Proof) -> dict[str, object]:
    """Return the proof for machines."""
    return {
        "document": "treuepost proof 1",
        "shop": {"name": shop.config.shop.name, "address": shop.config.shop.address, "email": shop.config.shop.email},
        "asked_for": proof.asked_for,
        "made_at": proof.made_at,
        "made_by": proof.made_by,
        "finding": proof.finding.value,
        "people": [{"customer_id": one.customer_id, "name": one.name, "email": one.email} for one in proof.people],
        "emails": list(proof.emails),
        "consents": [{**asdict(event), "kinds": sorted(event.kinds)} for event in proof.events],
        "wordings": [_text(text) for text in proof.wordings],
        "notices": [asdict(hint) for hint in proof.hints],
        "notice_texts": [_text(text) for text in proof.notices],
        "contracts": [asdict(contract) for contract in proof.contracts],
        "mails": [_mail(mail) for mail in proof.mails],
        "not_sent": [_entry(entry) for entry in proof.unsent],
        "replies": [asdict(reply) for reply in proof.replies],
        "suppressions": [_suppression(one) for one in proof.suppressions],
        "consent_log": _log(proof),
    }


def _text(text: Text) -> dict[str, object]:
    return {**text._asdict(), "content": content_of(text)}


def content_of(text: Text) -> object:
    """Return what a version holds: its fields where it is JSON, else the text itself."""
    try:
        return json.loads(text.content)
    except ValueError:
        return text.content


def _mail(mail: Mail) -> dict[str, object]:
    entry = mail.entry
    return {
        **_entry(entry),
        "email": entry.email,
        "subject": entry.subject,
        "sent_at": entry.sent_at,
        "basis": entry.basis,
        "evidence": entry.evidence,
        "provider": entry.provider,
        "provider_id": entry.provider_id,
        "attempts": [asdict(call) for call in mail.calls],
        "news": [asdict(news) for news in entry.news],
        "sha256": mail.kept.sha256,
        "file": mail.file or None,
    }


def _entry(entry: Entry) -> dict[str, object]:
    names = ("message_id", "campaign", "step", "occasion", "due", "planned_at")
    return {**{name: getattr(entry, name) for name in names}, "state": entry.state.value, "reason": entry.reason}


def _suppression(one: Listed) -> dict[str, object]:
    return {"reason": one.reason.value, "scope": one.scope, "at": one.at, "because": one.source}


def _log(proof: Proof) -> dict[str, object]:
    faults = [{"seq": fault.seq, "what": fault.told} for fault in proof.log.faults]
    last = proof.checkpoint
    return {
        "events": proof.log.size,
        "hash": proof.log.hash,
        "whole": not faults,
        "faults": faults[:20],
        "positions": [{"seq": event.seq, "hash": event.hash} for event in proof.events],
        "checkpoint": {**asdict(last), "origin": str(last.origin)} if last else None,
    }


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{value!r} has no place in a document")
