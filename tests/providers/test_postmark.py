"""Postmark: single mails and batches, what each error code means, look-ups by our own id, and its description."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.domain.words import Absent, Accepted, CannotTell, Found, InDoubt, NotSent, Refused
from engine.providers.http import Answer
from engine.providers.postmark import MOST_BYTES, TABLE, Postmark, classified, line, payload, read, recognised
from tests.providers.conftest import MAIL, Desk, asked, described, meaning, one, several, spoilt, unused

DISHONEST = ["others", "500", "unauthorized", "throttle", "junk", "other_json", "giant", "cut"]
SINCE = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


@pytest.fixture
def desk(open_desk: Callable[[str], Desk]) -> Desk:
    return open_desk("postmark")


@pytest.fixture
def provider(desk: Desk) -> Iterator[Postmark]:
    made = Postmark(line(desk.url, "secret", longest_call=1.5), senders=1, batch=100)
    yield made
    made.close()


def _told(status: int, code: int | None = None, message: str = "", **headers: str) -> Answer:
    document = {} if code is None else {"ErrorCode": code, "Message": message}
    return Answer(
        status, {key.replace("_", "-"): value for key, value in headers.items()}, json.dumps(document).encode()
    )


def test_a_mail_is_accepted_with_postmarks_number(provider: Postmark, desk: Desk) -> None:
    assert provider.send(one(MAIL)) == [Accepted(desk.double.mails()[0]["id"])]
    (request,) = desk.double.requests
    assert request["path"] == "/email"
    assert request["headers"]["x-postmark-server-token"] == "secret"


def test_a_mail_says_all_it_has_to_say_and_nobody_is_tracked() -> None:
    assert json.loads(payload(one(MAIL), "broadcast")) == {
        "From": "Radhaus Sommer <post@radhaus-sommer.example.com>",
        "To": "Anna Müller <anna@example.com>",
        "Subject": MAIL.subject,
        "HtmlBody": MAIL.html,
        "TextBody": MAIL.text,
        "ReplyTo": MAIL.reply_to,
        "MessageStream": "broadcast",
        "Tag": "birthday",
        "Metadata": {"mid": MAIL.message_id},
        "Headers": [{"Name": name, "Value": value} for name, value in MAIL.headers.items()],
        "TrackOpens": False,
        "TrackLinks": "None",
    }


def test_a_batch_carries_each_mail_with_its_own_words(provider: Postmark, desk: Desk) -> None:
    call = several(3)
    results = provider.send(call)
    booked = desk.double.mails()
    assert results == [Accepted(mail["id"]) for mail in booked]
    assert [(mail["mid"], mail["to"], mail["subject"]) for mail in booked] == [
        (email.message_id, email.to, email.subject) for email in call.emails
    ]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_bad_mail_does_not_sink_the_batch(provider: Postmark, desk: Desk, place: int) -> None:
    results = provider.send(spoilt(several(3), place, "refused@example.com"))
    assert [meaning(result) for result in results] == ["dead" if at == place else "accepted" for at in range(3)]
    assert len(desk.double.mails()) == 2


def test_a_single_bad_mail_is_refused(provider: Postmark) -> None:
    (result,) = provider.send(one(replace(MAIL, to="refused@example.com")))
    assert isinstance(result, Refused)
    assert result.hard_bounce


@pytest.mark.parametrize("mode", ["too_few", "too_many"])
def test_results_that_do_not_come_out_even_are_doubt_for_everybody(provider: Postmark, desk: Desk, mode: str) -> None:
    desk.double.switch(mode)
    assert [type(result) for result in provider.send(several(3))] == [InDoubt] * 3


def test_one_id_that_is_none_is_doubt_for_its_mail_alone(provider: Postmark, desk: Desk) -> None:
    desk.double.switch("missing_ids")
    assert [type(result) for result in provider.send(several(3))] == [Accepted, Accepted, InDoubt]


def test_more_than_postmark_takes_at_once_is_not_sent_and_says_how_to_mend_it(provider: Postmark, desk: Desk) -> None:
    results = provider.send(several(3, html="x" * (MOST_BYTES // 3)))
    assert [meaning(result) for result in results] == ["account"] * 3
    assert "lower [provider] batch" in results[0].detail
    assert not desk.double.requests


def test_a_queued_mail_has_no_error_code_and_is_accepted() -> None:
    body = json.dumps({"To": MAIL.to, "MessageID": "guid", "Message": "delivery may be delayed"}).encode()
    assert classified(Answer(200, {}, body)) == [Accepted("guid", "Postmark 200: delivery may be delayed")]


@pytest.mark.parametrize(
    "entry",
    [{"ErrorCode": None, "MessageID": "guid"}, {"ErrorCode": False, "MessageID": "guid"}, {"ErrorCode": 0}, None],
)
def test_a_yes_in_riddles_is_doubt(entry: object) -> None:
    both = json.dumps([entry, entry]).encode()
    assert [type(result) for result in classified(Answer(200, {}, both), 2)] == [InDoubt, InDoubt]
    assert [type(result) for result in classified(Answer(200, {}, json.dumps(entry).encode()))] == [InDoubt]


ROWS = [
    (_told(401, 10, "The server token you provided is invalid."), "credentials", None),
    (_told(429, retry_after="7"), "account", timedelta(seconds=7)),
    (_told(200, 100, "Maintenance"), "account", None),
    (_told(422, 400, "The 'From' address you supplied is not a Sender Signature"), "account", None),
    (_told(422, 405, "Not allowed to send: you ran out of credits."), "account", None),
    (_told(422, 412, "Your account is pending approval"), "account", None),
    (_told(422, 402, "Invalid JSON"), "account", None),
    (_told(422, 410, "Too many messages in a batch"), "account", None),
    (_told(422, 1235, "The 'MessageStream' provided does not exist on this server."), "account", None),
    (_told(422, 300, "Error parsing 'From': Illegal email address"), "account", None),
    (_told(422, 300, "Zero From addresses specified."), "account", None),
    (_told(422, 300, "Error parsing 'To': Illegal email domain 'x y'"), "dead", None),
    (_told(422, 300, "Provide either email TextBody or HtmlBody or both."), "refused", None),
    (_told(422, 411, "Forbidden attachment types"), "refused", None),
    (_told(422, 406, "You tried to send to a recipient that has been marked as inactive."), "dead", None),
    (_told(401), "credentials", None),
    (_told(403), "account", None),
    (_told(404), "account", None),
    (_told(413), "refused", None),
    (_told(422, 4711, "something new"), "doubt", None),
    (_told(422, 0, "OK"), "doubt", None),
    (_told(500, 406, "marked as inactive"), "doubt", None),
    (_told(503, 100, "Maintenance"), "doubt", None),
    (_told(302), "doubt", None),
]


@pytest.mark.parametrize(("answer", "word", "wish"), ROWS)
def test_every_row_of_the_table_means_what_it_says(answer: Answer, word: str, wish: timedelta | None) -> None:
    (result,) = classified(answer)
    assert meaning(result) == word
    assert getattr(result, "retry_after", None) == wish


def test_every_row_of_the_table_is_tested() -> None:
    assert unused(TABLE, [read(answer) for answer, *_ in ROWS]) == []


def test_the_error_code_counts_and_not_the_http_number() -> None:
    """401 and 403 are also error codes: an unconfirmed sender, and a field that Postmark does not know."""
    items = [{"ErrorCode": 401, "Message": "m"}, {"ErrorCode": 0, "MessageID": "guid", "Message": "OK"}]
    results = classified(Answer(200, {}, json.dumps(items).encode()), 2)
    assert [meaning(result) for result in results] == ["account", "accepted"]
    assert not getattr(results[0], "credentials", True)


def test_a_whole_batch_refused_refuses_nobody_yet() -> None:
    assert [meaning(result) for result in classified(_told(413), 2)] == ["not sent", "not sent"]


@pytest.mark.parametrize(
    ("mode", "word"),
    [
        ("unauthorized", "credentials"),
        ("forbidden", "account"),
        ("quota", "account"),
        ("bad_sender", "account"),
        ("503_bare", "doubt"),
        ("404_html", "account"),
        ("junk", "doubt"),
    ],
)
def test_no_from_the_desk_is_read_as_it_is_meant(provider: Postmark, desk: Desk, mode: str, word: str) -> None:
    desk.double.switch(mode)
    assert [meaning(result) for result in provider.send(several(2))] == [word, word]
    assert desk.double.mails() == []


def test_the_log_shows_one_plain_sentence() -> None:
    assert classified(_told(401, 10, "The server token is invalid."))[0] == NotSent(
        "Postmark 401 10: The server token is invalid.", account=True, credentials=True
    )


# -- looking up ------------------------------------------------------------------------------------------------------


def test_mails_are_found_by_our_own_id(provider: Postmark, desk: Desk) -> None:
    desk.double.switch("accept_then_cut", 1)
    call = several(2)
    assert [type(result) for result in provider.send(call)] == [InDoubt, InDoubt]
    findings = provider.look_up([*call.emails, MAIL], SINCE)
    assert [type(finding) for finding in findings] == [Found, Found, Absent]
    numbers = [mail["id"] for mail in desk.double.mails()]
    assert [finding.provider_id for finding in findings if isinstance(finding, Found)] == numbers


def test_a_look_up_names_the_stream_because_postmark_searches_only_one(desk: Desk) -> None:
    provider = Postmark(line(desk.url, "secret"), senders=1, stream="werbung")
    provider.look_up([MAIL], SINCE)
    provider.close()
    assert desk.double.requests[0]["query"]["messagestream"] == "werbung"
    assert desk.double.requests[0]["query"]["metadata_mid"] == MAIL.message_id


@pytest.mark.parametrize("look_ups", DISHONEST)
def test_a_look_up_that_is_not_answered_honestly_tells_nothing(provider: Postmark, desk: Desk, look_ups: str) -> None:
    provider.send(one(replace(MAIL, to="fremd@example.com", message_id="11111111-2222-5333-8444-555555555555")))
    desk.double.switch(look_ups=look_ups)
    assert [type(finding) for finding in provider.look_up([MAIL], SINCE)] == [CannotTell]


@pytest.mark.parametrize("look_ups", ["bad_sender", "404_html", "junk"])
def test_a_question_that_is_refused_keeps_no_other_from_being_asked(
    provider: Postmark, desk: Desk, look_ups: str
) -> None:
    desk.double.switch(look_ups=look_ups, times=1)
    findings = provider.look_up(several(3).emails, SINCE)
    assert [type(finding) for finding in findings] == [CannotTell, Absent, Absent]


@pytest.mark.parametrize("look_ups", ["throttle", "unauthorized", "500", "cut"])
def test_after_a_question_that_is_not_answered_no_more_are_asked(provider: Postmark, desk: Desk, look_ups: str) -> None:
    desk.double.switch(look_ups=look_ups)
    assert [type(finding) for finding in provider.look_up(several(5).emails, SINCE)] == [CannotTell] * 5
    assert len(desk.double.requests) == 1


@pytest.mark.parametrize(
    ("total", "listed", "finding"),
    [
        (1, [{"MessageID": "guid", "Metadata": {"mid": MAIL.message_id}}], Found),
        (1, [{"MessageID": "guid", "Metadata": {"mid": "another"}}], CannotTell),
        (1, [{"MessageID": "guid", "Recipients": [MAIL.to]}], CannotTell),
        (1, [], CannotTell),
        (1, [None], CannotTell),
        (0, [], Absent),
        (False, [], CannotTell),
        (0, None, CannotTell),
    ],
)
def test_only_our_own_id_is_recognised(total: object, listed: object, finding: type) -> None:
    body = json.dumps({"TotalCount": total, "Messages": listed}).encode()
    assert type(recognised(Answer(200, {}, body), MAIL)) is finding


# -- the description -------------------------------------------------------------------------------------------------


def test_every_request_is_one_postmark_describes(provider: Postmark, desk: Desk, provider_descriptions: Path) -> None:
    provider.send(one(MAIL))
    provider.send(one(replace(MAIL, message_id="x", to_name="", reply_to="", headers={})))
    provider.send(several(3))
    provider.look_up([MAIL], SINCE)
    paths = ("/email", "/email/batch", "/messages/outbound")
    description = described(provider_descriptions / "postmark-openapi3.json", *paths)
    assert len(desk.double.requests) == 4
    for entry in desk.double.requests:
        description.validate_request(asked(entry))


def test_the_description_would_notice_a_wrong_request(provider_descriptions: Path) -> None:
    from openapi_core.validation.request.exceptions import InvalidRequestBody

    paths = ("/email", "/email/batch", "/messages/outbound")
    description = described(provider_descriptions / "postmark-openapi3.json", *paths)
    wrong = json.loads(payload(one(MAIL), "broadcast")) | {"To": ["a@example.com"], "TrackLinks": "Some"}
    headers = {"x-postmark-server-token": "x", "content-type": "application/json"}
    entry = {"method": "POST", "path": "/email", "query": {}, "headers": headers, "raw": json.dumps(wrong).encode()}
    with pytest.raises(InvalidRequestBody):
        description.validate_request(asked(entry))
