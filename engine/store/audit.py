"""The audit: every promise that a store can be asked about, asked of every message there ever was.

Nothing is mended here. A finding is a fault of the program, or of a hand that wrote into the store behind its back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from sqlmodel import Session

from engine.store.auditing import calls, consents, history, once, permission, timing
from engine.store.auditing.contract import Ground, Question, Violation

MOST = 1000
"""Findings of one check that are listed; a store with more is broken as a whole."""


@dataclass(frozen=True, slots=True)
class Check:
    """One promise: the word its findings bear, what it promises, and what it means that it was broken."""

    name: str
    promise: str
    meaning: str
    find: Question


CHECKS: tuple[Check, ...] = (
    Check(
        "once",
        "One mail for each occasion: at most one left or may have left.",
        "Somebody may have been mailed twice for the same occasion.",
        once.twice_for_one_occasion,
    ),
    Check(
        "once_a_day",
        "One mail a day from one campaign to one address.",
        "Somebody may have been mailed twice on one day.",
        once.twice_on_one_day,
    ),
    Check(
        "intent",
        "Every call was written down before it was made.",
        "A mail may have left that the log cannot account for.",
        calls.without_attempt,
    ),
    Check(
        "release",
        "Every call was released, under a number the message bore.",
        "A call was made that nothing allowed: perhaps by a process that was thought dead.",
        calls.without_release,
    ),
    Check(
        "call",
        "Every call has all its mails, in their order, as they were frozen.",
        "A repeated call may have mailed somebody twice, or somebody else.",
        calls.broken_calls,
    ),
    Check(
        "bytes",
        "Every attempt of a mail sent the same bytes.",
        "A provider that recognises repeats by their bytes may have mailed twice.",
        calls.changed_bytes,
    ),
    Check(
        "tries",
        "No mail is tried more often than allowed.",
        "A mail that cannot be delivered keeps being tried.",
        calls.too_many_attempts,
    ),
    Check(
        "repeat",
        "A call is repeated only while the provider still knows its key.",
        "The repeat may have been taken for a new mail: somebody may have been mailed twice.",
        calls.repeated_too_late,
    ),
    Check(
        "basis",
        "Every mail that was released names its legal basis and the evidence.",
        "Nobody can show why this mail was allowed.",
        permission.without_basis,
    ),
    Check(
        "evidence",
        "The evidence exists, belongs to the address and the kind of mail, and is older than the release.",
        "The consent this mail relied on does not carry it.",
        permission.without_evidence,
    ),
    Check(
        "no",
        "Nothing was released to an address after its objection, withdrawal or suppression.",
        "Somebody was written to who had said no.",
        permission.released_after_a_no,
    ),
    Check(
        "chain",
        "The consent log is as it was written, from its first event to its last.",
        "Somebody changed the proof of a consent or an objection. `treuepost consent verify` says where.",
        consents.broken_chain,
    ),
    Check(
        "state",
        "Every message is in a state there is.",
        "Nothing in the program will touch this message again.",
        history.unknown_states,
    ),
    Check(
        "history",
        "Every message stands where its history ends.",
        "Somebody changed it without writing it down.",
        history.states_without_history,
    ),
    Check(
        "steps",
        "Every step in every history is an allowed one and follows the one before.",
        "The message went a way no message may go, or a part of its history is missing.",
        history.broken_steps,
    ),
    Check(
        "fences",
        "The number under which a message is released always rises.",
        "A sender that was thought dead has written after another one took over.",
        history.fences_that_do_not_rise,
    ),
    Check(
        "count",
        "Every occasion has its messages, and each was planned once: planned = ended + open.",
        "A message was lost, or came from nowhere.",
        history.uncounted,
    ),
    Check(
        "forgotten",
        "Nothing waits that is too late since more than a day.",
        "Somebody was forgotten, and the log does not say so.",
        history.forgotten,
    ),
    Check(
        "time",
        "No call before its mail was to go, and none after it was too late.",
        "A mail went out on the wrong day.",
        timing.early_or_late,
    ),
    Check(
        "hours",
        "No call in quiet hours, or outside the campaign's hours.",
        "Somebody was written to at a forbidden hour.",
        timing.at_a_forbidden_hour,
    ),
    Check(
        "cap",
        "No address got more mails than the shop and the campaign allow.",
        "Somebody was written to too often.",
        timing.more_than_allowed,
    ),
)


def findings(session: Session, ground: Ground, tell: Callable[[Check, int], None] | None = None) -> list[Violation]:
    """Ask every check and return what it found, at most 1000 of each; `tell` hears of each check when it is done."""
    found: list[Violation] = []
    for check in CHECKS:
        mine = list(islice(check.find(session, ground), MOST))
        found.extend(mine)
        if tell is not None:
            tell(check, len(mine))
    return found
