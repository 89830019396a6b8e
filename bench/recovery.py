"""How soon mails leave again after kill -9 in the middle of many: until the first new mail is at the sink.

A daemon's sender is killed while thousands of messages are open; a new one starts on the same store. Goal: 5 seconds
from its start, the interpreter's own start included, to the first mail.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import threading
from pathlib import Path

import sqlalchemy as sa

from bench import sender, shop, sink
from bench.sink import Sink
from engine.clock import stopwatch, system_clock
from engine.steps import planning
from engine.store.message_tables import Message

_MESSAGES: sa.Table = Message.__table__  # type: ignore[attr-defined]


def main(arguments: list[str]) -> None:
    """Kill a sender with many messages open, start another, and print when the first mail comes."""
    parser = argparse.ArgumentParser(prog="bench recovery", description=__doc__)
    parser.add_argument("--mails", type=int, default=12_000)
    parser.add_argument("--use", default="resend", choices=["resend", "postmark", "brevo"])
    wanted = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="treuepost-bench-") as folder, sink.running() as double:
        home = Path(folder) / "shop"
        app = shop.open_shop(home, double.url, use=wanted.use, batch=1 if wanted.use == "brevo" else 100, senders=4)
        shop.add_customers(app.database, wanted.mails, shop.today(app))
        planning.plan(app, system_clock())
        _kill(home, double, wanted.mails // 6)
        with app.database.read() as session:
            counted = sa.select(_MESSAGES.c.state, sa.func.count()).group_by(_MESSAGES.c.state)
            left = {state.value: number for state, number in session.connection().execute(counted)}
        app.database.close()
        print(f"killed with {', '.join(f'{number:,} {state}' for state, number in left.items())}")
        took = _first_mail(home, double)
        print(f"{took:.2f} s from the new start to the first mail (goal 5)")


def _kill(home: Path, double: Sink, after: int) -> None:
    """Send, and kill the sender once so many mails have come."""
    double.reset(latency=0.2)
    with sender.process(home) as child:
        sender.go(child)
        _until(double, child, after)
        child.kill()
        child.wait()


def _first_mail(home: Path, double: Sink) -> float:
    double.reset()
    began = stopwatch()
    with sender.process(home) as child:
        sender.go(child)
        _until(double, child, 1)
    return double.book().calls[0][0] - began


def _until(double: Sink, child: subprocess.Popen[str], mails: int) -> None:
    pause = threading.Event()
    while double.book().mails < mails:
        if child.poll() is not None:
            raise SystemExit("the sender ended before so many mails had come")
        pause.wait(0.02)
