"""A process that sends from a shop's store when it is told to, and says what it took."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import process_time

from bench import shop
from engine.clock import stopwatch, system_clock
from engine.interpreter import settle
from engine.steps import sending
from engine.store import ownership

_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Sent:
    """What one or more processes sent: mails, seconds from the word to the last end, their processors' seconds."""

    mails: int
    seconds: float
    cpu: float
    megabytes: float

    @property
    def rate(self) -> float:
        """Return mails a second."""
        return self.mails / self.seconds


@contextmanager
def process(home: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a sender that stands ready; it goes once it is written a line."""
    command = [sys.executable, "-m", "bench.sender", str(home)]
    with subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            if child.stdout.readline().strip() != "ready":
                raise SystemExit("the sender did not start; what it said is above")
            yield child
        finally:
            child.kill()


def send(home: Path, processes: int = 1) -> Sent:
    """Let so many processes send everything that is due in a shop."""
    with ExitStack() as stack:
        children = [stack.enter_context(process(home)) for _ in range(processes)]
        began = stopwatch()
        for child in children:
            go(child)
        told = [ended(child) for child in children]
        return Sent(
            sum(one["sent"] for one in told),
            stopwatch() - began,
            sum(one["cpu"] for one in told),
            max(one["megabytes"] for one in told),
        )


def go(child: subprocess.Popen[str]) -> None:
    """Tell a sender to begin."""
    assert child.stdin is not None
    child.stdin.write("go\n")
    child.stdin.flush()


def ended(child: subprocess.Popen[str]) -> dict[str, float]:
    """Wait for a sender's end and return what it says."""
    assert child.stdout is not None
    line = child.stdout.readline()
    if not line:
        raise SystemExit(f"the sender died ({child.wait()}); what it said is above")
    found: dict[str, float] = json.loads(line)
    return found


def _main(arguments: Sequence[str]) -> None:
    settle()  # as the command line does
    app = shop.again(Path(arguments[0]))
    with ownership.one_of_many(app.database, app.clock):
        print("ready", flush=True)
        sys.stdin.readline()
        cpu = process_time()
        report = sending.send_due(app, system_clock)
        cpu = process_time() - cpu
    told = {"sent": report.counts.get("sent", 0), "cpu": cpu, "megabytes": _most_memory(), "counts": report.counts}
    print(json.dumps(told), flush=True)


def _most_memory() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


if __name__ == "__main__":
    _main(sys.argv[1:])
