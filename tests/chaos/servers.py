"""PostgreSQL with many workers: killed, frozen, cut off from the server, the server restarted; all of it at once."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from engine.clock import stopwatch
from tests import postgres
from tests.chaos import pace, processes
from tests.chaos.chance import Chance
from tests.chaos.judging import Verdict
from tests.chaos.killing import Run, Style, come_to_rest, settle, until_at_work
from tests.chaos.processes import Running
from tests.chaos.provider import open_provider
from tests.chaos.shop import Shop, conninfo

WORKERS = 4
FROZEN = pace.LEASE.total_seconds() * 1.2


@dataclass(frozen=True)
class Storm:
    """What hits the workers: how often each happens, and how long it is quiet in between (seconds)."""

    kills: int = 0
    restarts: int = 0
    cut_off: int = 0
    freezes: int = 0
    quiet: tuple[float, float] = (0.02, 0.3)

    def scaled(self, events: int) -> Storm:
        """Return a smaller storm of about so many events, of every kind at least one; 0 leaves it as it is."""
        everything = self.kills + self.restarts + self.cut_off + self.freezes
        if not 0 < events < everything:
            return self
        counts = (self.kills, self.restarts, self.cut_off, self.freezes)
        return Storm(*(count and max(1, count * events // everything) for count in counts), self.quiet)

    def order(self, chance: Chance) -> list[str]:
        """Return everything that is to happen, shuffled."""
        named = {"kill": self.kills, "restart": self.restarts, "cut off": self.cut_off, "freeze": self.freezes}
        return sorted(
            (what for what, times in named.items() for _ in range(times)), key=lambda _: chance.share("order")
        )


@dataclass
class Crew:
    """The daemon that plans and the workers that send beside it; whoever ends is started again, as systemd would."""

    shop: Shop
    verdict: Verdict
    members: list[Running] = field(default_factory=list)
    frozen: list[tuple[float, Running]] = field(default_factory=list)
    came_back: int = 0
    cut_off: int = 0
    seen: int = 0

    def begin(self) -> None:
        """Start everybody."""
        self.members = [self._hire(place) for place in range(WORKERS)]

    def _hire(self, place: int) -> Running:
        return self.shop.start("run" if place == 0 else "worker", place=place)

    def tend(self) -> None:
        """Thaw whoever's time is up, and start again whoever has ended."""
        now = stopwatch()
        for until, member in self.frozen:
            if until <= now:
                member.thaw()
        self.frozen = [(until, member) for until, member in self.frozen if until > now]
        for place, member in enumerate(self.members):
            if not member.alive:
                self.came_back += 1
                self.members[place] = self._hire(place)

    def awake(self) -> list[Running]:
        """Return those that are not frozen."""
        asleep = {member.pid for _, member in self.frozen}
        return [member for member in self.members if member.pid not in asleep]

    def kill(self, member: Running, chance: Chance) -> None:
        """Kill one and start it again; mostly at work, sometimes while it starts."""
        until_at_work(self.shop, member, chance)
        member.live(chance.between("life", 0.0, 0.8))
        member.kill()
        self.verdict.kills += 1
        self.members[self.members.index(member)] = self._hire(self.members.index(member))

    def freeze(self, member: Running) -> None:
        """Stop one for longer than its lease; the others go on."""
        member.freeze()
        self.frozen.append((stopwatch() + FROZEN, member))
        self.verdict.freezes += 1

    def thaw_all(self) -> None:
        """Let everybody go on."""
        for _, member in self.frozen:
            member.thaw()
        self.frozen.clear()

    @property
    def story(self) -> str:
        """Return what the columns have no room for."""
        cut = f"({self.cut_off} times sessions cut off)" if self.cut_off else ""
        return f"{cut} ({self.came_back} processes ended by themselves, started again)" if self.came_back else cut

    def dismiss(self) -> None:
        """Stop everybody, the daemon last, and expect a clean end."""
        for member in reversed(self.members):
            self.verdict.must(member.stop() == 0, f"did not stop clean: exit {member.code}: {member.said()[-600:]}")


