"""Many seeds in a row, and what they came to: for the suite, for the long form, and for whoever prints one table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tests.simulation.provider import Style
from tests.simulation.story import Told, tell


@dataclass(slots=True)
class Row:
    """What the seeds with one way of ending doubts came to. `broken` names seed and promise."""

    style: str
    seeds: int = 0
    crashes: int = 0
    messages: int = 0
    twice: int = 0
    forgotten: int = 0
    unknown: int = 0
    broken: list[str] = field(default_factory=list)

    def add(self, told: Told) -> None:
        """Count one story."""
        verdict = told.verdict
        self.seeds += 1
        self.crashes += told.crashes
        self.messages += verdict.messages
        self.twice += verdict.twice
        self.forgotten += verdict.forgotten
        self.unknown += verdict.unknown
        self.broken += [f"seed {told.seed}: {fault}" for fault in verdict.faults]


def run(runs: int, first: int = 1, after_each: Callable[[Told], None] | None = None) -> list[Row]:
    """Tell the stories of `runs` seeds from `first` on; return one row for each way of ending doubts.

    `twice` counts what a campaign with on_doubt = "resend" has allowed, too; what was not allowed is in `broken`.
    """
    return tally((tell(seed) for seed in range(first, first + runs)), after_each)


def tally(stories: Iterable[Told], after_each: Callable[[Told], None] | None = None) -> list[Row]:
    """Count stories, one row for each style."""
    rows = {style: Row(str(style)) for style in Style}
    for told in stories:
        rows[told.style].add(told)
        if after_each is not None:
            after_each(told)
    return list(rows.values())
