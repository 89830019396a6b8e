"""Every place to die × every answer × every way to end a doubt: one case each, enumerated and run one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count, product

from tests.simulation.judge import Promise, Verdict, judge
from tests.simulation.life import LONG_DOWN, SHORT_DOWN, run_to_rest
from tests.simulation.provider import LOOKED_UP, SETTLES, Book, Outcome, Style
from tests.simulation.shop import lay_out, with_people
from tests.simulation.stage import Stage

ANSWERS = tuple(Outcome)
FOR_EACH_MAIL = {Outcome.PARTLY, Outcome.PARTLY_DOUBT}
ATOMIC = {Style.PROVES, Style.BOTH}  # one answer for the whole call


@dataclass(frozen=True, slots=True)
class Scene:
    """One provider's manners and what becomes of its first call."""

    style: Style
    outcome: Outcome
    batch: int = 1
    resend: bool = False
    long_down: bool = False
    lag: timedelta = timedelta(0)
    lies: int = 0
    silent: int = 0

    def __str__(self) -> str:
        manners = [f"batch {self.batch}", "resend" if self.resend else "hold"]
        manners += ["down for an hour"] if self.long_down else []
        manners += ["lagging"] if self.lag else []
        manners += ["lying"] if self.lies else []
        manners += ["silent"] if self.silent else []
        return f"{self.style}, {self.outcome}, {', '.join(manners)}"

    @property
    def promise(self) -> Promise:
        """Return what may be expected: a key helps while it lives, and its answer may stay a doubt about one mail."""
        in_parts = self.outcome is Outcome.PARTLY_DOUBT
        return Promise(resend=self.resend, keys_fail=self.long_down or in_parts)


@dataclass(frozen=True, slots=True)
class Case:
    """One scene and where the processes die, counted in boundaries passed since the beginning."""

    scene: Scene
    crash_at: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.scene}; dies at {', '.join(map(str, self.crash_at)) or 'no point'}"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a case ended."""

    case: Case
    verdict: Verdict
    passed: int
    trace: list[str]


def scenes() -> Iterator[Scene]:
    """Return every scene; a way to end doubts that is not there needs no bad manners."""
    for style, outcome, batch in product(Style, ANSWERS, (1, 2)):
        if outcome in FOR_EACH_MAIL and (batch == 1 or style in ATOMIC):
            continue
        for resend, long_down in product((False, True), (False, True)):
            plain = Scene(style, outcome, batch, resend, long_down)
            yield plain
            if style in LOOKED_UP and not resend:
                yield replace(plain, lag=SETTLES - timedelta(minutes=1))
                yield replace(plain, lies=1)
                yield replace(plain, silent=2)


def chief_scenes() -> Iterator[Scene]:
    """Return the scenes whose every pair of crashes is worth its time."""
    chief = (Outcome.ACCEPTED, Outcome.TAKEN, Outcome.LOST)
    for style, outcome, batch in product(Style, chief, (1, 2)):
        yield Scene(style, outcome, batch)


def play(case: Case, *, plans: bool = False) -> Ended:
    """Play one case to its end and judge it."""
    scene = case.scene
    lay_out(with_people(4, planned=False) if plans else with_people(2 if scene.batch == 1 else 3, planned=True))
    stage = Stage(files=f"as it was, {'resend' if scene.resend else 'hold'}", crash_at=frozenset(case.crash_at))
    book = Book(scene.style, [scene.outcome], lag=scene.lag, lies=scene.lies, silent=scene.silent)
    run_to_rest(stage, book, scene.batch, LONG_DOWN if scene.long_down else SHORT_DOWN, plans=plans)
    stage.end()
    return Ended(case, judge(book, scene.promise), stage.passed, stage.trace)


def every_crash(scene: Scene, stride: int = 1, first: int = 1, *, plans: bool = False) -> Iterator[Ended]:
    """Play a scene without a crash, then with one at each place there is (or at every `stride`-th)."""
    yield play(Case(scene), plans=plans)
    for point in count(first, stride):
        ended = play(Case(scene, (point,)), plans=plans)
        if ended.passed < point:
            return
        yield ended


def every_crash_while_planning(stride: int = 1) -> Iterator[Ended]:
    """Play the course from the first scan on, over two days, two people at one address among them."""
    return every_crash(Scene(Style.REPLAYS, Outcome.ACCEPTED, 2), stride, plans=True)


def every_pair(scene: Scene, stride: int = 1) -> Iterator[Ended]:
    """Play a scene with two crashes, at each pair of places (the second at every `stride`-th)."""
    for first in count(1):
        if play(Case(scene, (first,))).passed < first:
            return
        for second in count(first + 1, stride):
            ended = play(Case(scene, (first, second)))
            if ended.passed < second:
                break
            yield ended
