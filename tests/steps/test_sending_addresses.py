"""One address, one mail a day per campaign; steps that overtake; caps that count per address."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from threading import Event

from engine.clock import stopped_at
from engine.domain.words import Reason
from engine.steps import claiming, gating, planning, sending
from engine.steps.calling import Flight
from engine.steps.claiming import Run
from engine.store import messages
from tests.conftest import MakeApp
from tests.people import NOW, add_consent, add_customer, add_purchase, add_service_item
from tests.providers.conftest import Served
from tests.steps.sending_shop import BIRTHDAY, SERVICE, add_birthdays, later, real_config, rows, send, states, tick

TODAY = NOW.date()
STEPS = (
    SERVICE.partition("[message]")[0]
    + """[stop]
on = ["purchase"]

[[step]]
id = "early"
when = "3 days before"
subject = "Bald"
body = "{{ greeting }}, bald."

[[step]]
id = "today"
when = "on the day"
subject = "Heute"
body = "{{ greeting }}, heute."
"""
)


def _twins(app, second: str = "b") -> None:  # type: ignore[no-untyped-def]
    with app.database.write() as session:
        for name in ("a", second):
            twin = add_customer(session, name, "familie@example.com", birthday=date(1990, 11, 23), first_name=name)
            add_consent(session, twin)


def test_twins_on_one_address_get_one_mail(make_app: MakeApp, brevo: Served) -> None:
    app = make_app(config=real_config(brevo), campaigns={"birthday": BIRTHDAY})
    _twins(app)
    tick(app)
    assert len(brevo.double.mails()) == 1
    assert states(app) == {"sent": 1, "skipped": 1}
    by_state = {row.state.value: row for row in rows(app)}
    assert by_state["skipped"].reason is Reason.SAME_ADDRESS
    assert by_state["skipped"].carried_by == by_state["sent"].id


def test_whoever_comes_to_the_address_later_the_same_day_is_skipped(make_app: MakeApp, brevo: Served) -> None:
    app = make_app(config=real_config(brevo), campaigns={"birthday": BIRTHDAY})
    with app.database.write() as session:
        add_consent(session, add_customer(session, "a", "familie@example.com", birthday=date(1990, 11, 23)))
    tick(app)
    with app.database.write() as session:
        add_customer(session, "b", "familie@example.com", birthday=date(1990, 11, 23))
        session.connection().exec_driver_sql("UPDATE installation SET data_version = data_version + 1")
    tick(app, later(30))
    assert [(row.state.value, row.reason) for row in rows(app)] == [("sent", None), ("skipped", Reason.SAME_ADDRESS)]


def test_things_due_together_share_one_mail_that_names_them_all(make_app: MakeApp, brevo: Served) -> None:
    app = make_app(config=real_config(brevo), campaigns={"service": SERVICE})
    with app.database.write() as session:
        anna = add_customer(session, "a", "anna@example.com")
        add_consent(session, anna)
        for name in ("Keller", "Dach", "Laden"):
            add_service_item(session, anna, name, TODAY, name=f"Therme {name}")
    tick(app)
    assert states(app) == {"sent": 1, "skipped": 2}
    (request,) = brevo.double.requests
    assert all(f"Therme {name}" in request["body"]["textContent"] for name in ("Keller", "Dach", "Laden"))


def test_a_thing_that_comes_in_after_the_days_mail_is_told_the_next_day(make_app: MakeApp, brevo: Served) -> None:
    app = make_app(config=real_config(brevo), campaigns={"service": SERVICE})
    with app.database.write() as session:
        anna = add_customer(session, "a", "anna@example.com")
        add_consent(session, anna)
        add_service_item(session, anna, "Keller", TODAY, name="Therme Keller")
    tick(app)
    with app.database.write() as session:
        add_service_item(session, anna, "Dach", TODAY, name="Therme Dach")
        session.connection().exec_driver_sql("UPDATE installation SET data_version = data_version + 1")
    tick(app, later(30))
    assert [(row.state.value, row.reason) for row in rows(app)] == [("sent", None), ("planned", Reason.SAME_ADDRESS)]
    tick(app, later(24 * 60))
    assert states(app) == {"sent": 2}
    assert "Therme Dach" in brevo.double.requests[-1]["body"]["textContent"]


def test_things_of_one_customer_that_two_senders_have_claimed_are_both_told(make_app: MakeApp, brevo: Served) -> None:
    app = make_app(config=real_config(brevo, max_per_minute=60), campaigns={"service": SERVICE})
    with app.database.write() as session:
        anna = add_customer(session, "a", "anna@example.com")
        add_consent(session, anna)
        for name in ("Keller", "Dach"):
            add_service_item(session, anna, name, TODAY, name=f"Therme {name}")
    planning.plan(app, NOW)
    with Flight(app.provider) as one, Flight(app.provider) as other:
        runs = [Run(app, stopped_at(NOW), Event(), flight, owner=name) for name, flight in (("a", one), ("b", other))]
        claimed = [claiming._claim(run) for run in runs]  # both are committed before either asks the gates
        assert [len(found) for found in claimed] == [1, 1]
        for run, found in zip(runs, claimed, strict=True):
            run.letters += claiming._render(run, claiming._gate(run, found))
            run.is_dry = True
        for run in runs:
            sending._launch(run)
            sending._land(run)
            sending._finish(run)
    for day in (1, 2):
        tick(app, later(day * 24 * 60))
    told = " ".join(request["body"]["textContent"] for request in brevo.double.requests)
    assert states(app) == {"sent": 2}
    assert all(told.count(f"Therme {name}") == 1 for name in ("Keller", "Dach"))


def test_a_thing_that_was_serviced_meanwhile_is_not_named(make_app: MakeApp, brevo: Served) -> None:
    app = make_app(config=real_config(brevo), campaigns={"service": SERVICE})
    with app.database.write() as session:
        anna = add_customer(session, "a", "anna@example.com")
        add_consent(session, anna)
        for name in ("Keller", "Dach"):
            add_service_item(session, anna, name, TODAY, name=f"Therme {name}")
    planning.plan(app, NOW)
    with app.database.write() as session:
        session.connection().exec_driver_sql("UPDATE service_item SET cycle = 2 WHERE service_item_id = 'Dach'")
    send(app)
    (request,) = brevo.double.requests
    assert "Keller" in request["body"]["textContent"]
    assert "Dach" not in request["body"]["textContent"]
    assert {row.reason for row in rows(app)} == {None, Reason.OCCASION_GONE}


def test_of_steps_due_together_only_the_latest_goes(make_app: MakeApp, brevo: Served) -> None:
    app = make_app(config=real_config(brevo), campaigns={"service": STEPS})
    with app.database.write() as session:
        anna = add_customer(session, "a", "anna@example.com")
        add_consent(session, anna)
        add_service_item(session, anna, "Keller", TODAY)
    tick(app)
    found = {row.step: (row.state.value, row.reason) for row in rows(app)}
    assert found == {"early": ("skipped", Reason.OVERTAKEN), "today": ("sent", None)}
    assert [request["body"]["subject"] for request in brevo.double.requests] == ["Heute"]


def test_a_purchase_stops_the_steps_that_are_left(make_app: MakeApp, brevo: Served) -> None:
    app = make_app(config=real_config(brevo), campaigns={"service": STEPS})
    with app.database.write() as session:
        anna = add_customer(session, "a", "anna@example.com")
        add_consent(session, anna)
        add_service_item(session, anna, "Keller", TODAY + timedelta(days=3))
    tick(app)
    with app.database.write() as session:
        add_purchase(session, anna, "p1", later(60), refresh=False)
    tick(app, later(3 * 24 * 60))
    found = {row.step: (row.state.value, row.reason) for row in rows(app)}
    assert found == {"early": ("sent", None), "today": ("cancelled", Reason.STOPPED)}


def test_a_cap_over_all_campaigns_lets_the_second_mail_wait(make_app: MakeApp, brevo: Served) -> None:
    config = real_config(brevo) + '\n[rules]\nat_most = "1 per 2 days"\n'
    app = make_app(config=config, campaigns={"birthday": BIRTHDAY, "service": SERVICE})
    with app.database.write() as session:
        anna = add_customer(session, "a", "anna@example.com", birthday=date(1990, 11, 23))
        add_consent(session, anna)
        add_service_item(session, anna, "Keller", TODAY)
    tick(app)
    waiting = next(row for row in rows(app) if row.state.value == "planned")
    assert (len(brevo.double.requests), waiting.reason) == (1, Reason.FREQUENCY_CAP)
    assert waiting.send_after == datetime(2026, 11, 25, 8, 0, tzinfo=NOW.tzinfo)
    tick(app, later(2 * 24 * 60))
    assert states(app) == {"sent": 2}


def test_a_rehearsal_does_not_count_for_real_caps(make_app: MakeApp, brevo: Served) -> None:
    limited = BIRTHDAY + '\n[limit]\nat_most = "1 per 30 days"\n'
    rehearsal = make_app(campaigns={"birthday": limited})
    add_birthdays(rehearsal, 1)
    tick(rehearsal)
    app = make_app(config=real_config(brevo), campaigns={"birthday": limited})
    tick(app, later(10))
    assert len(brevo.double.mails()) == 1


def test_the_gates_can_be_asked_without_writing(make_app: MakeApp) -> None:
    app = make_app(campaigns={"birthday": BIRTHDAY})
    add_birthdays(app, 2)
    _twins(app)
    with app.database.pretend() as session:
        planning.plan_campaign(session, app, app.campaigns[0], NOW)
        waiting = messages.find(session, messages.WAITING)
        said = [decision.action for _, decision in gating.gate(session, app, waiting, NOW)]
    assert sorted(said) == ["send", "send", "send", "skip"]
    assert rows(app) == []


def test_a_paused_campaign_sends_nothing_until_it_goes_on(make_app: MakeApp, brevo: Served) -> None:
    from engine.store import pauses

    app = make_app(config=real_config(brevo), campaigns={"birthday": BIRTHDAY})
    add_birthdays(app, 1)
    with app.database.write() as session:
        pauses.pause(session, "birthday", NOW)
    tick(app)
    assert states(app) == {"planned": 1}
    with app.database.write() as session:
        pauses.resume(session, "birthday")
    tick(app, later(1))
    assert states(app) == {"sent": 1}
