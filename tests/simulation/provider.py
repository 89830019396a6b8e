"""A provider with a book of its own: what is in the book was accepted, whatever the program was told or believes."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from engine.domain.words import (
    Absent,
    Accepted,
    Call,
    CannotTell,
    Email,
    Finding,
    Found,
    InDoubt,
    NotSent,
    Refused,
    Result,
)
from engine.providers.contract import Recovery

if TYPE_CHECKING:
    from tests.simulation.stage import Process


class Style(StrEnum):
    """How a provider lets a doubt be ended."""

    REPLAYS = "key that replays"  # like Resend: the first answer comes again
    PROVES = "key whose repeat is an error"  # like Brevo: the error is the proof, one for the whole call
    LOOK_UP = "look-up"  # like Postmark
    BOTH = "key and look-up"
    NONE = "none"  # like SMTP


class Outcome(StrEnum):
    """What becomes of one call."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    NOT_SENT = "not sent"
    ACCOUNT = "account fault"
    TAKEN = "doubt after accepting"
    LOST = "doubt without accepting"
    TOO_FEW = "too few results"
    TOO_MANY = "too many results"
    RAISES = "an exception after accepting"
    PARTLY = "one answer per mail"
    PARTLY_DOUBT = "one answer per mail, some in doubt"


KEY_LIFE = timedelta(minutes=30)
REPLAYS = timedelta(minutes=12)
SETTLES = timedelta(minutes=10)
RECOVERY = {
    Style.REPLAYS: Recovery(replays=REPLAYS, repeats_answer=True),
    Style.PROVES: Recovery(replays=REPLAYS),
    Style.LOOK_UP: Recovery(settles=SETTLES),
    Style.BOTH: Recovery(replays=REPLAYS, settles=SETTLES),
    Style.NONE: Recovery(),
}
KEYED = {Style.REPLAYS, Style.PROVES, Style.BOTH}
LOOKED_UP = {Style.LOOK_UP, Style.BOTH}
_PARTS = (Outcome.ACCEPTED, Outcome.REFUSED, Outcome.NOT_SENT)
_DOUBTFUL_PARTS = (Outcome.ACCEPTED, Outcome.TAKEN, Outcome.LOST)


@dataclass(frozen=True, slots=True)
class Taken:
    """A mail the provider accepted: what the customer will find."""

    at: datetime
    message_id: str
    to: str
    key: str


@dataclass(slots=True)
class Remembered:
    """What a provider keeps under a key."""

    at: datetime
    digest: str
    results: list[Result]


@dataclass(slots=True)
class Book:
    """The provider's own truth, which no crash of ours touches, and what it noticed about us."""

    style: Style
    outcomes: list[Outcome] = field(default_factory=list)
    mood: Callable[[], Outcome] = lambda: Outcome.ACCEPTED
    lag: timedelta = timedelta(0)
    lies: int = 0
    silent: int = 0
    taken: list[Taken] = field(default_factory=list)
    keys: dict[str, Remembered] = field(default_factory=dict)
    bytes_of_key: dict[str, str] = field(default_factory=dict)
    bytes_of_mail: dict[str, str] = field(default_factory=dict)
    wrongs: list[str] = field(default_factory=list)
    calls: int = 0
    look_ups: int = 0
    lied: Counter[str] = field(default_factory=Counter)
    mute: Counter[str] = field(default_factory=Counter)

    def times(self, message_id: str) -> int:
        """Return how often this mail was accepted."""
        return sum(one.message_id == message_id for one in self.taken)

    def next_outcome(self) -> Outcome:
        """Return what becomes of this call; when nothing is said, it is accepted."""
        return self.outcomes.pop(0) if self.outcomes else self.mood()


