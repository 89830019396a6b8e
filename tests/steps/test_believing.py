# ruff: noqa: ARG002  (a voice is asked with all it may need)
"""A proof that a mail was taken is believed whenever it comes, and wherever the message stands by then."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from engine.clock import stopped_at
from engine.domain.news import DeliveryNews, NewsKind
from engine.domain.words import Absent, Accepted, Call, Email, Finding, InDoubt, NotSent, Reason, Result
from engine.errors import StoreBusy
from engine.providers.contract import Recovery
from engine.steps import calling, claiming, receiving, recording, recovering, resolving, sending
from engine.steps.calling import Flight, Landed
from engine.steps.claiming import Run
from engine.steps.releasing import Outgoing
from engine.store import delivery_events
from tests.conftest import CONFIG, MakeApp
from tests.people import NOW
from tests.steps.sending_shop import BIRTHDAY, add_birthdays, later, rows, send, states, tick

if TYPE_CHECKING:
    from sqlmodel import Session

    from engine.app import App

ALL_DAY = f'{BIRTHDAY}[send]\nbetween = "00:00-24:00"\n'
RESEND = ALL_DAY.replace('kind = "birthday"\n', 'kind = "birthday"\non_doubt = "resend"\n', 1)
REAL = CONFIG.replace(
    'use = "outbox"', 'use = "brevo"\nbase_url = "http://127.0.0.1:9"\napi_key_file = "wording.txt"'
).replace("[wording.", '[web]\npublic_url = "https://post.radhaus-sommer.example.com"\n\n[wording.', 1)
LOOK_UP = Recovery(settles=timedelta(minutes=15))


class Voice:
    """A provider whose index lags: it has seen no mail yet. `amid` is done while the first call is under way."""

    name = "brevo"
    rehearsal = False
    senders = 1
    batch = 1

    def __init__(self, answer: Result, recovery: Recovery = LOOK_UP) -> None:
        self.answer, self.recovery = answer, recovery
        self.amid: Callable[[], None] = lambda: None
        self.given: list[str] = []

    def send(self, call: Call) -> list[Result]:
        self.given += [email.message_id for email in call.emails]
        if len(self.given) == 1:
            self.amid()
        return [self.answer for _ in call.emails]

    def look_up(self, emails: Sequence[Email], since: object) -> list[Finding]:
        return [Absent() for _ in emails]

    def close(self) -> None:
        pass


def _shop(make_app: MakeApp, voice: Voice, campaign: str = ALL_DAY, people: int = 1) -> App:
    home = make_app().home  # the key's file is read, but no call leaves through it
    (home / "wording.txt").chmod(0o600)
    app = replace(make_app(config=REAL, campaigns={"birthday": campaign}), provider=voice)
    add_birthdays(app, people)
    return app


def _tell(app: App, message_id: str, minute: int) -> receiving.Received:
    news = DeliveryNews(NewsKind.DELIVERED, f"event-{message_id}", message_id, "theirs", NOW)
    return receiving.take(app, "brevo", [news], later(minute))


def _wait(event: threading.Event) -> None:
    assert event.wait(20)


def _reasons(app: App) -> list[tuple[str, Reason | None]]:
    return [(row.state.value, row.reason) for row in rows(app)]


def test_a_late_yes_keeps_a_mail_that_was_looked_up_in_vain_from_going_twice(make_app: MakeApp) -> None:
    voice = Voice(Accepted("first"))
    app = _shop(make_app, voice)

    def taken_for_dead() -> None:
        recovering.recover_now(app, later(5), everything=True)
        for minute in (16, 31, 32):
            resolving.resolve(app, stopped_at(later(minute)), look_up=True)
        assert states(app) == {"retrying": 1}

    voice.amid = taken_for_dead
    tick(app)
    send(app, later(45))
    assert len(voice.given) == 1
    assert _reasons(app) == [("skipped", Reason.PROVED)]


def test_a_late_yes_keeps_a_mail_that_is_sent_again_in_doubt_from_going_twice(make_app: MakeApp) -> None:
    voice = Voice(Accepted("first"), Recovery())
    app = _shop(make_app, voice, RESEND)

    def taken_for_dead() -> None:
        recovering.recover_now(app, later(5), everything=True)
        resolving.resolve(app, stopped_at(later(5)), look_up=True)
        assert states(app) == {"retrying": 1}

    voice.amid = taken_for_dead
    tick(app)
    send(app, later(45))
    assert len(voice.given) == 1


def test_a_late_yes_is_found_by_the_call_that_was_begun_meanwhile_and_did_not_go(make_app: MakeApp) -> None:
    voice = Voice(Accepted("first"), Recovery())
    app = _shop(make_app, voice, RESEND)

    second = Voice(NotSent("429"), Recovery())

    def sent_again() -> None:
        recovering.recover_now(app, later(5), everything=True)
        resolving.resolve(app, stopped_at(later(5)), look_up=True)
        claiming.fill(run)
        assert sending._launch(run)

    voice.amid = sent_again
    with Flight(second) as flight:
        run = Run(replace(app, provider=second), stopped_at(later(10)), threading.Event(), flight)
        tick(app)
        assert states(app) == {"sending": 1}
        sending._land(run)
    send(app, later(45))
    assert (len(voice.given), len(second.given)) == (1, 1)
    assert _reasons(app) == [("sent", Reason.PROVED)]


def test_what_is_told_while_the_next_call_waits_is_believed_though_that_is_not_begun(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    voice = Voice(InDoubt("no answer"))
    app = _shop(make_app, voice)
    tick(app)
    send(app, later(16))

    def told_and_too_late(flight: calling.Flight, outgoing: Outgoing, _at: float) -> None:
        assert _tell(app, outgoing.mails[0].row.message_id, 31).kept == 1
        flight._ended.put(Landed(outgoing, None))

    with monkeypatch.context() as patch:
        patch.setattr(calling.Flight, "_call", told_and_too_late)
        for _ in range(2):
            send(app, later(31))
    assert _reasons(app) == [("sent", Reason.PROVED)]
    voice.answer = Accepted("second")
    send(app, later(40))
    assert len(voice.given) == 1


def test_what_is_told_amid_the_record_waits_for_it_and_is_believed(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    voice = Voice(InDoubt("no answer"))
    app = _shop(make_app, voice)
    tick(app)
    send(app, later(16))
    voice.answer = NotSent("429")
    look, threads = delivery_events.proof, list[threading.Thread]()

    def and_then_it_comes(session: Session, messages: Sequence[int]) -> set[int]:
        found = look(session, messages)
        if messages and len(voice.given) == 2 and not threads:
            threads.append(threading.Thread(target=_tell, args=(app, voice.given[0], 31)))
            threads[0].start()
            threads[0].join(0.5)  # time enough to be committed, were it not held up
        return found

    with monkeypatch.context() as patch:
        patch.setattr(recording.delivery_events, "proof", and_then_it_comes)
        for _ in range(2):
            send(app, later(31))
    threads[0].join(20)
    voice.answer = Accepted("third")
    send(app, later(45))
    assert len(voice.given) == 2
    assert _reasons(app) == [("skipped", Reason.PROVED)]


def test_a_store_that_is_busy_for_the_next_release_loses_no_answer(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    voice = Voice(NotSent("451 try again later"), Recovery())
    voice.senders = 2
    app = _shop(make_app, voice, people=6)
    launch, under_way, times = sending._launch, threading.Event(), list[int]()
    voice.amid = lambda: _wait(under_way)

    def busy_the_second_time(run: sending.Run) -> bool:
        times.append(1)
        if len(times) == 2:
            under_way.set()
            raise StoreBusy("The store is held by another program.")
        return launch(run)

    with monkeypatch.context() as patch:
        patch.setattr(sending, "_launch", busy_the_second_time)
        with pytest.raises(StoreBusy):
            tick(app)
    assert voice.given
    send(app, later(1))
    assert states(app)["unknown"] == states(app)["in_doubt"] == 0