def storm_row(run: Run, style: Style, storm: Storm) -> Verdict:
    """Let a storm pass over four workers; judge when all has come to rest."""
    began = stopwatch()
    verdict = Verdict(style.name, f"run + {WORKERS - 1} workers, {style.use}")
    if postgres.find_binaries() is None:
        verdict.skipped = postgres.NOT_FOUND
        return verdict
    home = run.folder / style.name.replace(" ", "-")
    home.mkdir(parents=True)
    chance = Chance(run.seed, style.name)
    provider = open_provider(style.use, home / "book.jsonl", style.mode, run.seed, *style.double)
    try:
        with postgres.cluster() as server:
            postgres.create(server, "chaos")
            shop = Shop(home / "shop", provider, store=server.format(name="chaos"), rate=style.rate)
            events = storm.scaled(run.kills).order(chance)
            shop.open(max(len(events), 10) * style.per_kill, style.config)
            crew = Crew(shop, verdict)
            with _hired(crew):
                _pass_over(crew, run, style, storm, events, chance)
                provider.calm_down()
                crew.thaw_all()
                come_to_rest(shop, verdict, meanwhile=crew.tend)
            crew.dismiss()
            verdict.note = crew.story
            settle(shop, verdict, style.promise)
    finally:
        provider.close()
    verdict.took = stopwatch() - began
    return verdict


@contextmanager
def _hired(crew: Crew) -> Iterator[None]:
    crew.begin()
    try:
        yield
    except BaseException:
        for member in crew.members:
            member.kill()
        raise


def _pass_over(crew: Crew, run: Run, style: Style, storm: Storm, events: list[str], chance: Chance) -> None:
    shop, verdict = crew.shop, crew.verdict
    for number, what in enumerate(events, 1):
        if number % 10 == 0 and len(shop.people) - shop.provider.accepted() < 5 * style.per_kill:
            shop.invite(20 * style.per_kill)
        processes.wait(chance.between("quiet", *storm.quiet))
        crew.tend()
        if what == "freeze":  # one at least goes on
            processes.wait_for(lambda: crew.tend() or len(crew.awake()) > 1, FROZEN * 2)
        member = chance.one_of("who", crew.awake())
        if what == "kill":
            crew.kill(member, chance)
        elif what == "freeze":
            crew.freeze(member)
        elif what == "cut off":
            _cut_off(shop, chance)
            crew.cut_off += 1
        else:  # only once something has left since the last one
            processes.wait_for(lambda: crew.tend() or shop.provider.accepted() > crew.seen, 20)
            _restart(shop)
            crew.seen = shop.provider.accepted()
            verdict.restarts += 1
        if number % 25 == 0:
            run.say(f"{style.name}: {number}/{len(events)}, {shop.provider.accepted()}/{len(shop.people)} accepted")


def _cut_off(shop: Shop, chance: Chance) -> None:
    """End the sessions of a random worker, at the server."""
    share = chance.share("backend")
    asked = (
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY pid"
    )
    with psycopg.connect(conninfo(shop.store), autocommit=True) as server:
        pids = [row[0] for row in server.execute(asked).fetchall()]
        for pid in pids[int(share * len(pids)) :][:3]:
            server.execute("SELECT pg_terminate_backend(%s)", [pid])


def _restart(shop: Shop) -> None:
    """Restart the server as a crash does: nobody is told, nothing is finished."""
    binaries = postgres.find_binaries()
    assert binaries is not None
    folder = Path(shop.store.rsplit("host=", 1)[1])
    words = [*postgres._unprivileged(), binaries / "pg_ctl", "-D", folder / "data", "-s", "-w", "-m", "immediate"]
    with (folder / "log").open("ab") as log:
        subprocess.run([*words, "restart"], check=True, stdout=log, stderr=log, cwd=folder)
