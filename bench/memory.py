"""How much memory the daemon needs with many customers, beside the same daemon with few, in the same run.

Each daemon is a process of its own on a store of its own: it scans, sends what is due today into the outbox, and goes
on ticking. What is printed is the most memory the process ever held (VmHWM), as the kernel counts it.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from engine.clock import system_clock
from engine.store import schema
from engine.store.database import Database

ROOT = Path(__file__).parents[1]
FEW, LIMIT_MB, LIMIT_RATIO = 2_000, 150, 1.2

CONFIG = """
[shop]
name = "Radhaus Sommer"
address = "Lindenallee 4, 80331 München"
email = "laden@radhaus-sommer.example.com"

[provider]
use = "outbox"
from = "Radhaus Sommer <post@radhaus-sommer.example.com>"
max_per_minute = 100000
max_per_day = 1000000

[wording.laden]
file = "wording.txt"
kinds = ["birthday", "winback"]
"""

CAMPAIGN = """
id = "{on}"
kind = "{kind}"

[trigger]
on = "{on}"
{more}

[send]
between = "00:00-23:59"

[message]
subject = "Gruß"
body = "{{{{ greeting }}}}, alles Gute."
"""

PEOPLE = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)
"""

FILL = (
    PEOPLE + "INSERT INTO address (id, exact, canonical, email, created_at) "
    "SELECT i, 'k' || i || '@example.com', 'k' || i || '@example.com', 'k' || i || '@example.com', :now FROM n",
    PEOPLE + "INSERT INTO customer (id, uid, customer_id, address_id, first_name, last_name, salutation, company, "
    "birth_md, language, address_form, timezone, country, tags, last_purchase_on, last_purchase_id, purchase_count, "
    "not_in_source, updated_at) "
    "SELECT i, substr('00000000' || i, -8) || '-0000-5000-8000-000000000000', i, i, 'Kim', 'Kern', '', '', "
    "CASE WHEN i % 365 = 0 THEN :today ELSE 0 END, '', '', '', '', '', :day - 90 - i % 365, 'P' || i, 3, 0, :now "
    "FROM n",
    PEOPLE + "INSERT INTO consent_event (fingerprint, address_id, customer_id, state, at, recorded_at, kinds, "
    "wording, requested_at, proven, actor, seq, prev_hash, hash, details, pii_commit) "
    "SELECT 'f' || i, i, i, 'confirmed', :then, :then, ';birthday;winback;', 'laden', :then, 1, 'import', "
    "i, '', '', '{}', '' FROM n",
)  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    """Measure the daemon with many customers and with few."""
    parser = argparse.ArgumentParser(prog="bench memory", description=__doc__)
    parser.add_argument("--customers", type=int, default=200_000)
    wanted = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        few = _measure(Path(folder) / "few", FEW)
        many = _measure(Path(folder) / "many", wanted.customers)
    _print(FEW, few)
    _print(wanted.customers, many)
    ratio = many[0] / few[0]
    print(f"ratio {ratio:.2f} (limit {LIMIT_RATIO}), {many[0]:.0f} MB (limit {LIMIT_MB} MB)")


def _print(customers: int, found: tuple[float, int]) -> None:
    print(f"{customers:>9,} customers: {found[0]:6.1f} MB at most, {found[1]:,} mails sent")


def _measure(home: Path, customers: int) -> tuple[float, int]:
    due = _shop(home, customers)
    command = [sys.executable, "-m", "engine", "--config", str(home / "config.toml"), "run"]
    env = os.environ | {"PYTHONPATH": str(ROOT), "TREUEPOST_WEB__LISTEN": "127.0.0.1:0"}
    with (home / "log").open("wb") as log:
        daemon = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=env)
    try:
        _until(lambda: _mails(home) >= due, daemon, home / "log")
        return _most_memory(daemon.pid), _mails(home)
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(60)


def _shop(home: Path, customers: int) -> int:
    """Make the shop's folder and store; return how many mails are due today."""
    (home / "campaigns").mkdir(parents=True)
    (home / "templates").mkdir()
    for template in (ROOT / "templates").glob("*.*"):
        (home / "templates" / template.name).write_bytes(template.read_bytes())
    (home / "config.toml").write_text(CONFIG, encoding="utf-8")
    (home / "wording.txt").write_text("Ja.", encoding="utf-8")
    for on, kind, more in (("birthday", "birthday", ""), ("lapsed", "winback", 'after = "90 days"')):
        text = CAMPAIGN.format(on=on, kind=kind, more=more)
        (home / "campaigns" / f"{on}.toml").write_text(text, encoding="utf-8")
    database = Database(f"sqlite:///{home / 'treuepost.db'}")
    schema.upgrade(database)
    now = system_clock()
    today = now.astimezone(ZoneInfo("Europe/Berlin")).date()
    values = {"count": customers, "now": now.isoformat(" "), "then": "2020-01-05 12:00:00.000000"}
    values |= {"today": today.month * 100 + today.day, "day": (today - today.replace(1970, 1, 1)).days}
    with database.write() as session:
        for statement in FILL:
            session.execute(sa.text(statement), values)
    database.checkpoint()
    database.close()
    return 2 * (customers // 365)


def _mails(home: Path) -> int:
    return sum(1 for _ in (home / "outbox").glob("*.eml"))


def _most_memory(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def _until(true: Callable[[], bool], daemon: subprocess.Popen[bytes], log: Path) -> None:
    pause = threading.Event()
    for _ in range(3000):
        if true():
            return
        if daemon.poll() is not None:
            raise SystemExit(f"the daemon ended with {daemon.returncode}:\n{log.read_text()}")
        pause.wait(0.1)
    raise SystemExit("waited five minutes in vain for the mails")
