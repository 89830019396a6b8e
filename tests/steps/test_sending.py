"""Sending: from due to recorded, and what the provider's book says of it."""

from __future__ import annotations

import email
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta
from email import policy
from itertools import count

import pytest
import sqlalchemy as sa
from sqlmodel import Session

from engine.clock import stopwatch
from engine.domain.words import Basis, Reason
from engine.providers.brevo import Brevo
from engine.steps import claiming, planning, sending
from engine.steps.calling import Flight
from engine.steps.claiming import Run
from engine.store import attempts, budgets, imports, pauses
from engine.store.budgets import Stop
from engine.store.database import Database
from engine.store.message_tables import Budget
from tests.conftest import MakeApp
from tests.people import NOW, add_consent, add_customer, add_service_item
from tests.providers.conftest import Served
from tests.steps.sending_shop import (
    ATTEMPTS,
    BIRTHDAY,
    BODIES,
    EVENTS,
    SERVICE,
    add_birthdays,
    later,
    real_config,
    rows,
    send,
    states,
    tick,
)

BUDGETS: sa.Table = Budget.__table__  # type: ignore[attr-defined]
SECOND = timedelta(seconds=1)


def test_a_rehearsal_writes_a_file_for_everybody_and_mails_nobody(make_app: MakeApp) -> None:
    app = make_app(campaigns={"birthday": BIRTHDAY})
    add_birthdays(app, 60)
    report = tick(app)
    assert report.counts["sent"] == 60
    files = sorted((app.home / "outbox").glob("*.eml"))
    assert {path.stem for path in files} == {row.message_id for row in rows(app)}
    mail = email.message_from_bytes(files[0].read_bytes(), policy=policy.default)
    assert mail["Subject"].startswith("Alles Gute, Kim")
    assert mail["Date"].datetime == NOW


def test_the_log_names_basis_evidence_and_subject(make_app: MakeApp, brevo: Served) -> None:
    app = make_app(config=real_config(brevo), campaigns={"birthday": BIRTHDAY})
    add_birthdays(app, 1)
    tick(app)
    (row,) = rows(app)
    (attempt,) = rows(app, ATTEMPTS)
    (mail,) = brevo.double.mails()
    assert (row.state.value, row.basis, row.evidence) == ("sent", Basis.CONSENT, "consent:1")
    assert (row.subject, row.provider, row.provider_id) == ("Alles Gute, Kim0!", "brevo", mail["messageId"])
    assert (row.sent_at, row.attempts, row.fence, row.language) == (NOW, 1, 1, "de")
    assert (attempt.result, attempt.number, attempt.fence, attempt.finished_at) == ("accepted", 1, 1, NOW)
    assert [event.after for event in rows(app, EVENTS)] == ["planned", "claimed", "sending", "sent"]


def test_everybody_is_mailed_once_however_often_we_tick(make_app: MakeApp, brevo: Served) -> None:
    app = make_app(config=real_config(brevo), campaigns={"birthday": BIRTHDAY})
    add_birthdays(app, 120)
    for minute in range(3):
        tick(app, later(minute))
    assert Counter(mail["to"] for mail in brevo.double.mails()) == {f"k{n}@example.com": 1 for n in range(120)}
    assert states(app) == {"sent": 120}


def test_what_is_kept_is_what_was_sent(make_app: MakeApp, brevo: Served) -> None:
    app = make_app(config=real_config(brevo), campaigns={"birthday": BIRTHDAY})
    add_birthdays(app, 1)
    tick(app)
    (body,) = rows(app, BODIES)
    (row,) = rows(app)
    with app.database.read() as session:
        kept = attempts.frozen(session, [row.id])[row.id]
    request = brevo.double.requests[0]["body"]
    assert (request["htmlContent"], request["textContent"]) == (body.html, body.text)
    assert body.sha256 == attempts.digest(kept) == rows(app, ATTEMPTS)[0].sha256
    others = [replace(kept, **{name: "x"}) for name in asdict(kept) if name != "headers"]
    others.append(replace(kept, headers=kept.headers | {"X": "y"}))
    assert len({attempts.digest(mail) for mail in (kept, *others)}) == len(others) + 1


def test_nobody_without_permission_reaches_the_provider(make_app: MakeApp, brevo: Served) -> None:
    app = make_app(config=real_config(brevo), campaigns={"birthday": BIRTHDAY})
    add_birthdays(app, 3, consent=False)
    tick(app)
    assert brevo.double.requests == []
    assert [(row.state.value, row.reason) for row in rows(app)] == [("skipped", Reason.NO_CONSENT)] * 3


