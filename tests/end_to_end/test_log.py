"""The log answers years later: what was sent, byte for byte, on which basis and with which evidence."""

from __future__ import annotations

import email
import email.policy
from pathlib import Path

import pytest

from engine.app import App
from engine.steps import planning, sending
from tests.brevo_double import BrevoDouble, serving
from tests.conftest import CONFIG, MakeApp
from tests.end_to_end.command import lines_within, within
from tests.people import NOW, add_consent, add_customer, add_service_item

BIRTHDAY = """
id = "geburtstag"
kind = "birthday"
advertises = ["fahrraeder"]

[trigger]
on = "birthday"

[message]
subject = "Alles Gute, {{ customer.first_name }}!"
body = "{{ greeting }}, *alles* Gute – & viel Glück < immer."
button = { text = "Zum Laden", url = "{{ shop.url }}" }
"""

CONTRACT = """
id = "wartung"
kind = "contract_appointment"

[trigger]
on = "service_due"

[[step]]
id = "first"
when = "30 days before"
subject = "Wartung"
body = "{{ greeting }}, {{ item.name }} ist am {{ item.due_on | date }} dran."
"""

KEYS = {
    "message_id", "campaign", "step", "customer", "email", "occasion", "state", "reason", "planned_at", "send_after",
    "sent_at", "provider", "provider_id", "attempts", "basis", "evidence", "subject", "rehearsal", "events",
}  # fmt: skip


def _open(make_app: MakeApp, config: str) -> App:
    app = make_app(config=config, campaigns={"geburtstag": BIRTHDAY, "wartung": CONTRACT})
    with app.database.write() as session:
        anna = add_customer(session, "1", "anna@example.com", first_name="Änne", birthday=NOW.date().replace(year=1980))
        add_consent(session, anna)
        bernd = add_customer(session, "2", "bernd@example.com", birthday=NOW.date().replace(year=1981))
        add_service_item(session, bernd, "S-1", NOW.date().replace(month=12), contract_ref="V-2041")
    planning.plan(app, app.clock())
    sending.send_due(app, app.clock)
    return app


def test_what_the_log_shows_is_byte_for_byte_what_the_provider_was_given(make_app: MakeApp, tmp_path: Path) -> None:
    double = BrevoDouble(tmp_path / "book.jsonl")
    with serving(double) as url:
        app = _open(make_app, CONFIG.replace('use = "outbox"', f'use = "brevo"\nbase_url = "{url}"'))
    (request,) = double.requests
    mails = request["body"]["messageVersions"]
    assert len(mails) == 2
    for mail in mails:
        message = mail["headers"]["X-Mailin-custom"]
        assert within(app.home, "log", "show", message, "--html") == mail["htmlContent"]
        assert within(app.home, "log", "show", message, "--text") == mail["textContent"]


def test_what_the_log_shows_is_what_lies_in_the_outbox(make_app: MakeApp) -> None:
    app = _open(make_app, CONFIG)
    files = list((app.home / "outbox").glob("*.eml"))
    assert len(files) == 2
    for file in files:
        mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        part = mail.get_body(("html",))
        assert part is not None
        # In transport every line ends in CRLF, the last one too.
        assert part.get_content().splitlines() == within(app.home, "log", "show", file.stem, "--html").splitlines()


def test_every_mail_in_the_log_names_its_state_reason_basis_and_evidence(make_app: MakeApp) -> None:
    app = _open(make_app, CONFIG)
    rows = lines_within(app.home, "log", "--rehearsal")
    assert all(set(row) == KEYS for row in rows)
    told = {
        (row["campaign"], row["customer"]): (row["state"], row["reason"], row["basis"], row["evidence"]) for row in rows
    }
    assert told == {
        ("geburtstag", "1"): ("sent", None, "consent", "consent:1"),
        ("geburtstag", "2"): ("skipped", "no_consent", None, ""),
        ("wartung", "2"): ("sent", None, "contract", "contract:V-2041"),
    }


@pytest.mark.parametrize("form", ["--html", "--text", "--eml"])
def test_a_mail_that_was_never_made_has_nothing_to_show(make_app: MakeApp, form: str) -> None:
    app = _open(make_app, CONFIG)
    skipped = next(row for row in lines_within(app.home, "log", "--rehearsal") if row["state"] == "skipped")
    within(app.home, "log", "show", skipped["message_id"], form, codes=(7,))
