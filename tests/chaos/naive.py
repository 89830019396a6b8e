"""Two senders as they are usually written, to test the tests: the judge must catch both.

`mark` sends a mail, then marks it sent, and tries the rest again. `lease` is the usual queue: workers take rows for a
while, and whoever's time is over is taken for dead. Both lack what the program has: an intent on disk, a doubt that is
not tried again, and proof that a worker is dead.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

from engine.clock import stopwatch
from tests.chaos import processes
from tests.chaos.chance import Chance
from tests.chaos.judging import Promise, Verdict, judge
from tests.chaos.killing import LONGEST, SHORTEST, Run
from tests.chaos.provider import open_provider

LEASE = 0.6
AT_ONCE = 5
MODE = "slow=0.03:12,accept_then_500,accept_then_cut,accept_then_502,cut,throttle=0"
_DIE_WITH_PARENT = 1


def mark(queue: str, url: str) -> None:
    """Send, then mark sent; whatever raised is tried again."""
    with _opened(queue) as store:
        while rows := store.execute("SELECT id, email FROM mail WHERE NOT sent ORDER BY tries LIMIT 20").fetchall():
            for number, email in rows:
                store.execute("UPDATE mail SET tries = tries + 1 WHERE id = ?", (number,))
                if _send(url, number, email):
                    store.execute("UPDATE mail SET sent = 1 WHERE id = ?", (number,))


def lease(queue: str, url: str) -> None:
    """Take some for a while, send them, mark them; what was taken too long ago is anybody's."""
    with _opened(queue) as store:
        while store.execute("SELECT 1 FROM mail WHERE NOT sent LIMIT 1").fetchone():
            now = stopwatch()
            taken = store.execute(
                "UPDATE mail SET leased_until = ? WHERE id IN "
                "(SELECT id FROM mail WHERE NOT sent AND leased_until < ? LIMIT ?) RETURNING id, email",
                (now + LEASE, now, AT_ONCE),
            ).fetchall()
            for number, email in taken:
                if _send(url, number, email):
                    store.execute("UPDATE mail SET sent = 1 WHERE id = ?", (number,))
            processes.wait(0 if taken else 0.05)


def _opened(queue: str) -> sqlite3.Connection:
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    return sqlite3.connect(queue, timeout=30, isolation_level=None)


def _send(url: str, number: int, email: str) -> bool:
    mail = {
        "sender": {"email": "post@example.com"},
        "to": [{"email": email}],
        "subject": "Alles Gute!",
        "htmlContent": "<p>Alles Gute!</p>",
        "headers": {"X-Mailin-custom": str(number)},
    }
    headers = {"api-key": "key", "content-type": "application/json"}
    request = urllib.request.Request(f"{url}/smtp/email", json.dumps(mail).encode(), headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310  (our own double)
            return bool(json.load(answer).get("messageId"))
    except (OSError, ValueError):  # "the call failed, so try again": what nearly everybody writes
        return False


def naive_row(run: Run, sender: Callable[[str, str], None], workers: int, *, freezes: bool) -> Verdict:
    """Put a naive sender under the same fire and the same judge."""
    began = stopwatch()
    verdict = Verdict(f"naive: {sender.__name__}", f"{workers} x {sender.__name__}")
    home = run.folder / f"naive-{sender.__name__}"
    home.mkdir(parents=True)
    people = [f"kunde{n}@example.com" for n in range(run.kills * 12 * workers)]
    queue = home / "queue.db"
    _fill(queue, people)
    provider = open_provider("brevo", home / "book.jsonl", MODE, run.seed)
    chance = Chance(run.seed, verdict.fault)
    try:
        crew = [_hire(sender, queue, provider.base_url) for _ in range(workers)]
        for _ in range(run.kills):
            processes.wait(chance.between("life", SHORTEST, LONGEST) / workers)
            _hit(crew, int(chance.share("who") * workers), verdict, freeze=freezes and chance.share("how") < 0.3)
            crew = [each if each.is_alive() else _hire(sender, queue, provider.base_url) for each in crew]
        provider.calm_down()
        last = _hire(sender, queue, provider.base_url)
        last.join(120)
        for each in crew:
            each.kill()
            each.join()
    finally:
        provider.close()
    judge(verdict, people, provider.times(), dict.fromkeys(people, ("sent",)), Promise(caught=True))
    verdict.took = stopwatch() - began
    return verdict


def _fill(queue: Path, people: list[str]) -> None:
    store = sqlite3.connect(queue)
    store.execute("PRAGMA journal_mode=WAL")
    store.execute("CREATE TABLE mail (id INTEGER PRIMARY KEY, email TEXT, sent INT DEFAULT 0, tries INT DEFAULT 0, "
                  "leased_until REAL DEFAULT 0)")  # fmt: skip
    store.executemany("INSERT INTO mail (email) VALUES (?)", [(who,) for who in people])
    store.commit()
    store.close()


def _hire(sender: Callable[[str, str], None], queue: Path, url: str) -> BaseProcess:
    process = processes.forks().Process(target=sender, args=(str(queue), url))
    process.start()
    return process


def _hit(crew: list[BaseProcess], place: int, verdict: Verdict, *, freeze: bool) -> None:
    """Kill one, or freeze it for longer than its lease."""
    hit = crew[place]
    if not freeze:
        hit.kill()
        hit.join()
        verdict.kills += 1
    elif hit.pid and hit.is_alive():
        os.kill(hit.pid, signal.SIGSTOP)
        processes.wait(LEASE * 1.5)
        os.kill(hit.pid, signal.SIGCONT)
        verdict.freezes += 1