def test_a_poisoned_message_fails_alone(make_app: MakeApp, brevo: Served) -> None:
    campaign = BIRTHDAY.replace("{{ customer.first_name or 'Du' }}", "{{ customer.first_name }}")
    app = make_app(config=real_config(brevo), campaigns={"birthday": campaign})
    add_birthdays(app, 3)
    with app.database.write() as session:
        session.connection().exec_driver_sql("UPDATE customer SET first_name = '' WHERE customer_id = '1'")
    tick(app)
    found = Counter((row.state.value, row.reason) for row in rows(app))
    assert found == {("sent", None): 2, ("failed", Reason.TEMPLATE_FAILED): 1}


def test_a_day_takes_no_more_than_its_budget(make_app: MakeApp, brevo: Served) -> None:
    app = make_app(config=real_config(brevo, max_per_day=10), campaigns={"birthday": BIRTHDAY})
    add_birthdays(app, 12)
    first, again, second = tick(app), send(app), send(app, later(1))
    assert [report.counts.get("sent", 0) for report in (first, again, second)] == [10, 0, 0]
    assert [report.budget_spent for report in (first, again, second)] == [True] * 3
    assert send(app, later(24 * 60)).counts["sent"] == 2


def test_what_was_taken_before_midnight_is_not_returned_to_the_day_that_begins(
    make_app: MakeApp, brevo: Served
) -> None:
    campaign = BIRTHDAY + '\n[send]\nbetween = "00:00-24:00"\nmax_late = "7 days"\n'
    app = make_app(config=real_config(brevo, max_per_day=10, batch=1, senders=10), campaigns={"birthday": campaign})
    add_birthdays(app, 12)
    planning.plan(app, NOW)
    midnight = datetime(2026, 11, 23, 23, 0, tzinfo=UTC)  # in Berlin
    times = [midnight - SECOND]
    brevo.double.switch("throttle")
    with Flight(app.provider) as flight:
        run = Run(app, lambda: times[-1], threading.Event(), flight)
        claiming.fill(run)
        assert sending._launch(run)
        times.append(midnight + SECOND)
        with app.database.write() as session:  # somebody else has begun the new day
            assert budgets.take(session, "brevo", budgets.allowances(date(2026, 11, 24), 10), 1) == 1
        sending._land(run)
        assert states(app) == {"retrying": 10, "planned": 2}
        claiming.return_budget(run)
    days = {row.window: row.taken for row in rows(app, BUDGETS) if row.window.startswith("day:")}
    assert days == {"day:2026-11-23": 10, "day:2026-11-24": 1}


def test_no_more_is_returned_to_a_budget_than_was_taken(make_app: MakeApp) -> None:
    app = make_app()
    today = budgets.allowances(date(2026, 11, 24), 10)
    with app.database.write() as session:
        assert budgets.take(session, "brevo", today, 2) == 2
        budgets.give_back(session, "brevo", today, 5)
        assert budgets.take(session, "brevo", today, 20) == 10


@pytest.mark.parametrize("letters", [0, 2])
def test_a_run_ends_where_its_provider_is_stopped_and_a_call_waits_to_be_repeated(
    make_app: MakeApp, brevo: Served, letters: int
) -> None:
    app = make_app(config=real_config(brevo), campaigns={"birthday": BIRTHDAY})
    add_birthdays(app, 1)
    brevo.double.switch("cut", 1)
    tick(app)
    assert states(app) == {"in_doubt": 1}
    with app.database.write() as session:
        at = NOW + 10 * SECOND
        budgets.stop(session, "brevo", Stop(at, at + timedelta(hours=1), "401", credentials=True))
        for number in range(letters):
            born = NOW.date().replace(year=1980)
            add_consent(session, add_customer(session, f"n{number}", f"n{number}@example.com", birthday=born))
    planning.plan(app, NOW + 20 * SECOND)
    patience = Patience()
    times = count(20)
    sending.send_due(app, lambda: NOW + next(times) * SECOND / 50, stop=patience)
    assert patience.asked < 100
    assert states(app)["in_doubt"] == 1


class Patience:
    """Ends what goes on for ever."""

    asked = 0

    def is_set(self) -> bool:
        self.asked += 1
        return self.asked > 500


def test_mails_leave_one_after_the_other_at_the_rate_and_a_clock_that_stands_gives_no_turn(
    make_app: MakeApp, brevo: Served
) -> None:
    app = make_app(config=real_config(brevo, max_per_minute=60), campaigns={"birthday": BIRTHDAY})
    add_birthdays(app, 5)
    sent = [tick(app, NOW + timedelta(seconds=half / 2)).counts.get("sent", 0) for half in range(9)]
    assert sent == [1, 0, 1, 0, 1, 0, 1, 0, 1]
    assert states(app) == {"sent": 5}