class Voice:
    """The provider as one process of ours sees it."""

    name = "simulated"
    rehearsal = False
    senders = 1

    def __init__(self, book: Book, process: Process, batch: int = 1) -> None:
        self.book = book
        self.process = process
        self.batch = batch
        self.recovery = RECOVERY[book.style]

    def close(self) -> None:
        pass

    def send(self, call: Call) -> list[Result]:
        """Take a call as the style and the moment's outcome say."""
        self.process.stage.reach(self.process, f"before a call with {len(call.emails)}")
        self._check(call)
        results = self._answer(call)
        self.process.stage.reach(self.process, f"before an answer of {[type(one).__name__ for one in results]}")
        return results

    def _check(self, call: Call) -> None:
        """Note what no caller may do: the same key or the same mail with other bytes."""
        self.book.calls += 1
        if not 1 <= len(call.emails) <= self.batch:
            self.book.wrongs.append(f"{len(call.emails)} mails in a call that takes {self.batch}")
        digest = _digest(*call.emails)
        if self.book.bytes_of_key.setdefault(call.key, digest) != digest:
            self.book.wrongs.append(f"key {call.key} came with other bytes")
        for email in call.emails:
            own = _digest(email)
            if self.book.bytes_of_mail.setdefault(email.message_id, own) != own:
                self.book.wrongs.append(f"mail {email.message_id} came with other bytes")

    def _answer(self, call: Call) -> list[Result]:
        now = self.process.stage.hands.now
        known = self.book.keys.get(call.key) if self.book.style in KEYED else None
        if known is not None and now < known.at + KEY_LIFE:
            return self._repeated(call, known)
        outcome = self.book.next_outcome()
        self.process.stage.note(f"provider: {outcome}, key {call.key[:8]}")
        if outcome in {Outcome.PARTLY, Outcome.PARTLY_DOUBT}:
            return self._partly(call, _PARTS if outcome is Outcome.PARTLY else _DOUBTFUL_PARTS)
        results = [self._one(call, email, outcome) for email in call.emails]
        self._remember(call, outcome, results)
        if any(isinstance(one, Accepted) for one in results) or outcome in {Outcome.TAKEN, Outcome.RAISES}:
            self.process.stage.reach(self.process, "once the provider has accepted")
        if outcome is Outcome.RAISES:
            raise RuntimeError("the answer cannot be read")
        if outcome is Outcome.TOO_FEW:
            return results[1:]
        return [*results, Accepted("stray")] if outcome is Outcome.TOO_MANY else results

    def _partly(self, call: Call, parts: Sequence[Outcome]) -> list[Result]:
        """Answer every mail of a call on its own; whoever keeps keys keeps what it has done."""
        answers = [self._one(call, email, parts[index % len(parts)]) for index, email in enumerate(call.emails)]
        done = [
            Accepted(self._id(email)) if self.book.times(email.message_id) else answer
            for email, answer in zip(call.emails, answers, strict=True)
        ]
        self.book.keys[call.key] = Remembered(self.process.stage.hands.now, _digest(*call.emails), done)
        self.process.stage.reach(self.process, "once the provider has accepted")
        return answers

    def _repeated(self, call: Call, known: Remembered) -> list[Result]:
        self.process.stage.note(f"provider: a repeat of key {call.key[:8]}")
        if known.digest != _digest(*call.emails) or self.book.style is not Style.REPLAYS:
            return [Accepted("", "repeated") for _ in call.emails]
        return known.results

    def _one(self, call: Call, email: Email, outcome: Outcome) -> Result:
        match outcome:
            case Outcome.REFUSED:
                return Refused("no such mailbox")
            case Outcome.NOT_SENT:
                return NotSent("busy")
            case Outcome.ACCOUNT:
                return NotSent("slow down", retry_after=timedelta(seconds=7), account=True)
            case Outcome.LOST:
                return InDoubt("the line was cut")
        self.book.taken.append(Taken(self.process.stage.hands.now, email.message_id, email.to, call.key))
        return InDoubt("the line was cut") if outcome is Outcome.TAKEN else Accepted(self._id(email))

    def _remember(self, call: Call, outcome: Outcome, results: Sequence[Result]) -> None:
        if outcome in {Outcome.NOT_SENT, Outcome.ACCOUNT, Outcome.LOST}:
            return
        if outcome is Outcome.REFUSED and self.book.style is not Style.REPLAYS:
            return
        kept = [Accepted(self._id(mail)) if self.book.times(mail.message_id) else answer
                for mail, answer in zip(call.emails, results, strict=True)]  # fmt: skip
        self.book.keys[call.key] = Remembered(self.process.stage.hands.now, _digest(*call.emails), kept)

    def _id(self, email: Email) -> str:
        return f"id-{email.message_id[:8]}"

    def look_up(self, emails: Sequence[Email], since: datetime) -> list[Finding]:
        """Answer a look-up, late and not always truly."""
        if self.book.style not in LOOKED_UP:
            return [CannotTell("no look-up here") for _ in emails]
        self.book.look_ups += 1
        self.process.stage.reach(self.process, "before a look-up")
        findings = [self._find(email, since) for email in emails]
        self.process.stage.reach(self.process, f"before findings of {[type(one).__name__ for one in findings]}")
        return findings

    def _find(self, email: Email, since: datetime) -> Finding:
        now = self.process.stage.hands.now
        taken = [one for one in self.book.taken if one.message_id == email.message_id]
        if any(one.at < since for one in taken) and not any(one.at >= since for one in taken):
            self.book.wrongs.append(f"mail {email.message_id} is looked up only since {since}, after it was accepted")
            return Absent("not in that span")
        if self.book.mute[email.message_id] < self.book.silent:
            self.book.mute[email.message_id] += 1
            return CannotTell("502")
        if not any(one.at + self.book.lag <= now for one in taken):
            return Absent("not in the index")
        if self.book.lied[email.message_id] < self.book.lies:
            self.book.lied[email.message_id] += 1
            return Absent("404")
        return Found(self._id(email))


def _digest(*emails: Email) -> str:
    text = json.dumps([asdict(email) for email in emails], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
