"""Promises under strain: what must hold when data, files and providers change between two passes."""

from __future__ import annotations

from datetime import date, timedelta

from engine.app import App
from engine.domain.words import Reason, State
from engine.steps import planning, subscribing
from engine.steps.foresight import explaining, foreseeing
from engine.store import enrolments
from tests.conftest import MakeApp
from tests.people import NOW, add_address, add_consent, add_customer, add_purchase, add_service_item
from tests.providers.conftest import Served
from tests.steps.sending_shop import BIRTHDAY, SERVICE, add_birthdays, later, put_state, real_config, rows, send, tick

TODAY = NOW.date()
APPOINTMENT = """
id = "service"
name = "Wartung"
kind = "contract_appointment"

[trigger]
on = "service_due"
contract = "with"

[start]
from = 2026-11-01

[stop]
on = ["objection"]

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
WINBACK = """
id = "winback"
name = "Wiedersehen"
kind = "winback"
advertises = ["*"]

[trigger]
on = "lapsed"
after = "90 days"

[start]
from = 2026-11-01

[message]
subject = "Lange nicht gesehen"
body = "{{ greeting }}, schön wär's."
"""


def _boilers(app: App, *names: str) -> None:
    with app.database.write() as session:
        anna = add_customer(session, "a", "anna@example.com")
        add_consent(session, anna)
        for name in names:
            add_service_item(session, anna, name, TODAY, name=f"Therme {name}")


def _said(app: App, who: str, campaign: str) -> tuple[str, Reason | None]:
    (found,) = explaining.explain(app, who, campaign, NOW)
    return found.decision, found.reason


def test_who_was_to_be_carried_by_a_mail_that_never_went_gets_one_of_their_own(
    make_app: MakeApp, brevo: Served
) -> None:
    app = make_app(config=real_config(brevo), campaigns={"service": SERVICE})
    _boilers(app, "Keller", "Dach")
    brevo.double.switch("throttle")
    tick(app)
    with app.database.write() as session:  # the one that led the mail is serviced before the provider answers again
        session.connection().exec_driver_sql("UPDATE service_item SET cycle = 2 WHERE service_item_id = 'Keller'")
    brevo.double.switch("accept")
    send(app, later(10))
    assert {row.state.value: row.reason for row in rows(app)} == {"skipped": Reason.OCCASION_GONE, "sent": None}
    assert "Therme Dach" in brevo.double.requests[-1]["body"]["textContent"]


def test_a_mail_that_is_tried_again_still_carries_what_it_names(make_app: MakeApp, brevo: Served) -> None:
    app = make_app(config=real_config(brevo), campaigns={"service": SERVICE})
    _boilers(app, "Keller", "Dach", "Laden")
    brevo.double.switch("throttle", 1)
    tick(app)
    tick(app, later(10))
    assert len(brevo.double.mails()) == 1
    body = brevo.double.requests[-1]["body"]["textContent"]
    assert all(f"Therme {name}" in body for name in ("Keller", "Dach", "Laden"))
    lead, *others = sorted(rows(app), key=lambda row: row.state is not State.SENT)
    assert lead.state is State.SENT
    assert [(row.reason, row.carried_by) for row in others] == [(Reason.SAME_ADDRESS, lead.id)] * 2


def test_what_a_mail_in_doubt_carried_is_not_written_again_after_a_crash(make_app: MakeApp, brevo: Served) -> None:
    app = make_app(config=real_config(brevo), campaigns={"service": SERVICE})
    _boilers(app, "Keller", "Dach")
    planning.plan(app, NOW)
    lead, other = (row.id for row in rows(app))
    put_state(app, [lead], [State.CLAIMED, State.SENDING], owner="dead", first_call_at=NOW)
    put_state(app, [other], [State.CLAIMED], owner="dead", carried_by=lead)
    send(app, later(24 * 60))
    assert brevo.double.mails() == []
    assert [(row.state.value, row.reason) for row in rows(app)] == [
        ("unknown", Reason.NO_PROOF),
        ("skipped", Reason.SAME_ADDRESS),
    ]


def test_calls_that_sent_nothing_cost_no_budget(make_app: MakeApp, brevo: Served) -> None:
    app = make_app(config=real_config(brevo, max_per_day=4), campaigns={"birthday": BIRTHDAY})
    add_birthdays(app, 4)
    brevo.double.switch("throttle")
    for minute in range(0, 40, 10):
        tick(app, later(minute))
    brevo.double.switch("accept")
    tick(app, later(60))
    assert len(brevo.double.mails()) == 4


def test_a_file_whose_kind_was_edited_mails_only_whom_the_new_kind_allows(make_app: MakeApp, brevo: Served) -> None:
    app = make_app(config=real_config(brevo), campaigns={"service": APPOINTMENT})
    with app.database.write() as session:
        anna = add_customer(session, "a", "anna@example.com")
        add_service_item(session, anna, "Keller", TODAY, contract_ref="V-17")
    planning.plan(app, NOW)
    advertising = APPOINTMENT.replace('"contract_appointment"', '"service_reminder"\nadvertises = ["service"]')
    edited = make_app(config=real_config(brevo), campaigns={"service": advertising})
    tick(edited, later(1))
    assert brevo.double.mails() == []
    assert {(row.step, row.state.value, row.reason) for row in rows(app)} == {
        ("today", "skipped", Reason.NO_CONSENT),
        ("early", "skipped", Reason.NO_CONSENT),
    }


def test_an_objection_stops_the_further_steps_of_what_is_no_advertising(make_app: MakeApp, brevo: Served) -> None:
    app = make_app(config=real_config(brevo), campaigns={"service": APPOINTMENT})
    with app.database.write() as session:
        anna = add_customer(session, "a", "anna@example.com")
        add_service_item(session, anna, "Keller", TODAY + timedelta(days=3), contract_ref="V-17")
    tick(app)
    subscribing.object_from_any_channel(app, "a", "Anruf", later(60))
    tick(app, later(3 * 24 * 60))
    found = {row.step: (row.state.value, row.reason) for row in rows(app)}
    assert found == {"early": ("sent", None), "today": ("cancelled", Reason.STOPPED)}


def test_what_is_explained_to_a_twin_is_what_sending_does(make_app: MakeApp, brevo: Served) -> None:
    app = make_app(config=real_config(brevo), campaigns={"birthday": BIRTHDAY})
    with app.database.write() as session:
        for name in ("a", "b"):
            add_consent(session, add_customer(session, name, "familie@example.com", birthday=date(1990, 11, 23)))
    unplanned = [_said(app, name, "birthday") for name in ("a", "b")]
    planning.plan(app, NOW)
    planned = [_said(app, name, "birthday") for name in ("a", "b")]
    send(app)
    assert [row.state.value for row in rows(app)] == ["sent", "skipped"]
    assert unplanned == planned == [("send", None), ("skip", Reason.SAME_ADDRESS)]


def test_what_is_foreseen_counts_for_the_address_the_mail_goes_to(make_app: MakeApp, brevo: Served) -> None:
    config = real_config(brevo) + '\n[rules]\nat_most = "1 per 5 days"\n'
    app = make_app(config=config, campaigns={"birthday": BIRTHDAY, "service": SERVICE})
    with app.database.write() as session:
        anna = add_customer(session, "a", "anna@example.com", birthday=date(1990, 11, 23))
        add_service_item(session, anna, "Keller", TODAY + timedelta(days=1))
    planning.plan(app, NOW)
    with app.database.write() as session:
        moved = add_address(session, "anna.neu@example.com")
        session.connection().exec_driver_sql("UPDATE customer SET address_id = (SELECT max(id) FROM address)")
        anna.address_id = moved.id
        add_consent(session, anna)
    lines = foreseeing.foresee(app, NOW, days=3).lines
    said = {line.campaign: (line.decision, line.reason) for line in lines}
    assert said == {"birthday": ("send", None), "service": ("hold", Reason.FREQUENCY_CAP)}


def test_a_correction_that_comes_while_a_mail_goes_out_leaves_it_alone(make_app: MakeApp) -> None:
    app = make_app(campaigns={"birthday": BIRTHDAY})
    add_birthdays(app, 1)
    planning.plan(app, NOW)
    (row,) = rows(app)
    correction = {"id": row.id, "due": TODAY + timedelta(days=2), "send_after": later(2880), "expires_at": later(9999)}
    send(app)  # between the reading of the correction and its writing
    with app.database.write() as session:
        enrolments.move_messages(session, [correction])
    (after,) = rows(app)
    assert (after.state, after.due, after.send_after) == (State.SENT, row.due, row.send_after)


def test_a_winback_is_not_forgotten_because_a_twin_came_back(make_app: MakeApp, brevo: Served) -> None:
    app = make_app(config=real_config(brevo), campaigns={"winback": WINBACK})
    with app.database.write() as session:
        for name in ("a", "b"):
            twin = add_customer(session, name, "familie@example.com")
            add_consent(session, twin)
            add_purchase(session, twin, f"P{name}", NOW - timedelta(days=90))
    brevo.double.switch("throttle")
    tick(app)
    with app.database.write() as session:
        session.connection().exec_driver_sql(
            "UPDATE customer SET last_purchase_id = 'neu', last_purchase_on = last_purchase_on + 80 "
            "WHERE customer_id = 'a'"
        )
    brevo.double.switch("accept")
    send(app, later(10))
    assert [(row.state.value, row.reason) for row in rows(app)] == [("skipped", Reason.OCCASION_GONE), ("sent", None)]


def test_an_objection_counts_though_the_clock_was_set_back(make_app: MakeApp, brevo: Served) -> None:
    app = make_app(config=real_config(brevo), campaigns={"birthday": BIRTHDAY})
    with app.database.write() as session:
        anna = add_customer(session, "a", "anna@example.com", birthday=date(1990, 11, 25))
        add_consent(session, anna, at=later(-60))
    subscribing.object_from_any_channel(app, "a", "Anruf", later(-30 * 24 * 60))  # the machine lost its clock
    tick(app, later(2 * 24 * 60))
    assert brevo.double.mails() == []
    assert [(row.state.value, row.reason) for row in rows(app)] == [("skipped", Reason.OBJECTION)]


def test_an_objection_of_an_address_without_a_customer_counts_though_the_clock_was_set_back(
    make_app: MakeApp, brevo: Served
) -> None:
    app = make_app(config=real_config(brevo), campaigns={"birthday": BIRTHDAY})
    with app.database.write() as session:
        anna = add_customer(session, "a", "anna@example.com", birthday=date(1990, 11, 25))
        add_consent(session, anna, at=later(-60))
        session.connection().exec_driver_sql("DELETE FROM customer_address")
        session.connection().exec_driver_sql("UPDATE customer SET address_id = NULL")
    subscribing.object_from_any_channel(app, "anna@example.com", "Anruf", later(-30 * 24 * 60))
    with app.database.write() as session:
        session.connection().exec_driver_sql("UPDATE customer SET address_id = (SELECT max(id) FROM address)")
    tick(app, later(2 * 24 * 60))
    assert brevo.double.mails() == []


def test_a_mail_in_doubt_counts_for_the_day_of_its_last_call(make_app: MakeApp, brevo: Served) -> None:
    app = make_app(config=real_config(brevo), campaigns={"birthday": BIRTHDAY})
    with app.database.write() as session:
        for name, day in (("a", 23), ("b", 24)):
            add_consent(session, add_customer(session, name, "familie@example.com", birthday=date(1990, 11, day)))
    brevo.double.switch("throttle")
    tick(app)
    brevo.double.switch("accept_then_500", 1)
    tick(app, later(24 * 60))
    assert len(brevo.double.mails()) == 1
    assert [(row.state.value, row.reason) for row in rows(app)] == [
        ("in_doubt", Reason.NO_ANSWER),
        ("skipped", Reason.SAME_ADDRESS),
    ]
    brevo.double.switch("accept")
    send(app, later(25 * 60))
    assert len(brevo.double.mails()) == 1


def test_who_comes_to_the_address_after_a_doubt_is_not_written_on_the_same_day(
    make_app: MakeApp, brevo: Served
) -> None:
    app = make_app(config=real_config(brevo), campaigns={"birthday": BIRTHDAY})
    with app.database.write() as session:
        add_consent(session, add_customer(session, "a", "familie@example.com", birthday=date(1990, 11, 23)))
    brevo.double.switch("throttle")
    tick(app)
    brevo.double.switch("accept_then_500", 1)
    tick(app, later(24 * 60))
    with app.database.write() as session:
        add_customer(session, "b", "familie@example.com", birthday=date(1990, 11, 24))
        session.connection().exec_driver_sql("UPDATE installation SET data_version = data_version + 1")
    tick(app, later(25 * 60))
    assert len(brevo.double.mails()) == 1
    first, second = rows(app)
    assert first.state in {State.IN_DOUBT, State.UNKNOWN}
    assert (second.state, second.reason) == (State.SKIPPED, Reason.SAME_ADDRESS)
