"""What is foreseen is what happens: the same code, rolled back."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from engine.app import App
from engine.clock import stopped_at
from engine.domain.log_query import LogQuery
from engine.domain.words import Reason
from engine.errors import NothingFound, UsageError
from engine.steps import passing
from engine.steps.foresight import explaining, foreseeing, trying
from engine.store import reports
from tests.cli.typed import BIRTHDAY
from tests.conftest import MakeApp
from tests.people import NOW, add_consent, add_customer, add_purchase

THANKS = """
id = "thanks"
name = "Danke"
kind = "thank_you"
[trigger]
on = "purchase"
when = "2 days after"
[send]
between = "09:00-18:00"
days = "Mon-Fri"
[message]
subject = "Danke"
body = "{{ greeting }},"
"""


@pytest.fixture
def app(make_app: MakeApp) -> App:
    """Return a shop in which, on Monday, two have a birthday on one address, one without consent; Auckland is ahead."""
    app = make_app(campaigns={"birthday": BIRTHDAY, "thanks": THANKS})
    with app.database.write() as session:
        anna = add_customer(session, "1", "anna@example.com", birthday=date(1980, 11, 23))
        add_consent(session, anna)
        add_customer(session, "2", "anna@example.com", birthday=date(2010, 11, 23))
        add_customer(session, "3", "ben@example.com", birthday=date(1981, 11, 23))
        kiri = add_customer(session, "4", "kiri@example.com", birthday=date(1982, 11, 24), timezone="Pacific/Auckland")
        add_consent(session, kiri)
        add_customer(session, "5", None, birthday=date(1983, 11, 23))
        add_purchase(session, anna, "P1", NOW - timedelta(days=2))
    return app


def foreseen(app: App, days: int = 1) -> set[tuple[str, str, str, str]]:
    lines = foreseeing.foresee(app, app.clock(), days).lines
    return {(line.campaign, line.customer, line.decision, line.reason or "") for line in lines}


def test_everybody_who_is_due_has_a_decision(app: App) -> None:
    assert foreseen(app) == {
        ("birthday", "1", "send", ""),
        ("birthday", "2", "skip", "same_address"),
        ("birthday", "3", "skip", "no_consent"),
        ("birthday", "4", "send", ""),
        ("birthday", "5", "skip", "no_address"),
        ("thanks", "1", "send", ""),
    }


def test_a_week_of_passes_does_what_was_foreseen(app: App) -> None:
    expected = {(line.campaign, line.customer, line.decision) for line in foreseeing.foresee(app, NOW, 3).lines}
    for hours in range(0, 62, 2):
        passing.one_pass(replace(app, clock=stopped_at(NOW + timedelta(hours=hours))))
    with app.database.read() as session:
        entries = reports.page(session, LogQuery(rehearsal=True))
    words = {"sent": "send", "skipped": "skip"}
    assert {(entry.campaign, entry.customer, words[entry.state.value]) for entry in entries} == expected


def test_foreseeing_leaves_no_trace(app: App) -> None:
    first = foreseen(app, 7)
    with app.database.read() as session:
        assert reports.newest(session) == 0
    assert foreseen(app, 7) == first


def test_what_is_planned_already_is_foreseen_once(app: App) -> None:
    early = replace(app, clock=stopped_at(NOW - timedelta(hours=6)))
    expected = foreseen(early)
    passing.one_pass(early)
    waiting = {line for line in expected if line[2] == "send"}
    assert {line for line in foreseen(early) if line[2] == "send"} == waiting


def test_a_closed_window_is_held_and_opens_in_time(app: App) -> None:
    late = NOW.replace(hour=17, minute=30)
    today = {(line.customer, line.reason) for line in foreseeing.foresee(app, late).lines if line.decision == "hold"}
    assert ("1", Reason.SEND_WINDOW) in today
    tomorrow = foreseeing.foresee(app, late, 2).lines
    assert ("1", "send") in {(line.customer, line.decision) for line in tomorrow}


def explained(app: App, who: str, campaign: str) -> explaining.Explanation:
    (found,) = explaining.explain(app, who, campaign, app.clock())
    return found


def test_an_explanation_is_the_gates_own_trail(app: App) -> None:
    assert explained(app, "1", "birthday").decision == "send"
    ben = explained(app, "3", "birthday")
    assert (ben.decision, ben.reason) == ("skip", Reason.NO_CONSENT)
    assert next(line for line in ben.trail if line.result == "no").check == "permission"


def test_an_explanation_finds_the_next_occasion_and_what_would_stand_in_its_way(app: App) -> None:
    later = replace(app, clock=stopped_at(NOW + timedelta(days=30)))
    found = explained(later, "3", "birthday")
    assert (found.decision, found.reason, found.next_due) == ("hold", Reason.NOT_DUE, date(2027, 11, 23))
    assert ("permission", "no") in {(line.check, line.result) for line in found.trail}


def test_an_explanation_remembers_what_was_sent(app: App) -> None:
    passing.one_pass(app)
    found = explained(app, "1", "birthday")
    assert (found.decision, found.next_due) == ("hold", date(2027, 11, 23))
    assert found.trail[0].check == "log"
    assert found.trail[0].detail.startswith("sent 2026-11-23")


def test_without_any_occasion_the_permission_is_still_said(app: App) -> None:
    found = explained(app, "3", "thanks")
    assert (found.decision, found.reason) == ("skip", Reason.NO_OCCASION)
    assert found.trail[-1].check == "permission"


def test_a_test_mail_has_real_data_and_leaves_no_trace(app: App) -> None:
    email, _result = trying.send_test(app, "thanks", "1", "me@example.com", NOW)
    assert (email.to, email.subject) == ("me@example.com", "[TEST] Danke")
    with app.database.read() as session:
        assert reports.newest(session) == 0


@pytest.mark.parametrize(("who", "error"), [("9", NothingFound), ("anna@example.com", UsageError), ("3", NothingFound)])
def test_a_test_mail_needs_one_customer_with_an_occasion(app: App, who: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        trying.send_test(app, "thanks", who, "me@example.com", NOW)
