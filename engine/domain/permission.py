"""May we write this to this person? One pure function, the same for plan, explain, reach and sending.

The order of the questions is the law's: a dead or blocked address, then the contract for mails that are owed, then for
advertising every "no" ever said against every proven "yes". Over-blocking is safe, over-mailing is not: a tie goes to
the "no", and whatever goes wrong in here ends in a refusal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from enum import StrEnum

from engine.domain.words import Basis, Reason


class LegalClass(StrEnum):
    """What a mail is before the law; fixed per kind, never set by a file."""

    ADVERTISING = "advertising"
    TRANSACTIONAL = "transactional"


_ADVERTISING = (
    "newsletter",
    "product_recommendation",
    "winback",
    "coupon",
    "birthday",
    "seasonal_greeting",
    "service_reminder",
    "thank_you",
    "feedback_request",
    "review_request",
    "feedback_result",
    "vip_offer",
    "loyalty_promo",
    "consent_refresh",
    "abandoned_cart",
)
_TRANSACTIONAL = (
    "order_confirmation",
    "invoice",
    "shipping",
    "contract_appointment",
    "loyalty_statement",
    "recall",
    "security_notice",
    "dsr_response",
    "doi_request",
)

KINDS: dict[str, LegalClass] = {
    **dict.fromkeys(_ADVERTISING, LegalClass.ADVERTISING),
    **dict.fromkeys(_TRANSACTIONAL, LegalClass.TRANSACTIONAL),
}
"""The closed list of what a mail can be, with its legal class."""


def is_advertising(kind: str) -> bool:
    """Say whether a kind is advertising; an unknown one is treated as the stricter."""
    return KINDS.get(kind, LegalClass.ADVERTISING) is LegalClass.ADVERTISING


class ConsentState(StrEnum):
    """What one consent event says."""

    CONFIRMED = "confirmed"
    REQUESTED = "requested"
    WITHDRAWN = "withdrawn"
    OBJECTED = "objected"
    CLAIMED = "claimed"


ADVERTISING = "advertising"
EVERYTHING = "all"


@dataclass(frozen=True, slots=True)
class ConsentFact:
    """One consent event. `own` says it was given at the very address that would be written to."""

    id: int
    state: str
    at: datetime
    kinds: frozenset[str] = frozenset()
    wording: str = ""
    proven: bool = False
    own: bool = True


@dataclass(frozen=True, slots=True)
class Block:
    """One "no": an objection, withdrawal or suppression.

    `scope` is `all` (no mail whatever), `advertising`, or the kinds it is limited to, separated by `;`.
    """

    reason: Reason
    scope: str
    at: datetime

    def covers(self, kind: str) -> bool:
        """Say whether this "no" is about advertising of this kind."""
        return self.scope == ADVERTISING or kind in self.scope.split(";")


@dataclass(frozen=True, slots=True)
class Contract:
    """The contract behind a service item; without a day the side is open."""

    ref: str
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True, slots=True)
class PermissionFacts:
    """What the store knows that bears on one mail to one person; `keys_hold` says the key canary was right."""

    email: str | None
    keys_hold: bool = True
    blocks: tuple[Block, ...] = ()
    events: tuple[ConsentFact, ...] = ()
    contract: Contract | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """What the shop's config says: its zone (for contract days), and the kinds each consent wording names."""

    zone: tzinfo
    wordings: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Permitted:
    """We may write, on this basis, and this proves it."""

    basis: Basis
    evidence: str


@dataclass(frozen=True, slots=True)
class Refused:
    """We may not write, for this reason."""

    reason: Reason
    detail: str = ""


def permit(kind: str, facts: PermissionFacts, policy: Policy, now: datetime) -> Permitted | Refused:
    """Decide whether a mail of this kind may go to this person now. Never raises: a fault is a refusal."""
    try:
        return (
            _refuse_the_unknown(kind, facts)
            or _refuse_the_address(facts)
            or _refuse_whatever_the_kind(facts)
            or (_advertise if is_advertising(kind) else _fulfil)(kind, facts, policy, now)
        )
    except Exception as error:  # noqa: BLE001  fail closed: no fault of ours may end in a mail
        return Refused(Reason.PERMISSION_FAILED, f"{type(error).__name__}: {error}")


_SENDABLE = re.compile(r"[\x21-\x7e]+@[^@\x00-\x20\x7f\s]+")


def is_sendable(email: str) -> bool:
    """Say whether every mail server can be given this address: a plain ASCII name before the @."""
    return _SENDABLE.fullmatch(email) is not None


def _refuse_the_unknown(kind: str, facts: PermissionFacts) -> Refused | None:
    if kind not in KINDS:
        return Refused(Reason.UNKNOWN_KIND, f"{kind!r} is not a kind")
    if not facts.keys_hold:
        return Refused(Reason.KEY_BROKEN, "the key does not fit this store: suppressions cannot be looked up")
    return None


def _refuse_the_address(facts: PermissionFacts) -> Refused | None:
    if not facts.email:
        return Refused(Reason.NO_ADDRESS)
    if not is_sendable(facts.email):
        return Refused(Reason.UNSENDABLE_ADDRESS)
    return None


