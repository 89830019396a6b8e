"""May we write this to this person? One pure function, the same for plan, explain, reach and sending.

The order of the questions is the law's, and pinned (law.md §4a): a dead or blocked address, then the contract for mails
that are owed, then for advertising every "no" ever said against every proven "yes", and last what was bought.
Over-blocking is safe, over-mailing is not: a tie goes to the "no", and whatever goes wrong in here ends in a refusal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from engine.domain import existing_customer
from engine.domain.calendar import local_day, may_be_younger, start_of_span
from engine.domain.contracts import Contract
from engine.domain.existing_customer import CONSENT_REFRESH, NOBODY, TWO_YEARS, About, Buyer, Miss, SalesRules
from engine.domain.grammar import Span
from engine.domain.words import Basis, Reason


class LegalClass(StrEnum):
    """What a mail is before the law; fixed per kind, never set by a file."""

    ADVERTISING = "advertising"
    TRANSACTIONAL = "transactional"


_ADVERTISING = (
    "newsletter", "product_recommendation", "winback", "coupon", "birthday", "seasonal_greeting", "service_reminder",
    "thank_you", "feedback_request", "review_request", "feedback_result", "vip_offer", "loyalty_promo",
    "consent_refresh", "abandoned_cart",
)  # fmt: skip
_TRANSACTIONAL = (
    "order_confirmation", "invoice", "shipping", "contract_appointment", "loyalty_statement", "recall",
    "security_notice", "dsr_response", "doi_request",
)  # fmt: skip

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
class PermissionFacts:
    """What the store knows that bears on one mail to one person; `keys_hold` says the key canary was right.

    `held` is the case the data is kept for, `consent_used_at` the last mail to this address that went on a consent.
    """

    email: str | None
    keys_hold: bool = True
    blocks: tuple[Block, ...] = ()
    events: tuple[ConsentFact, ...] = ()
    contract: Contract | None = None
    held: str = ""
    restricted_at: datetime | None = None
    paused_until: datetime | None = None
    parents_agreed_at: datetime | None = None
    consent_used_at: datetime | None = None
    buyer: Buyer = NOBODY


@dataclass(frozen=True, slots=True)
class Policy:
    """What the shop's config says: its zone, the kinds and special categories each consent wording names, the terms."""

    zone: ZoneInfo
    wordings: Mapping[str, frozenset[str]] = field(default_factory=dict)
    special_wordings: Mapping[str, frozenset[str]] = field(default_factory=dict)
    stale_consent: Span = TWO_YEARS
    sales: SalesRules = field(default_factory=SalesRules)

    def day(self, instant: datetime) -> date:
        """Return the shop's local day."""
        return local_day(instant, self.zone)

    def is_stale(self, at: datetime, now: datetime) -> bool:
        """Say whether a consent last given or used then has lapsed by disuse (LG München I 17 HK O 138/10)."""
        return at < start_of_span(self.stale_consent, now, self.zone)


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


NOTHING_SAID = About()
"""A mail of which nobody said what it advertises."""


def permit(
    kind: str, facts: PermissionFacts, policy: Policy, now: datetime, about: About = NOTHING_SAID
) -> Permitted | Refused:
    """Decide whether a mail of this kind may go to this person now. Never raises: a fault is a refusal."""
    try:
        return (
            _refuse_the_impossible(kind, facts)
            or _refuse_whatever_the_kind(facts)
            or (_advertise(kind, facts, policy, now, about) if is_advertising(kind) else None)
            or _fulfil(kind, facts, policy, now)
        )
    except Exception as error:  # noqa: BLE001  fail closed: no fault of ours may end in a mail
        return Refused(Reason.PERMISSION_FAILED, f"{type(error).__name__}: {error}")


_SENDABLE = re.compile(r"[\x21-\x7e]+@[^@\x00-\x20\x7f\s]+")


def is_sendable(email: str) -> bool:
    """Say whether every mail server can be given this address: a plain ASCII name before the @."""
    return _SENDABLE.fullmatch(email) is not None


def _refuse_the_impossible(kind: str, facts: PermissionFacts) -> Refused | None:
    if kind not in KINDS:
        return Refused(Reason.UNKNOWN_KIND, f"{kind!r} is not a kind")
    if not facts.keys_hold:
        return Refused(Reason.KEY_BROKEN, "the key does not fit this store: suppressions cannot be looked up")
    if not facts.email:
        return Refused(Reason.NO_ADDRESS)
    if not is_sendable(facts.email):
        return Refused(Reason.UNSENDABLE_ADDRESS)
    return None


_BLOCKS_EVERYTHING = {Reason.LEGAL_BLOCK: 0, Reason.HARD_BOUNCE: 1}
"""What stops every mail whatever its scope says, the gravest first."""


def _refuse_whatever_the_kind(facts: PermissionFacts) -> Refused | None:
    blocks = [block for block in facts.blocks if block.scope == EVERYTHING or block.reason in _BLOCKS_EVERYTHING]
    if blocks:
        gravest = min(blocks, key=lambda block: _BLOCKS_EVERYTHING.get(block.reason, len(_BLOCKS_EVERYTHING)))
        return Refused(gravest.reason, f"since {_time(gravest.at)}")
    if facts.held:
        return Refused(Reason.LEGAL_HOLD, facts.held)
    if facts.restricted_at is not None:
        return Refused(Reason.RESTRICTED, f"since {_time(facts.restricted_at)}")
    return None


