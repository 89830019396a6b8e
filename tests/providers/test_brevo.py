"""Brevo: what each answer means, and that the request is one Brevo describes."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from engine.domain.words import Accepted, InDoubt, NotSent, Refused, Result
from engine.providers.brevo import Brevo, classified, payload
from engine.providers.http import MOST_BYTES, Answer
from tests.providers.conftest import MAIL, Served, one

ROOT = Path(__file__).parents[2]


@pytest.fixture
def provider(brevo: Served) -> Iterator[Brevo]:
    made = Brevo(base_url=brevo.url, api_key="secret", senders=4, longest_call=1.5)
    yield made
    made.close()


def _send(provider: Brevo) -> Result:
    return provider.send(one(MAIL))[0]


def test_an_accepted_mail_has_brevos_number_and_stands_in_its_book(provider: Brevo, brevo: Served) -> None:
    result = _send(provider)
    (mail,) = brevo.double.mails()
    assert result == Accepted(mail["messageId"], result.detail)
    assert (mail["key"], mail["to"], mail["tags"]) == (
        MAIL.message_id,
        "anna@example.com",
        ["birthday", MAIL.message_id],
    )


def test_the_key_travels_in_a_header_and_never_in_the_answer(provider: Brevo, brevo: Served) -> None:
    result = _send(provider)
    assert brevo.double.requests[0]["headers"]["api-key"] == "secret"
    assert "secret" not in result.detail


def test_a_repeat_is_recognised_and_mailed_once(provider: Brevo, brevo: Served) -> None:
    brevo.double.switch("accept_then_500", 1)
    assert isinstance(_send(provider), InDoubt)
    again = _send(provider)
    assert isinstance(again, Accepted)
    assert again.provider_id == ""
    assert len(brevo.double.mails()) == 1


@pytest.mark.parametrize(
    "mode",
    [
        "accept_then_500",
        "accept_then_502_html",
        "accept_then_503",
        "accept_then_hang",
        "accept_then_cut",
        "accept_without_id",
        "accept_not_json",
        "drip",
        "huge",
    ],
)
def test_whatever_hides_an_acceptance_is_doubt(provider: Brevo, brevo: Served, mode: str) -> None:
    brevo.double.switch(mode)
    assert isinstance(_send(provider), InDoubt)
    assert len(brevo.double.mails()) == 1


@pytest.mark.parametrize("mode", ["cut", "timeout_408", "moved", "unknown_code", "conflict"])
def test_whatever_is_no_clear_no_is_doubt(provider: Brevo, brevo: Served, mode: str) -> None:
    brevo.double.switch(mode)
    assert isinstance(_send(provider), InDoubt)


@pytest.mark.parametrize(
    ("mode", "credentials", "wish"),
    [
        ("throttle", False, timedelta(seconds=7)),
        ("throttle_reset", False, timedelta(seconds=11)),
        ("unauthorized", True, None),
        ("forbidden", True, None),
        ("no_credits", False, None),
        ("bad_sender", False, None),
        ("html_404", False, None),
    ],
)
def test_a_fault_of_the_account_is_not_the_mails(
    provider: Brevo, brevo: Served, mode: str, credentials: bool, wish: timedelta | None
) -> None:
    brevo.double.switch(mode)
    result = _send(provider)
    assert isinstance(result, NotSent)
    assert (result.account, result.credentials, result.retry_after) == (True, credentials, wish)


@pytest.mark.parametrize(("mode", "dead"), [("refuse", False), ("bad_recipient", True)])
def test_a_mail_brevo_refuses_is_refused(provider: Brevo, brevo: Served, mode: str, dead: bool) -> None:
    brevo.double.switch(mode)
    result = _send(provider)
    assert isinstance(result, Refused)
    assert result.hard_bounce is dead


def test_an_answer_within_the_time_is_waited_for(provider: Brevo, brevo: Served) -> None:
    brevo.double.switch("slow")
    assert isinstance(_send(provider), Accepted)


def test_nobody_answering_the_door_means_nothing_was_sent() -> None:
    provider = Brevo(base_url="http://127.0.0.1:9", api_key="x", senders=1)
    result = _send(provider)
    assert isinstance(result, NotSent)
    assert result.account


def test_a_header_that_may_not_travel_means_nothing_was_sent(brevo: Served) -> None:
    provider = Brevo(base_url=brevo.url, api_key="bad\nkey", senders=1)
    assert isinstance(_send(provider), NotSent)
    assert brevo.double.requests == []


def test_a_line_kept_open_serves_the_next_mail(provider: Brevo, brevo: Served) -> None:
    mails = [replace(MAIL, message_id=str(uuid4())) for _ in range(5)]
    results = [provider.send(one(mail))[0] for mail in mails]
    assert [type(result) for result in results] == [Accepted] * 5
    assert [mail["key"] for mail in brevo.double.mails()] == [mail.message_id for mail in mails]


def test_the_body_of_an_answer_is_read_to_a_limit() -> None:
    long = Answer(500, {}, b"x" * MOST_BYTES)
    assert len(classified(long)[0].detail) <= 500


@pytest.mark.parametrize(("status", "body"), [(201, b"[]"), (201, b"null"), (299, b""), (201, b'{"messageId": 5}')])
def test_a_yes_without_a_number_is_doubt(status: int, body: bytes) -> None:
    assert [type(result) for result in classified(Answer(status, {}, body))] == [InDoubt]


def test_the_same_mail_makes_the_same_bytes() -> None:
    assert payload(one(MAIL)) == payload(one(replace(MAIL)))


def test_brevos_template_language_sees_no_braces() -> None:
    mail = replace(MAIL, text="{{ params.x }} {% if %}", subject="{{ a }}")
    document = json.loads(payload(one(mail)))
    assert all("{{" not in document[name] and "{%" not in document[name] for name in ("htmlContent", "textContent"))
    assert "{{" not in document["subject"]


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Anna Müller", "Anna Müller"),
        ("Müller, Anna", "=?utf-8?q?M=C3=BCller=2C_Anna?="),
        ("Smith, Jo", "Smith, Jo"),
        ("x" * 90, "x" * 70),
    ],
)
def test_names_survive_brevo(name: str, written: str) -> None:
    assert json.loads(payload(one(replace(MAIL, to_name=name))))["to"] == [{"email": MAIL.to, "name": written}]


def test_nobody_without_a_name_is_called_nothing() -> None:
    assert json.loads(payload(one(replace(MAIL, to_name=" "))))["to"] == [{"email": MAIL.to}]


def test_the_double_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.brevo_double", "--book", str(tmp_path / "book"), "--mode", "accept"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout
        base_url = f"http://127.0.0.1:{process.stdout.readline().strip()}"
        _switch(base_url, "unauthorized", 1)
        provider = Brevo(base_url=base_url, api_key="x", senders=1)
        first, second = _send(provider), _send(provider)
        provider.close()
        process.kill()
    assert isinstance(first, NotSent)
    assert isinstance(second, Accepted)
    assert len((tmp_path / "book").read_text().splitlines()) == 1


def _switch(base_url: str, mode: str, times: int) -> None:
    body = json.dumps({"mode": mode, "times": times}).encode()
    urllib.request.urlopen(urllib.request.Request(f"{base_url}/_mode", data=body, method="POST")).close()  # noqa: S310
