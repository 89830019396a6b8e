"""Advertising through a real provider leaves only while the page answers on which one can unsubscribe (law: K7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from engine.domain.words import Reason
from engine.providers.brevo import Brevo
from engine.steps.foresight.foreseeing import foresee
from engine.steps.watching import readying
from engine.store import imports, installation
from tests.conftest import MakeApp
from tests.people import NOW, add_consent, add_customer
from tests.providers.conftest import Served
from tests.steps.sending_shop import BIRTHDAY, add_birthdays, later, real_config, rows, send, states, tick

if TYPE_CHECKING:
    from engine.app import App


def _really_sending(make_app: MakeApp, brevo: Served) -> App:
    """Return a shop with a real provider: its calls end at the double, and nothing else about it is a test's."""
    elsewhere = real_config(brevo, base_url="https://api.brevo.example/v3", dpa_signed_at="2026-01-01", country="DE")
    config = elsewhere.replace('"2026-01-01"', "2026-01-01").replace(".example.com", "-testladen.de")
    app = make_app(config=config, campaigns={"birthday": BIRTHDAY})
    with app.database.write() as session:  # whom Brevo blocks has been read
        run = imports.begin(session, "suppressions", readying.source_name("brevo"), "", NOW)
        imports.end(session, run, imports.Counts())
    return replace(app, provider=Brevo(base_url=brevo.url, api_key="x", senders=1))


def _answered(app: App, at: datetime) -> None:
    with app.database.write() as session:
        installation.note_pages_seen(session, at)


def test_advertising_goes_on_by_itself_when_the_page_answers_again(make_app: MakeApp, brevo: Served) -> None:
    app = _really_sending(make_app, brevo)
    add_birthdays(app, 2)
    _answered(app, NOW - timedelta(minutes=6))
    tick(app)
    assert brevo.double.requests == []
    assert {row.reason for row in rows(app)} == {Reason.NO_UNSUBSCRIBE_PAGE}
    _answered(app, later(5))
    send(app, later(6))
    assert states(app) == {"sent": 2}


@pytest.mark.parametrize(("minutes", "sent"), [(0, 1), (-5, 1), (-6, 0), (5, 1), (6, 0)])
def test_the_page_counts_for_five_minutes_after_it_answered(
    make_app: MakeApp, brevo: Served, minutes: int, sent: int
) -> None:
    app = _really_sending(make_app, brevo)
    add_birthdays(app, 1)
    _answered(app, later(minutes))
    tick(app)
    assert states(app)["sent"] == sent


def test_a_page_without_https_counts_for_nothing(make_app: MakeApp, brevo: Served) -> None:
    app = _really_sending(make_app, brevo)
    web = app.config.web.model_copy(update={"public_url": "http://post.radhaus-sommer-testladen.de"})
    app = replace(app, config=app.config.model_copy(update={"web": web}))
    add_birthdays(app, 1)
    _answered(app, NOW)
    tick(app)
    assert brevo.double.requests == []


def test_plan_foresees_that_a_page_that_answers_goes_on_answering(make_app: MakeApp, brevo: Served) -> None:
    app = _really_sending(make_app, brevo)
    with app.database.write() as session:
        add_consent(session, add_customer(session, "t", "tom@example.org", birthday=date(1990, 11, 25)))
    assert {line.reason for line in foresee(app, NOW, 4).lines} == {Reason.NO_UNSUBSCRIBE_PAGE}
    _answered(app, NOW)
    assert [line.decision for line in foresee(app, NOW, 4).lines] == ["send"]
    with app.database.write() as session:
        installation.note_tick(session, later(60))
    assert {line.reason for line in foresee(app, NOW, 4).lines} == {Reason.NO_UNSUBSCRIBE_PAGE}