def _fulfil(kind: str, facts: PermissionFacts, policy: Policy, now: datetime) -> Permitted | Refused:
    """Let a mail go that is owed: only a contract's appointment has a cause that the store can show."""
    if kind != "contract_appointment":
        return Refused(Reason.NO_CONTRACT, f"{kind} needs a cause of its own, which this version does not know")
    contract = facts.contract or Contract("")
    if lacking := contract.what_lacks(policy.day(now)):
        return Refused(*lacking)
    return Permitted(Basis.CONTRACT, f"contract:{contract.ref}")


def _advertise(kind: str, facts: PermissionFacts, policy: Policy, now: datetime, about: About) -> Permitted | Refused:
    if kind == CONSENT_REFRESH and (renewed := _renew(facts, policy, now, about)):
        return renewed
    yes = _newest_yes(kind, facts, policy, now)
    if forbidden := _forbidden(kind, facts, policy, now, yes):
        return forbidden
    said = _by_consent(kind, facts, policy, now, about, yes)
    if isinstance(said, Permitted):
        return said
    bought = _by_purchase(kind, facts, policy, now, about)
    if isinstance(bought, Permitted) or said.reason is Reason.NO_CONSENT or bought.reason in _NEAR:
        return bought
    return said


def _renew(facts: PermissionFacts, policy: Policy, now: datetime, about: About) -> Permitted | None:
    """Find a consent to any kind under which this person may be mailed now: whom to ask for a renewal (B16)."""
    for kind in _ADVERTISING:
        yes = _newest_yes(kind, facts, policy, now)
        if yes is None or any(_forbidden(one, facts, policy, now, yes) for one in (kind, CONSENT_REFRESH)):
            continue
        said = _by_consent(kind, facts, policy, now, about, yes)
        if isinstance(said, Permitted):
            return said
    return None


_NEAR = frozenset(
    {Reason.STALE_CUSTOMER, Reason.ADVERTISES_MISSING, Reason.ADVERTISES_EVERYTHING, Reason.CATEGORY_NOT_SIMILAR}
)
"""What is missing when a notice is on record: nearer to a mail than a consent that does not count."""


def _newest_yes(kind: str, facts: PermissionFacts, policy: Policy, now: datetime) -> ConsentFact | None:
    yeses = [event for event in facts.events if event.at <= now and _proves(event, kind, policy)]
    return max(yeses, key=lambda event: (event.at, event.id), default=None)


def _forbidden(
    kind: str, facts: PermissionFacts, policy: Policy, now: datetime, yes: ConsentFact | None
) -> Refused | None:
    """Return what stops all advertising of this kind, whatever it would rely on."""
    # A "no" counts whatever its date says: a clock that differs or was set back must not let a mail through.
    noes = [*facts.blocks, *_blocks_said(facts.events)]
    no = _standing_block(kind, noes, yes) if noes else None
    if no is not None:
        return Refused(no.reason, f"since {_time(no.at)}")
    if facts.paused_until is not None and now < facts.paused_until:
        return Refused(Reason.PAUSED_BY_PERSON, f"until {_time(facts.paused_until)}")
    parents_agreed = facts.parents_agreed_at is not None and facts.parents_agreed_at <= now
    if not parents_agreed and may_be_younger(_OWN_CONSENT, facts.buyer.born, policy.day(now)):
        return Refused(Reason.MINOR, f"under {_OWN_CONSENT}, the parents have not agreed")
    return None


_OWN_CONSENT = 16
"""From this age on one's own consent counts (Art. 8(1) GDPR)."""


def _by_consent(
    kind: str, facts: PermissionFacts, policy: Policy, now: datetime, about: About, yes: ConsentFact | None
) -> Permitted | Refused:
    if yes is None:
        return _what_is_missing(kind, [event for event in facts.events if event.at <= now and event.own], policy)
    named = policy.special_wordings.get(yes.wording, frozenset())
    special = set(about.touched(kind, policy.sales.special_categories)) - named
    if special:
        return Refused(Reason.SPECIAL_CATEGORY, f"wording {yes.wording} does not name {', '.join(sorted(special))}")
    used = max(yes.at, facts.consent_used_at or yes.at)
    if policy.is_stale(used, now):
        return Refused(Reason.STALE_CONSENT, f"consent:{yes.id} neither given nor used since {_time(used)}")
    return Permitted(Basis.CONSENT, f"consent:{yes.id}")


def _by_purchase(kind: str, facts: PermissionFacts, policy: Policy, now: datetime, about: About) -> Permitted | Refused:
    """Ask for § 7(3) UWG, to which an objection is fatal even where a consent has lifted it since (Nr. 3)."""
    found = existing_customer.rely_on(facts.buyer, kind, about, policy.sales, now, policy.zone)
    ever = [no for no in (*facts.blocks, *_blocks_said(facts.events)) if no.covers(kind)]
    if isinstance(found, Miss):
        return Refused(*found)
    if ever:
        return Refused(ever[0].reason, f"since {_time(ever[0].at)}")
    return Permitted(Basis.EXISTING_CUSTOMER, found)


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
