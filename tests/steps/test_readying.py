"""Whether a real mail may leave at all: until nothing is lacking, everything waits, and the owner is told why."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
import structlog

from engine.app import App
from engine.clock import stopped_at
from engine.daemon.readiness import Readiness
from engine.domain.words import Reason
from engine.errors import ConfigError
from engine.providers.brevo import Brevo
from engine.steps import passing
from engine.steps.consent import asking, replying
from engine.steps.consent.asking import SignUp, Visitor
from engine.steps.foresight import trying
from engine.steps.watching import readying
from engine.store import imports
from tests.conftest import CONFIG, MakeApp
from tests.people import NOW, add_customer, add_service_item
from tests.providers.conftest import Served
from tests.steps.sending_shop import BIRTHDAY, add_birthdays, rows, tick

CONTRACT = """
id = "contract"
name = "Wartung"
kind = "contract_appointment"
[trigger]
on = "service_due"
[start]
from = 2026-11-01
[message]
subject = "Wartung"
body = "{{ greeting }}, Ihr Termin."
"""
PROVIDER = {
    "use": "brevo",
    "base_url": "https://api.brevo.de/v3",
    "dpa_signed_at": "2026-01-01",
    "country": "FR",
}


def real_shop(
    make_app: MakeApp, brevo: Served, *, without: str = "", known: bool = True, campaign: str = BIRTHDAY
) -> App:
    """Make a shop that lacks nothing but one key, with the double behind a provider that looks real."""
    given = {name: value for name, value in PROVIDER.items() if name != without}
    lines = "\n".join(f"{name} = {json.dumps(value)}" for name, value in given.items())
    config = CONFIG.replace('use = "outbox"', lines.replace('"2026-01-01"', "2026-01-01"))
    web = '[web]\npublic_url = "https://post.radhaus-sommer.example.com"\n\n[wording.'
    config = config.replace("[wording.", web, 1).replace(".example.com", ".de")
    app = make_app(config=config, campaigns={"c": campaign})
    if known:
        note_pulled(app)
    return replace(app, provider=Brevo(base_url=brevo.url, api_key="x", senders=1))


def note_pulled(app: App) -> None:
    """Let the provider's block list have been read."""
    with app.database.write() as session:
        run = imports.begin(session, "suppressions", readying.source_name("brevo"), "", NOW)
        imports.end(session, run, imports.Counts())


def _waits(app: App) -> list[tuple[str, Reason | None]]:
    return [(row.state.value, row.reason) for row in rows(app)]


def test_p1_a_mail_somebody_asked_for_waits_as_well(make_app: MakeApp, brevo: Served) -> None:
    app = real_shop(make_app, brevo, without="dpa_signed_at")
    asking.sign_up(app, SignUp("anna@example.com", "newsletter-2015"), Visitor(), NOW)
    assert not replying.send_replies(app, stopped_at(NOW))["sent"]
    assert brevo.double.mails() == []
    ready = real_shop(make_app, brevo)
    assert replying.send_replies(ready, stopped_at(NOW + timedelta(hours=1)))["sent"] == 1
    ready.provider.close()
    assert [mail["to"] for mail in brevo.double.mails()] == ["anna@example.com"]


@pytest.mark.parametrize("key", ["dpa_signed_at", "country"])
def test_p1_nothing_leaves_while_something_is_missing(make_app: MakeApp, brevo: Served, key: str) -> None:
    app = real_shop(make_app, brevo, without=key)
    add_birthdays(app, 2)
    tick(app)
    assert brevo.double.requests == []
    assert _waits(app) == [("planned", Reason.NOT_READY)] * 2
    assert {row.detail for row in rows(app)} == {f"provider.{key}"}


def test_p1_contract_mail_waits_as_well(make_app: MakeApp, brevo: Served) -> None:
    app = real_shop(make_app, brevo, without="dpa_signed_at", campaign=CONTRACT)
    with app.database.write() as session:
        anna = add_customer(session, "a", "anna@example.com")
        add_service_item(session, anna, "Keller", NOW.date(), contract_ref="W-1")
    tick(app)
    assert brevo.double.requests == []
    assert _waits(app) == [("planned", Reason.NOT_READY)]


def test_p1_a_list_of_blocked_addresses_must_have_been_read_once(make_app: MakeApp, brevo: Served) -> None:
    app = real_shop(make_app, brevo, known=False, campaign=CONTRACT)
    with app.database.write() as session:
        anna = add_customer(session, "a", "anna@example.com")
        add_service_item(session, anna, "Keller", NOW.date(), contract_ref="W-1")
    tick(app)
    assert [lack.key for lack in readying.look(app, NOW)] == ["provider.use"]
    assert _waits(app) == [("planned", Reason.NOT_READY)]
    note_pulled(app)
    assert readying.look(app, NOW) == ()
    tick(app, NOW + timedelta(hours=2))
    assert _waits(app) == [("sent", None)]


def test_p1_every_lack_is_told_with_its_line_and_its_remedy(make_app: MakeApp, brevo: Served) -> None:
    app = real_shop(make_app, brevo, without="dpa_signed_at")
    (one,) = readying.told(app.config, readying.look(app, NOW))
    text = app.config.file.read_text(encoding="utf-8").splitlines()
    number = int(one.place.split(":")[1])
    assert text[number - 1] == "[provider]"
    assert one.place.endswith(": provider.dpa_signed_at")
    assert "AV-Vertrag" in one.text
    assert one.remedy


def test_p1_a_test_mail_with_a_customers_data_is_refused_as_well(make_app: MakeApp, brevo: Served) -> None:
    app = real_shop(make_app, brevo, without="dpa_signed_at")
    add_birthdays(app, 1)
    with pytest.raises(ConfigError) as refused:
        trying.send_test(app, "birthday", "0", "me@example.com", NOW)
    assert "provider.dpa_signed_at" in refused.value.hint
    assert brevo.double.requests == []


def test_p1_a_pass_says_what_is_missing(make_app: MakeApp, brevo: Served) -> None:
    app = real_shop(make_app, brevo, without="country")
    assert passing.one_pass(app).not_ready == ("provider.country",)


def test_p1_the_daemon_says_it_once_and_says_when_it_is_over(make_app: MakeApp, brevo: Served) -> None:
    app, readiness = real_shop(make_app, brevo, known=False), Readiness()
    with structlog.testing.capture_logs() as said:
        for _ in range(3):
            readiness.look(app, NOW)
        note_pulled(app)
        for _ in range(3):
            readiness.look(app, NOW)
    assert [line["event"] for line in said] == ["not ready to send", "ready to send"]
    assert "treuepost suppress pull" in said[0]["say"]


def test_a_rehearsal_and_a_provider_on_this_machine_need_nothing_of_it(make_app: MakeApp, brevo: Served) -> None:
    for change in ("", 'use = "brevo"\nbase_url = "http://127.0.0.1:9"\n'):
        app = make_app(config=CONFIG.replace('use = "outbox"', change or 'use = "outbox"'))
        assert readying.look(app, NOW) == ()
