"""A provider in the test's pocket: it keeps the one true book of what was delivered, and does what it is told.

Three styles, as real ones have them: `key` (a repeat of a call's key brings the first answer and delivers nothing),
`look_up` (it can be asked for a mail by our own id) and `neither`.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

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

REPLAYS = timedelta(hours=20)
SETTLES = timedelta(minutes=5)
STYLES = {
    "key": Recovery(replays=REPLAYS, repeats_answer=True),
    "look_up": Recovery(settles=SETTLES),
    "neither": Recovery(),
}


def _nothing(_call: Call) -> None:
    pass


@dataclass
class PocketProvider:
    """What it delivered stands in `book`, in order; `plan` holds what it does with the next calls (else it accepts)."""

    style: str = "key"
    batch: int = 1
    senders: int = 1
    plan: deque[str] = field(default_factory=deque)
    book: list[Email] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    before: Callable[[Call], None] = _nothing
    after: Callable[[Call], None] = _nothing
    name: str = "pocket"
    rehearsal: bool = False
    _answers: dict[str, list[Result]] = field(default_factory=dict)
    _bytes: dict[str, str] = field(default_factory=dict)
    _one: Lock = field(default_factory=Lock)

    @property
    def recovery(self) -> Recovery:
        return STYLES[self.style]

    def send(self, call: Call) -> list[Result]:
        with self._one:
            self.before(call)
            self.calls.append(call)
            results = self._answered(call)
            self.after(call)
            return results

    def _answered(self, call: Call) -> list[Result]:
        word = self.plan.popleft() if self.plan else "accept"
        if self.style == "key" and call.key in self._answers:
            assert self._bytes[call.key] == _bytes_of(call), "the same key came with other bytes"
            return self._answers[call.key] if word != "lose_answer" else [InDoubt("no answer")] * len(call.emails)
        if word == "throttle":
            return [NotSent("429")] * len(call.emails)
        if word == "lose_call":
            return [InDoubt("no answer, nothing arrived")] * len(call.emails)
        if word == "refuse":
            results: list[Result] = [Refused("no such mailbox")] * len(call.emails)
        else:
            self.book.extend(call.emails)
            results = [Accepted(f"p{len(self.book)}") for _ in call.emails]
        self._answers[call.key], self._bytes[call.key] = results, _bytes_of(call)
        return results if word != "lose_answer" else [InDoubt("no answer")] * len(call.emails)

    def look_up(self, emails: Sequence[Email], since: datetime) -> list[Finding]:  # noqa: ARG002  (asked alike)
        if self.style != "look_up":
            return [CannotTell("this provider cannot be asked")] * len(emails)
        mine = {email.message_id for email in self.book}
        return [Found(email.message_id) if email.message_id in mine else Absent() for email in emails]

    def close(self) -> None:
        pass

    def delivered(self) -> Counter[str]:
        """Count what was delivered, by message."""
        return Counter(email.message_id for email in self.book)

    def keys_of(self, message_id: str) -> set[str]:
        """Return the keys of the calls that brought a mail to its recipient."""
        mine = {call.key for call in self.calls if message_id in {email.message_id for email in call.emails}}
        return {key for key in mine if any(isinstance(one, Accepted) for one in self._answers.get(key, ()))}


def _bytes_of(call: Call) -> str:
    return hashlib.sha256(repr(call.emails).encode()).hexdigest()
