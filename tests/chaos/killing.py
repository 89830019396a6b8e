"""The kill loop: `treuepost run`, killed with -9 at random instants, again and again, then left in peace."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from engine.clock import stopwatch
from tests.chaos import processes
from tests.chaos.chance import Chance
from tests.chaos.judging import Promise, Verdict, judge
from tests.chaos.provider import open_provider
from tests.chaos.shop import Shop

SHORTEST, LONGEST = 0.05, 1.5
REST_SECONDS = 420.0
MANY = 10
"""So many kills without a single doubt have hit nothing."""


@dataclass(frozen=True)
class Style:
    """A way in which doubts end: the provider, how badly it behaves, and what is promised of it.

    `rate` is in mails a minute, `config` goes into [provider], `double` to the provider's double; `lives` says how
    long a process lives at least and at most (seconds), `per_kill` how many mails there are for each kill.
    """

    name: str
    use: str
    mode: str
    promise: Promise = field(default_factory=Promise)
    config: str = ""
    on_doubt: str = "hold"
    words: tuple[str, ...] = ("run",)
    double: tuple[str, ...] = ()
    per_kill: int = 12
    rate: int = 100_000
    lives: tuple[float, float] = (SHORTEST, LONGEST)


@dataclass(frozen=True)
class Run:
    """What every row is given: where to work, the seed, how often to kill, and where to say how far it is."""

    folder: Path
    seed: int
    kills: int
    say: Callable[[str], None]


def kill_loop(run: Run, style: Style) -> Verdict:
    """Kill so many times; judge when all has come to rest."""
    began = stopwatch()
    verdict = Verdict(style.name, f"{' '.join(style.words)}, {style.use}")
    home = run.folder / style.name.replace(" ", "-")
    home.mkdir(parents=True)
    chance = Chance(run.seed, style.name)
    provider = open_provider(style.use, home / "book.jsonl", style.mode, run.seed, *style.double)
    try:
        shop = Shop(home / "shop", provider, on_doubt=style.on_doubt, rate=style.rate)
        shop.open(run.kills * style.per_kill, style.config)
        if _kill_again_and_again(shop, run, style, chance, verdict):
            provider.calm_down()
            _leave_in_peace(shop, style, verdict)
        settle(shop, verdict, style.promise)
    finally:
        provider.close()
    verdict.took = stopwatch() - began
    return verdict


def _kill_again_and_again(shop: Shop, run: Run, style: Style, chance: Chance, verdict: Verdict) -> bool:
    """Kill so many times; False when a process ended by itself, which none should."""
    while verdict.kills < run.kills:
        if verdict.kills % 10 == 9 and len(shop.people) - shop.provider.accepted() < 5 * style.per_kill:
            shop.invite(20 * style.per_kill)
        daemon = shop.start(*style.words)
        until_at_work(shop, daemon, chance)
        if not daemon.live(chance.between("life", *style.lives)):
            verdict.must(False, f"it ended by itself with {daemon.code}: {daemon.said()[-600:]}")
            return False
        _kill(daemon, style, chance)
        verdict.kills += 1
        if verdict.kills % 50 == 0:
            run.say(f"{style.name}: {verdict.kills} kills, {shop.provider.accepted()}/{len(shop.people)} accepted")
    return True


def until_at_work(shop: Shop, daemon: processes.Running, chance: Chance) -> None:
    """Wait until a process is where the next instant counts from: its start, its readiness, or its first mail."""
    share, before = chance.share("from"), shop.provider.grown()
    if share < 0.75:
        daemon.until_ready()
    if share < 0.5:
        processes.wait_for(lambda: shop.provider.grown() > before or not daemon.alive, 10)


def _leave_in_peace(shop: Shop, style: Style, verdict: Verdict) -> None:
    began = stopwatch()
    daemon = shop.start(*style.words)
    if daemon.until_ready():
        come_to_rest(shop, verdict, began)
    code = daemon.stop()
    verdict.must(code == 0, f"did not start or stop clean: exit {code}: {daemon.said()[-600:]}")


def _kill(daemon: processes.Running, style: Style, chance: Chance) -> None:
    """Kill everything that runs; of several sender processes, often enough one of them first, or the daemon alone."""
    others = processes.children(daemon.pid)
    if others and chance.share("whom") < 0.6:
        processes.kill(chance.one_of("who", [daemon.pid, *others]))
        daemon.live(chance.between("afterwards", *style.lives) / 3)
    daemon.kill()
    for orphan in others:
        processes.kill(orphan)


def come_to_rest(
    shop: Shop, verdict: Verdict, began: float | None = None, meanwhile: Callable[[], object] = lambda: None
) -> None:
    """Leave it in peace until nothing is open; note how long the first mail and the rest took."""

    def at_rest() -> bool:
        meanwhile()
        return shop.at_rest()

    began, before = stopwatch() if began is None else began, shop.provider.accepted()
    if not at_rest():
        if processes.wait_for(lambda: shop.provider.accepted() > before or at_rest(), 60):
            verdict.first = stopwatch() - began if shop.provider.accepted() > before else None
        rested = processes.wait_for(at_rest, REST_SECONDS, every=0.5)
        verdict.must(rested, f"did not come to rest in {REST_SECONDS:.0f} s: {dict(shop.states())}")
    verdict.rest = stopwatch() - began


def settle(shop: Shop, verdict: Verdict, promise: Promise) -> None:
    """Judge by the book, then let the program audit itself."""
    states: defaultdict[str, list[str]] = defaultdict(list)
    for row in shop.rows():
        states[row["email"]].append(row["state"])
    judge(verdict, shop.people, shop.provider.times(), states, promise)
    verdict.doubts = shop.doubts()
    enough = verdict.kills + verdict.restarts >= MANY
    verdict.must(bool(verdict.doubts) or not enough, "not one mail was ever in doubt: nothing was hit")
    found = shop.audit()
    verdict.must(not found, f"audit: {found}")
