"""The judge: who was mailed twice and who was forgotten, by the provider's own book.

Our log is asked for one thing only: of whom it says itself that it does not know. That is then held against the book.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

CONFESSED = frozenset({"unknown"})
"""States in which the log says that it does not know."""
ENDED_BY_PROVIDER = frozenset({"rejected"})
"""The provider itself said no."""
WAITING = frozenset({"held"})
"""The log says that it may have been sent, and asks."""


@dataclass
class Verdict:
    """What came of one row of the table. Recovery: seconds from the last fault to the first mail, and to rest."""

    fault: str
    sender: str
    kills: int = 0
    restarts: int = 0
    freezes: int = 0
    messages: int = 0
    twice: int = 0
    forgotten: int = 0
    unknown: int = 0
    doubts: int = 0
    first: float | None = None
    rest: float | None = None
    took: float = 0.0
    skipped: str = ""
    note: str = ""
    broken: list[str] = field(default_factory=list)

    def must(self, holds: bool, otherwise: str) -> None:
        """Note a broken promise."""
        if not holds:
            self.broken.append(otherwise)


@dataclass(frozen=True)
class Promise:
    """What a row allows beyond "once, and nobody forgotten": mails that wait for the owner's word are `held`.

    A naive sender promises to be caught.
    """

    twice: bool = False
    unknown: bool = False
    held: bool = False
    caught: bool = False


def judge(
    verdict: Verdict,
    people: Iterable[str],
    booked: Mapping[str, int],
    states: Mapping[str, Iterable[str]],
    promise: Promise,
) -> Verdict:
    """Count by the book; `states` are the states our own log gives each address."""
    everybody = list(people)
    twice = [who for who, times in booked.items() if times > 1]
    missing = [who for who in everybody if not booked.get(who)]
    said = {who: set(states.get(who, ())) for who in everybody}
    waiting = WAITING if promise.held else frozenset()
    excused = CONFESSED | ENDED_BY_PROVIDER | waiting
    forgotten = [who for who in missing if not said[who] or said[who] - excused]
    verdict.messages = len(everybody)
    verdict.twice, verdict.forgotten = len(twice), len(forgotten)
    verdict.unknown = sum(bool(said[who] & (CONFESSED | WAITING)) for who in everybody)
    if promise.caught:
        verdict.must(bool(twice), "the naive sender was not caught: this harness proves nothing")
        return verdict
    verdict.must(promise.twice or not twice, f"mailed twice: {_some(twice)}")
    verdict.must(not forgotten, f"forgotten: {_some(f'{who} ({_words(said[who])})' for who in forgotten)}")
    verdict.must(promise.unknown or not verdict.unknown, f"{verdict.unknown} unknown, though this provider can tell")
    strangers = [who for who in booked if who not in said]
    verdict.must(not strangers, f"mailed though nobody asked: {_some(strangers)}")
    # Sent again on purpose, a mail may be refused the second time: the log's last word is then about that call.
    ends = {"sent", "unknown"} | (WAITING if promise.held else set()) | (ENDED_BY_PROVIDER if promise.twice else set())
    denied = [who for who in everybody if booked.get(who) and not said[who] & ends]
    told = _some(f"{who} ({_words(said[who])})" for who in denied)
    verdict.must(not denied, f"accepted, and the log does not say so: {told}")
    return verdict


def _words(states: set[str]) -> str:
    return ", ".join(sorted(states)) or "no message"


def _some(found: Iterable[str]) -> str:
    listed = list(found)
    return f"{len(listed)}: {', '.join(listed[:4])}{', …' if len(listed) > 4 else ''}"
