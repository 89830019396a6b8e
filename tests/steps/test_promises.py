"""Promises under strain: what must hold when data, files and providers change between two passes."""

from __future__ import annotations

from datetime import timedelta

from engine.domain.words import Reason
from engine.steps import planning, subscribing
from tests.conftest import MakeApp
from tests.people import NOW, add_customer, add_service_item
from tests.providers.conftest import Served
from tests.steps.sending_shop import BIRTHDAY, add_birthdays, later, real_config, rows, tick

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
