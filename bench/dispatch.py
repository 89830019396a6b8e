"""How fast mails leave, all the way: claim, gates, words, release with intent, call, record; beside the limits.

The limits are measured in the same run, in turns with the engine: rendering alone, posting bodies that lie ready, and
the log alone with SQLite's own driver. One after the other they give the serial limit, which one process could reach
if the engine itself cost nothing. On a machine that others use too, the processor's time is the fairer measure.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import psycopg

from bench import limits, sender, shop, sink
from bench.limits import Took
from bench.sender import Sent
from bench.sink import Sink
from engine.app import App
from engine.clock import stopwatch, system_clock
from engine.steps import planning
from tests import postgres

_GOALS = "goals: one process 0.80 of the serial limit, two processes 1.7 times one (PostgreSQL 1.6)"
_LATENCY, _IN_FLIGHT = 0.05, 64


def main(arguments: list[str]) -> None:
    """Measure one process and two, and a provider that takes one mail a call."""
    parser = argparse.ArgumentParser(prog="bench dispatch", description=__doc__)
    parser.add_argument("--mails", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--use", default="postmark", choices=["postmark", "resend"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--postgres", action="store_true", help="on a PostgreSQL server of its own, fsync on")
    parser.add_argument("--single", action="store_true", help="only the provider that takes one mail a call")
    wanted = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="treuepost-bench-") as folder, sink.running() as double:
        home = Path(folder)
        if not wanted.single:
            with _stores(home, double, wanted) as stores:
                _print_batches(stores, double, wanted)
        if not wanted.postgres:
            _print_single(home, double)


class _Stores:
    """Shops ready to send: a planned one is made once, and copied for each measurement."""

    def __init__(self, home: Path, template: App, *, url: str = "") -> None:
        self.app = template
        self._home = home
        self._url = url
        self._made = 0

    @contextmanager
    def fresh(self) -> Iterator[Path]:
        """Give a shop's folder with a store in which everything is due."""
        self._made += 1
        copy = self._home / f"copy{self._made}"
        shutil.copytree(self._home / "shop", copy)
        if self._url:
            name = f"copy{self._made}"
            postgres.create(self._url, name, "shop")
            config = copy / "config.toml"
            text = config.read_text(encoding="utf-8")
            config.write_text(
                text.replace(self._url.format(name="shop"), self._url.format(name=name)), encoding="utf-8"
            )
        yield copy
        if self._url:
            postgres.drop(self._url, name)
        shutil.rmtree(copy)


@contextmanager
def _stores(home: Path, double: Sink, wanted: argparse.Namespace) -> Iterator[_Stores]:
    if not wanted.postgres:
        yield _Stores(home, _planned(home, double, wanted, "sqlite:///store.db"))
        return
    with postgres.cluster() as url:
        postgres.create(url, "shop")
        app = _planned(home, double, wanted, url.format(name="shop"))
        with psycopg.connect(f"host={url.rsplit('host=', 1)[1]} user=treuepost dbname=shop", autocommit=True) as line:
            line.execute("ALTER SYSTEM SET fsync = on")  # the tests' server does without
            line.execute("SELECT pg_reload_conf()")
        made = limits.material(app, 1)  # a last look: a database that is copied may have no visitors
        assert made.emails
        app.database.close()
        yield _Stores(home, app, url=url)


def _planned(home: Path, double: Sink, wanted: argparse.Namespace, store: str) -> App:
    app = shop.open_shop(home / "shop", double.url, store=store, use=wanted.use, batch=wanted.batch)
    shop.add_customers(app.database, wanted.mails, shop.today(app))
    began = stopwatch()
    report = planning.plan(app, system_clock())
    took = stopwatch() - began
    assert report.planned == wanted.mails, report
    print(f"planned {report.planned:,} mails in {took:.2f} s ({report.planned / took:,.0f} a second)")
    app.database.checkpoint()
    return app