_BLOCKS_EVERYTHING = (Reason.LEGAL_BLOCK, Reason.HARD_BOUNCE)


def _refuse_whatever_the_kind(facts: PermissionFacts) -> Refused | None:
    if not facts.blocks:
        return None
    blocks = [block for block in facts.blocks if block.scope == EVERYTHING or block.reason in _BLOCKS_EVERYTHING]
    for reason in _BLOCKS_EVERYTHING:
        for block in blocks:
            if block.reason is reason:
                return Refused(reason, f"since {_time(block.at)}")
    if blocks:
        return Refused(blocks[0].reason, f"since {_time(blocks[0].at)}")
    return None


_NO_REFERENCE = frozenset(
    {"ja", "nein", "yes", "no", "j", "n", "y", "x", "-", "?", "0", "true", "false", "wahr", "falsch"}
)
"""What people write into the column instead of a contract's number: nothing that could be shown."""


def _fulfil(kind: str, facts: PermissionFacts, policy: Policy, now: datetime) -> Permitted | Refused:
    if kind != "contract_appointment":
        return Refused(Reason.NO_CONTRACT, f"{kind} needs a cause of its own, which this version does not know")
    contract = facts.contract
    if contract is None or contract.ref.strip().casefold() in _NO_REFERENCE | {""}:
        return Refused(Reason.NO_CONTRACT, "no contract_ref")
    today = now.astimezone(policy.zone).date()
    if contract.first is not None and today < contract.first:
        return Refused(Reason.NO_CONTRACT, f"contract {contract.ref} begins on {contract.first}")
    if contract.last is not None and today > contract.last:
        return Refused(Reason.CONTRACT_OVER, f"contract {contract.ref} ended on {contract.last}")
    return Permitted(Basis.CONTRACT, f"contract:{contract.ref}")


_NOTHING_SAID = Refused(Reason.NO_CONSENT)


def _advertise(kind: str, facts: PermissionFacts, policy: Policy, now: datetime) -> Permitted | Refused:
    if not facts.events and not facts.blocks:
        return _NOTHING_SAID
    begun = [event for event in facts.events if event.at <= now]
    yeses = [event for event in begun if _proves(event, kind, policy)]
    yes = max(yeses, key=lambda event: (event.at, event.id)) if len(yeses) > 1 else next(iter(yeses), None)
    # A "no" counts whatever its date says: a clock that differs or was set back must not let a mail through.
    noes = [*facts.blocks, *_blocks_said(facts.events)]
    no = _standing_block(kind, noes, yes) if noes else None
    if no is not None:
        return Refused(no.reason, f"since {_time(no.at)}")
    if yes is not None:
        return Permitted(Basis.CONSENT, f"consent:{yes.id}")
    return _what_is_missing(kind, [event for event in begun if event.own], policy)


def _proves(event: ConsentFact, kind: str, policy: Policy) -> bool:
    return (
        event.state == ConsentState.CONFIRMED
        and event.own
        and event.proven
        and kind in event.kinds
        and kind in policy.wordings.get(event.wording, frozenset())
    )


def _blocks_said(events: Iterable[ConsentFact]) -> list[Block]:
    said = []
    for event in events:
        if event.state == ConsentState.OBJECTED:
            said.append(Block(Reason.OBJECTION, ADVERTISING, event.at))
        elif event.state == ConsentState.WITHDRAWN:
            said.append(Block(Reason.WITHDRAWN, withdrawal_scope(event.kinds), event.at))
    return said


def withdrawal_scope(kinds: Iterable[str]) -> str:
    """Return the scope of a withdrawal: the kinds it names, or all advertising where it names none."""
    return ";".join(sorted(kinds)) or ADVERTISING


def _standing_block(kind: str, blocks: Iterable[Block], yes: ConsentFact | None) -> Block | None:
    """Return the "no" that no later proven "yes" to this kind has lifted; an objection before a withdrawal."""
    standing = [block for block in blocks if block.covers(kind) and (yes is None or block.at >= yes.at)]
    return max(standing, key=lambda block: (block.reason is not Reason.WITHDRAWN, block.at), default=None)


def _what_is_missing(kind: str, events: list[ConsentFact], policy: Policy) -> Refused:
    given = [event for event in events if event.state not in (ConsentState.WITHDRAWN, ConsentState.OBJECTED)]
    if not given:
        return Refused(Reason.NO_CONSENT)
    named = [event for event in given if kind in event.kinds or not event.kinds]
    if not named:
        kinds = sorted(frozenset[str]().union(*(event.kinds for event in given)))
        return Refused(Reason.CONSENT_NOT_FOR_KIND, f"consent names {', '.join(kinds)}")
    newest = max(named, key=lambda event: (event.at, event.id))
    if newest.state == ConsentState.REQUESTED:
        return Refused(Reason.NOT_CONFIRMED, f"requested at {_time(newest.at)}, never confirmed")
    if newest.state == ConsentState.CONFIRMED and newest.proven and newest.wording in policy.wordings:
        return Refused(Reason.CONSENT_NOT_FOR_KIND, f"wording {newest.wording} does not name {kind}")
    return Refused(Reason.UNPROVEN, f"consent event {newest.id} carries no proof")


def _time(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
