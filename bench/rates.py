"""How exactly a configured rate is kept: by the sink's own time stamps, at 5, 50 and 200 mails a second.

Goals: at least 95 % of the rate, and in no window of one second more than the rate and one.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench import sender, shop, sink
from bench.sink import Book, Sink
from engine.clock import system_clock
from engine.steps import planning


def main(arguments: list[str]) -> None:
    """Send for a while at each rate and print what came."""
    parser = argparse.ArgumentParser(prog="bench rates", description=__doc__)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds the provider takes to answer")
    parser.add_argument("--processes", type=int, default=1)
    wanted = parser.parse_args(arguments)
    print(f"{'a second':>9} {'mails':>7} {'measured':>9} {'of rate':>8} {'most in 1 s':>12} {'longest gap':>12}")
    with tempfile.TemporaryDirectory(prefix="treuepost-bench-") as folder, sink.running() as double:
        for rate in (5, 50, 200):
            book = _sent(Path(folder) / str(rate), double, rate, wanted)
            first, last = book.calls[0][0], book.calls[-1][0]
            # The last call's mails have their time after it: so many as came before it filled the span.
            measured = (book.mails - book.calls[-1][1]) / (last - first)
            print(
                f"{rate:>9} {book.mails:>7,} {measured:>9.2f} {measured / rate:>8.3f} {book.most_within(1.0):>12} "
                f"{book.longest_gap():>10.2f} s"
            )


def _sent(home: Path, double: Sink, rate: int, wanted: argparse.Namespace) -> Book:
    mails = rate * wanted.seconds
    app = shop.open_shop(home, double.url, use="brevo", batch=1, senders=32, per_minute=60 * rate)
    shop.add_customers(app.database, mails, shop.today(app))
    planning.plan(app, system_clock())
    app.database.close()
    double.reset(latency=wanted.latency)
    sender.send(home, wanted.processes)
    book = double.book()
    assert book.mails == mails, (book.mails, mails)
    return book