def _print_batches(stores: _Stores, double: Sink, wanted: argparse.Namespace) -> None:
    app = stores.app
    made = limits.material(app, 2 * wanted.batch)
    html = sum(len(email.html.encode()) for email in made.emails) / len(made.emails)
    print(f"{wanted.use}, {wanted.batch} mails a call, {html / 1000:.1f} kB of HTML each; SQLite WAL, synchronous=FULL")
    if app.database.url.get_backend_name() == "postgresql":
        print("the store is PostgreSQL (fsync on); the log's limit is SQLite's all the same")
    app.database.close()
    found = _rounds(stores, double, made, wanted)
    parts = {
        name: Took(median(one.wall for one in turns), median(one.cpu for one in turns)) for name, turns in found[0]
    }
    _print_limits(parts)
    serial = parts["render"] + parts["http"] + parts["log"]
    one, two = (median(run.rate for run in runs) for runs in found[1])
    cpu = median(run.cpu / run.mails for run in found[1][0])
    print(f"serial limit {1 / serial.wall:>10,.0f} a second {1e6 * serial.cpu:>8.0f} µs of processor")
    print(f"one process  {one:>10,.0f} a second {1e6 * cpu:>8.0f} µs of processor")
    print(f"two          {two:>10,.0f} a second")
    print(f"one of the serial limit: {one * serial.wall:.2f} by the wall, {serial.cpu / cpu:.2f} by the processor")
    print(f"two of one: {two / one:.2f}   most memory {max(run.megabytes for run in found[1][0]):.0f} MB")
    print(_GOALS)


def _middle(turns: list[Took]) -> Took:
    return Took(median(one.wall for one in turns), median(one.cpu for one in turns))


def _print_limits(parts: dict[str, Took]) -> None:
    for name, took in parts.items():
        print(f"{name:<12} {1 / took.wall:>10,.0f} a second {1e6 * took.cpu:>8.0f} µs of processor")


def _rounds(
    stores: _Stores, double: Sink, made: limits.Material, wanted: argparse.Namespace
) -> tuple[list[tuple[str, list[Took]]], tuple[list[Sent], list[Sent]]]:
    app, count = stores.app, len(made.emails)
    works = {"render": limits.render(app, made), "http": limits.http(app, made, double.url, wanted.batch)}
    took: dict[str, list[Took]] = {"render": [], "http": [], "log": []}
    runs: tuple[list[Sent], list[Sent]] = ([], [])
    with tempfile.TemporaryDirectory(prefix="treuepost-bench-") as folder:
        log = limits.Log(Path(folder) / "log.db")
        for _ in range(wanted.rounds):
            for name, work in works.items():
                took[name].append(limits.timed(work, count))
            took["log"].append(limits.timed(lambda: log.run(wanted.mails, wanted.batch), wanted.mails))
            for processes in (1, 2):
                with stores.fresh() as home:
                    runs[processes - 1].append(_sent(home, double, processes, wanted.mails))
    return list(took.items()), runs


def _sent(home: Path, double: Sink, processes: int, mails: int) -> Sent:
    double.reset()
    found = sender.send(home, processes)
    book = double.book()
    assert found.mails == book.mails == mails, (found, book.mails, mails)
    return found


def _print_single(home: Path, double: Sink, mails: int = 3000) -> None:
    """One mail a call, 50 ms each, 64 at once: the limit is what the wait leaves."""
    place = home / "single"
    app = shop.open_shop(place, double.url, use="brevo", senders=_IN_FLIGHT, batch=1)
    shop.add_customers(app.database, mails, shop.today(app))
    planning.plan(app, system_clock())
    app.database.close()
    double.reset(latency=_LATENCY)
    found = sender.send(place)
    double.reset()
    assert found.mails == mails, found
    ideal = _IN_FLIGHT / _LATENCY
    print(f"one mail a call, {1000 * _LATENCY:.0f} ms each, {_IN_FLIGHT} in flight: {found.rate:,.0f} a second,")
    print(f"  {found.rate / ideal:.2f} of {ideal:,.0f} (goal 0.6); {1e6 * found.cpu / found.mails:.0f} µs of processor")
