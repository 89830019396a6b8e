"""What the provider tells while everything else goes on: it proves, however early or late it comes."""

from __future__ import annotations

import pytest

from tests.simulation.judge import Promise, judge
from tests.simulation.life import run_to_rest
from tests.simulation.provider import Book, Outcome, Style
from tests.simulation.shop import lay_out, with_people
from tests.simulation.stage import Process, Stage
from tests.simulation.story import Story


def _told(style: Style, point: str, *, dies: bool, resend: bool = False) -> tuple[list[str], int]:
    """Let the provider tell of the first mail at this point; return what was broken, and how many are unknown."""
    story = Story(1)
    lay_out(with_people(2, planned=True))
    story.stage = Stage(files=f"as it was, {'resend' if resend else 'hold'}")
    story.book = Book(style, [Outcome.TAKEN])

    def tell_once(process: Process, reached: str) -> None:
        if reached == point and story.book.taken and not story.news:
            story.tell_arrival(story.book.taken[0])
            if dies:
                story.stage.kill(process, reached)

    story.stage.meanwhile = tell_once
    run_to_rest(story.stage, story.book, 1)
    assert len(story.news) == 1
    verdict = judge(story.book, Promise(resend=resend, told=frozenset(story.news)))
    return verdict.faults + story.in_spite_of_news(), verdict.twice


@pytest.mark.parametrize("dies", [False, True], ids=["the process lives", "the process dies"])
@pytest.mark.parametrize(
    "point", ["once the provider has accepted", "before an answer of ['InDoubt']", "after a commit"]
)
def test_a_mail_that_was_told_of_is_never_unknown(point: str, dies: bool) -> None:
    assert _told(Style.NONE, point, dies=dies) == ([], 0)


@pytest.mark.parametrize(
    "point", ["once the provider has accepted", "before an answer of ['InDoubt']", "after a commit"]
)
def test_a_mail_that_was_told_of_is_not_sent_again(point: str) -> None:
    assert _told(Style.NONE, point, dies=False, resend=True) == ([], 0)


def test_news_does_not_disturb_a_key_or_a_look_up() -> None:
    told = [_told(style, "after a commit", dies=True) for style in (Style.REPLAYS, Style.PROVES, Style.LOOK_UP)]
    assert told == [([], 0)] * 3
