"""Every reason and every state as the owner reads it: those of permission, of the gates and of sending."""

from __future__ import annotations

from collections.abc import Mapping

from engine.cli.opening import Translate
from engine.cli.reasons import REASONS
from engine.domain.words import Reason, State

SENTENCES: Mapping[Reason, str] = {
    **REASONS,
    Reason.CAMPAIGN_OFF: "the campaign is off",
    Reason.PAUSED: "the campaign is paused",
    Reason.NEVER_TAGS: "has a tag that is never written to",
    Reason.NOT_IN_SOURCE: "is no longer in the customer list",
    Reason.STALE_DATA: "the data is too old",
    Reason.QUIET_HOURS: "quiet hours",
    Reason.SEND_WINDOW: "outside the campaign's hours",
    Reason.FREQUENCY_CAP: "was written to often enough lately",
    Reason.SAME_ADDRESS: "another mail goes to the same address",
    Reason.OVERTAKEN: "a later step is due already",
    Reason.OCCASION_GONE: "the occasion is gone",
    Reason.OCCASION_MOVED: "the occasion has another date now",
    Reason.STOPPED: "what the campaign aimed at has happened",
    Reason.TOO_LATE: "too late",
    Reason.DATA_CHANGED: "address or language have changed since the first attempt",
    Reason.NOT_DUE: "not due yet",
    Reason.NO_OCCASION: "no occasion",
    Reason.NO_UNSUBSCRIBE_PAGE: "no unsubscribe page answers yet",
    Reason.NOT_READY: "the shop is not ready to send",
    Reason.BUDGET_SPENT: "the day's budget is spent",
    Reason.PROVIDER_STOPPED: "the provider is stopped",
    Reason.NOT_SENT: "could not be handed over",
    Reason.REFUSED_BY_PROVIDER: "refused by the provider",
    Reason.TOO_MANY_ATTEMPTS: "too many attempts",
    Reason.TEMPLATE_FAILED: "the template failed for this customer",
    Reason.OWNER_DIED: "the sending process died",
    Reason.GIVEN_BACK: "given back",
    Reason.NO_ANSWER: "the provider gave no answer",
    Reason.NO_PROOF: "nobody can tell whether it was sent",
    Reason.NOT_FOUND: "the provider does not know it; it goes out again",
    Reason.PROVED: "the provider proved that it took it",
    Reason.REPEATED: "the same call is made again with its key",
    Reason.CONFIRM_ABOVE: "more at once than go without your word",
    Reason.UNUSUALLY_MANY: "far more than usual",
    Reason.STORE_RESTORED: "may have been sent before the backup was put back",
    Reason.BY_OWNER: "by the owner",
}

STATES: Mapping[State, str] = {
    State.PLANNED: "planned",
    State.CLAIMED: "in hand",
    State.SENDING: "being sent",
    State.RETRYING: "to be tried again",
    State.IN_DOUBT: "in doubt",
    State.HELD: "waits for you",
    State.SENT: "sent",
    State.REJECTED: "rejected",
    State.SKIPPED: "skipped",
    State.EXPIRED: "expired",
    State.CANCELLED: "cancelled",
    State.FAILED: "failed",
    State.UNKNOWN: "unknown",
}


def state_word(state: State | str, _: Translate) -> str:
    """Return the state in the shop's language."""
    return _(STATES[State(state)])


def sentence(reason: Reason | str | None, _: Translate) -> str:
    """Return the reason in the shop's language, with its word for searching in the log."""
    if not reason:
        return "–"
    word = Reason(reason)
    return f"{_(SENTENCES[word])} ({word.value})" if word in SENTENCES else word.value
