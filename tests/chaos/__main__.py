"""`python -m tests.chaos`: run the rows, print the table, exit 1 when a row breaks its promise."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from engine.clock import stopwatch
from tests.chaos import pace, processes
from tests.chaos.judging import Verdict
from tests.chaos.killing import Run
from tests.chaos.rows import ROWS, Row
from tests.chaos.table import table


def main() -> int:
    """Run what is asked for."""
    wanted = _wanted()
    rows = [
        row for row in ROWS if (not wanted.short or row.short) and any(name in row.name for name in wanted.only or [""])
    ]
    if not rows:
        say(f"no row is called {wanted.only!r}; there are: {'; '.join(row.name for row in ROWS)}")
        return 2
    folder = Path(tempfile.mkdtemp(prefix="treuepost-chaos-"))
    say(f"seed {wanted.seed}; everything lies in {folder}; {len(rows)} rows, {wanted.jobs} at a time")
    say(f"pace: lease {pace.LEASE.total_seconds():.0f} s, longest call {pace.LONGEST_CALL} s (tests/chaos/pace.py)")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: processes.INTERRUPTED.set())
    began = stopwatch()
    with ThreadPoolExecutor(wanted.jobs) as pool:
        verdicts = list(pool.map(lambda row: _run(row, folder, wanted), rows))
    say(table(verdicts))
    kills, broken = sum(verdict.kills for verdict in verdicts), any(verdict.broken for verdict in verdicts)
    say(f"{kills} kills in {(stopwatch() - began) / 60:.0f} minutes; seed {wanted.seed}")
    if not broken:
        shutil.rmtree(folder, ignore_errors=True)
    return int(broken)


def _run(row: Row, folder: Path, wanted: argparse.Namespace) -> Verdict:
    kills = wanted.kills or (row.short or 0 if wanted.short else row.kills)
    try:
        verdict = row.make(Run(folder, wanted.seed, kills, say))
    except Exception:  # noqa: BLE001  (the other rows go on, and this one is broken)
        verdict = Verdict(row.name, "", broken=[traceback.format_exc()[-3000:]])
    say(f"{verdict.fault}: {'BROKEN' if verdict.broken else verdict.skipped or 'ok'} after {verdict.took:.0f} s")
    return verdict


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _wanted() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Real processes under fire.")
    parser.add_argument("--short", action="store_true", help="the few kills that `make test` makes")
    parser.add_argument(
        "--only", metavar="NAME", action="append", help="only rows whose name has this in it; repeatable"
    )
    parser.add_argument("--seed", type=int, default=1, help="what the dice hang on (1)")
    parser.add_argument("--kills", type=int, help="so many kills in every kill loop")
    parser.add_argument("--jobs", type=int, default=2, help="how many rows at a time (2)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
