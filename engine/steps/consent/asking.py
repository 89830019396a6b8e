"""What people ask for on a page: to be written to (double opt-in), and to see what is kept about them.

The answer is always the same, whether an address is known or not. A request permits nothing; only the click on the
link in its one mail does, at this address, for the text that was shown and the kinds it names. A consent hangs on its
address: whoever is not in the customer list yet is mailed once they are, and nobody is invented.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlmodel import Session

from engine.domain import requests
from engine.domain.addresses import exact, masked
from engine.domain.permission import ConsentState, is_sendable
from engine.errors import UsageError
from engine.steps.consent import registering
from engine.steps.consent.barring import barred
from engine.steps.privacy import rights
from engine.steps.shop import Premises
from engine.steps.subscribing import record
from engine.steps.suppressing import ledger_of, valid_address
from engine.store import addresses, consent_log, consents, people, replies, suppressions, wordings
from engine.store.consents import NewConsent
from engine.store.replies import CONFIRMATION, DATA_LINK, NewReply, ReplyRow
from engine.store.wordings import KeptWording
from engine.tokens import link_token, token_hash

DATA_LINK_LASTS = timedelta(hours=48)
PERSON, OPERATOR = "subject", "owner"
WEB, BY_HAND = "web", "by_hand"
QUEUED, TOO_MANY = "queued", "too_many"
_LONGEST = 500


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who stands at the door: network address (cut as [privacy] network says), user agent, language "de" or "en"."""

    network: str = ""
    user_agent: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class SignUp:
    """One request to be written to: the address as typed, the wording, and where it was shown.

    `form_hash` is the SHA-256 of the page as shown, `action` what the person did ("click"); a box that was checked
    beforehand is no consent. `evidence` names the paper form or the call, where there was no page.
    """

    email: str
    wording: str
    form_url: str = ""
    form_hash: str = ""
    evidence: str = ""
    action: str = "click"
    checked_by_default: bool = False


@dataclass(frozen=True, slots=True)
class Pending:
    """What the page behind a link shows; `used` where the link has been used before."""

    email_masked: str
    wording: str
    text: str
    title: str
    expired: bool
    used: bool


def sign_up(shop: Premises, ask: SignUp, visitor: Visitor, now: datetime) -> None:
    """Take a request from a page. Nobody learns whether the address is known, blocked, or was entered before.

    Raises UsageError for what is no address, an unknown wording, and what is no consent at all.
    """
    if ask.checked_by_default or not ask.action.strip():
        raise UsageError(
            "A box that was checked beforehand is no consent, nor is doing nothing.",
            "The person ticks the box themselves; send `action`, and never `checked_by_default`.",
        )
    enter(shop, ask, visitor, now, actor=PERSON)


def enter(shop: Premises, ask: SignUp, visitor: Visitor, now: datetime, *, actor: str = OPERATOR) -> str:
    """Queue the one mail that asks for confirmation; return "queued", or why there is none.

    The word is for the owner at the counter: `too_many` (one in 24 hours, three in 30 days), or the reason that stands
    against any mail to this address.
    """
    email = _sendable(ask.email)
    with shop.database.write() as session:
        wording = registering.register(session, shop.config, ask.wording, now)
        if wording is None:
            raise _unfit(shop, ask.wording)
        if why := _refused(session, shop, email, CONFIRMATION, now):
            return why
        number = addresses.find_or_add(session, [email], now)[exact(email)]
        addresses.lock(session, [number])
        if why := _refused(session, shop, email, CONFIRMATION, now):  # two who came at once have met at the lock
            return why
        until = requests.good_until(shop.config.privacy.confirm_within, now)
        by_hand = ask.evidence if _channel(ask) == BY_HAND else ""  # the mail says where the address came from
        reply = _queue(session, shop, _Wanted(email, CONFIRMATION, until, visitor.language, wording, by_hand), now)
        record(session, ledger_of(shop), [_requested(ask, visitor, number, wording, reply)], now, actor)
    return QUEUED


