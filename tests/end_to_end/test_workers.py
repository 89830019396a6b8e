"""Many processes send from one store: killed, cut off from their database, left alone by their daemon."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from engine.store.database import Database
from tests.end_to_end.command import ROOT, environment, start, treuepost, until
from tests.end_to_end.test_daemon import PEOPLE, Shop, _open
from tests.store.test_ownership import end_sessions

KEY = {"TREUEPOST_PROVIDER__API_KEY": "key"}


@pytest.fixture
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    """Open a shop whose customers all have their birthday today, and a provider on loopback that keeps its keys.

    The parameter is how long it takes over each mail, in seconds.
    """
    book = tmp_path / "book.jsonl"
    words = ["--port", "0", "--book", str(book), "--mode", "slow", "--delay", getattr(request, "param", "0.2")]
    double = subprocess.Popen(
        [sys.executable, "-m", "tests.brevo_double", *words],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert double.stdout is not None
    home = tmp_path / "shop"
    _open(home, int(double.stdout.readline()))
    config = home / "config.toml"  # single calls: there is time to kill somebody in between
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("max_per_day = 100000", "max_per_day = 100000\nbatch = 1"), encoding="utf-8")
    yield Shop(home, book, tmp_path / "daemon.log")
    double.kill()
    double.wait()
    double.stdout.close()


def _said(log: Path, event: str) -> list[dict[str, Any]]:
    """Return the log's lines of one event."""
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    said = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
    return [line for line in said if line["event"] == event]


def _pids(log: Path) -> list[int]:
    return [line["pid"] for line in _said(log, "sender started")]


def _ends(process: subprocess.Popen[bytes]) -> int:
    process.send_signal(signal.SIGTERM)
    return process.wait(timeout=60)


def _gone(pid: int) -> bool:
    """Say whether a process has ended; one that nobody has buried yet has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def _owners(database: Database) -> set[str]:
    with database.read() as session:
        asked = sa.text("SELECT DISTINCT actor FROM message_event WHERE after = 'sending'")
        return set(session.connection().execute(asked).scalars())


def _left(database: Database, *states: str) -> int:
    asked = sa.text("SELECT count(*) FROM message WHERE state IN :states").bindparams(
        sa.bindparam("states", list(states), expanding=True)
    )
    with database.read() as session:
        return int(session.connection().execute(asked).scalar_one())


def _nobody_twice(shop: Shop) -> bool:
    return max(Counter(shop.booked()).values()) == 1


def test_sender_processes_share_the_work_and_one_that_is_killed_is_replaced(shop: Shop) -> None:
    treuepost(shop.home, "pause", "--all", **KEY)
    daemon = start(shop.home, "run", "--workers", "3", log=shop.log, **KEY)
    until(lambda: len(_said(shop.log, "ready")) == 3, seconds=60, what="three senders")
    treuepost(shop.home, "resume", "--all", **KEY)
    until(lambda: shop.has(60), seconds=60, what="the first mails")
    os.kill(_pids(shop.log)[0], signal.SIGKILL)
    until(lambda: len(_pids(shop.log)) == 3, seconds=60, what="another sender")
    store = Database(f"sqlite:///{shop.home / 'treuepost.db'}")
    until(lambda: _left(store, "sent", "unknown") == PEOPLE, seconds=120, what="everything to come to rest")
    assert _ends(daemon) == 0
    assert all(_gone(pid) for pid in _pids(shop.log))
    assert _nobody_twice(shop)
    assert len(_owners(store)) > 1
    assert [line["code"] for line in _said(shop.log, "sender died")] == [-signal.SIGKILL]
    assert "Traceback" not in shop.log.read_text(encoding="utf-8")
    store.close()


def test_senders_whose_daemon_is_killed_finish_and_end(shop: Shop) -> None:
    daemon = start(shop.home, "run", "--workers", "2", log=shop.log, **KEY)
    until(lambda: len(_said(shop.log, "ready")) == 2 and shop.has(20), seconds=60, what="the first mails")
    daemon.kill()
    daemon.wait()
    (pid,) = _pids(shop.log)
    until(lambda: _gone(pid), seconds=60, what="the sender to end")
    assert _said(shop.log, "the daemon is gone")
    again = shop.run()
    until(lambda: len(_said(shop.log, "ready")) == 3, seconds=60, what="the next daemon")
    until(lambda: not set(shop.states()) - {"sent", "unknown"}, seconds=120, what="everything to come to rest")
    assert _ends(again) == 0
    assert _nobody_twice(shop)


@pytest.mark.parametrize("shop", ["0.8"], indirect=True)
def test_workers_whose_database_connections_are_cut_go_on_under_new_names(
    shop: Shop, postgres_database: Database
) -> None:
    url = postgres_database.url.render_as_string(hide_password=False)
    treuepost(shop.home, "db", "move", url, **KEY)
    with (shop.home / "config.toml").open("a", encoding="utf-8") as config:
        config.write(f'\n[store]\nurl = "{url}"\n')
    treuepost(shop.home, "pause", "--all", **KEY)
    other = shop.log.with_name("worker.log")
    daemon = start(shop.home, "run", log=shop.log, **KEY)
    until(lambda: bool(_said(shop.log, "ready")), seconds=60, what="the daemon")
    worker = start(shop.home, "worker", log=other, **KEY)
    until(lambda: bool(_said(other, "ready")), seconds=60, what="the worker")
    treuepost(shop.home, "resume", "--all", **KEY)
    until(lambda: shop.has(40), seconds=60, what="the first mails")
    before = _owners(postgres_database)
    end_sessions(postgres_database)
    for log in (shop.log, other):
        until(lambda log=log: bool(_said(log, "goes on")), seconds=60, what=f"{log.stem} to go on")
    until(lambda: _left(postgres_database, "sent") == PEOPLE, seconds=200, what="every mail")
    assert (_ends(worker), _ends(daemon)) == (0, 0)
    assert _nobody_twice(shop)
    assert len(_owners(postgres_database) - before) >= 1
    assert shop.states() == {"sent": PEOPLE}
