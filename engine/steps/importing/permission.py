"""Consents and suppressions on their way in. An import never makes proof it was not given, and never lifts a "no"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlmodel import Session

from engine.domain import addresses as forms
from engine.domain.permission import ADVERTISING, EVERYTHING, KINDS, Block, ConsentState
from engine.domain.words import Reason
from engine.sources.rows import ConsentRow, SuppressionRow
from engine.steps.consent import registering
from engine.steps.importing.contract import Asked, Checked, Counts, Importer
from engine.steps.importing.spooling import FirstSeen, Rows
from engine.steps.shop import Premises
from engine.steps.subscribing import policy_of, record
from engine.steps.suppressing import Ledger, keep, ledger_of
from engine.store import addresses, imports, people, suppressions
from engine.store.consents import NewConsent
from engine.store.suppressions import NewSuppression

Named = tuple[str, Reason, datetime | None, str]
"""An address, why and since when nobody may write to it, and who says so."""

_ACTOR = "import"
_FOR_ADVERTISING = frozenset({Reason.OBJECTION, Reason.COMPLAINT, Reason.WITHDRAWN})
_REASONS = _FOR_ADVERTISING | {Reason.SUPPRESSED, Reason.HARD_BOUNCE, Reason.LEGAL_BLOCK}


_SCOPES = frozenset({"", ADVERTISING, EVERYTHING})


class ConsentsImport(Importer):
    """The rows of a consents file: events that are added once and never change."""

    def __init__(self, shop: Premises, asked: Asked) -> None:
        self._shop, self._asked, self._ledger = shop, asked, ledger_of(shop)
        self._wordings = policy_of(shop.config).wordings
        self._unproven, self._narrowed = Rows(), Rows()

    def check(self, session: Session, rows: Sequence[ConsentRow]) -> Checked:  # noqa: ARG002  (asks the config only)
        """Decide which confirmations are proven; the others are kept as what they are."""
        return Checked(ready=[self._taken(row) for row in rows])

    def _taken(self, row: ConsentRow) -> tuple[str, NewConsent]:
        """Return the address and its event, whose mailbox is only known when it is written."""
        state, kinds = ConsentState(row.state), frozenset(kind.lower() for kind in row.kinds)
        proven = is_proven(row, self._wordings)
        if proven and (wider := kinds - self._wordings[row.wording]):
            kinds -= wider
            self._narrowed.add(row.line)
        if state is ConsentState.WITHDRAWN and not kinds <= KINDS.keys():
            kinds = frozenset()  # a withdrawal of something we do not know by name takes everything back
        if state in (ConsentState.CONFIRMED, ConsentState.CLAIMED) and not proven:
            self._unproven.add(row.line)
        event = NewConsent(
            address_id=0,
            state=state,
            at=row.at,
            kinds=kinds,
            wording=row.wording,
            requested_at=row.requested_at,
            source=row.source,
            proof=row.proof,
            proven=proven,
        )
        return row.email, event

    def write(self, session: Session, ready: Sequence[tuple[str, NewConsent]]) -> Counts:
        """Append what is not there yet; every "no" goes to the suppressions and their log as well."""
        for name in sorted({event.wording for _email, event in ready} & self._wordings.keys()):
            registering.register(session, self._shop.config, name, self._asked.now)
        mailboxes = addresses.find_or_add(session, [email for email, _event in ready], self._asked.now)
        placed = [replace(event, address_id=mailboxes[forms.exact(email)]) for email, event in ready]
        events = {event.fingerprint: event for event in placed}
        known = imports.known_events(session, list(events))
        new = [event for fingerprint, event in events.items() if fingerprint not in known]
        created = record(session, self._ledger, new, self._asked.now, _ACTOR)
        return Counts(created=created, unchanged=len(ready) - created)

    def warnings(self) -> list[str]:
        """Say which consents permit nothing, and which were cut down to what their wording names."""
        said = []
        if self._unproven.count:
            said.append(
                f"{self._unproven.count} consents are kept without proof and permit nothing (rows {self._unproven}): a "
                "confirmed consent needs at, requested_at, source, proof, and a wording declared in [wording.ID]."
            )
        if self._narrowed.count:
            said.append(
                f"{self._narrowed.count} consents name kinds that their wording does not; those kinds were left out "
                f"(rows {self._narrowed})."
            )
        return said


class SuppressionsImport(Importer):
    """The rows of a suppressions file: addresses nobody may write to."""

    def __init__(self, shop: Premises, asked: Asked) -> None:
        self._asked, self._ledger, self._first = asked, ledger_of(shop), FirstSeen()

    def check(self, session: Session, rows: Sequence[SuppressionRow]) -> Checked:  # noqa: ARG002
        """Refuse an address that is there twice."""
        checked = Checked()
        for row in rows:
            line = self._first.note(f"{forms.exact(row.email)} {row.reason.lower()}", row.line)
            if row.scope.strip().lower() not in _SCOPES:
                reason = f"{row.scope!r} is no scope; allowed: {', '.join(sorted(filter(None, _SCOPES)))}"
                checked.refused.append(row.refusal("scope", reason, row.scope))
            elif line:
                reason = f"row {line} names the same address and was taken"
                checked.refused.append(row.refusal("email", reason, row.email))
            else:
                checked.ready.append((row.email, _reason(row), row.at, row.reason or "import"))
        return checked

    def write(self, session: Session, ready: Sequence[Named]) -> Counts:
        """Keep each "no" that does not stand already."""
        return keep_named(session, self._ledger, ready, self._asked.now)


def keep_named(session: Session, ledger: Ledger, named: Sequence[Named], now: datetime) -> Counts:
    """Keep each "no" that does not stand already, logged before it can commit."""
    emails = {forms.exact(email): email for email, *_ in named}
    addresses.lock(session, people.mailboxes_like(session, emails.values()))
    known = addresses.find(session, list(emails))
    new = [(_suppression(ledger, row, known, now), row[2]) for row in named]
    standing = suppressions.blocks(session, {one.hashes.exact for one, _ in new})
    fresh = [one for one, dated in new if not _stands(one, dated, standing.get(one.hashes.exact, ()))]
    created = keep(session, ledger, fresh)
    return Counts(created=created, unchanged=len(named) - created)


def _suppression(ledger: Ledger, row: Named, known: Mapping[str, int], now: datetime) -> NewSuppression:
    email, reason, at, source = row
    return NewSuppression(
        suppressions.address_hashes(ledger.keyring, email),
        ADVERTISING if reason in _FOR_ADVERTISING else EVERYTHING,
        reason,
        at or now,
        source,
        known.get(forms.exact(email)),
    )


def _stands(one: NewSuppression, dated: datetime | None, blocks: Iterable[Block]) -> bool:
    """Say whether a "no" is known: without a day it is the one we have; said anew on a later day it counts anew."""
    same = (block.at for block in blocks if (block.reason, block.scope) == (one.reason, one.scope))
    return any(one.scope == EVERYTHING or dated is None or at >= dated for at in same)


def is_proven(row: ConsentRow, wordings: Mapping[str, frozenset[str]]) -> bool:
    """Say whether a row brings everything a confirmed consent is proven by; `claimed` never does."""
    if row.state != ConsentState.CONFIRMED or not (row.at and row.requested_at and row.source and row.proof):
        return False
    named = wordings.get(row.wording, frozenset())
    return row.requested_at <= row.at and any(kind.lower() in named for kind in row.kinds)


def _reason(row: SuppressionRow) -> Reason:
    """Return the reason a row names; whatever else it says is the owner's own entry.

    That stops everything, unless the row says that it is about advertising only: then it is an objection.
    """
    other = Reason.OBJECTION if row.scope.strip().lower() == ADVERTISING else Reason.SUPPRESSED
    return next((reason for reason in _REASONS if reason.value == row.reason.strip().lower()), other)
