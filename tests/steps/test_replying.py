"""The mails somebody asked for: each leaves once, or nobody knows and it is never sent again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from engine.clock import stopped_at, stopwatch
from engine.domain.words import Accepted, Call, CannotTell, Email, Finding, InDoubt, NotSent, Reason, Refused, Result
from engine.errors import StoreFull
from engine.providers.contract import Recovery
from engine.steps import guarding, passing, subscribing, suppressing
from engine.steps.consent import asking, replying
from engine.steps.consent.asking import SignUp, Visitor
from engine.store import budgets, replies
from engine.store.budgets import Stop
from engine.store.lawful_tables import Reply
from engine.store.replies import Called
from engine.store.tables import ConsentEvent, ConsentPii
from tests.conftest import CONFIG, MakeApp
from tests.people import NOW, add_customer
from tests.providers.conftest import Served
from tests.steps.sending_shop import BIRTHDAY, add_birthdays, real_config, states, tick

if TYPE_CHECKING:
    from engine.app import App

REPLIES: sa.Table = Reply.__table__  # type: ignore[attr-defined]
CONSENTS: sa.Table = ConsentEvent.__table__  # type: ignore[attr-defined]
PII: sa.Table = ConsentPii.__table__  # type: ignore[attr-defined]
VISITOR = Visitor("203.0.113.7", "Mozilla/5.0", "de")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Scripted:
    """A provider that answers as it is told, and keeps what it was given."""

    name = "scripted"
    rehearsal = False
    senders = 1
    batch = 1
    recovery = Recovery()

    def __init__(self, answer: Result) -> None:
        self.answer = answer
        self.given: list[Email] = []
        self.keys: list[str] = []

    def send(self, call: Call) -> list[Result]:
        self.given += call.emails
        self.keys.append(call.key)
        return [self.answer]

    def look_up(self, emails: Sequence[Email], since: datetime) -> list[Finding]:  # noqa: ARG002
        return [CannotTell("scripted") for _ in emails]

    def close(self) -> None:
        pass


def ask(app: App, email: str = "anna@example.com", now: datetime = NOW) -> None:
    asking.sign_up(app, SignUp(email, "newsletter-2015", "https://radhaus.example.com/anmelden"), VISITOR, now)


def send(app: App, now: datetime = NOW) -> dict[str, int]:
    counts = replying.send_replies(app, stopped_at(now))
    if not threading.current_thread().daemon:  # beside a run, the run closes the lines
        app.provider.close()
    return {state: count for state, count in counts.items() if count}


def rows(app: App) -> list[Any]:
    with app.database.read() as session:
        return list(session.connection().execute(sa.select(REPLIES).order_by(REPLIES.c.id)))


def scripted(make_app: MakeApp, answer: Result) -> tuple[App, Scripted]:
    provider = Scripted(answer)
    app = replace(make_app(), provider=provider)
    ask(app)
    return app, provider


def test_b5_one_request_is_one_mail(make_app: MakeApp, brevo: Served) -> None:
    app = make_app(config=real_config(brevo))
    ask(app)
    ask(app, "ben@example.com")
    assert send(app) == {"sent": 2}
    assert send(app, NOW + DAY) == {}
    (first, second) = brevo.double.mails()
    assert {first["to"], second["to"]} == {"anna@example.com", "ben@example.com"}
    for row in rows(app):
        assert (row.state, row.provider, row.attempts, row.owner) == ("sent", "brevo", 1, "")
        assert len(row.body_sha256) == 64
        assert row.provider_id


def test_the_link_in_the_mail_confirms(make_app: MakeApp) -> None:
    app, provider = scripted(make_app, Accepted("1"))
    send(app)
    (mail,) = provider.given
    link = next(line for line in mail.text.splitlines() if "://" in line)
    shown = asking.confirm(app, link.rpartition("/c/")[2], VISITOR, NOW + HOUR)
    assert shown is not None
    assert not shown.used


def test_b11_the_click_is_recorded_with_the_mail_it_answers(make_app: MakeApp) -> None:
    app, provider = scripted(make_app, Accepted("1"))
    send(app)
    (mail,) = provider.given
    link = next(line for line in mail.text.splitlines() if "://" in line)
    asking.confirm(app, link.rpartition("/c/")[2], replace(VISITOR, user_agent="Phone"), NOW + HOUR)
    (row,) = rows(app)
    with app.database.read() as session:
        events = session.connection().execute(sa.select(CONSENTS).order_by(CONSENTS.c.seq)).all()
        said = session.connection().execute(sa.select(PII.c.content).order_by(PII.c.event_id)).scalars().all()
    assert [(event.state, event.at) for event in events] == [("requested", NOW), ("confirmed", NOW + HOUR)]
    details = json.loads(events[1].details)
    assert (details["message_id"], details["body_sha256"]) == (row.message_id, row.body_sha256)
    assert details["message_id"] == mail.message_id
    assert (details["wording_version"], details["evidence_grade"]) == (row.wording_version, "doi")
    assert row.called_at == row.ended_at == NOW  # when the mail left stands beside the log, under the same id
    known = json.loads(said[1])
    assert (known["email"], known["ip"], known["user_agent"]) == ("anna@example.com", "203.0.113.7", "Phone")


def test_a_rehearsal_lays_the_mail_into_the_outbox(make_app: MakeApp) -> None:
    app = make_app()
    ask(app)
    assert send(app) == {"sent": 1}
    (row,) = rows(app)
    file = app.home / "outbox" / f"{row.message_id}.eml"
    assert b"Auto-Submitted: auto-generated" in file.read_bytes()
    assert row.provider == "outbox"


def test_b5_what_is_in_doubt_is_never_sent_again(make_app: MakeApp) -> None:
    app, provider = scripted(make_app, InDoubt("silence"))
    assert send(app) == {"unknown": 1}
    provider.answer = Accepted("1")
    assert send(app, NOW + HOUR) == {}
    assert len(provider.given) == 1


def test_a_provider_that_raises_leaves_doubt(make_app: MakeApp) -> None:
    class Broken(Scripted):
        def send(self, call: Call) -> list[Result]:
            raise RuntimeError(call.key)

    app = replace(make_app(), provider=Broken(Accepted("1")))
    ask(app)
    assert send(app) == {"unknown": 1}


def test_what_provably_did_not_leave_is_tried_again_with_the_same_bytes_until_its_link_expires(
    make_app: MakeApp,
) -> None:
    app, provider = scripted(make_app, NotSent("busy"))
    assert send(app) == {"waiting": 1}
    assert send(app, NOW + timedelta(seconds=20)) == {}
    for hour in range(1, 12):
        send(app, NOW + hour * 2 * HOUR)
    assert len(provider.given) == 12
    assert len({(mail.text, mail.html, json.dumps(mail.headers)) for mail in provider.given}) == 1
    assert send(app, NOW + 7 * DAY) == {"expired": 1}
    assert send(app, NOW + 8 * DAY) == {}


def test_it_is_tried_again_when_the_provider_takes_it(make_app: MakeApp) -> None:
    app, provider = scripted(make_app, NotSent("busy", retry_after=2 * HOUR))
    send(app)
    provider.answer = Accepted("1")
    assert send(app, NOW + HOUR) == {}
    assert send(app, NOW + 2 * HOUR) == {"sent": 1}


@pytest.mark.parametrize("account", [False, True], ids=["the mail's", "the account's"])
def test_each_try_has_a_key_of_its_own_because_the_one_before_may_be_burnt(make_app: MakeApp, account: bool) -> None:
    app, provider = scripted(make_app, NotSent("400", account=account))
    for hour in range(3):
        send(app, NOW + hour * HOUR)
    assert len(set(provider.keys)) == len(provider.keys) == 3
    assert len({mail.message_id for mail in provider.given}) == 1


def test_a_fault_of_the_account_stops_the_provider_and_burns_no_attempt(make_app: MakeApp) -> None:
    app, provider = scripted(make_app, NotSent("no credits", account=True))
    send(app)
    (row,) = rows(app)
    assert (row.state, row.attempts) == ("waiting", 0)
    provider.answer = Accepted("1")
    assert send(app, NOW + MINUTE) == {"not_yet": 1}
    assert len(provider.given) == 1
    assert send(app, NOW + 6 * MINUTE) == {"sent": 1}


def test_a_stopped_provider_is_left_alone(make_app: MakeApp) -> None:
    app, provider = scripted(make_app, Accepted("1"))
    with app.database.write() as session:
        budgets.stop(session, "scripted", Stop(NOW, NOW + HOUR, "why", credentials=True))
    assert send(app) == {"not_yet": 1}
    assert provider.given == []


def test_a_provider_that_stays_silent_is_left_alone(make_app: MakeApp) -> None:
    provider = Scripted(InDoubt("silence"))
    app = replace(make_app(), provider=provider)
    for number in range(30):
        ask(app, f"k{number}@example.com")
    came_to = send(app)
    assert came_to["not_yet"] == 1
    assert came_to["unknown"] < 30
    assert {row.state for row in rows(app)} == {"unknown", "waiting"}


def test_replies_count_for_the_days_budget(make_app: MakeApp) -> None:
    provider = Scripted(Accepted("1"))
    config = CONFIG.replace("max_per_minute = 100000", "max_per_minute = 100000\nmax_per_day = 2")
    app = replace(make_app(config=config), provider=provider)
    for number in range(3):
        ask(app, f"k{number}@example.com")
    assert send(app) == {"sent": 2, "not_yet": 1}
    assert send(app, NOW + DAY) == {"sent": 1}


def test_replies_take_their_turn_in_the_line_of_all_mails(make_app: MakeApp) -> None:
    provider = Scripted(Accepted("1"))
    config = CONFIG.replace("max_per_minute = 100000", "max_per_minute = 120")
    app = replace(make_app(config=config), provider=provider)
    for number in range(3):
        ask(app, f"k{number}@example.com")
    begun = stopwatch()
    clock_began = NOW

    def clock() -> datetime:
        return clock_began + timedelta(seconds=stopwatch() - begun)

    assert replying.send_replies(app, clock)["sent"] == 3
    assert stopwatch() - begun >= 1.0


def test_a_stop_is_heard_before_the_next_reply(make_app: MakeApp) -> None:
    app, provider = scripted(make_app, Accepted("1"))
    stop = threading.Event()
    stop.set()
    assert not replying.send_replies(app, stopped_at(NOW), stop=stop)
    assert provider.given == []


def test_a_dead_mailbox_is_suppressed_and_logged(make_app: MakeApp) -> None:
    app, _provider = scripted(make_app, Refused("550 no such user", hard_bounce=True))
    assert send(app) == {"refused": 1}
    with app.database.read() as session:
        (found,) = session.connection().exec_driver_sql("SELECT reason, scope FROM suppression").all()
    assert tuple(found) == ("hard_bounce", "all")
    assert [one.reason for one in suppressing.ledger_of(app).log.read()] == [Reason.HARD_BOUNCE]
    assert asking.enter(app, SignUp("anna@example.com", "newsletter-2015"), VISITOR, NOW + 2 * DAY) == "hard_bounce"


@pytest.mark.parametrize("reason", [Reason.HARD_BOUNCE, Reason.LEGAL_BLOCK])
def test_c3_what_was_blocked_since_the_request_does_not_leave(make_app: MakeApp, reason: Reason) -> None:
    app, provider = scripted(make_app, Accepted("1"))
    with app.database.write() as session:
        suppressing.block(session, suppressing.ledger_of(app), ["anna@example.com"], reason, "x", NOW + MINUTE)
    assert send(app, NOW + HOUR) == {"refused": 1}
    assert rows(app)[0].detail == reason.value
    assert provider.given == []


def test_row_doi_request_an_objection_after_the_request_takes_it_back(make_app: MakeApp) -> None:
    app, provider = scripted(make_app, Accepted("1"))
    with app.database.write() as session:
        add_customer(session, "1", "anna@example.com")
    subscribing.object_from_any_channel(app, "1", "called", NOW + MINUTE)
    assert send(app, NOW + HOUR) == {"refused": 1}
    assert provider.given == []


def test_row_doi_request_an_objection_before_it_does_not(make_app: MakeApp) -> None:
    provider = Scripted(Accepted("1"))
    app = replace(make_app(), provider=provider)
    with app.database.write() as session:
        add_customer(session, "1", "anna@example.com")
    subscribing.object_from_any_channel(app, "1", "called", NOW - DAY)
    ask(app)
    assert send(app) == {"sent": 1}


# -- crashes -----------------------------------------------------------------------------------------------------------


def put_sending(app: App, owner: str) -> None:
    """Leave the first reply as a sender leaves it between its intent and its result."""
    with app.database.write() as session:
        row = replies.first_waiting(session, NOW)
        assert row is not None
        assert replies.take(session, row, Called(owner, "scripted", "f" * 64), NOW)


def test_b5_what_a_dead_process_had_in_hand_is_unknown_and_never_sent_again(make_app: MakeApp) -> None:
    app, provider = scripted(make_app, Accepted("1"))
    put_sending(app, "elsewhere:1:dead")
    assert send(app, NOW + MINUTE) == {"unknown": 1}
    assert send(app, NOW + DAY) == {}
    assert provider.given == []
    assert rows(app)[0].detail == "its sender died: it may have left"


def test_a_result_that_cannot_be_written_leaves_doubt(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    app, provider = scripted(make_app, Accepted("1"))

    def full(*_: object, **__: object) -> None:
        raise StoreFull("No space is left.")

    with monkeypatch.context() as patch:
        patch.setattr(replies, "settle", full)
        with pytest.raises(StoreFull):
            send(app)
    assert send(app, NOW + MINUTE) == {"unknown": 1}
    assert len(provider.given) == 1


def test_an_intent_that_cannot_be_written_sends_nothing(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    app, provider = scripted(make_app, Accepted("1"))

    def full(*_: object, **__: object) -> None:
        raise StoreFull("No space is left.")

    with monkeypatch.context() as patch:
        patch.setattr(replies, "take", full)
        with pytest.raises(StoreFull):
            send(app)
    assert provider.given == []
    assert send(app, NOW + MINUTE) == {"sent": 1}


def test_a_late_yes_proves_what_was_given_up(make_app: MakeApp) -> None:
    app, provider = scripted(make_app, Accepted("77"))

    def given_up_meanwhile(_call: Call) -> list[Result]:
        with app.database.write() as session:
            replies.give_up(session, replies.owners(session), NOW, "taken for dead")
        return [Accepted("77")]

    provider.send = given_up_meanwhile  # type: ignore[method-assign]
    send(app)
    assert [(row.state, row.provider_id) for row in rows(app)] == [("sent", "77")]


def test_a_reply_in_a_living_workers_hand_is_left_alone(make_app: MakeApp) -> None:
    from engine.store import ownership

    app, provider = scripted(make_app, Accepted("1"))
    with ownership.one_of_many(app.database) as worker:
        put_sending(app, worker.name)
        with ownership.one_of_many(app.database):
            assert send(app, NOW + MINUTE) == {}
    assert rows(app)[0].state == "sending"
    assert provider.given == []


PROCESS = """
import sys
from pathlib import Path
from engine.app import assemble
from engine.clock import stopped_at
from engine.config.loading import load_config
from engine.steps.consent import replying
from engine.store import ownership
from tests.people import NOW
app = assemble(load_config(Path(sys.argv[1]), {}), stopped_at(NOW))
with ownership.one_of_many(app.database):
    print(dict(replying.send_replies(app, app.clock)), flush=True)
