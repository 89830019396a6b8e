"""Sending when something goes wrong: nobody twice, nothing lost, and the log knows."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from engine.clock import stopped_at
from engine.domain.breaker import THRESHOLD
from engine.domain.permission import ConsentState
from engine.domain.retry import MAX_ATTEMPTS
from engine.domain.words import Accepted, Call, CannotTell, Email, Finding, InDoubt, NotSent, Reason, Result, State
from engine.errors import StoreFull
from engine.providers.contract import Recovery
from engine.steps import calling, claiming, planning, releasing, sending
from engine.store import budgets, consents
from engine.store.consents import NewConsent
from tests.conftest import MakeApp
from tests.people import NOW
from tests.providers.conftest import Served
from tests.steps.sending_shop import (
    ATTEMPTS,
    BIRTHDAY,
    BODIES,
    EVENTS,
    add_birthdays,
    later,
    real_config,
    rows,
    send,
    states,
    tick,
)

RESEND = BIRTHDAY.replace('kind = "birthday"\n', 'kind = "birthday"\non_doubt = "resend"\n', 1)


class Scripted:
    """A provider that answers as it is told, and keeps what it was given."""

    name = "scripted"
    rehearsal = False
    senders = 4
    batch = 1
    recovery = Recovery()

    def __init__(self, answer: Result) -> None:
        self.answer = answer
        self.given: list[Email] = []

    def send(self, call: Call) -> list[Result]:
        self.given += call.emails
        return [self.answer for _ in call.emails]

    def look_up(self, emails: Sequence[Email], since: datetime) -> list[Finding]:  # noqa: ARG002
        return [CannotTell("scripted") for _ in emails]

    def close(self) -> None:
        pass


def test_what_was_made_before_the_provider_fell_silent_does_not_go(make_app: MakeApp) -> None:
    provider = Scripted(InDoubt("no answer within 30 s"))
    app = replace(make_app(campaigns={"birthday": BIRTHDAY}), provider=provider)
    add_birthdays(app, 60)
    tick(app)
    assert THRESHOLD <= len(provider.given) < THRESHOLD + 2 * provider.senders
    assert states(app)["planned"] == 60 - len(provider.given)


@pytest.mark.parametrize("mode", ["accept_then_500", "accept_then_cut", "accept_without_id", "accept_then_502_html"])
def test_a_doubt_is_proved_by_the_identical_call(make_app: MakeApp, brevo: Served, mode: str) -> None:
    app = make_app(config=real_config(brevo), campaigns={"birthday": BIRTHDAY})
    add_birthdays(app, 6)
    brevo.double.switch(mode)
    tick(app)
    assert states(app) == {"in_doubt": 6}
    brevo.double.switch("accept")
    tick(app, later(1))
    assert {(row.state.value, row.reason) for row in rows(app)} == {("sent", Reason.PROVED)}
    assert len(brevo.double.mails()) == 6
    bodies = Counter(json.dumps(request["body"], sort_keys=True) for request in brevo.double.requests)
    assert set(bodies.values()) == {2}


@pytest.mark.parametrize("mode", ["accept_then_500", "cut"])
def test_a_doubt_nobody_can_end_is_called_unknown_and_never_mailed_again(make_app: MakeApp, mode: str) -> None:
    provider = Scripted(InDoubt(mode))
    app = replace(make_app(campaigns={"birthday": BIRTHDAY}), provider=provider)
    add_birthdays(app, 6)
    tick(app)
    tick(app, later(60))
    assert {(row.state.value, row.reason) for row in rows(app)} == {("unknown", Reason.NO_PROOF)}
    assert len(provider.given) == 6
    assert {attempt.result for attempt in rows(app, ATTEMPTS)} == {"in_doubt"}


def test_on_doubt_resend_tries_again_with_the_same_bytes(make_app: MakeApp) -> None:
    provider = Scripted(InDoubt("silence"))
    app = replace(make_app(campaigns={"birthday": RESEND}), provider=provider)
    add_birthdays(app, 1)
    tick(app)
    assert states(app) == {"retrying": 1}
    provider.answer = Accepted("1")
    tick(app, later(5))
    assert states(app) == {"sent": 1}
    first, second = provider.given
    assert first == second


def test_throttling_stops_the_provider_and_burns_no_attempt(make_app: MakeApp, brevo: Served) -> None:
    app = make_app(config=real_config(brevo), campaigns={"birthday": BIRTHDAY})
    add_birthdays(app, 30)
    brevo.double.switch("throttle")
    report = tick(app)
    assert report.stop is not None
    assert report.stop.until == NOW + timedelta(seconds=7)
    assert len(brevo.double.requests) <= 4
    assert {row.attempts for row in rows(app)} == {0}
    assert send(app, NOW + timedelta(seconds=6)).counts.get("claimed", 0) == 0
    brevo.double.switch("accept")
    send(app, later(1))
    assert states(app) == {"sent": 30}
    with app.database.read() as session:
        assert budgets.find_stop(session, "brevo") is None


def test_refused_credentials_are_told_and_cost_no_message(make_app: MakeApp, brevo: Served) -> None:
    app = make_app(config=real_config(brevo), campaigns={"birthday": BIRTHDAY})
    add_birthdays(app, 10)
    brevo.double.switch("unauthorized")
    report = tick(app)
    assert report.credentials_refused
    assert set(states(app)) <= {"planned", "retrying"}
    assert brevo.double.mails() == []


def test_once_the_owner_has_mended_the_key_everything_goes_at_once(make_app: MakeApp, brevo: Served) -> None:
    app = make_app(config=real_config(brevo), campaigns={"birthday": BIRTHDAY})
    add_birthdays(app, 10)
    brevo.double.switch("unauthorized")
    tick(app)
    brevo.double.switch("accept")
    with app.database.write() as session:
        budgets.lift_stop(session, "brevo")
    send(app, later(1))
    assert states(app) == {"sent": 10}


def test_an_address_the_provider_calls_dead_is_never_written_to_again(make_app: MakeApp, brevo: Served) -> None:
    app = make_app(config=real_config(brevo), campaigns={"birthday": BIRTHDAY})
    add_birthdays(app, 1)
    brevo.double.switch("bad_recipient", 1)
    tick(app)
    assert [(row.state.value, row.reason) for row in rows(app)] == [("rejected", Reason.REFUSED_BY_PROVIDER)]
    with app.database.read() as session:
        (scope, reason), *_ = session.connection().exec_driver_sql("SELECT scope, reason FROM suppression").all()
    assert (scope, reason) == ("all", "hard_bounce")


def test_a_message_is_tried_eight_times_and_then_given_up(make_app: MakeApp) -> None:
    provider = Scripted(NotSent("busy"))
    app = replace(make_app(campaigns={"birthday": BIRTHDAY}), provider=provider)
    add_birthdays(app, 1)
    planning.plan(app, NOW)
    tries = [(send(app, later(61 * number)), states(app)) for number in range(MAX_ATTEMPTS + 1)]
    assert [counted for _, counted in tries[:7]] == [{"retrying": 1}] * 7
    assert tries[-1][1] == {"failed": 1}
    assert rows(app)[0].reason is Reason.TOO_MANY_ATTEMPTS
    assert len(provider.given) == MAX_ATTEMPTS
    assert len({attempt.sha256 for attempt in rows(app, ATTEMPTS)}) == 1
    assert [attempt.fence for attempt in rows(app, ATTEMPTS)] == list(range(1, MAX_ATTEMPTS + 1))


def test_a_provider_that_raises_leaves_doubt(make_app: MakeApp) -> None:
    class Broken(Scripted):
        def send(self, call: Call) -> list[Result]:
            raise RuntimeError(f"bug with {len(call.emails)}")

    app = replace(make_app(campaigns={"birthday": BIRTHDAY}), provider=Broken(Accepted("1")))
    add_birthdays(app, 2)
    tick(app)
    assert states(app) == {"unknown": 2}


def test_an_intent_that_cannot_be_written_sends_nothing(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = Scripted(Accepted("1"))
    app = replace(make_app(campaigns={"birthday": BIRTHDAY}), provider=provider)
    add_birthdays(app, 3)

    def full(*_: object, **__: object) -> None:
        raise StoreFull("No space is left.")

    with monkeypatch.context() as patch:
        patch.setattr(releasing.attempts, "begin", full)
        with pytest.raises(StoreFull):
            tick(app)
    assert provider.given == []
    assert {row.attempts for row in rows(app)} == {0}
    send(app, later(1))
    send(app, later(2))
    assert states(app) == {"sent": 3}


def test_a_result_that_cannot_be_written_stops_everything_and_is_doubt(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Scripted(Accepted("1"))
    app = replace(make_app(campaigns={"birthday": BIRTHDAY}), provider=provider)
    add_birthdays(app, 10)

    def full(*_: object, **__: object) -> Counter[str]:
        raise StoreFull("No space is left.")

    with monkeypatch.context() as patch:
        patch.setattr(sending, "record", full)
        with pytest.raises(StoreFull):
            tick(app)
    called = len(provider.given)
    assert 0 < called <= 4
    send(app, later(1))
    send(app, later(2))
    left = states(app)
    assert called <= left["unknown"] <= 4  # a call may have been released and not begun
    assert left["sent"] == 10 - left["unknown"] == len(provider.given) - called
    assert len({mail.message_id for mail in provider.given}) == len(provider.given)


def test_a_call_that_would_begin_too_late_is_not_made(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = Scripted(Accepted("1"))
    app = replace(make_app(campaigns={"birthday": BIRTHDAY}), provider=provider)
    add_birthdays(app, 2)
    ticks = iter(range(0, 1000, 2))
    monkeypatch.setattr(calling, "stopwatch", lambda: float(next(ticks)))
    monkeypatch.setattr(sending, "stopwatch", lambda: -10.0)
    tick(app)
    assert provider.given == []
    assert [(row.state.value, row.reason, row.attempts) for row in rows(app)] == [
        ("retrying", Reason.GIVEN_BACK, 0)
    ] * 2
    assert {attempt.result for attempt in rows(app, ATTEMPTS)} == {"not_begun"}


def test_a_stop_in_full_flight_leaves_nothing_claimed_or_sending(make_app: MakeApp) -> None:
    stop = threading.Event()

    class Stopping(Scripted):
        def send(self, call: Call) -> list[Result]:
            stop.set()
            return super().send(call)

    provider = Stopping(Accepted("1"))
    app = replace(make_app(campaigns={"birthday": BIRTHDAY}), provider=provider)
    add_birthdays(app, 60)
    planning.plan(app, NOW)
    sending.send_due(app, stopped_at(NOW), stop=stop)
    assert states(app) == {"sent": len(provider.given), "planned": 60 - len(provider.given)}
    assert 0 < len(provider.given) < 60


def test_a_changed_address_ends_a_mail_that_was_frozen(make_app: MakeApp) -> None:
    app = replace(make_app(campaigns={"birthday": BIRTHDAY}), provider=Scripted(NotSent("busy")))
    add_birthdays(app, 1)
    tick(app)
    with app.database.write() as session:
        session.connection().exec_driver_sql(
            "INSERT INTO address (exact, canonical, email, created_at) SELECT 'new@example.com', 'new@example.com', "
            "'new@example.com', created_at FROM address LIMIT 1"
        )
        session.connection().exec_driver_sql(
            "UPDATE customer SET address_id = (SELECT id FROM address WHERE exact = 'new@example.com')"
        )
    tick(app, later(5))
    assert [(row.state.value, row.reason) for row in rows(app)] == [("skipped", Reason.DATA_CHANGED)]


def test_a_withdrawal_between_rendering_and_release_is_heard(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Scripted(Accepted("1"))
    app = replace(make_app(campaigns={"birthday": BIRTHDAY}), provider=provider)
    add_birthdays(app, 2)
    render = claiming._render

    def withdraw_meanwhile(*given: object) -> object:
        letters = render(*given)  # type: ignore[arg-type]
        with app.database.write() as session:
            consents.append(session, [NewConsent(1, ConsentState.WITHDRAWN)], NOW, "test")
        return letters

    monkeypatch.setattr(claiming, "_render", withdraw_meanwhile)
    tick(app)
    assert {mail.to for mail in provider.given} == {"k1@example.com"}
    assert Counter((row.state.value, row.reason) for row in rows(app)) == {
        ("skipped", Reason.WITHDRAWN): 1,
        ("sent", None): 1,
    }


def test_a_mail_that_was_frozen_is_sent_as_it_was(make_app: MakeApp) -> None:
    provider = Scripted(NotSent("busy"))
    app = replace(make_app(campaigns={"birthday": BIRTHDAY}), provider=provider)
    add_birthdays(app, 1)
    tick(app)
    provider.answer = Accepted("1")
    edited = make_app(campaigns={"birthday": BIRTHDAY.replace("alles Gute.", "viel Glück.")}, now=later(5))
    tick(replace(edited, provider=provider), later(5))
    first, second = provider.given
    assert first == second
    assert len(rows(app, BODIES)) == 1


def test_every_transition_is_allowed_and_has_an_actor(make_app: MakeApp, brevo: Served) -> None:
    from engine.domain.states import may_go

    app = make_app(config=real_config(brevo), campaigns={"birthday": BIRTHDAY})
    add_birthdays(app, 40)
    brevo.double.switch("mixed_fast")
    for minute in range(0, 30, 10):
        tick(app, later(minute))
        brevo.double.switch("accept")
    events = rows(app, EVENTS)
    assert events
    assert all(event.actor for event in events)
    assert all(may_go(State(event.before), State(event.after)) for event in events if event.before)
    accepted = {mail["mid"] for mail in brevo.double.mails()}
    told = {
        state: {row.message_id for row in rows(app) if row.state.value == state}
        for state in ("sent", "unknown", "in_doubt")
    }
    assert told["sent"]
    assert told["sent"] <= accepted <= set().union(*told.values())
