"""Brevo: batches of versions, what each row of its table means, look-ups by our own tag, and its description."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.domain.words import Absent, Accepted, CannotTell, Found, InDoubt, NotSent, Refused
from engine.providers.brevo import TABLE, Brevo, classified, payload, read, recognised
from engine.providers.http import Answer
from tests.providers.conftest import MAIL, Desk, asked, described, meaning, one, several, spoilt, unused

DISHONEST = ["others", "500", "unauthorized", "throttle", "junk", "other_json", "giant", "cut"]
SINCE = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


@pytest.fixture
def desk(open_desk: Callable[[str], Desk]) -> Desk:
    return open_desk("brevo")


@pytest.fixture
def provider(desk: Desk) -> Iterator[Brevo]:
    made = Brevo(base_url=desk.url, api_key="secret", senders=1, batch=100, longest_call=1.5)
    yield made
    made.close()


def _refusal(status: int, code: str = "", message: str = "", **headers: str) -> Answer:
    body = json.dumps({"code": code, "message": message}).encode()
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def test_a_batch_carries_each_mail_with_its_own_words(provider: Brevo, desk: Desk) -> None:
    call = several(3)
    results = provider.send(call)
    booked = desk.double.mails()
    assert results == [Accepted(mail["id"]) for mail in booked]
    assert [(mail["mid"], mail["to"], mail["subject"]) for mail in booked] == [
        (email.message_id, email.to, email.subject) for email in call.emails
    ]


def test_a_batch_is_one_request_with_one_key_and_words_that_stand_in(provider: Brevo, desk: Desk) -> None:
    call = several(3, html="<p>{{ x }}</p>")
    provider.send(call)
    (request,) = desk.double.requests
    document = json.loads(request["raw"])
    assert document["headers"] == {"idempotencyKey": call.key}
    assert all(document[name] for name in ("sender", "subject", "htmlContent", "textContent"))
    assert "to" not in document
    first = document["messageVersions"][0]
    assert first["htmlContent"] == "<p>{&#123; x }}</p>"
    assert first["replyTo"] == {"email": MAIL.reply_to}
    assert first["headers"]["List-Unsubscribe"] == MAIL.headers["List-Unsubscribe"]
    assert first["headers"]["X-Mailin-Tag"] == call.emails[0].message_id


def test_a_repeated_batch_is_recognised_and_mailed_once(provider: Brevo, desk: Desk) -> None:
    call = several(3)
    desk.double.switch("accept_then_500", 1)
    assert [type(result) for result in provider.send(call)] == [InDoubt] * 3
    assert [type(result) for result in provider.send(call)] == [Accepted] * 3
    assert len(desk.double.mails()) == 3


@pytest.mark.parametrize("mode", ["too_few", "too_many"])
def test_ids_that_do_not_come_out_even_are_doubt_for_everybody(provider: Brevo, desk: Desk, mode: str) -> None:
    desk.double.switch(mode)
    assert [type(result) for result in provider.send(several(3))] == [InDoubt] * 3


def test_one_id_that_is_none_is_doubt_for_its_mail_alone(provider: Brevo, desk: Desk) -> None:
    desk.double.switch("missing_ids")
    assert [type(result) for result in provider.send(several(3))] == [Accepted, Accepted, InDoubt]


def test_a_batch_refused_for_one_of_its_mails_refuses_nobody_yet(provider: Brevo, desk: Desk) -> None:
    call = spoilt(several(3), 1, "refused@example.com")
    results = provider.send(call)
    assert [type(result) for result in results] == [NotSent] * 3
    assert all(isinstance(result, NotSent) and result.whole and not result.account for result in results)
    alone = [provider.send(one(email))[0] for email in call.emails]
    assert [type(result) for result in alone] == [Accepted, Refused, Accepted]


@pytest.mark.parametrize("mode", ["throttle", "unauthorized", "no_credits", "bad_sender", "500", "accept_then_cut"])
def test_whatever_else_comes_of_a_batch_is_not_about_one_of_its_mails(provider: Brevo, desk: Desk, mode: str) -> None:
    desk.double.switch(mode)
    assert not any(isinstance(result, NotSent) and result.whole for result in provider.send(several(3)))


def test_mails_with_different_senders_are_no_batch(provider: Brevo, desk: Desk) -> None:
    call = several(2)
    mixed = replace(call, emails=(call.emails[0], replace(call.emails[1], sender="neu@radhaus-sommer.example.com")))
    results = provider.send(mixed)
    assert [isinstance(result, NotSent) and result.whole for result in results] == [True, True]
    assert not desk.double.requests


# -- the table -------------------------------------------------------------------------------------------------------

ROWS = [
    (_refusal(429, "too_many_requests", retry_after="7"), "account", timedelta(seconds=7)),
    (_refusal(429, "too_many_requests", x_sib_ratelimit_reset="11"), "account", timedelta(seconds=11)),
    (_refusal(401, "unauthorized", "Key not found", x_sib_ratelimit_reset="1"), "credentials", None),
    (_refusal(403, "permission_denied"), "credentials", None),
    (_refusal(402, "not_enough_credits", x_sib_ratelimit_reset="1"), "account", None),
    (_refusal(400, "duplicate_parameter"), "accepted", None),
    (_refusal(400, "duplicate_request"), "accepted", None),
    (_refusal(400, "invalid_parameter", "The sender is not valid"), "account", None),
    (_refusal(400, "invalid_parameter", "email is not valid in to"), "dead", None),
    (_refusal(400, "missing_parameter", "htmlContent is missing"), "refused", None),
    (_refusal(404, "", ""), "account", None),
    (_refusal(400, "strange", "nobody knows"), "doubt", None),
    (_refusal(409, "conflict", "busy"), "doubt", None),
    (_refusal(500, "invalid_parameter", "email is not valid in to"), "doubt", None),
    (_refusal(503, "duplicate_parameter", ""), "doubt", None),
]


@pytest.mark.parametrize(("answer", "word", "wish"), ROWS)
def test_every_row_of_the_table_means_what_it_says(answer: Answer, word: str, wish: timedelta | None) -> None:
    (result,) = classified(answer)
    assert meaning(result) == word
    assert getattr(result, "retry_after", None) == wish


def test_every_row_of_the_table_is_tested() -> None:
    assert unused(TABLE, [read(answer) for answer, *_ in ROWS]) == []


def test_the_log_shows_one_plain_sentence() -> None:
    answer = _refusal(400, "invalid_parameter", "email is not\nvalid\x00 in to \ud800")
    assert classified(answer)[0].detail == "Brevo 400 invalid_parameter: email is not valid in to"
    page = Answer(502, {"content-type": "text/html; charset=utf-8"}, b"<h1>Bad gateway</h1>")
    assert classified(page)[0].detail == "Brevo 502: an answer without a reason (text/html, 20 bytes)"


# -- looking up ------------------------------------------------------------------------------------------------------


def test_a_mail_is_found_by_its_own_tag(provider: Brevo, desk: Desk) -> None:
    desk.double.switch("accept_then_500", 1)
    provider.send(one(MAIL))
    (finding,) = provider.look_up([MAIL], SINCE)
    assert isinstance(finding, Found)
    assert finding.provider_id == desk.double.mails()[0]["id"]


def test_who_got_nothing_is_absent(provider: Brevo) -> None:
    assert [type(finding) for finding in provider.look_up([MAIL], SINCE)] == [Absent]


def test_another_mail_of_ours_to_the_same_person_is_not_taken_for_it(provider: Brevo, desk: Desk) -> None:
    other = replace(MAIL, message_id="11111111-2222-5333-8444-555555555555")
    provider.send(one(other))
    assert [type(finding) for finding in provider.look_up([MAIL], SINCE)] == [Absent]


def test_a_mail_of_a_batch_is_found_where_brevo_heeds_the_tag_among_its_headers(provider: Brevo, desk: Desk) -> None:
    call = several(2)
    desk.double.switch("accept_then_cut", 1)
    provider.send(call)
    numbers = [mail["id"] for mail in desk.double.mails()]
    findings = provider.look_up(call.emails, SINCE)
    assert [finding.provider_id for finding in findings if isinstance(finding, Found)] == numbers


@pytest.mark.parametrize("look_ups", DISHONEST)
def test_a_look_up_that_is_not_answered_honestly_tells_nothing(provider: Brevo, desk: Desk, look_ups: str) -> None:
    provider.send(one(replace(MAIL, to="fremd@example.com", message_id="11111111-2222-5333-8444-555555555555")))
    desk.double.switch(look_ups=look_ups)
    assert [type(finding) for finding in provider.look_up([MAIL], SINCE)] == [CannotTell]


@pytest.mark.parametrize("look_ups", ["bad_sender", "conflict", "404_html", "junk"])
def test_a_question_that_is_refused_keeps_no_other_from_being_asked(provider: Brevo, desk: Desk, look_ups: str) -> None:
    desk.double.switch(look_ups=look_ups, times=1)
    findings = provider.look_up(several(3).emails, SINCE)
    assert [type(finding) for finding in findings] == [CannotTell, Absent, Absent]


@pytest.mark.parametrize("look_ups", ["throttle", "unauthorized", "forbidden", "500", "cut"])
def test_after_a_question_that_is_not_answered_no_more_are_asked(provider: Brevo, desk: Desk, look_ups: str) -> None:
    desk.double.switch(look_ups=look_ups)
    assert len(provider.look_up(several(5).emails, SINCE)) == 5
    assert len(desk.double.requests) == 1


OURS = {"email": MAIL.to, "messageId": "<1@relay>", "date": "2026-11-20T09:00:30.000Z"}


@pytest.mark.parametrize(
    ("listed", "count", "finding"),
    [
        ([OURS | {"tags": ["birthday", MAIL.message_id]}], 1, Found),
        ([OURS | {"tags": ["11111111-2222-5333-8444-555555555555"]}], 1, Absent),
        ([OURS | {"tags": []}], 1, CannotTell),
        ([OURS | {"tags": ["birthday"]}], 1, CannotTell),
        ([OURS], 1, CannotTell),
        ([OURS | {"date": "2026-11-19T23:00:00.000+01:00"}], 1, Absent),
        ([OURS | {"date": "2026-11-20T08:58:00.000Z"}], 1, CannotTell),
        ([OURS | {"date": "2026-11-19 23:00:00"}], 1, CannotTell),
        ([OURS | {"date": None}], 1, CannotTell),
        ([OURS | {"email": "fremd@example.com", "tags": ["11111111-2222-5333-8444-555555555555"]}], 1, CannotTell),
        ([OURS | {"email": MAIL.to.upper(), "date": "2026-11-19T09:00:00Z"}], 1, Absent),
        ([], 600, CannotTell),
        ([None], 1, CannotTell),
        ([OURS | {"tags": "birthday"}], 1, CannotTell),
        ("nothing", 0, CannotTell),
        ([], "0", CannotTell),
    ],
)
def test_only_our_own_id_is_recognised(listed: object, count: object, finding: type) -> None:
    body = json.dumps({"count": count, "transactionalEmails": listed}).encode()
    assert type(recognised(Answer(200, {}, body), MAIL, SINCE)) is finding


NAMED_LIKE_A_MAIL = "3f0c1a52-7a40-4d44-9a35-0d9b7a1f2a11"
NAMED_SO_TOO = "7d1a0d0e-2b1f-4a44-8a35-5d9b7a1f2a22"
ANOTHER = "11111111-2222-5333-8444-555555555555"


@pytest.mark.parametrize(
    ("tags", "finding"),
    [
        ([NAMED_LIKE_A_MAIL], CannotTell),
        ([NAMED_LIKE_A_MAIL, NAMED_SO_TOO], CannotTell),
        ([NAMED_LIKE_A_MAIL, ANOTHER], Absent),
        (["", NAMED_SO_TOO], Absent),
        ([NAMED_LIKE_A_MAIL, MAIL.message_id], Found),
    ],
    ids=["batch", "batch of two campaigns", "another mail", "reply", "found"],
)
def test_a_campaign_whose_id_looks_like_a_mails_is_no_proof_of_another_mail(tags: list[str], finding: type) -> None:
    body = json.dumps({"count": 1, "transactionalEmails": [OURS | {"tags": tags}]}).encode()
    assert type(recognised(Answer(200, {}, body), replace(MAIL, campaign=NAMED_LIKE_A_MAIL), SINCE)) is finding


# -- the description -------------------------------------------------------------------------------------------------


def test_every_request_is_one_brevo_describes(provider: Brevo, desk: Desk, provider_descriptions: Path) -> None:
    provider.send(one(MAIL))
    provider.send(one(replace(MAIL, message_id="x", to_name="", reply_to="", headers={})))
    provider.send(several(3))
    provider.look_up([MAIL], SINCE)
    description = described(provider_descriptions / "brevo.yaml", "/smtp/email", "/smtp/emails")
    assert len(desk.double.requests) == 4
    for entry in desk.double.requests:
        description.validate_request(asked(entry))


@pytest.mark.parametrize("wrong", [{"to": [{"name": "nobody"}]}, {"messageVersions": [{"subject": "to nobody"}]}])
def test_the_description_would_notice_a_wrong_request(provider_descriptions: Path, wrong: dict[str, Any]) -> None:
    from openapi_core.validation.request.exceptions import InvalidRequestBody

    description = described(provider_descriptions / "brevo.yaml", "/smtp/email", "/smtp/emails")
    body = json.dumps(json.loads(payload(one(MAIL))) | wrong).encode()
    headers = {"api-key": "x", "content-type": "application/json"}
    entry = {"method": "POST", "path": "/smtp/email", "query": {}, "headers": headers, "raw": body}
    with pytest.raises(InvalidRequestBody):
        description.validate_request(asked(entry))
