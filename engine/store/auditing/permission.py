"""No mail left without a basis that was true when it was released.

What was said before a release is told by the rows' own order, not by clocks: whoever says "no" holds the address as a
release does, and notes the last attempt there was (`after_attempt`). An attempt with a higher number came after it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain.existing_customer import CONSENT_REFRESH, KINDS, evidence_of
from engine.domain.permission import (
    ADVERTISING,
    EVERYTHING,
    Block,
    ConsentState,
    is_advertising,
    withdrawal_scope,
)
from engine.domain.words import Basis, Reason
from engine.store.auditing.contract import ATTEMPTS, LAST_CALL, MESSAGES, Ground, Violation, asked, pages
from engine.store.lawful_tables import NoticeVersion
from engine.store.tables import ConsentEvent, Customer, Purchase, Suppression
from engine.store.upsert import chunks

_CONSENTS: sa.Table = ConsentEvent.__table__  # type: ignore[attr-defined]
_SUPPRESSIONS: sa.Table = Suppression.__table__  # type: ignore[attr-defined]
_PURCHASES: sa.Table = Purchase.__table__  # type: ignore[attr-defined]
_NOTICES: sa.Table = NoticeVersion.__table__  # type: ignore[attr-defined]
_CUSTOMERS: sa.Table = Customer.__table__  # type: ignore[attr-defined]
_CONSENT = "consent:"
_REASONS = {ConsentState.OBJECTED: Reason.OBJECTION, ConsentState.WITHDRAWN: Reason.WITHDRAWN}
_STOPS_ALL = frozenset({Reason.LEGAL_BLOCK, Reason.HARD_BOUNCE})


def without_basis(session: Session, _ground: Ground) -> Iterator[Violation]:
    """Find released mails that name no basis or no evidence."""
    released = MESSAGES.c.first_call_at.is_not(None)
    bare = sa.or_(MESSAGES.c.basis.is_(None), MESSAGES.c.evidence == "")
    for message_id, basis in asked(session, sa.select(MESSAGES.c.message_id, MESSAGES.c.basis).where(released, bare)):
        yield Violation("basis", message_id, f"released on {basis or 'no basis'}, without evidence")


def without_evidence(session: Session, _ground: Ground) -> Iterator[Violation]:
    """Find mails released on a consent or a purchase that is not there, not theirs, not for this kind or later."""
    yield from _without_purchase(session)
    columns = [MESSAGES.c[name] for name in ("id", "message_id", "kind", "address_id", "evidence")]
    relied = sa.select(*columns, LAST_CALL.label("at")).where(
        MESSAGES.c.first_call_at.is_not(None), MESSAGES.c.basis == Basis.CONSENT
    )
    for page in pages(session, relied, MESSAGES.c.id):
        events = _events(session, [_number(row.evidence) for row in page])
        for row in page:
            if fault := _fault(row, events.get(_number(row.evidence))):
                yield Violation("evidence", row.message_id, f"relied on {row.evidence or 'nothing'}: {fault}")


def _number(evidence: str) -> int:
    number = evidence.removeprefix(_CONSENT)
    return int(number) if evidence.startswith(_CONSENT) and number.isdecimal() else 0


def _events(session: Session, numbers: Sequence[int]) -> dict[int, Any]:
    names = ("id", "address_id", "state", "at", "kinds", "proven")
    select = sa.select(*(_CONSENTS.c[name] for name in names)).where(_CONSENTS.c.id.in_(sorted(set(numbers))))
    return {row.id: row for row in session.connection().execute(select)}


def _fault(mail: Any, event: Any) -> str:
    """Return why an event does not carry a mail; "" where it does."""
    if event is None:
        return "there is no such event"
    if event.state != ConsentState.CONFIRMED or not event.proven:
        return "that is no proven consent"
    if mail.address_id is not None and event.address_id != mail.address_id:  # without: the person was erased
        return "it was given at another address"
    if mail.kind not in event.kinds.split(";") and mail.kind != CONSENT_REFRESH:
        return f"it does not name {mail.kind}"
    if mail.at is not None and event.at > mail.at:
        return "it was given after the mail was released"
    return ""


def _without_purchase(session: Session) -> Iterator[Violation]:
    """Find mails to existing customers whose purchases do not carry them (§ 7(3) UWG).

    What became of a purchase later, a return for instance, is not held against a mail that went before.
    """
    columns = [MESSAGES.c[name] for name in ("id", "message_id", "kind", "customer_id", "evidence")]
    relied = (
        sa.select(*columns, LAST_CALL.label("at"), _CUSTOMERS.c.erased_at)
        .join(_CUSTOMERS, _CUSTOMERS.c.id == MESSAGES.c.customer_id)
        .where(MESSAGES.c.first_call_at.is_not(None), MESSAGES.c.basis == Basis.EXISTING_CUSTOMER)
    )
    for page in pages(session, relied, MESSAGES.c.id):
        named = {row.id: evidence_of(row.evidence) for row in page}
        bought = _purchases(session, {number for numbers in named.values() for number, _notice in numbers})
        for row in page:
            if fault := _no_sale(row, named[row.id], bought):
                yield Violation("evidence", row.message_id, f"relied on {row.evidence or 'nothing'}: {fault}")


def _purchases(session: Session, numbers: Collection[str]) -> dict[str, Any]:
    names = ("purchase_id", "customer_id", "purchased_at", "email_from_sale", "notice")
    known = sa.select(_NOTICES.c.sha256).where(_NOTICES.c.sha256 == _PURCHASES.c.notice_version).exists()
    select = sa.select(*(_PURCHASES.c[name] for name in names), known.label("kept"))
    found: dict[str, Any] = {}
    for part in chunks(sorted(numbers)):
        rows = session.connection().execute(select.where(_PURCHASES.c.purchase_id.in_(part)))
        found |= {row.purchase_id: row for row in rows}
    return found


def _no_sale(mail: Any, named: Sequence[tuple[str, str]], bought: Mapping[str, Any]) -> str:
    """Return why the purchases that are named do not carry a mail; "" where they do, or were erased with the person."""
    if not named:
        return "that names no purchase"
    if mail.kind not in KINDS and mail.kind != CONSENT_REFRESH:
        return f"a purchase is not enough for {mail.kind}"
    faults = [_no_right(mail, bought.get(number), notice) for number, notice in named]
    return next((fault for fault in faults if fault), "")


def _no_right(mail: Any, sale: Any, notice: str) -> str:
    if sale is None:
        return "" if mail.erased_at is not None else "there is no such purchase"
    if sale.customer_id != mail.customer_id:
        return "somebody else has bought that"
    if not sale.email_from_sale:
        return "the address did not come with that purchase"
    if sale.notice != notice or not sale.kept:
        return "no notice is on record for that purchase"
    if mail.at is not None and sale.purchased_at > mail.at:
        return "it was bought after the mail was released"
    return ""


def released_after_a_no(session: Session, _ground: Ground) -> Iterator[Violation]:
    """Find mails released to an address after its objection, withdrawal or suppression stood in the store."""
    columns = [MESSAGES.c.message_id, MESSAGES.c.kind, MESSAGES.c.evidence, ATTEMPTS.c.started_at]
    for no in (_said(), _suppressed()):
        released = (
            sa.select(*columns, no)
            .join(no, no.c.address_id == MESSAGES.c.address_id)
            .join(ATTEMPTS, ATTEMPTS.c.message == MESSAGES.c.id)
            .where(ATTEMPTS.c.id > no.c.after_attempt)
        )
        for row in asked(session, released):
            block = _block(row)
            if _stops(session, row, block):
                told = f"{block.reason} of {block.at:%Y-%m-%d %H:%M:%S}Z was there before the release"
                yield Violation("no", row.message_id, told)


def _said() -> sa.Subquery:
    names = ("address_id", "after_attempt", "state", "at", "kinds")
    empty = (sa.literal("").label("reason"), sa.literal("").label("scope"), sa.null().label("removed_at"))
    said = sa.select(*(_CONSENTS.c[name] for name in names), *empty)
    return said.where(_CONSENTS.c.state.in_([state.value for state in _REASONS])).subquery("no")


def _suppressed() -> sa.Subquery:
    names = ("address_id", "after_attempt", "reason", "scope", "at", "removed_at")
    empty = (sa.literal("").label("state"), sa.literal("").label("kinds"))
    return sa.select(*(_SUPPRESSIONS.c[name] for name in names), *empty).subquery("no")


def _block(row: Any) -> Block:
    if row.state:
        kinds = [kind for kind in row.kinds.split(";") if kind]
        state = ConsentState(row.state)
        scope = withdrawal_scope(kinds) if state is ConsentState.WITHDRAWN else ADVERTISING
        return Block(_REASONS[state], scope, row.at)
    return Block(Reason(row.reason), row.scope, row.at)


def _stops(session: Session, row: Any, block: Block) -> bool:
    """Say whether this "no" forbade this mail: it covers its kind, and no later consent had lifted it."""
    if row.removed_at is not None and row.removed_at <= row.started_at:
        return False
    if block.scope == EVERYTHING or block.reason in _STOPS_ALL:
        return True
    if not is_advertising(row.kind) or not block.covers(row.kind):
        return False
    yes = _events(session, [_number(row.evidence)]).get(_number(row.evidence))
    return yes is None or block.at >= yes.at
