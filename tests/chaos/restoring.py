"""An old backup put back, and a copy beside its original: neither may mail anybody a second time."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

from engine.clock import stopwatch
from tests.chaos import processes
from tests.chaos.judging import Promise, Verdict
from tests.chaos.killing import Run, come_to_rest, settle
from tests.chaos.provider import open_provider
from tests.chaos.shop import Shop

USE = "smtp"
"""No key and no look-up: only the program's own caution keeps these people from a second mail."""

PEOPLE = 240
RATE = 1500
WATCHED = 4.0
"""Seconds for which a store that waits for its owner's word is watched."""


def restored_row(run: Run) -> Verdict:
    """Put a backup back that has forgotten the last mails, and say so when asked."""
    began = stopwatch()
    verdict = Verdict("backup restored", f"run, {USE}")
    home = run.folder / "restored"
    home.mkdir(parents=True)
    provider = open_provider(USE, home / "book.jsonl", "accept", run.seed)
    try:
        shop = Shop(home / "shop", provider, rate=RATE).open(PEOPLE)
        copy = _send_and_copy(shop, verdict)
        for path in shop.home.glob("shop.db*"):
            if path.suffix in {".db", ".db-wal", ".db-shm"}:
                path.unlink()
        shutil.copy(copy, shop.home / "shop.db")
        _is_silent(shop, verdict)
        processes.command(shop.home, ["db", "adopt", "restored"])
        back = stopwatch()
        daemon = shop.start("run")
        daemon.until_ready()
        come_to_rest(shop, verdict, back)
        verdict.must(daemon.stop() == 0, f"did not stop clean: exit {daemon.code}: {daemon.said()[-600:]}")
        settle(shop, verdict, Promise(unknown=True, held=True))
    finally:
        provider.close()
    verdict.took = stopwatch() - began
    return verdict


def cloned_row(run: Run) -> Verdict:
    """Copy the whole shop elsewhere and start the copy beside it, as a cloned machine does."""
    began = stopwatch()
    verdict = Verdict("machine cloned", f"run + its clone, {USE}")
    home = run.folder / "cloned"
    home.mkdir(parents=True)
    provider = open_provider(USE, home / "book.jsonl", "accept", run.seed)
    try:
        shop = Shop(home / "shop", provider, rate=RATE).open(PEOPLE)
        daemon = shop.start("run")
        _has(shop, 40, verdict)
        daemon.kill()
        verdict.kills += 1
        shutil.copytree(shop.home, home / "clone")
        _point_to(home / "clone", home / "shop")
        clone = replace(shop, home=home / "clone", store=f"sqlite:///{home / 'clone' / 'shop.db'}")
        back = stopwatch()
        daemon, other = shop.start("run"), clone.start("run")
        come_to_rest(shop, verdict, back)
        processes.wait(WATCHED)
        for each in (daemon, other):
            verdict.must(each.stop() == 0, f"did not stop clean: exit {each.code}: {each.said()[-600:]}")
        settle(shop, verdict, Promise(unknown=True))
    finally:
        provider.close()
    verdict.took = stopwatch() - began
    return verdict


def _point_to(clone: Path, original: Path) -> None:
    config = clone / "config.toml"
    config.write_text(config.read_text(encoding="utf-8").replace(str(original), str(clone)), encoding="utf-8")


def _has(shop: Shop, mails: int, verdict: Verdict) -> None:
    verdict.must(processes.wait_for(lambda: shop.provider.accepted() >= mails, 60), f"{mails} mails never left")


def _send_and_copy(shop: Shop, verdict: Verdict) -> Path:
    """Send a third, make a backup meanwhile, send another third, and die."""
    daemon = shop.start("run")
    _has(shop, PEOPLE // 3, verdict)
    copy = json.loads(processes.command(shop.home, ["db", "backup", "--json"]))["file"]
    _has(shop, 2 * PEOPLE // 3, verdict)
    daemon.kill()
    verdict.kills += 1
    return Path(copy)


def _is_silent(shop: Shop, verdict: Verdict) -> None:
    before = shop.provider.accepted()
    daemon = shop.start("run")
    daemon.until_ready()
    processes.wait(WATCHED)
    daemon.stop()
    sent = shop.provider.accepted() - before
    verdict.must(sent == 0, f"a restored store sent {sent} mails before its owner had said anything")
