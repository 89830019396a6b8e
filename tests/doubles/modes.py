"""How a double behaves: one act per request, or a weighted mixture that a seed decides.

Written as `ACT`, `ACT=VALUE`, or a mixture `ACT:WEIGHT,ACT=VALUE:WEIGHT,…`. The draw hangs on the seed, on what the
request begins with, and on how often the same has come before: the same run gives the same faults in any order.

Acts that take the mail:
  accept · slow=SECONDS (answers after) · ponder=SECONDS (takes it only after; its key is "in progress" meanwhile) ·
  drip=SECONDS (a byte of the answer each) · partial (some members refused) · refuse (all) · missing_ids · too_few ·
  too_many (results) · accept_then_OUTCOME
Acts that do not take it:
  cut_before (the body is not read) · cut_in_request=N (after N bytes of the body; 0.5 = half) · OUTCOME
OUTCOME: hang · cut · reset · cut_in_answer=N (after N bytes; 0.5 = half) · 500 · 502 (HTML) · 503=RETRY_AFTER ·
  503_bare · 504 · 408 · throttle=RETRY_AFTER · quota · unauthorized · forbidden · no_credits · bad_sender · conflict ·
  moved · 404_html · junk · empty · other_json · html · giant (endless) · bomb (gzip)
RETRY_AFTER: seconds as written (0, -1, 1000000000), date, past, junk, absent, or any (one of them each time).
Look-ups: honest · absent (lies) · others (lists other people's mails) · and every OUTCOME above.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field

WISHES = ("7", "0", "-1", "1000000000", "date", "past", "junk", "absent")
OUTCOMES = frozenset(
    [
        "hang",
        "cut",
        "reset",
        "cut_in_answer",
        "500",
        "502",
        "503",
        "503_bare",
        "504",
        "408",
        "throttle",
        "quota",
        "unauthorized",
        "forbidden",
        "no_credits",
        "bad_sender",
        "conflict",
        "moved",
        "404_html",
        "junk",
        "empty",
        "other_json",
        "html",
        "giant",
        "bomb",
    ]
)
TAKING = frozenset({"accept", "slow", "ponder", "drip", "partial", "refuse", "missing_ids", "too_few", "too_many"})
MANNERS = frozenset({"hang", "cut", "reset", "cut_in_answer", "giant"})
"""Outcomes in how the answer is given, not in what it says."""
LOOK_UPS = frozenset({"honest", "absent", "others", "slow"})
MIXTURES = {
    "mixed": "accept_then_hang,accept_then_500,accept_then_cut,throttle,accept",
    "mixed_fast": "accept_then_500,accept_then_cut,missing_ids,cut,accept",
    "everything": (
        "accept:8,accept_then_500,accept_then_502,accept_then_503=1,accept_then_504,accept_then_cut,accept_then_reset,"
        "accept_then_cut_in_answer,accept_then_junk,accept_then_empty,accept_then_other_json,accept_then_html,"
        "missing_ids,too_few,too_many,500,502,503=1,503_bare,504,cut,reset,cut_before,cut_in_request,throttle=0,"
        "throttle=1"
    ),
}
"""Mixtures with a name; in `mixed` a fifth of the calls wait for a caller's deadline, in the others none does."""


@dataclass(frozen=True, slots=True)
class Act:
    """What to do with one request. `chance` (0 to 1) decides what the act leaves open, such as where to cut."""

    name: str
    value: str = ""
    chance: float = 0.5

    @property
    def takes(self) -> bool:
        """Say whether the mail is taken."""
        return self.name in TAKING or self.name.startswith("accept_then_")

    @property
    def outcome(self) -> str:
        """Return what the caller sees of it."""
        return self.name.removeprefix("accept_then_")

    def seconds(self, default: float) -> float:
        """Return the value as seconds."""
        return float(self.value or default)

    def place(self, length: int) -> int:
        """Return the byte to cut at: the value as a number or a share, else wherever chance has it."""
        if self.value.isdigit():
            return min(int(self.value), length)
        return int(length * float(self.value or self.chance))

    def wish(self) -> str:
        """Return how the Retry-After is to be written."""
        return WISHES[int(self.chance * len(WISHES))] if self.value == "any" else self.value or "7"


def weighted(text: str) -> list[tuple[float, str]]:
    """Read `ACT:WEIGHT,ACT,…`; an act without a weight has 1."""
    parts = [part.strip().partition(":") for part in text.split(",")]
    return [(float(weight or 1), act) for act, _, weight in parts]


@dataclass
class Mode:
    """Weighted acts and the seed that draws them."""

    text: str = "accept"
    seed: int = 0
    look_ups: bool = False
    _acts: list[tuple[float, str, str]] = field(init=False)
    _seen: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._acts = [self._read(part) for part in MIXTURES.get(self.text, self.text).split(",")]

    def draw(self, identity: str) -> Act:
        """Return the act for the next request that looks like this."""
        self._seen[identity] += 1
        digest = hashlib.sha256(f"{self.seed}|{identity}|{self._seen[identity]}".encode()).digest()
        share = int.from_bytes(digest[:6]) / 2**48 * sum(weight for weight, _, _ in self._acts)
        chance = int.from_bytes(digest[6:12]) / 2**48
        for weight, name, value in self._acts:
            share -= weight
            if share < 0:
                return Act(name, value, chance)
        return Act(*self._acts[-1][1:], chance)

    def _read(self, part: str) -> tuple[float, str, str]:
        ((weight, act),) = weighted(part)
        name, _, value = act.partition("=")
        bare = name.removeprefix("accept_then_")
        known = bare in OUTCOMES or name in ({"cut_before"} | LOOK_UPS if self.look_ups else _CALLS)
        if not known:
            raise ValueError(f"no such act: {name}")
        return weight, name, value


_CALLS = TAKING | {"cut_before", "cut_in_request"}
