"""The race between a "no" and a release, as rows of the table. The race itself is in `race`."""

from __future__ import annotations

import subprocess
import sys

from engine.clock import stopwatch
from tests import postgres
from tests.chaos.judging import Verdict
from tests.chaos.killing import Run
from tests.end_to_end.command import ROOT, environment


def race_row(run: Run, store: str, rounds: int) -> Verdict:
    """Race so many rounds on one store; not one release may come after a committed "no"."""
    began = stopwatch()
    verdict = Verdict(f'"no" against release, {store}', f"{rounds} rounds", messages=rounds)
    if store == "postgres" and postgres.find_binaries() is None:
        verdict.skipped = postgres.NOT_FOUND
        return verdict
    words = ["--rounds", str(rounds), "--store", store, "--seed", str(run.seed)]
    raced = subprocess.run(
        [sys.executable, "-m", "tests.chaos.race", *words], cwd=ROOT, env=environment(), capture_output=True, text=True
    )
    told = raced.stdout.strip().partition(": ")[2]
    verdict.must(raced.returncode == 0, f"{told}\n{raced.stderr[-1500:]}")
    verdict.note = told.splitlines()[0] if told else ""
    verdict.took = stopwatch() - began
    return verdict
