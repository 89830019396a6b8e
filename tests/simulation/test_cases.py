"""Every place to die × every answer × every way to end a doubt: a slice of what `--exhaustive` plays."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tests.simulation import cases
from tests.simulation.cases import Case, Ended, Scene
from tests.simulation.judge import Verdict
from tests.simulation.provider import Outcome, Style

STRIDE = 8
"""In the suite a process dies at every eighth place, at other ones in each scene."""


def broken(endings: Iterable[Ended]) -> list[str]:
    """Return every broken promise with the case that replays it."""
    return [f"{ended.case}: {fault}" for ended in endings for fault in ended.verdict.faults]


@pytest.mark.parametrize("style", Style, ids=str)
def test_wherever_the_process_dies_nobody_is_mailed_twice_or_forgotten(style: Style) -> None:
    scenes = [scene for scene in cases.chief_scenes() if scene.style is style]
    endings = [
        ended for number, scene in enumerate(scenes) for ended in cases.every_crash(scene, STRIDE, 1 + number % STRIDE)
    ]
    assert broken(endings) == []
    assert len(endings) >= len(scenes) * 3


@pytest.mark.parametrize("style", Style, ids=str)
def test_whatever_the_provider_answers_the_end_is_as_promised(style: Style) -> None:
    scenes = [scene for scene in cases.scenes() if scene.style is style]
    shown = [(scene, 3 + number % 17) for number, scene in enumerate(scenes) if number % 9 == 4]
    assert broken(cases.play(Case(scene, (point,))) for scene, point in shown) == []
    assert {scene.resend for scene, _ in shown} == {scene.long_down for scene, _ in shown} == {True, False}


def test_two_crashes_in_a_row_break_nothing_that_one_does_not() -> None:
    scenes = [scene for scene in cases.chief_scenes() if scene.outcome is Outcome.TAKEN and scene.batch == 2]
    pairs = [(5 + 5 * number, 9 + 7 * number) for number in range(3)]
    assert broken(cases.play(Case(scene, pair)) for scene in scenes for pair in pairs) == []


def test_a_planner_that_dies_anywhere_leaves_everybody_planned_once() -> None:
    endings = list(cases.every_crash_while_planning(6))
    assert broken(endings) == []
    assert {ended.verdict.messages for ended in endings} == {4}
    assert sum(len(ended.case.crash_at) for ended in endings) >= 6


@pytest.mark.parametrize(("resend", "twice", "unknown"), [(False, 0, 1), (True, 1, 0)])
def test_where_nobody_can_know_the_campaign_decides(resend: bool, twice: int, unknown: int) -> None:
    verdict: Verdict = cases.play(Case(Scene(Style.NONE, Outcome.TAKEN, resend=resend))).verdict
    assert (verdict.twice, verdict.unknown, verdict.forgotten, verdict.faults) == (twice, unknown, 0, [])


def test_the_count_of_combinations_is_what_the_long_form_plays() -> None:
    scenes = list(cases.scenes())
    assert len(scenes) == len(set(scenes)) >= 600
    assert {(scene.style, scene.outcome) for scene in scenes} >= {
        (style, outcome) for style in Style for outcome in Outcome if outcome not in cases.FOR_EACH_MAIL
    }
