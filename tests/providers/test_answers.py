"""Whatever a provider answers: nothing raises, nothing is taken for a yes without proof, and every store takes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.words import Absent, Accepted, CannotTell, Found, InDoubt, NotSent, Refused, Result
from engine.providers import brevo, postmark, resend
from engine.providers.http import Answer
from engine.providers.verdicts import parsed, shown, wish_of
from tests.providers.conftest import MAIL

Classify = Callable[[Answer, int], list[Result]]
CLASSIFY: list[Classify] = [brevo.classified, resend.classified, postmark.classified]
SINCE = datetime(2026, 11, 20, tzinfo=UTC)

_WORDS = st.sampled_from(
    [
        *(
            "code",
            "message",
            "messageId",
            "messageIds",
            "name",
            "id",
            "data",
            "errors",
            "index",
            "ErrorCode",
            "Message",
        ),
        *("MessageID", "TotalCount", "Messages", "Metadata", "mid", "count", "transactionalEmails", "tags", "email"),
    ]
)
_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-3, 1300)
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.sampled_from(["duplicate_parameter", "invalid_parameter", "validation_error", MAIL.message_id, MAIL.to])
)
_JSON = st.recursive(_LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_WORDS, inner, max_size=5))
_BODIES = st.binary(max_size=200) | _JSON.map(lambda document: json.dumps(document).encode())
_HEADERS = st.dictionaries(
    st.sampled_from(["retry-after", "ratelimit-reset", "x-sib-ratelimit-reset", "date", "content-type"]),
    st.text(st.characters(codec="latin-1"), max_size=20) | st.sampled_from(["0", "7", "-1", "9" * 30, "nan", "²"]),
)
_ANSWERS = st.builds(Answer, st.integers(100, 999), _HEADERS, _BODIES)


@given(_ANSWERS, st.sampled_from(CLASSIFY), st.integers(1, 4))
def test_any_answer_comes_to_one_result_for_each_mail(answer: Answer, classify: Classify, count: int) -> None:
    results = classify(answer, count)
    assert len(results) == count
    for result in results:
        assert isinstance(result, Accepted | Refused | NotSent | InDoubt)
        assert result.detail == shown(result.detail)
        if isinstance(result, Accepted):
            assert _is_proof(answer, result)
        if answer.status >= 500:
            assert isinstance(result, InDoubt)


def _is_proof(answer: Answer, result: Accepted) -> bool:
    """Say whether the answer holds the id it is said to hold, or the word that a key was used before."""
    said = parsed(answer)
    if result.provider_id:
        return 200 <= answer.status < 300 and result.provider_id in json.dumps(said)
    return 400 <= answer.status < 500 and bool({said.get("code"), said.get("name")} & _USED_BEFORE)


_USED_BEFORE = {"duplicate_parameter", "duplicate_request", "invalid_idempotent_request"}


@given(_ANSWERS)
def test_any_answer_to_a_question_tells_no_more_than_it_says(answer: Answer) -> None:
    found = brevo.recognised(answer, MAIL, SINCE), postmark.recognised(answer, MAIL)
    for finding in found:
        assert finding.detail == shown(finding.detail)
        if isinstance(finding, Found):
            assert MAIL.message_id in json.dumps(parsed(answer))
        if isinstance(finding, Absent):
            assert isinstance(parsed(answer), dict)


@pytest.mark.parametrize("word", [Refused, NotSent, InDoubt, Absent, CannotTell, Accepted, Found])
@given(st.text(st.characters(categories=None), max_size=40) | st.sampled_from(["no \x00 thanks", "\ud800", "a\r\n b"]))
def test_whatever_a_voice_says_is_one_line_that_every_store_takes(word: Callable[[str], Result], said: str) -> None:
    result = word(said)
    kept = result.provider_id if isinstance(result, Accepted | Found) else result.detail
    assert kept.isprintable()
    assert kept == (said if said.isprintable() else shown(said))
    kept.encode("utf-8")


@pytest.mark.parametrize("classify", CLASSIFY)
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 60_000,
        b"9" * 5000,
        b'{"messageId": "a b", "id": "a b", "MessageID": "a b"}',
        b'{"messageId": "\\u0000", "id": "\\ud800", "MessageID": "\\n"}',
        b'{"messageId": 5, "id": 5, "MessageID": 5}',
        ('{"messageId": "%s", "id": "%s", "MessageID": "%s"}' % (("x" * 300,) * 3)).encode(),
        "\ufeff{}".encode("utf-16"),
        b"",
    ],
)
def test_a_yes_that_names_no_usable_id_is_doubt(classify: Classify, body: bytes) -> None:
    assert [type(result) for result in classify(Answer(200, {}, body), 1)] == [InDoubt]


NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def _date(at: datetime) -> str:
    return format_datetime(at, usegmt=True)


BY_ITS_CLOCK = {"date": _date(NOW)}


@pytest.mark.parametrize(
    ("headers", "wish"),
    [
        ({"retry-after": "7"}, timedelta(seconds=7)),
        ({"retry-after": "0"}, timedelta(0)),
        ({"retry-after": " 1.5 "}, timedelta(seconds=1.5)),
        ({"retry-after": "1000000000"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "bald"}, None),
        ({"retry-after": "٣"}, None),
        (
            {"retry-after": format_datetime(NOW + timedelta(minutes=2), usegmt=True)} | BY_ITS_CLOCK,
            timedelta(minutes=2),
        ),
        ({"retry-after": format_datetime(NOW - timedelta(days=1), usegmt=True)} | BY_ITS_CLOCK, timedelta(0)),
        ({"retry-after": format_datetime(NOW, usegmt=True)}, None),
        ({"retry-after": "Fri, 99 Foo 2026 09:00:00 GMT"} | BY_ITS_CLOCK, None),
        ({"x-sib-ratelimit-reset": "11"}, timedelta(seconds=11)),
        ({"ratelimit-reset": "3"}, timedelta(seconds=3)),
        ({}, None),
    ],
)
def test_a_wish_to_wait_is_read_however_it_is_written(headers: dict[str, str], wish: timedelta | None) -> None:
    assert wish_of(headers) == wish


@pytest.mark.parametrize("name", ["Anna\r\nBcc: x@y.de", "\x07Anna", ""])
def test_a_name_cannot_start_a_header_of_its_own(name: str) -> None:
    from engine.domain.words import Call

    call = Call(MAIL.message_id, (replace(MAIL, to_name=name),))
    written = json.loads(postmark.payload(call, "broadcast"))["To"]
    assert written.isprintable()
    assert written.endswith(MAIL.to if not name else f"<{MAIL.to}>")