"""


def worker(app: App) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", PROCESS, str(app.config.file)]
    root = Path(__file__).parents[2]
    return subprocess.Popen(words, cwd=root, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": str(root)})


def test_b5_several_workers_send_each_mail_once(make_app: MakeApp, brevo: Served) -> None:
    app = make_app(config=real_config(brevo, max_per_minute=100000))
    for number in range(20):
        ask(app, f"k{number}@example.com")
    workers = [worker(app) for _ in range(3)]
    for one in workers:
        one.communicate(timeout=120)
    while send(app, NOW + HOUR):
        pass
    to = [mail["to"] for mail in brevo.double.mails()]
    assert sorted(to) == sorted(f"k{number}@example.com" for number in range(20))
    assert {row.state for row in rows(app)} == {"sent"}


def test_b5_a_process_killed_in_its_call_leaves_unknown_and_no_second_mail(
    make_app: MakeApp, brevo: Served, until: Callable[[Callable[[], object]], None]
) -> None:
    app = make_app(config=real_config(brevo))
    ask(app)
    brevo.double.switch("accept_then_hang", 1)
    doomed = worker(app)
    until(brevo.double.mails)
    doomed.send_signal(signal.SIGKILL)
    doomed.communicate(timeout=60)
    assert send(app, NOW + MINUTE) == {"unknown": 1}
    assert send(app, NOW + DAY) == {}
    assert len(brevo.double.mails()) == 1


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    def wait(condition: Callable[[], object]) -> None:
        ends = stopwatch() + 60
        while not condition() and stopwatch() < ends:
            threading.Event().wait(0.02)

    return wait


def test_a_restored_store_sends_no_reply_that_may_have_left(make_app: MakeApp, brevo: Served) -> None:
    from engine.domain.guard import Answer

    app = make_app(config=real_config(brevo))
    passing.start(app, NOW)
    guarding.note(app, NOW)
    ask(app, now=NOW - HOUR)
    ask(app, "late@example.com", now=NOW + HOUR)
    guarding.adopt(app, Answer.RESTORED, NOW + HOUR, NOW + timedelta(minutes=30))
    assert [row.state for row in rows(app)] == ["unknown", "waiting"]
    assert send(app, NOW + DAY) == {"sent": 1}


# -- with everything else ----------------------------------------------------------------------------------------------


def test_a_pass_sends_replies_too_and_purges(make_app: MakeApp) -> None:
    app = make_app()
    ask(app)
    ask(app, "old@example.com", now=NOW - 15 * DAY)
    report = passing.one_pass(app)
    assert report.replied == 1
    assert sorted((row.state, row.email) for row in rows(app)) == [("expired", ""), ("sent", "anna@example.com")]


def test_replies_and_campaigns_go_side_by_side(make_app: MakeApp, brevo: Served) -> None:
    app = make_app(config=real_config(brevo), campaigns={"birthday": BIRTHDAY})
    add_birthdays(app, 20)
    for number in range(10):
        ask(app, f"r{number}@example.com")
    thread = threading.Thread(target=send, args=(app,), daemon=True)
    thread.start()
    tick(app)
    thread.join()
    app.provider.close()
    assert states(app) == {"sent": 20}
    assert {row.state for row in rows(app)} == {"sent"}
    assert len(brevo.double.mails()) == 30


def test_a_text_that_sells_is_not_sent_and_the_detail_says_why(make_app: MakeApp) -> None:
    provider = Scripted(Accepted("1"))
    app = replace(make_app(config=CONFIG.replace("Fahrräder und Zubehör", "20 % Rabatt auf alles!")), provider=provider)
    ask(app)
    assert send(app) == {"refused": 1}
    assert "advertises" in rows(app)[0].detail
    assert provider.given == []


def test_a_link_to_ones_data_is_sent_to_the_address_itself(make_app: MakeApp) -> None:
    provider = Scripted(Accepted("1"))
    app = replace(make_app(), provider=provider)
    with app.database.write() as session:
        add_customer(session, "1", "anna@example.com")
    asking.ask_for_data(app, "anna@example.com", VISITOR, NOW)
    assert send(app) == {"sent": 1}
    (mail,) = provider.given
    link = next(line for line in mail.text.splitlines() if "://" in line)
    shown = asking.data_pending(app, link.rpartition("/d/")[2], NOW)
    assert shown is not None
    assert mail.to == "anna@example.com"
