"""A store that cannot be written, for a while: full, read-only, locked, or a disk that cannot keep what it is given.

What counts: nothing was sent that is not written down (every booked mail has its call in our log), the daemon lives,
and when the trouble is over it goes on by itself.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.clock import stopwatch
from tests.chaos import processes
from tests.chaos.judging import Promise, Verdict
from tests.chaos.killing import REST_SECONDS, Run, settle
from tests.chaos.processes import Running
from tests.chaos.provider import open_provider
from tests.chaos.shop import Shop

USE = "resend"
MODE = "slow=0.3"
PEOPLE = 400
ENOUGH = 40
SMALL_DISK = 24 << 20
NO_STRACE = "no strace here, or it may not trace: nothing can be made to fail in a running process"


@dataclass(frozen=True)
class Trouble:
    """What happens to the store of a running daemon, and for how long."""

    name: str
    makes: Callable[[Shop, Running], Iterator[None]]
    missing: Callable[[], str]
    small_disk: bool = False
    more_seconds: float = 0.0


def trouble_row(run: Run, trouble: Trouble, seconds: float) -> Verdict:
    """Let the trouble come while mails go out, and go again."""
    began = stopwatch()
    verdict = Verdict(trouble.name, f"run, {USE}")
    verdict.skipped = trouble.missing()
    if verdict.skipped:
        return verdict
    home = run.folder / trouble.name.replace(" ", "-")
    home.mkdir(parents=True)
    provider = open_provider(USE, home / "book.jsonl", MODE, run.seed)
    try:
        with _disk(home / "shop", small=trouble.small_disk):
            shop = Shop(home / "shop", provider).open(PEOPLE)
            _live_through(shop, trouble, seconds + trouble.more_seconds, verdict)
            settle(shop, verdict, Promise(unknown=True))
            _all_written_down(shop, verdict)
    finally:
        provider.close()
    verdict.took = stopwatch() - began
    return verdict


def _live_through(shop: Shop, trouble: Trouble, seconds: float, verdict: Verdict) -> None:
    daemon = shop.start("run")
    verdict.must(processes.wait_for(lambda: shop.provider.accepted() >= ENOUGH, 60), "it never began to send")
    with contextmanager(trouble.makes)(shop, daemon):
        processes.wait(1.0)  # what was released before may still arrive
        before = shop.provider.accepted()
        processes.wait(seconds - 1)
        during = shop.provider.accepted() - before
    began, so_far = stopwatch(), shop.provider.accepted()
    verdict.must(not shop.at_rest(), "everything had left before the trouble came")
    verdict.must(during <= 4, f"{during} mails left although nothing could be written")
    verdict.must(daemon.alive, f"it ended by itself with {daemon.code}: {daemon.said()[-600:]}")
    if not daemon.alive:
        daemon = shop.start("run")
        verdict.restarts += 1
    if processes.wait_for(lambda: shop.provider.accepted() > so_far, 90):
        verdict.first = stopwatch() - began
    verdict.must(processes.wait_for(shop.at_rest, REST_SECONDS, every=0.5), f"no rest: {dict(shop.states())}")
    verdict.rest = stopwatch() - began
    verdict.must(daemon.stop() == 0, f"did not stop clean: exit {daemon.code}: {daemon.said()[-600:]}")


def _all_written_down(shop: Shop, verdict: Verdict) -> None:
    called = {row["message_id"] for row in shop.rows() if int(row["attempts"])}
    loose = [line["mid"] for line in shop.provider.lines() if line["mid"] not in called]
    verdict.must(not loose, f"{len(loose)} mails were sent that are not written down: {loose[:3]}")


# -- the troubles ----------------------------------------------------------------------------------------------------


@contextmanager
def _disk(home: Path, *, small: bool) -> Iterator[None]:
    """Lend a folder, on a small disk of its own where that is asked for and possible."""
    mounted = False
    if small and not no_small_disk():
        home.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "tmpfs", str(home)], check=True)
        mounted = True
    try:
        yield
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(home)], check=True)


def no_small_disk() -> str:
    """Say why no disk of our own can be mounted; empty where it can."""
    return "" if os.geteuid() == 0 and shutil.which("mount") else "a small disk can be mounted only by root"


def full(shop: Shop, _daemon: Running) -> Iterator[None]:
    """Fill the disk to the last byte."""
    filler = shop.home / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 9, 1):
            try:
                while file.write(b"x" * size) == size:
                    pass
            except OSError:  # full at this size
                continue
    yield
    filler.unlink()


def limited(shop: Shop, daemon: Running) -> Iterator[None]:
    """Let no file of the daemon's grow: what a full disk is to whoever may not mount one."""
    import resource

    largest = max(path.stat().st_size for path in shop.home.glob("shop.db*"))
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
    yield
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def locked(shop: Shop, _daemon: Running) -> Iterator[None]:
    """Hold the store as a database browser does."""
    other = sqlite3.connect(shop.home / "shop.db", timeout=60, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    yield
    other.execute("ROLLBACK")
    other.close()


def read_only(_shop: Shop, daemon: Running) -> Iterator[None]:
    """Refuse every write to a file, as a disk does that was remounted read-only."""
    yield from _failing(daemon, "pwrite64,ftruncate,fallocate", "EROFS")


def fsync_fails(_shop: Shop, daemon: Running) -> Iterator[None]:
    """Let the disk fail to keep what it was given."""
    yield from _failing(daemon, "fsync,fdatasync", "EIO")


def _failing(daemon: Running, calls: str, error: str) -> Iterator[None]:
    words = ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={calls}", "-e", f"inject={calls}:error={error}"]
    tracer = subprocess.Popen([*words, "-p", str(daemon.pid)])
    try:
        assert processes.wait_for(lambda: is_traced(daemon.pid), 10), "strace did not attach"
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait()


def is_traced(pid: int) -> bool:
    """Say whether somebody traces every thread of a process."""
    traced = [
        line.split()[1] != "0"
        for task in Path(f"/proc/{pid}/task").iterdir()
        for line in (task / "status").read_text(encoding="utf-8").splitlines()
        if line.startswith("TracerPid")
    ]
    return all(traced)


def no_strace() -> str:
    """Say why calls cannot be made to fail; empty where they can."""
    if not shutil.which("strace"):
        return NO_STRACE
    tried = subprocess.run(
        ["strace", "-qq", "-o", os.devnull, "-e", "inject=sync:error=EIO", "true"], capture_output=True, check=False
    )
    return "" if tried.returncode == 0 else NO_STRACE


def nothing_missing() -> str:
    """Say that every machine has what this takes."""
    return ""


TROUBLES = (
    Trouble("disk full", full, no_small_disk, small_disk=True),
    Trouble("file may not grow", limited, nothing_missing),
    Trouble("read-only file", read_only, no_strace),
    Trouble("fsync error", fsync_fails, no_strace),
    Trouble("locked file", locked, nothing_missing),
    Trouble("locked file, for long", locked, nothing_missing, more_seconds=32),
)