def test_waiting_for_a_turn_leaves_the_store_alone(make_app: MakeApp, brevo: Served) -> None:
    app = make_app(config=real_config(brevo, max_per_minute=6), campaigns={"birthday": BIRTHDAY})
    add_birthdays(app, 3)
    planning.plan(app, NOW)
    store, began = Counted(app.database), stopwatch()

    def running() -> datetime:
        return NOW + timedelta(seconds=stopwatch() - began)

    report = sending.send_due(replace(app, database=store), running, patience=0.5)
    assert report.counts["sent"] == 1
    assert store.writes < 50  # a loop that does not rest would write thousands of times


class Counted(Database):
    """The store, with a count of the writers it let in."""

    def __init__(self, store: Database) -> None:
        self.__dict__.update(store.__dict__)
        self.writes = 0

    @contextmanager
    def write(self) -> Iterator[Session]:
        self.writes += 1
        with super().write() as session:
            yield session


def test_what_was_skipped_costs_no_budget(make_app: MakeApp, brevo: Served) -> None:
    app = make_app(config=real_config(brevo, max_per_day=3), campaigns={"birthday": BIRTHDAY})
    add_birthdays(app, 6, consent=False)
    tick(app)
    with app.database.read() as session:
        taken = session.connection().exec_driver_sql("SELECT max(taken) FROM budget").scalar()
    assert (taken, states(app)) == (0, {"skipped": 6})


def test_an_overdue_message_expires_and_says_what_it_waited_for(make_app: MakeApp, brevo: Served) -> None:
    evening = BIRTHDAY + '[send]\nbetween = "19:00-20:00"\n'
    app = make_app(config=real_config(brevo), campaigns={"birthday": evening})
    add_birthdays(app, 1)
    tick(app)
    tick(app, later(5 * 24 * 60))
    (row,) = rows(app)
    assert (row.state.value, row.reason) == ("expired", Reason.TOO_LATE)
    assert brevo.double.requests == []


def test_advertising_waits_while_nobody_could_unsubscribe(make_app: MakeApp, brevo: Served) -> None:
    elsewhere = real_config(
        brevo, use="resend", base_url="https://api.resend.example", dpa_signed_at="2026-01-01", country="IE"
    )
    config = elsewhere.replace('"2026-01-01"', "2026-01-01").replace(".example.com", "-testladen.de")
    app = replace(
        make_app(config=config, campaigns={"birthday": BIRTHDAY}),
        provider=Brevo(base_url=brevo.url, api_key="x", senders=1),
    )
    add_birthdays(app, 2)
    tick(app)
    assert brevo.double.requests == []
    assert [(row.state.value, row.reason) for row in rows(app)] == [("planned", Reason.NO_UNSUBSCRIBE_PAGE)] * 2
    assert all(row.send_after > NOW for row in rows(app))


def test_service_mails_wait_while_their_data_is_old(make_app: MakeApp, brevo: Served) -> None:
    config = real_config(brevo) + '\n[rules]\ndata_fresh = "2 days"\n'
    app = make_app(config=config, campaigns={"service": SERVICE, "birthday": BIRTHDAY})
    with app.database.write() as session:
        anna = add_customer(session, "a", "anna@example.com", birthday=date(1990, 11, 23))
        add_consent(session, anna)
        add_service_item(session, anna, "Keller", NOW.date())
        imports.end(
            session, imports.begin(session, "service-items", "", "x.csv", later(-5 * 24 * 60)), imports.Counts()
        )
    tick(app)
    found = {row.campaign: (row.state.value, row.reason) for row in rows(app)}
    assert found == {"birthday": ("sent", None), "service": ("planned", Reason.STALE_DATA)}
    with app.database.write() as session:
        imports.end(session, imports.begin(session, "service-items", "", "y.csv", NOW), imports.Counts())
    tick(app, later(61))
    assert states(app) == {"sent": 2}


def test_what_a_paused_campaign_did_not_send_says_so_when_it_expires(make_app: MakeApp, brevo: Served) -> None:
    app = make_app(config=real_config(brevo), campaigns={"birthday": BIRTHDAY})
    add_birthdays(app, 1)
    with app.database.write() as session:
        pauses.pause(session, pauses.ALL, NOW)
    tick(app)
    tick(app, later(5 * 24 * 60))
    (row,) = rows(app)
    assert (row.state.value, row.reason, row.detail) == ("expired", Reason.TOO_LATE, "campaign_off or paused")