def ask_for_data(shop: Premises, email: str, visitor: Visitor, now: datetime) -> None:
    """Queue a link to somebody's own data, to the address itself; only where it is known, and nobody is told which."""
    address = _sendable(email)
    with shop.database.write() as session:
        if not addresses.find(session, [exact(address)]) or _refused(session, shop, address, DATA_LINK, now):
            return
        language = visitor.language or shop.config.shop.language
        _queue(session, shop, _Wanted(address, DATA_LINK, now + DATA_LINK_LASTS, language), now)


def pending(shop: Premises, token: str, now: datetime) -> Pending | None:
    """Return what the confirmation page shows; None for a token that is not ours. Changes nothing."""
    with shop.database.read() as session:
        return _pending(session, _found(session, token, CONFIRMATION), now)


def data_pending(shop: Premises, token: str, now: datetime) -> Pending | None:
    """Return what the page behind a link to somebody's data shows; None for a token that is not ours."""
    with shop.database.read() as session:
        return _pending(session, _found(session, token, DATA_LINK), now)


def confirm(shop: Premises, token: str, visitor: Visitor, now: datetime) -> Pending | None:
    """Take the click on "yes, confirm": a proven consent, once, for this address, this text and the kinds it names.

    A link used before answers `used` and adds nothing; one that has expired adds nothing.
    """
    with shop.database.write() as session:
        row = _found(session, token, CONFIRMATION)
        shown = _pending(session, row, now)
        if row is None or shown is None or shown.expired or shown.used:
            return shown
        number = addresses.find_or_add(session, [row.email], now)[exact(row.email)]
        addresses.lock(session, consents.touching(session, [number]))
        if not replies.use(session, row, now):
            return replace(shown, used=True)
        wording = wordings.find(session, row.wording_version)
        event = _confirmed(row, number, wording, visitor, now)
        record(session, ledger_of(shop), [event], now, PERSON)
        return shown


def open_data(shop: Premises, token: str, visitor: Visitor, now: datetime) -> dict[str, Any] | None:  # noqa: ARG001
    """Use a link to somebody's data up and return the data; None where the link is not ours, used or expired."""
    with shop.database.write() as session:
        row = _found(session, token, DATA_LINK)
        if row is None or row.expires_at <= now or not replies.use(session, row, now):
            return None
    return rights.export_document(shop, row.email, now)


def purge(shop: Premises, now: datetime) -> int:
    """Erase requests nobody confirmed and links to data, once they are older than [privacy] requests; return how many.

    What stays is the hash by which further requests are counted (law.md B10), and an address that is known otherwise.
    """
    before = now - min(requests.length(shop.config.privacy.requests, now), requests.LONGEST)
    with shop.database.read() as session:
        if not replies.stale(session, before):
            return 0
    with shop.database.write() as session:
        asked = {exact(row.email) for row in replies.stale(session, before)}
        addresses.lock(session, addresses.find(session, sorted(asked)).values())  # who confirms just now is first
        rows = replies.stale(session, before)
        count = replies.forget(session, rows)
        gone = {row.address_key: row.email for row in rows if row.kind == CONFIRMATION}
        still = replies.still_open(session, gone)
        emails = sorted(asked & {exact(email) for key, email in gone.items() if key not in still})
        known = addresses.find(session, emails).values()
        consent_log.forget(session, addresses.only_requested(session, known))
        addresses.erase_unused(session, known)
    return count


# -- what is asked for, and by whom ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One mail to be queued."""

    email: str
    kind: str
    until: datetime
    language: str
    wording: KeptWording | None = None
    evidence: str = ""


def _queue(session: Session, shop: Premises, wanted: _Wanted, now: datetime) -> NewReply:
    message_id = str(uuid4())
    wording = wanted.wording
    reply = NewReply(
        message_id=message_id,
        kind=wanted.kind,
        address_key=suppressions.address_hashes(shop.keyring, wanted.email).exact,
        email=wanted.email,
        token_sha256=token_hash(link_token(shop.keyring, message_id)),
        asked_at=now,
        expires_at=wanted.until,
        language=wanted.language or (wording.language if wording else ""),
        wording=wording.name if wording else "",
        wording_version=wording.sha256 if wording else "",
        evidence=_short(wanted.evidence),
    )
    replies.add(session, reply)
    return reply


