"""Resend: single mails and batches, what each row of its table means, and its description."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.domain.words import Accepted, CannotTell, InDoubt, NotSent, Refused
from engine.providers.http import Answer
from engine.providers.resend import QUOTA_PAUSE, TABLE, Resend, classified, payload, read
from tests.providers.conftest import MAIL, Desk, asked, described, meaning, one, several, spoilt, unused


@pytest.fixture
def desk(open_desk: Callable[[str], Desk]) -> Desk:
    return open_desk("resend")


@pytest.fixture
def provider(desk: Desk) -> Iterator[Resend]:
    made = Resend(base_url=desk.url, api_key="secret", senders=1, batch=100, longest_call=1.5)
    yield made
    made.close()


def _refusal(status: int, name: str = "", message: str = "", **headers: str) -> Answer:
    body = json.dumps({"statusCode": status, "name": name, "message": message}).encode()
    return Answer(status, {key.replace("_", "-"): value for key, value in headers.items()}, body)


def test_a_mail_is_accepted_with_resends_number(provider: Resend, desk: Desk) -> None:
    assert provider.send(one(MAIL)) == [Accepted(desk.double.mails()[0]["id"])]
    (request,) = desk.double.requests
    assert request["path"] == "/emails"
    assert request["headers"]["idempotency-key"] == MAIL.message_id
    assert request["headers"]["authorization"] == "Bearer secret"
    assert "x-batch-validation" not in request["headers"]


def test_a_mail_says_all_it_has_to_say() -> None:
    document = json.loads(payload(one(replace(MAIL, sender_name='Rad & Tat, "Sommer"', campaign="geburtstag.2026"))))
    assert document == {
        "from": '"Rad & Tat, \\"Sommer\\"" <post@radhaus-sommer.example.com>',
        "to": ["Anna Müller <anna@example.com>"],
        "subject": MAIL.subject,
        "html": MAIL.html,
        "text": MAIL.text,
        "headers": MAIL.headers,
        "tags": [{"name": "mid", "value": MAIL.message_id}, {"name": "campaign", "value": "geburtstag_2026"}],
        "reply_to": [MAIL.reply_to],
    }


def test_a_batch_carries_each_mail_with_its_own_words(provider: Resend, desk: Desk) -> None:
    call = several(3)
    results = provider.send(call)
    booked = desk.double.mails()
    assert results == [Accepted(mail["id"]) for mail in booked]
    assert [(mail["mid"], mail["to"], mail["subject"]) for mail in booked] == [
        (email.message_id, email.to, email.subject) for email in call.emails
    ]
    assert desk.double.requests[0]["headers"]["idempotency-key"] == call.key


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_bad_mail_does_not_sink_the_batch(provider: Resend, desk: Desk, place: int) -> None:
    call = spoilt(several(3), place, "refused@example.com")
    results = provider.send(call)
    assert [type(result) for result in results] == [Refused if at == place else Accepted for at in range(3)]
    numbers = {mail["mid"]: mail["id"] for mail in desk.double.mails()}
    for email, result in zip(call.emails, results, strict=True):
        assert isinstance(result, Refused) or result == Accepted(numbers[email.message_id])


def test_a_repeat_gets_the_first_answer_and_mails_nobody(provider: Resend, desk: Desk) -> None:
    call = spoilt(several(3), 1, "refused@example.com")
    desk.double.switch("accept_then_cut", 1)
    assert [type(result) for result in provider.send(call)] == [InDoubt] * 3
    assert [type(result) for result in provider.send(call)] == [Accepted, Refused, Accepted]
    assert len(desk.double.mails()) == 2
    assert provider.recovery.repeats_answer


def test_a_key_used_with_other_bytes_proves_the_earlier_call(provider: Resend, desk: Desk) -> None:
    provider.send(one(MAIL))
    (result,) = provider.send(one(replace(MAIL, subject="Etwas anderes")))
    assert isinstance(result, Accepted)
    assert result.provider_id == ""
    assert "invalid_idempotent_request" in result.detail
    assert len(desk.double.mails()) == 1


def test_of_a_batch_such_a_key_proves_no_mail_because_one_may_have_been_refused(provider: Resend, desk: Desk) -> None:
    call = spoilt(several(3), 1, "refused@example.com")
    provider.send(call)
    later_bytes = replace(call, emails=tuple(replace(email, subject="Etwas anderes") for email in call.emails))
    results = provider.send(later_bytes)
    assert [type(result) for result in results] == [InDoubt] * 3
    assert "invalid_idempotent_request" in results[0].detail
    assert len(desk.double.mails()) == 2


@pytest.mark.parametrize("mode", ["too_few", "too_many"])
def test_ids_that_do_not_come_out_even_are_doubt_for_everybody(provider: Resend, desk: Desk, mode: str) -> None:
    desk.double.switch(mode)
    assert [type(result) for result in provider.send(several(3))] == [InDoubt] * 3


def test_one_id_that_is_none_is_doubt_for_its_mail_alone(provider: Resend, desk: Desk) -> None:
    desk.double.switch("missing_ids")
    assert [type(result) for result in provider.send(several(3))] == [Accepted, Accepted, InDoubt]


@pytest.mark.parametrize(
    "document",
    [
        {"data": [{"id": "a"}], "errors": [{"index": 1, "message": "m"}, {"index": 1, "message": "m"}]},
        {"data": [{"id": "a"}], "errors": [{"index": 9, "message": "m"}]},
        {"data": [{"id": "a"}], "errors": [{"index": True, "message": "m"}, None]},
        {"data": [{"id": "a"}], "errors": [{"index": [1], "message": "m"}]},
        {"data": [{"id": "a"}], "errors": {"1": "m"}},
        {"data": None},
        {"data": {"id": "a"}},
        {},
        [],
    ],
)
def test_a_batch_answered_in_riddles_is_doubt(document: object) -> None:
    results = classified(Answer(200, {}, json.dumps(document).encode()), 2)
    assert [type(result) for result in results] == [InDoubt, InDoubt]


def test_a_whole_batch_refused_refuses_nobody_yet() -> None:
    results = classified(_refusal(422, "validation_error", "something"), 2)
    assert [meaning(result) for result in results] == ["not sent", "not sent"]
    assert all(isinstance(result, NotSent) and result.whole for result in results)


ROWS = [
    (_refusal(429, "daily_quota_exceeded", "", retry_after="3", ratelimit_reset="1"), "account", QUOTA_PAUSE),
    (_refusal(429, "monthly_quota_exceeded", "", retry_after="7200"), "account", timedelta(hours=2)),
    (_refusal(429, "rate_limit_exceeded", "Too many requests", retry_after="2"), "account", timedelta(seconds=2)),
    (_refusal(429, "rate_limit_exceeded", "", ratelimit_reset="1"), "account", timedelta(seconds=1)),
    (_refusal(401, "missing_api_key", "", ratelimit_reset="1"), "credentials", None),
    (_refusal(401, "restricted_api_key"), "credentials", None),
    (_refusal(403, "invalid_api_key", "API key is invalid"), "credentials", None),
    (_refusal(403, "validation_error", "You can only send testing emails to your own address"), "account", None),
    (_refusal(409, "invalid_idempotent_request"), "accepted", None),
    (_refusal(409, "concurrent_idempotent_requests"), "doubt", None),
    (_refusal(409, "resource_locked"), "doubt", None),
    (_refusal(404, "not_found"), "account", None),
    (_refusal(400, "invalid_idempotency_key"), "account", None),
    (_refusal(422, "invalid_from_address"), "account", None),
    (_refusal(422, "validation_error", "The radhaus.shop domain is not verified."), "account", None),
    (_refusal(422, "validation_error", "Invalid `from` field."), "account", None),
    (_refusal(422, "validation_error", "Invalid `to` field. The address is wrong."), "dead", None),
    (_refusal(422, "missing_required_field", "Missing `subject` field."), "refused", None),
    (_refusal(422, "strange", "nobody knows"), "doubt", None),
    (_refusal(451, "security_error", ""), "doubt", None),
    (_refusal(500, "application_error", ""), "doubt", None),
    (_refusal(503, "validation_error", "Invalid `to` field."), "doubt", None),
]


@pytest.mark.parametrize(("answer", "word", "wish"), ROWS)
def test_every_row_of_the_table_means_what_it_says(answer: Answer, word: str, wish: timedelta | None) -> None:
    (result,) = classified(answer)
    assert meaning(result) == word
    assert getattr(result, "retry_after", None) == wish


def test_every_row_of_the_table_is_tested() -> None:
    assert unused(TABLE, [read(answer) for answer, *_ in ROWS]) == []


@pytest.mark.parametrize(
    ("mode", "word"),
    [
        ("unauthorized", "credentials"),
        ("quota", "account"),
        ("throttle=5", "account"),
        ("bad_sender", "account"),
        ("conflict", "doubt"),
        ("404_html", "account"),
    ],
)
def test_no_from_the_desk_is_read_as_it_is_meant(provider: Resend, desk: Desk, mode: str, word: str) -> None:
    desk.double.switch(mode)
    assert [meaning(result) for result in provider.send(several(2))] == [word, word]
    assert desk.double.mails() == []


def test_the_log_shows_one_plain_sentence() -> None:
    assert classified(_refusal(403, "invalid_api_key", "API key is invalid"))[0] == NotSent(
        "Resend 403 invalid_api_key: API key is invalid", account=True, credentials=True
    )


def test_there_is_no_look_up(provider: Resend) -> None:
    assert [type(finding) for finding in provider.look_up([MAIL], datetime(2026, 11, 20, tzinfo=UTC))] == [CannotTell]
    assert provider.recovery.settles is None


def test_every_request_is_one_resend_describes(provider: Resend, desk: Desk, provider_descriptions: Path) -> None:
    provider.send(one(MAIL))
    provider.send(one(replace(MAIL, message_id="x", to_name="", reply_to="", headers={})))
    provider.send(several(3))
    description = described(provider_descriptions / "resend.yaml", "/emails", "/emails/batch")
    assert len(desk.double.requests) == 3
    for entry in desk.double.requests:
        description.validate_request(asked(entry))


def test_the_description_would_notice_a_wrong_request(provider_descriptions: Path) -> None:
    from openapi_core.validation.request.exceptions import InvalidRequestBody

    description = described(provider_descriptions / "resend.yaml", "/emails", "/emails/batch")
    wrong = json.loads(payload(several(2)))
    del wrong[1]["subject"]
    headers = {"authorization": "Bearer x", "content-type": "application/json"}
    entry = {
        "method": "POST",
        "path": "/emails/batch",
        "query": {},
        "headers": headers,
        "raw": json.dumps(wrong).encode(),
    }
    with pytest.raises(InvalidRequestBody):
        description.validate_request(asked(entry))
