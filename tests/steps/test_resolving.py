"""Doubts and how they end: the identical call again, a look-up, or an honest "unknown"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import select

from engine.app import App
from engine.clock import stopped_at
from engine.domain.news import DeliveryNews, NewsKind
from engine.domain.words import (
    Absent,
    Accepted,
    Call,
    CannotTell,
    Email,
    Finding,
    Found,
    InDoubt,
    NotSent,
    Reason,
    Refused,
    Result,
)
from engine.providers.contract import Recovery
from engine.steps import resolving, subscribing
from engine.store import delivery_events
from engine.store.message_tables import ProviderCall
from engine.store.tables import Customer
from tests.conftest import CONFIG, MakeApp
from tests.people import NOW, add_service_item
from tests.steps.sending_shop import ATTEMPTS, BIRTHDAY, SERVICE, add_birthdays, later, rows, send, states, tick

CALLS: sa.Table = ProviderCall.__table__  # type: ignore[attr-defined]
KEY = Recovery(replays=timedelta(minutes=12))
OWN_ID = Recovery(settles=timedelta(minutes=15))
SECOND = timedelta(seconds=1)


class Voice:
    """A provider that answers as it is told, and keeps what it was given and asked."""

    name = "voice"
    rehearsal = False
    senders = 1

    def __init__(self, recovery: Recovery, *, batch: int = 1) -> None:
        self.recovery, self.batch = recovery, batch
        self.answer: Result = InDoubt("silence")
        self.finding: Finding = Absent()
        self.calls: list[Call] = []
        self.asked: list[str] = []

    def send(self, call: Call) -> list[Result]:
        self.calls.append(call)
        return [self.answer for _ in call.emails]

    def look_up(self, emails: Sequence[Email], since: datetime) -> list[Finding]:
        assert since <= NOW + timedelta(days=3)
        self.asked += [email.message_id for email in emails]
        return [self.finding for _ in emails]

    def close(self) -> None:
        pass


def _shop(make_app: MakeApp, voice: Voice, people: int = 3) -> App:
    app = replace(make_app(campaigns={"birthday": BIRTHDAY}), provider=voice)
    add_birthdays(app, people)
    tick(app)
    assert states(app) == {"in_doubt": people}
    return app


def _reasons(app: App) -> list[tuple[str, Reason | None]]:
    return [(row.state.value, row.reason) for row in rows(app)]


def _prove(app: App, voice: Voice, place: int, minute: int = 1) -> None:
    """Let the mail at this place be proved by news that came amid its call."""
    row = rows(app)[place]
    with app.database.write() as session:
        event = DeliveryNews(NewsKind.DELIVERED, f"event-{place}", row.message_id, "", NOW)
        delivery_events.keep(session, voice.name, [event], {row.message_id: row.id}, NOW)
    assert resolving.resolve(app, stopped_at(later(minute)), look_up=False).counts["sent"] == 1


def test_the_identical_batch_goes_again_with_its_key_and_order(make_app: MakeApp) -> None:
    voice = Voice(KEY, batch=3)
    app = _shop(make_app, voice)
    voice.answer = Accepted("4711")
    send(app, NOW + 5 * SECOND)
    first, again = voice.calls
    assert again == first
    assert len(first.emails) == 3
    assert _reasons(app) == [("sent", Reason.PROVED)] * 3
    (call,) = rows(app, CALLS)
    assert (call.key, call.members, call.made) == (first.key, 3, 2)
    parts = [(attempt.call_id, attempt.fence, attempt.position) for attempt in rows(app, ATTEMPTS)]
    assert parts == [(call.id, fence, position) for fence in (1, 2) for position in range(3)]


def test_a_repeat_that_did_not_go_leaves_the_first_doubt(make_app: MakeApp) -> None:
    voice = Voice(KEY)
    app = _shop(make_app, voice, 1)
    for minute, answer in enumerate((NotSent("busy"), Refused("no"), InDoubt("silence")), 1):
        voice.answer = answer
        send(app, later(3 * minute))
        assert states(app) == {"in_doubt": 1}
    send(app, later(12))
    assert _reasons(app) == [("unknown", Reason.NO_PROOF)]
    assert len(voice.calls) == 4


def test_a_repeat_that_was_refused_whole_leaves_the_doubt_and_can_be_repeated_again(make_app: MakeApp) -> None:
    voice = Voice(KEY, batch=3)
    app = _shop(make_app, voice)
    voice.answer = NotSent("one of 3 mails in a batch", whole=True)
    send(app, later(3))
    assert states(app) == {"in_doubt": 3}
    voice.answer = Accepted("4711")
    send(app, later(6))
    assert _reasons(app) == [("sent", Reason.PROVED)] * 3
    assert voice.calls == [voice.calls[0]] * 3


def test_nothing_is_repeated_once_the_key_may_be_forgotten(make_app: MakeApp) -> None:
    voice = Voice(KEY)
    app = _shop(make_app, voice, 1)
    send(app, later(12))
    assert len(voice.calls) == 1
    assert _reasons(app) == [("unknown", Reason.NO_PROOF)]


def test_a_batch_with_somebody_who_withdrew_is_never_repeated(make_app: MakeApp) -> None:
    voice = Voice(Recovery(KEY.replays, OWN_ID.settles), batch=3)
    app = _shop(make_app, voice)
    subscribing.object_from_any_channel(app, "1", "am Telefon", later(1))
    send(app, later(2))
    send(app, later(3))
    assert len(voice.calls) == 1
    voice.finding = Found("4711")
    send(app, later(16))
    assert _reasons(app) == [("sent", Reason.PROVED)] * 3
    assert len(voice.calls) == 1


def test_where_the_proved_mail_may_not_be_written_again_the_others_are_looked_up(make_app: MakeApp) -> None:
    voice = Voice(Recovery(KEY.replays, OWN_ID.settles), batch=3)
    app = _shop(make_app, voice)
    _prove(app, voice, 1)
    subscribing.object_from_any_channel(app, "1", "am Telefon", later(1))
    for minute in (2, 3):
        send(app, later(minute))
    assert [state for state, _ in _reasons(app)] == ["in_doubt", "sent", "in_doubt"]
    assert (len(voice.calls), voice.asked) == (1, [])
    voice.finding = Found("4711")
    send(app, later(16))
    assert _reasons(app) == [("sent", Reason.PROVED)] * 3
    assert len(voice.calls) == 1


def test_a_proof_that_may_be_about_an_earlier_call_lets_no_later_one_be_repeated(make_app: MakeApp) -> None:
    voice = Voice(KEY, batch=2)
    app = replace(make_app(campaigns={"birthday": f'on_doubt = "resend"\n{BIRTHDAY}'}), provider=voice)
    add_birthdays(app, 2)
    tick(app)
    for minute in (12, 20):  # the key is too old, and the mails go out anew in another call
        send(app, later(minute))
    assert (len({call.key for call in voice.calls}), states(app)) == (2, {"in_doubt": 2})
    made = len(voice.calls)
    _prove(app, voice, 0, 21)
    send(app, later(22))
    assert len(voice.calls) == made
    assert [state for state, _ in _reasons(app)] == ["sent", "retrying"]


def test_a_call_that_went_after_one_that_did_not_is_repeated_with_its_proved_mail(make_app: MakeApp) -> None:
    voice = Voice(KEY, batch=2)
    voice.answer = NotSent("busy")
    app = replace(make_app(campaigns={"birthday": BIRTHDAY}), provider=voice)
    add_birthdays(app, 2)
    tick(app)
    voice.answer = InDoubt("silence")
    send(app, later(10))
    _prove(app, voice, 0, 11)
    voice.answer = Accepted("4711")
    send(app, later(12))
    assert _reasons(app) == [("sent", Reason.PROVED)] * 2
    assert voice.calls[2] == voice.calls[1] != voice.calls[0]


def test_a_repeat_names_the_number_of_a_mail_that_was_proved_without_one(make_app: MakeApp) -> None:
    voice = Voice(KEY, batch=2)
    app = _shop(make_app, voice, 2)
    _prove(app, voice, 0)
    assert [row.provider_id for row in rows(app)] == ["", ""]
    voice.answer = Accepted("4711")
    send(app, later(2))
    assert [row.provider_id for row in rows(app)] == ["4711", "4711"]


def test_a_campaign_that_is_off_for_a_moment_costs_no_doubt_its_key(make_app: MakeApp) -> None:
    voice = Voice(KEY)
    app = _shop(make_app, voice, 1)
    send(replace(app, campaigns=()), later(1))
    assert (len(voice.calls), states(app)) == (1, {"in_doubt": 1})
    voice.answer = Accepted("4711")
    send(app, later(7))
    assert _reasons(app) == [("sent", Reason.PROVED)]


def test_a_campaign_that_stays_off_until_the_key_is_old_leaves_the_doubt(make_app: MakeApp) -> None:
    voice = Voice(KEY)
    app = replace(_shop(make_app, voice, 1), campaigns=())
    for minute in range(1, 12):
        send(app, later(minute))
        assert states(app) == {"in_doubt": 1}
    send(app, later(12))
    assert _reasons(app) == [("unknown", Reason.NO_PROOF)]
    assert len(voice.calls) == 1


def test_a_repeat_waits_for_the_hours_in_which_one_may_write(make_app: MakeApp) -> None:
    voice = Voice(Recovery(timedelta(hours=24)))
    evening = BIRTHDAY + '[send]\nbetween = "09:00-09:35"\n'
    app = replace(make_app(campaigns={"birthday": evening}), provider=voice)
    add_birthdays(app, 1)
    tick(app)
    voice.answer = Accepted("4711")
    send(app, later(10))
    assert len(voice.calls) == 1
    assert states(app) == {"in_doubt": 1}
    send(app, later(24 * 60 - 20))
    assert len(voice.calls) == 2
    assert states(app) == {"sent": 1}


def test_one_no_is_not_believed_and_after_two_the_mail_goes_out_anew(make_app: MakeApp) -> None:
    voice = Voice(OWN_ID)
    app = _shop(make_app, voice, 2)
    for minute in (1, 14):
        send(app, later(minute))
    assert voice.asked == []
    send(app, later(15))
    assert (len(voice.asked), states(app)) == (2, {"in_doubt": 2})
    send(app, later(29))
    assert (len(voice.asked), states(app)) == (2, {"in_doubt": 2})
    voice.answer = Accepted("4711")
    send(app, later(30))
    send(app, later(31))
    assert len(voice.asked) == 4
    assert states(app) == {"sent": 2}
    keys = [call.key for call in voice.calls]
    assert len(set(keys)) == 4


def test_what_a_look_up_finds_is_proof_at_once(make_app: MakeApp) -> None:
    voice = Voice(OWN_ID)
    app = _shop(make_app, voice, 1)
    voice.finding = Found("4711", "delivered")
    send(app, later(15))
    (row,) = rows(app)
    assert (row.state.value, row.reason, row.provider_id) == ("sent", Reason.PROVED, "4711")
    assert len(voice.calls) == 1


def test_a_look_up_without_an_answer_counts_for_nothing(make_app: MakeApp) -> None:
    voice = Voice(OWN_ID)
    app = _shop(make_app, voice, 1)
    voice.finding = CannotTell("500")
    for minute in range(15, 600, 20):
        send(app, later(minute))
    assert states(app) == {"in_doubt": 1}
    assert rows(app)[0].look_ups == 0
    send(app, later(3 * 24 * 60))
    assert _reasons(app) == [("unknown", Reason.NO_PROOF)]
    assert len(voice.calls) == 1


def test_a_doubt_of_another_provider_waits_two_days_for_it_and_is_then_called_unknown(make_app: MakeApp) -> None:
    app = _shop(make_app, Voice(KEY), 1)
    other = Voice(KEY)
    other.name = "other"
    send(replace(app, provider=other), later(60))
    assert _reasons(app) == [("in_doubt", Reason.NO_ANSWER)]
    send(replace(app, provider=other), NOW + timedelta(hours=49))
    assert _reasons(app) == [("unknown", Reason.NO_PROOF)]
    assert other.calls == []
    assert other.calls == []


def test_a_mail_in_doubt_is_no_reason_against_itself(make_app: MakeApp) -> None:
    voice = Voice(KEY)
    capped = BIRTHDAY + '[limit]\nat_most = "1 per 30 days"\n'
    app = replace(
        make_app(
            config=CONFIG.replace("[wording.", '[rules]\nat_most = ["1 per 7 days"]\n\n[wording.', 1),
            campaigns={"birthday": capped},
        ),
        provider=voice,
    )
    add_birthdays(app, 1)
    tick(app)
    voice.answer = Accepted("4711")
    send(app, later(1))
    assert _reasons(app) == [("sent", Reason.PROVED)]


def test_what_the_provider_told_while_the_call_was_under_way_ends_the_doubt(make_app: MakeApp) -> None:
    voice = Voice(OWN_ID)
    app = _shop(make_app, voice, 2)
    first, _ = rows(app)
    with app.database.write() as session:
        event = DeliveryNews(NewsKind.DELIVERED, "event-1", first.message_id, "4711", NOW)
        delivery_events.keep(session, voice.name, [event], {first.message_id: first.id}, NOW)
    send(app, later(15))
    assert _reasons(app) == [("sent", Reason.PROVED), ("in_doubt", Reason.NO_ANSWER)]
    assert first.message_id not in voice.asked


def test_news_that_came_before_a_no_are_believed(make_app: MakeApp) -> None:
    class Telling(Voice):
        def send(self, call: Call) -> list[Result]:
            with app.database.write() as session:
                number = {row.message_id: row.id for row in rows(app)}[call.emails[0].message_id]
                event = DeliveryNews(NewsKind.DELIVERED, "event-1", call.emails[0].message_id, "4711", NOW)
                delivery_events.keep(session, self.name, [event], {event.message_id: number}, NOW)
            return super().send(call)

    voice = Telling(Recovery())
    voice.answer = NotSent("busy")
    app = replace(make_app(campaigns={"birthday": BIRTHDAY}), provider=voice)
    add_birthdays(app, 1)
    tick(app)
    tick(app, later(60))
    assert _reasons(app) == [("sent", Reason.PROVED)]
    assert len(voice.calls) == 1


def test_two_mails_to_one_address_are_no_reason_against_their_own_repeat(make_app: MakeApp) -> None:
    voice = Voice(KEY, batch=2)
    config = CONFIG.replace("[wording.", '[rules]\nat_most = ["2 per 7 days"]\n\n[wording.', 1)
    app = replace(make_app(config=config, campaigns={"birthday": BIRTHDAY, "service": SERVICE}), provider=voice)
    add_birthdays(app, 1)
    with app.database.write() as session:
        add_service_item(session, session.exec(select(Customer)).one(), "S1", NOW.date())
    tick(app)
    assert [len(call.emails) for call in voice.calls] == [2]
    voice.answer = Accepted("4711")
    send(app, later(1))
    assert _reasons(app) == [("sent", Reason.PROVED)] * 2