def _refused(session: Session, shop: Premises, email: str, kind: str, now: datetime) -> str:
    """Return why no mail is queued; requests are counted per mailbox, under whichever alias and key they came."""
    if reason := barred(session, shop.keyring, email, kind, now):
        return reason.value
    alike = addresses.emails_of(session, sorted(people.mailboxes_like(session, [email]))).values()
    keys = {key for one in {email, *alike} for key in suppressions.exact_marks(shop.keyring, exact(one))}
    asked = replies.asked(session, keys, kind, now - requests.MONTH)
    return "" if requests.may_ask(asked, now) else TOO_MANY


def _channel(ask: SignUp) -> str:
    return WEB if ask.form_url or ask.form_hash or not ask.evidence else BY_HAND


def _requested(ask: SignUp, visitor: Visitor, number: int, wording: KeptWording, reply: NewReply) -> NewConsent:
    channel = _channel(ask)
    details = {
        **_details(reply, visitor),
        "channel": channel,
        "form_url": _short(ask.form_url),
        "form_hash": _short(ask.form_hash),
    }
    return NewConsent(
        address_id=number,
        state=ConsentState.REQUESTED,
        at=reply.asked_at,
        kinds=wording.kinds,
        wording=wording.name,
        requested_at=reply.asked_at,
        source=f"{channel}:{_short(ask.evidence or ask.form_url)}",
        proof=reply.message_id,
        details=details,
        personal=_personal(visitor, ask.email),
    )


def _confirmed(row: ReplyRow, number: int, wording: KeptWording | None, visitor: Visitor, now: datetime) -> NewConsent:
    details = {
        **_details(row, visitor),
        "channel": WEB,
        "evidence_grade": "doi",
        "body_sha256": row.body_sha256,
        "requested_at": row.asked_at.isoformat(timespec="seconds"),
    }
    return NewConsent(
        address_id=number,
        state=ConsentState.CONFIRMED,
        at=now,
        kinds=wording.kinds if wording else frozenset(),
        wording=row.wording,
        requested_at=row.asked_at,
        source="web:confirmation link",
        proof=row.message_id,
        proven=wording is not None,
        details=details,
        personal=_personal(visitor, row.email),
    )


def _details(reply: NewReply | ReplyRow, visitor: Visitor) -> dict[str, str | int | bool | None]:
    return {
        "wording_version": reply.wording_version,
        "message_id": reply.message_id,
        "token_sha256": reply.token_sha256,
        "locale": visitor.language or reply.language,
    }


def _personal(visitor: Visitor, email: str) -> dict[str, str]:
    found = {"email": email.strip(), "ip": visitor.network, "user_agent": visitor.user_agent}
    return {name: _short(value) for name, value in found.items() if value}


def _found(session: Session, token: str, kind: str) -> ReplyRow | None:
    hashed = token_hash(token)
    row = replies.find(session, hashed, kind) if hashed else None
    return row if row and row.email else None  # whoever was erased has no link any more


def _pending(session: Session, row: ReplyRow | None, now: datetime) -> Pending | None:
    if row is None:
        return None
    wording = wordings.find(session, row.wording_version) if row.wording_version else None
    return Pending(
        email_masked=masked(row.email),
        wording=row.wording,
        text=wording.text if wording else "",
        title=wording.title if wording else "",
        expired=row.used_at is None and row.expires_at <= now,
        used=row.used_at is not None,
    )


def _sendable(email: str) -> str:
    """Return an address a mail can be sent to."""
    address = valid_address(email)
    if not is_sendable(address):
        raise UsageError(f'"{address}" has letters before the @ that not every mail server takes.', "Use another one.")
    return address


def _unfit(shop: Premises, name: str) -> UsageError:
    if name not in shop.config.wording:
        known = ", ".join(shop.config.wording) or "none yet"
        return UsageError(f'There is no wording "{name}".', f"In config.toml: {known}.")
    return UsageError(
        f'Nobody can agree to the wording "{name}": its text or its product_scope is missing.', "treuepost check"
    )


def _short(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text.strip())[:_LONGEST]
