"""The words everything shares: states, reasons, bases, and the small values that cross floors.

Every string in an enum here is a public interface: it stands in the store, in `--json`, in logs and in the docs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum


class State(StrEnum):
    """Where a message is on its way (the picture is in docs/flow.md)."""

    PLANNED = "planned"
    CLAIMED = "claimed"
    SENDING = "sending"
    RETRYING = "retrying"
    IN_DOUBT = "in_doubt"
    HELD = "held"
    SENT = "sent"
    REJECTED = "rejected"
    SKIPPED = "skipped"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Reason(StrEnum):
    """Why a message is in its state, or why somebody gets none."""

    # permission
    NO_ADDRESS = "no_address"
    UNSENDABLE_ADDRESS = "unsendable_address"
    HARD_BOUNCE = "hard_bounce"
    LEGAL_BLOCK = "legal_block"
    SUPPRESSED = "suppressed"
    OBJECTION = "objection"
    COMPLAINT = "complaint"
    ERASED = "erased"
    WITHDRAWN = "withdrawn"
    NO_CONSENT = "no_consent"
    NOT_CONFIRMED = "not_confirmed"
    UNPROVEN = "unproven"
    CONSENT_NOT_FOR_KIND = "consent_not_for_kind"
    STALE_CONSENT = "stale_consent"
    RESTRICTED = "restricted"
    LEGAL_HOLD = "legal_hold"
    PAUSED_BY_PERSON = "paused_by_person"
    MINOR = "minor"
    SPECIAL_CATEGORY = "special_category"
    KIND_NEEDS_CONSENT = "kind_needs_consent"
    NO_PURCHASE = "no_purchase"
    PURCHASE_NOT_CONCLUDED = "purchase_not_concluded"
    ADDRESS_NOT_FROM_SALE = "address_not_from_sale"
    NOTICE_MISSING = "notice_missing"
    STALE_CUSTOMER = "stale_customer"
    ADVERTISES_MISSING = "advertises_missing"
    ADVERTISES_EVERYTHING = "advertises_everything"
    CATEGORY_NOT_SIMILAR = "category_not_similar"
    NO_CONTRACT = "no_contract"
    CONTRACT_OVER = "contract_over"
    UNKNOWN_KIND = "unknown_kind"
    KEY_BROKEN = "key_broken"
    PERMISSION_FAILED = "permission_failed"
    # gates
    CAMPAIGN_OFF = "campaign_off"
    PAUSED = "paused"
    NEVER_TAGS = "never_tags"
    NOT_IN_SOURCE = "not_in_source"
    STALE_DATA = "stale_data"
    QUIET_HOURS = "quiet_hours"
    SEND_WINDOW = "send_window"
    FREQUENCY_CAP = "frequency_cap"
    SAME_ADDRESS = "same_address"
    OVERTAKEN = "overtaken"
    OCCASION_GONE = "occasion_gone"
    OCCASION_MOVED = "occasion_moved"
    STOPPED = "stopped"
    TOO_LATE = "too_late"
    DATA_CHANGED = "data_changed"
    NOT_DUE = "not_due"
    NO_OCCASION = "no_occasion"
    NO_UNSUBSCRIBE_PAGE = "no_unsubscribe_page"
    NOT_READY = "not_ready"
    # sending
    BUDGET_SPENT = "budget_spent"
    PROVIDER_STOPPED = "provider_stopped"
    NOT_SENT = "not_sent"
    REFUSED_BY_PROVIDER = "refused_by_provider"
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    TEMPLATE_FAILED = "template_failed"
    OWNER_DIED = "owner_died"
    GIVEN_BACK = "given_back"
    NO_ANSWER = "no_answer"
    NO_PROOF = "no_proof"
    NOT_FOUND = "not_found"
    PROVED = "proved"
    REPEATED = "repeated"
    CONFIRM_ABOVE = "confirm_above"
    UNUSUALLY_MANY = "unusually_many"
    STORE_RESTORED = "store_restored"
    BY_OWNER = "by_owner"


class Basis(StrEnum):
    """The legal basis a mail was released on (design: `consent`, `existing_customer`, `contract`)."""

    CONSENT = "consent"
    EXISTING_CUSTOMER = "existing_customer"
    CONTRACT = "contract"


class OnDoubt(StrEnum):
    """What to do when nobody can find out whether a mail was accepted: write "unknown", or send it again."""

    HOLD = "hold"
    RESEND = "resend"


@dataclass(frozen=True, slots=True)
class DayRange:
    """Local days from `first` to `last`, both included; empty when `first` is after `last`."""

    first: date
    last: date

    def __iter__(self) -> Iterator[date]:
        day = self.first
        while day <= self.last:
            yield day
            day += timedelta(days=1)

    def __len__(self) -> int:
        return max(0, (self.last - self.first).days + 1)

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last


@dataclass(frozen=True, slots=True)
class Email:
    """One mail, rendered and frozen: exactly what the provider is given, the same at every attempt.

    `headers` are ASCII; `to` is the address in the form it is sent to; `to_name` may be empty.
    `message_id` is our own id (a UUID in text form), never a personal datum.
    """

    message_id: str
    campaign: str
    sender: str
    sender_name: str
    reply_to: str
    to: str
    to_name: str
    subject: str
    html: str
    text: str
    headers: dict[str, str] = field(default_factory=dict)


class _Said:
    """What a provider said, as one line of text that every store takes, whatever it was.

    PostgreSQL takes no NUL in a text and UTF-8 no half character: one such answer would end a run at its record.
    """

    __slots__ = ()

    def __post_init__(self) -> None:
        for name in ("provider_id", "detail"):
            said: str = getattr(self, name, "")
            if not said.isprintable():  # seldom: this is made for every mail
                object.__setattr__(self, name, one_line(said))


def one_line(text: str) -> str:
    """Return a foreign text in one line: no control characters, no half characters."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


