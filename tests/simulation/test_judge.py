"""Who judges the judge: small faults planted in the program must be seen, each by the promise it breaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from engine.domain import doubts
from engine.domain.words import Decision, InDoubt, NotSent, Reason, State
from engine.steps import recording, recovering, releasing, resolving
from engine.store.messages import Move
from tests.simulation import cases
from tests.simulation.cases import Case, Scene
from tests.simulation.life import run_to_rest
from tests.simulation.provider import SETTLES, Book, Outcome, Style
from tests.simulation.shop import lay_out, with_people
from tests.simulation.stage import Process, Stage
from tests.simulation.story import Story

CRASHES = range(6, 12, 2)
"""From the intent of the first call to the record of its result."""


def _found(scene: Scene, crashes: Sequence[int] = ()) -> set[str]:
    """Return which promises a scene breaks, without a crash or with one at each of these places."""
    played = [cases.play(Case(scene, (point,))) for point in crashes] if crashes else [cases.play(Case(scene))]
    return {fault.partition(":")[0] for ended in played for fault in ended.verdict.faults}


def _recovered(to: State) -> Callable[[Any], Move]:
    fate = recovering._fate

    def careless(row: Any) -> Move:
        return Move(row, to, values={"owner": ""}) if row.state is State.SENDING else fate(row)

    return careless


def test_a_recovery_that_sends_again_what_may_have_left_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(Style.REPLAYS, Outcome.ACCEPTED)
    assert _found(scene, CRASHES) == set()
    monkeypatch.setattr(recovering, "_fate", _recovered(State.RETRYING))
    assert "mailed twice" in _found(scene, CRASHES)


def test_a_recovery_that_takes_every_call_for_done_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovering, "_fate", _recovered(State.SENT))
    assert "said to be sent" in _found(Scene(Style.NONE, Outcome.ACCEPTED), CRASHES)


def test_a_doubt_that_is_taken_for_not_sent_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    moves = recording._moves

    def careless(app: Any, told: Any, now: Any) -> list[Move]:
        doubted = isinstance(told.result, InDoubt)
        return moves(app, replace(told, result=NotSent("surely not"), repeated=False) if doubted else told, now)

    monkeypatch.setattr(recording, "_moves", careless)
    assert "mailed twice" in _found(Scene(Style.LOOK_UP, Outcome.TAKEN))


def test_a_repeat_with_another_key_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    repeat = resolving.repeat

    def careless(*given: Any, **named: Any) -> Any:
        outgoing = repeat(*given, **named)
        return outgoing and replace(outgoing, key=outgoing.key[::-1])

    monkeypatch.setattr(resolving, "repeat", careless)
    assert "mailed twice" in _found(Scene(Style.PROVES, Outcome.TAKEN))


def test_a_repeat_with_other_bytes_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    repeat = resolving.repeat

    def careless(*given: Any, **named: Any) -> Any:
        outgoing = repeat(*given, **named)
        mails = outgoing.mails if outgoing else ()
        other = [replace(mail, email=replace(mail.email, subject="Noch einmal")) for mail in mails]
        return outgoing and replace(outgoing, mails=tuple(other))

    monkeypatch.setattr(resolving, "repeat", careless)
    found = _found(Scene(Style.REPLAYS, Outcome.LOST))
    assert any("came with other bytes" in fault or fault.endswith(("bytes", "call")) for fault in found)


def test_a_key_that_is_trusted_beyond_its_life_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    step = doubts.next_step
    monkeypatch.setattr(doubts, "next_step", lambda doubt, now: step(replace(doubt, first_at=now), now))
    scene = Scene(Style.REPLAYS, Outcome.TAKEN, long_down=True)
    assert "mailed twice" in _found(scene, CRASHES)


def test_one_negative_look_up_that_is_believed_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(Style.LOOK_UP, Outcome.TAKEN, lies=1)
    assert _found(scene) == set()
    monkeypatch.setattr(doubts, "LOOK_UPS_BELIEVED", 1)
    assert "mailed twice" in _found(scene)


def test_a_look_up_before_the_index_can_know_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(Style.LOOK_UP, Outcome.TAKEN, lag=SETTLES * 0.9)
    assert _found(scene) == set()
    monkeypatch.setattr(doubts, "_when", lambda way, _at, now: doubts.Step(way, now))
    assert "mailed twice" in _found(scene)


def test_a_look_up_that_is_never_made_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolving, "_look_up", lambda *_: None)
    assert "could be known, or sent again" in _found(Scene(Style.LOOK_UP, Outcome.LOST))


@pytest.mark.parametrize("proved", [False, True], ids=["in doubt", "proved"])
def test_a_batch_repeated_although_a_member_has_objected_is_caught(
    monkeypatch: pytest.MonkeyPatch, proved: bool
) -> None:
    assert _objected(2, _while_the_answer_is_awaited, proved=proved) == []
    inspect = releasing.inspect

    def careless(session: Any, app: Any, rows: Any, now: Any) -> Any:
        seen = inspect(session, app, rows, now)
        going = [replace(one, decision=Decision("send", basis=one.decision.basis)) for one in seen.messages]
        return replace(seen, messages=going)

    release = releasing.release_again

    def repeat(*given: Any, **named: Any) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(releasing, "inspect", careless)
            return release(*given, **named)

    monkeypatch.setattr(resolving, "release_again", repeat)
    assert _objected(2, _while_the_answer_is_awaited, proved=proved) != []


def _objected(batch: int, when: Callable[[Stage, str], bool], *, proved: bool = False) -> list[str]:
    """Let the first customer object at this moment; return what is released to them afterwards.

    With `proved` the provider has told of their mail before.
    """
    story = Story(1)
    lay_out(with_people(3, planned=True))
    story.stage = Stage(files="as it was, hold")
    story.book = Book(Style.REPLAYS, [Outcome.TAKEN])

    def object_once(_process: Process, point: str) -> None:
        if not story.noes and when(story.stage, point):
            if proved:
                story.tell_arrival(story.book.taken[0])
            story.object_now("0")

    story.stage.meanwhile = object_once
    run_to_rest(story.stage, story.book, batch)
    assert len(story.noes) == 1
    return story.written_after_a_no()


def _while_the_answer_is_awaited(_stage: Stage, point: str) -> bool:
    return point.startswith("before an answer")


def _between_rendering_and_release(stage: Stage, point: str) -> bool:
    return point == "write" and stage.passed == 4


def test_a_release_that_does_not_look_again_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _objected(1, _between_rendering_and_release) == []
    look_again = releasing._look_again

    def careless(session: Any, app: Any, letters: Any, now: Any, owner: str) -> Any:
        mine, refused = look_again(session, app, letters, now, owner)
        gone = {row.id for row, decision in refused if decision.reason in {Reason.OBJECTION, Reason.WITHDRAWN}}
        standing = {one.id: one for one in releasing.messages.by_ids(session, gone)}
        again = [(letter, replace(letter.one, row=standing[letter.one.row.id])) for letter in letters
                 if letter.one.row.id in gone]  # fmt: skip
        return mine + again, [one for one in refused if one[0].id not in gone]

    monkeypatch.setattr(releasing, "_look_again", careless)
    assert _objected(1, _between_rendering_and_release) != []
