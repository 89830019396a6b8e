"""Where the time of one mail goes, step by step, printed as a table and drawn as a picture.

Each step's time is its own: what it spends in another step of the list is counted there. Measured in one process that
sends in batches; with `--picture FILE` the table is drawn as SVG.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from threading import local
from time import thread_time
from typing import Any
from unittest.mock import patch

from bench import shop, sink
from engine.app import App
from engine.clock import stopwatch, system_clock
from engine.providers import http, postmark
from engine.rendering import renderer
from engine.steps import claiming, composing, planning, releasing, sending
from engine.store import attempts, calls, messages, ownership

SEAMS: tuple[tuple[str, Any, str], ...] = (
    ("claim: take due messages", claiming, "_claim"),
    ("gates, first look: facts and rules", claiming, "inspect"),
    ("words: context and envelope", composing, "compose"),
    ("words: rendering", renderer.Renderer, "render"),
    ("gates, second look, in the release", releasing, "_look_again"),
    ("words: digest", attempts, "digest"),
    ("release: frozen bytes", attempts, "freeze"),
    ("release: attempts and calls", attempts, "begin"),
    ("release: attempts and calls", calls, "begin"),
    ("states and history", messages, "transition"),
    ("states and history", messages, "move_all"),
    ("call: the request's body", postmark, "payload"),
    ("call: the request", http.Line, "post"),
    ("record: results", sending, "record"),
    ("everything else", sending, "send_due"),
)
_COMMITS = "commits (fsync)"


class Meter:
    """Adds up each step's own time: seconds by the wall's clock and of the processor."""

    def __init__(self) -> None:
        self.wall: dict[str, float] = defaultdict(float)
        self.cpu: dict[str, float] = defaultdict(float)
        self._mine = local()

    def around(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """Return the same work, measured."""

        def measured(*given: Any, **named: Any) -> Any:
            stack: list[list[float]] = self._mine.__dict__.setdefault("stack", [])
            stack.append([0.0, 0.0])
            wall, cpu = stopwatch(), thread_time()
            try:
                return work(*given, **named)
            finally:
                wall, cpu = stopwatch() - wall, thread_time() - cpu
                inner = stack.pop()
                self.wall[name] += wall - inner[0]
                self.cpu[name] += cpu - inner[1]
                if stack:
                    stack[-1][0] += wall
                    stack[-1][1] += cpu

        return measured


def main(arguments: list[str]) -> None:
    """Print how many microseconds of each mail go into each step."""
    parser = argparse.ArgumentParser(prog="bench where", description=__doc__)
    parser.add_argument("--mails", type=int, default=5000)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--picture", type=Path)
    wanted = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="treuepost-bench-") as folder, sink.running() as double:
        app = shop.open_shop(Path(folder) / "shop", double.url, use="postmark", batch=wanted.batch)
        shop.add_customers(app.database, wanted.mails, shop.today(app))
        planning.plan(app, system_clock())
        meter = measured(app)
        assert double.book().mails == wanted.mails
        app.database.close()
    rows = [(name, 1e6 * meter.wall[name] / wanted.mails, 1e6 * meter.cpu[name] / wanted.mails) for name in _names()]
    print(f"{'µs of each mail':<36} {'wall':>7} {'processor':>10}")
    for name, wall, cpu in rows:
        print(f"{name:<36} {wall:>7.1f} {cpu:>10.1f}")
    print(f"{'together':<36} {sum(row[1] for row in rows):>7.1f} {sum(row[2] for row in rows):>10.1f}")
    if wanted.picture:
        wanted.picture.write_text(drawn([(name, cpu) for name, _, cpu in rows]), encoding="utf-8")


def measured(app: App) -> Meter:
    """Send everything that is due with a meter at every seam."""
    meter = Meter()
    patches = [patch.object(owner, name, meter.around(step, getattr(owner, name))) for step, owner, name in SEAMS]
    dialect = app.database._engine.dialect  # noqa: SLF001
    patches.append(patch.object(dialect, "do_commit", meter.around(_COMMITS, dialect.do_commit)))
    for one in patches:
        one.start()
    try:
        with ownership.one_of_many(app.database, app.clock):
            sending.send_due(app, system_clock)
    finally:
        for one in patches:
            one.stop()
    return meter


def _names() -> list[str]:
    names = list(dict.fromkeys(name for name, _, _ in SEAMS))
    return [*names[:-1], _COMMITS, names[-1]]


def drawn(rows: list[tuple[str, float]]) -> str:
    """Return the table as a picture: one bar a step."""
    most, line = max(value for _, value in rows), 26
    height = line * len(rows) + 40
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {height}" font-family="sans-serif" font-size="13">',
        f'<rect width="760" height="{height}" fill="#fffefb"/>',
        '<text x="12" y="22" font-weight="bold" fill="#23221f">Processor time of one mail, in microseconds</text>',
    ]
    for index, (name, value) in enumerate(rows):
        y = 36 + line * index
        width = 380 * value / most
        color = "#2c5b4d" if name.startswith("words") else "#7fb8a4" if name.startswith("gates") else "#c9b98f"
        out += [
            f'<text x="268" y="{y + 15}" text-anchor="end" fill="#2b2a27">{name}</text>',
            f'<rect x="280" y="{y + 2}" width="{width:.1f}" height="18" fill="{color}"/>',
            f'<text x="{286 + width:.1f}" y="{y + 15}" fill="#2b2a27">{value:.0f}</text>',
        ]
    return "\n".join([*out, "</svg>", ""])