@dataclass(frozen=True, slots=True)
class Accepted(_Said):
    """The provider took the mail. `provider_id` is empty where it proved acceptance without naming one."""

    provider_id: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Refused(_Said):
    """The provider will never take this mail. `hard_bounce` says the address itself is dead."""

    detail: str
    hard_bounce: bool = False


@dataclass(frozen=True, slots=True)
class NotSent(_Said):
    """Provably nothing left.

    `retry_after` is the provider's wish. `account` says the fault is the account's: it stops the provider and not the
    message. `credentials` says the key or password was refused. `whole` says that a batch was refused whole, because
    of one of its mails: nobody knows which, so each is to be tried alone.
    """

    detail: str
    retry_after: timedelta | None = None
    account: bool = False
    credentials: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True)
class InDoubt(_Said):
    """The mail may have been accepted; nobody can tell from the answer."""

    detail: str


Result = Accepted | Refused | NotSent | InDoubt
"""What one provider call came to, as a value per message."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a provider: its key, and the mails in it, in their frozen order.

    The key is ASCII, at most 64 characters, a UUID in text form. The same key always comes with the same bytes.
    """

    key: str
    emails: tuple[Email, ...]


@dataclass(frozen=True, slots=True)
class Found(_Said):
    """A look-up found the mail at the provider: proof that it was accepted."""

    provider_id: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Absent(_Said):
    """A look-up was answered, and the provider knows no such mail. Its index may lag: one "no" is not enough."""

    detail: str = ""


@dataclass(frozen=True, slots=True)
class CannotTell(_Said):
    """A look-up brought no usable answer."""

    detail: str


Finding = Found | Absent | CannotTell
"""What a look-up came to, as a value per mail."""


@dataclass(frozen=True, slots=True)
class Trail:
    """One line of the rule chain that `explain` prints: the check, "ok" or "no" or "wait", and the detail."""

    check: str
    result: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the gates say of one message at one instant.

    `action` is "send", "skip", "wait", "expire", "cancel" or "hold". `until` is set for "wait" where it is known.
    """

    action: str
    reason: Reason | None = None
    until: datetime | None = None
    basis: Basis | None = None
    evidence: str = ""
    trail: tuple[Trail, ...] = ()

    @property
    def in_short(self) -> str:
        """Return what a reader wants to know of it: "send", "hold" for not yet, or "skip" for never."""
        return {"send": "send", "wait": "hold", "hold": "hold"}.get(self.action, "skip")
