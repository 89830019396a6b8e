"""`python -m tests.simulation`: `--seed S` replays one story, `--runs N` tells many, `--exhaustive` plays all cases."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from itertools import chain

from tests.simulation import cases, seeded
from tests.simulation.cases import Ended
from tests.simulation.story import Told, tell


def main() -> int:
    """Do what the command line says; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="tell the story of one seed, with everything that happened")
    parser.add_argument("--runs", type=int, default=200, help="tell the stories of so many seeds")
    parser.add_argument("--first", type=int, default=1, help="the first of these seeds")
    parser.add_argument("--exhaustive", action="store_true", help="play every crash at every place, and pairs of them")
    parser.add_argument("--stride", type=int, default=1, help="with --exhaustive: only every n-th place")
    parser.add_argument("--part", default="1/1", help="with --exhaustive: the n-th of m parts of the scenes, as n/m")
    given = parser.parse_args()
    if given.seed is not None:
        return _one(given.seed)
    return _all_cases(given.stride, given.part) if given.exhaustive else _many(given.runs, given.first)


def _one(seed: int) -> int:
    told = tell(seed)
    _say("\n".join(told.trace))
    _say("\n".join(told.verdict.faults) or "every promise kept")
    return int(bool(told.verdict.faults))


def _many(runs: int, first: int) -> int:
    rows = seeded.run(runs, first, _tell_if_broken)
    heads = f"{'seeds':>7}{'crashes':>9}{'messages':>10}{'twice':>7}{'forgotten':>11}{'unknown':>9}"
    _say(f"{'doubts are ended by':30}{heads}")
    for row in rows:
        counts = f"{row.seeds:7}{row.crashes:9}{row.messages:10}{row.twice:7}{row.forgotten:11}{row.unknown:9}"
        _say(f"{row.style:30}{counts}")
    broken = [one for row in rows for one in row.broken]
    _say("\n".join(broken) or 'every promise kept ("twice" only where on_doubt = "resend" allows it)')
    return int(bool(broken))


def _tell_if_broken(told: Told) -> None:
    if told.verdict.faults:
        _say(f"--- seed {told.seed} (replay: python -m tests.simulation --seed {told.seed})")
        _say("\n".join([*told.trace, *told.verdict.faults]))


def _all_cases(stride: int, part: str) -> int:
    played, crashes, broken = 0, 0, 0
    number, parts = map(int, part.split("/"))
    for ended in _endings(stride, number - 1, parts):
        played += 1
        crashes += len(ended.case.crash_at)
        broken += bool(ended.verdict.faults)
        if ended.verdict.faults:
            _say(f"{ended.case}: {'; '.join(ended.verdict.faults)}")
        if played % 500 == 0:
            _say(f"... {played} cases, {broken} broken")
    _say(f"{played} combinations with {crashes} crashes, {broken} broken")
    return int(bool(broken))


def _endings(stride: int, number: int, parts: int) -> Iterator[Ended]:
    scenes = list(cases.scenes())[number::parts]
    pairs = list(cases.chief_scenes())[number::parts]
    single = chain.from_iterable(cases.every_crash(scene, stride) for scene in scenes)
    planning = cases.every_crash_while_planning(stride) if number == 0 else ()
    return chain(planning, single, chain.from_iterable(cases.every_pair(scene, 2 * stride) for scene in pairs))


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
