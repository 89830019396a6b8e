"""The same mails through django-mailer and django-post-office, both with django-anymail, to the same sink.

They live in an environment of their own, which this makes with venv and pip from the versions in `peers.txt`. Their
mails are given to them finished; ours are planned, gated, rendered and sent, with a row for every intent and result.
Goals, in the same run: 10 times django-mailer, 6 times django-post-office (two processes each).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from email.utils import formataddr
from pathlib import Path

from bench import limits, sender, shop, sink
from bench.sink import Sink
from engine.app import App
from engine.clock import stopwatch, system_clock
from engine.domain.words import Email
from engine.steps import planning

_HERE = Path(__file__).parent
_OURS = frozenset({"Message-ID", "Date"})
_MOST = {"postmark": 500, "resend": 100}
"""As many mails as the provider takes in a call, each with a body of its own."""


def main(arguments: list[str]) -> None:
    """Install the peers, let each send, let us send, and print the ratios."""
    parser = argparse.ArgumentParser(prog="bench peers", description=__doc__)
    parser.add_argument("--mails", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--use", default="postmark", choices=sorted(_MOST), help="whose batches we send")
    parser.add_argument("--python", type=Path, help="an environment that has the peers already")
    wanted = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="treuepost-bench-") as folder, sink.running() as double:
        home = Path(folder)
        python = wanted.python or _installed(home / "environment")
        rates = {"mailer": 0.0, "post_office": 0.0, "one": 0.0, "two": 0.0}
        for turn in range(wanted.rounds):
            place = home / str(turn)
            place.mkdir()
            for name, rate in _turn(place, double, python, wanted).items():
                rates[name] = max(rates[name], rate)  # the best of each: whoever else works here slows all of them
    print(f"django-mailer {rates['mailer']:,.0f} a second; Treuepost, one process: {rates['one']:,.0f}", end="; ")
    print(f"{rates['one'] / rates['mailer']:.1f} times (goal 10)")
    print(f"django-post-office, two processes {rates['post_office']:,.0f} a second", end="; ")
    print(f"Treuepost, two processes: {rates['two']:,.0f}; {rates['two'] / rates['post_office']:.1f} times (goal 6)")


def _installed(place: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    python = place / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", _HERE / "peers.txt"], check=True)
    return python


def _turn(place: Path, double: Sink, python: Path, wanted: argparse.Namespace) -> dict[str, float]:
    mails = wanted.mails
    rates = {name: _ours(place / name, double, number, wanted) for number, name in ((1, "one"), (2, "two"))}
    file = place / "mails.jsonl"
    app = shop.again(place / "finished")
    made = limits.material(app, mails)
    file.write_text("".join(json.dumps(_line(email)) + "\n" for email in made.emails), encoding="utf-8")
    app.database.close()
    for peer in ("mailer", "post_office"):
        double.reset()
        command = [python, _HERE / "_django.py", peer, double.url, file, place]
        ran = subprocess.run(command, check=False, capture_output=True, text=True)
        if ran.returncode:
            raise SystemExit(f"{peer} failed:\n{ran.stderr[-2000:]}")
        told = json.loads(ran.stdout.splitlines()[-1])
        assert double.book().mails == mails, double.book().mails
        rates[peer] = mails / (told["enqueue"] + told["send"])
    for name, rate in rates.items():
        print(f"{name:<12} {rate:>8,.0f} a second", file=sys.stderr)
    return rates


def _ours(home: Path, double: Sink, processes: int, wanted: argparse.Namespace) -> float:
    """Return how many mails a second leave, from planning to the last result."""
    mails = wanted.mails
    app = _shop(home, double, wanted)
    if processes == 1:
        spare = _shop(home.with_name("finished"), double, wanted)
        planning.plan(spare, system_clock())
        spare.database.close()
    double.reset()
    began = stopwatch()
    planning.plan(app, system_clock())
    planned = stopwatch() - began
    app.database.close()
    sent = sender.send(home, processes)
    assert double.book().mails == sent.mails == mails, sent
    return mails / (planned + sent.seconds)


def _shop(home: Path, double: Sink, wanted: argparse.Namespace) -> App:
    app = shop.open_shop(home, double.url, use=wanted.use, batch=_MOST[wanted.use])
    shop.add_customers(app.database, wanted.mails, shop.today(app))
    return app


def _line(email: Email) -> dict[str, object]:
    headers = {name: value for name, value in email.headers.items() if name not in _OURS}
    sender_line = formataddr((email.sender_name, email.sender))
    return {
        "subject": email.subject,
        "text": email.text,
        "html": email.html,
        "from": sender_line,
        "to": email.to,
        "headers": headers,
    }
