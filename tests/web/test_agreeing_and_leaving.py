"""From the box that is ticked to the click that ends it: one customer, the real pages, a provider, both stores."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from engine.clock import stopped_at
from engine.domain.permission import Permitted, Refused
from engine.domain.words import Basis, Reason
from engine.steps import planning, sending
from engine.steps.consent import replying
from engine.steps.foresight.recounting import recount
from engine.steps.watching import auditing
from engine.store import consent_check
from engine.web.application import build
from tests.conftest import MakeApp
from tests.people import NOW, add_customer
from tests.providers.conftest import Served
from tests.steps.sending_shop import BIRTHDAY, real_config, states
from tests.web.visiting import HOST, ONE_CLICK, visitor

if TYPE_CHECKING:
    from datetime import datetime

    from engine.app import App

TOMORROW = NOW + timedelta(days=1)


def _path(link: str) -> str:
    assert link.startswith(f"https://{HOST}/")
    return link.removeprefix(f"https://{HOST}")


def _fields(page: str) -> dict[str, str]:
    """Return what a browser would post of a form whose boxes are all ticked."""
    found = {}
    for tag in re.findall(r"<input[^>]+>", page):
        name, value = re.search(r'name="([^"]+)"', tag), re.search(r'value="([^"]*)"', tag)
        if name:
            found[name[1]] = value[1] if value else "on"
    return found


def _may(app: App, now: datetime) -> Permitted | Refused:
    (history,) = recount(app, "1", now)
    return history.kinds["birthday"]


def _given(served: Served, place: int) -> Any:
    """Return a mail as the provider was given it."""
    return served.double.requests[place]["body"]


def _agree(app: App, brevo: Served) -> None:
    """Tick the box, get the mail, look at its page, and press the button."""
    browser = visitor(build(lambda: app, stopped_at(NOW)), **{"user-agent": "Firefox"})
    form = browser.get("/anmelden/newsletter-2015")
    assert " checked" not in form.text
    asked = browser.post("/anmelden/newsletter-2015", data=_fields(form.text) | {"email": "Anna@Example.com"})
    assert asked.status_code == 200
    assert isinstance(_may(app, NOW), Refused)  # asking permits nothing

    assert replying.send_replies(app, stopped_at(NOW)) == {"sent": 1}
    request = _given(brevo, 0)
    assert "List-Unsubscribe" not in request["headers"]
    link = re.search(r"https://\S+/c/\S+", request["textContent"])
    assert link is not None
    page = browser.get(_path(link[0]))
    assert isinstance(_may(app, NOW), Refused)  # whoever only looks confirms nothing
    assert browser.post(_path(link[0]), data=_fields(page.text)).status_code == 200


def test_a_customer_agrees_gets_the_mail_and_is_left_alone_after_one_click(make_app: MakeApp, brevo: Served) -> None:
    app = make_app(config=real_config(brevo), campaigns={"birthday": BIRTHDAY})
    with app.database.write() as session:
        born = TOMORROW.date().replace(year=1980)
        add_customer(session, "1", "anna@example.com", birthday=born, first_name="Anna")
    assert isinstance(_may(app, NOW), Refused)
    _agree(app, brevo)
    said = _may(app, NOW)
    assert isinstance(said, Permitted)
    assert said.basis is Basis.CONSENT

    planning.plan(app, TOMORROW)
    sending.send_due(app, stopped_at(TOMORROW))
    assert states(app) == {"sent": 1}
    greeting = _given(brevo, 1)
    assert greeting["subject"] == "Alles Gute, Anna!"
    assert "weil Sie am 23. November 2026 zugestimmt haben" in greeting["textContent"]
    assert greeting["headers"]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"

    leaving = visitor(build(lambda: app, stopped_at(TOMORROW)))
    door = _path(greeting["headers"]["List-Unsubscribe"].strip("<>"))
    leaving.get(door)
    assert isinstance(_may(app, TOMORROW), Permitted)
    assert leaving.post(door, data=ONE_CLICK).status_code == 200
    refused = _may(app, TOMORROW)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.OBJECTION

    with app.database.read() as session:
        walk = consent_check.walk(session)
    assert (walk.size, walk.faults) == (3, [])  # asked, confirmed, objected
    assert auditing.audit_store(app.database, auditing.ground_of(app.config, app.campaigns, app.provider)) == []
