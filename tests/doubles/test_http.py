"""The provider double is the judge of the fault tests: its own counts must be right."""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.doubles import book as books
from tests.doubles.asking import CLIENT, HEADERS, PATHS, ask, body, call, mid, program, raw
from tests.doubles.http import Double, serving
from tests.doubles.modes import MIXTURES, OUTCOMES, Mode

ALL = ["brevo", "resend", "postmark"]
KEYED = ["brevo", "resend"]
KEY = mid(77)


class Clock:
    """A clock the test sets."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(params=ALL)
def personality(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return tmp_path / "book.jsonl"


def ids(answer: httpx.Response, personality: str) -> list[str]:
    document = answer.json()
    match personality:
        case "brevo":
            return document.get("messageIds") or [document["messageId"]]
        case "resend":
            return [one["id"] for one in document.get("data", [document])]
    return [one["MessageID"] for one in (document if isinstance(document, list) else [document])]


def test_a_mail_is_in_the_book_before_the_answer(personality: str, book: Path) -> None:
    with serving(Double(book, personality)) as url:
        answer = call(url, personality, [1])
        assert answer.status_code in {200, 201}
        (line,) = books.read(book)
    assert (line["mid"], line["to"], line["id"]) == (mid(1), "anna1@example.com", ids(answer, personality)[0])


def test_a_batch_is_booked_in_order_with_an_id_for_each(personality: str, book: Path) -> None:
    with serving(Double(book, personality)) as url:
        answer = call(url, personality, [3, 1, 2], batch=True)
    lines = books.read(book)
    assert [line["mid"] for line in lines] == [mid(3), mid(1), mid(2)]
    assert [line["id"] for line in lines] == ids(answer, personality)
    assert len({line["id"] for line in lines}) == 3


def test_without_a_key_a_repeat_is_booked_twice(personality: str, book: Path) -> None:
    double = Double(book, personality)
    with serving(double) as url:
        first, second = call(url, personality, [1]), call(url, personality, [1])
        assert ids(first, personality) != ids(second, personality)
        assert CLIENT.get(f"{url}/_book").json() == {"mails": 2, "twice": {mid(1): 2}}
    assert books.twice(book) == {mid(1): 2}


def test_brevo_answers_a_repeated_key_with_an_error_that_is_proof(book: Path) -> None:
    with serving(Double(book, "brevo")) as url:
        call(url, "brevo", [1, 2], KEY, batch=True)
        again = call(url, "brevo", [1, 2], KEY, batch=True)
    assert (again.status_code, again.json()["code"]) == (400, "duplicate_parameter")
    assert len(books.read(book)) == 2


def test_resend_replays_the_stored_answer_byte_by_byte(book: Path) -> None:
    with serving(Double(book, "resend")) as url:
        first = call(url, "resend", [1, 2], KEY, batch=True)
        again = call(url, "resend", [1, 2], KEY, batch=True)
    assert (again.status_code, again.content) == (200, first.content)
    assert len(books.read(book)) == 2


def test_resend_refuses_a_key_with_another_body(book: Path) -> None:
    with serving(Double(book, "resend")) as url:
        call(url, "resend", [1], KEY)
        other = call(url, "resend", [2], KEY)
    assert (other.status_code, other.json()["name"]) == (409, "invalid_idempotent_request")
    assert [line["mid"] for line in books.read(book)] == [mid(1)]


def test_resend_refuses_a_key_that_is_in_progress(book: Path) -> None:
    double = Double(book, "resend", "ponder=0.5")
    with serving(double) as url, ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda _: call(url, "resend", [1], KEY), range(2)))
        names = sorted(str(answer.json().get("name")) for answer in answers)
        assert names == ["None", "concurrent_idempotent_requests"]
        assert call(url, "resend", [1], KEY).status_code == 200
    assert len(books.read(book)) == 1


@pytest.mark.parametrize(("name", "life"), [("brevo", timedelta(minutes=30)), ("resend", timedelta(hours=24))])
def test_a_key_is_forgotten_when_its_life_is_over(name: str, life: timedelta, book: Path) -> None:
    clock = Clock()
    with serving(Double(book, name, clock=clock)) as url:
        call(url, name, [1], KEY)
        clock.now += life - timedelta(seconds=1)
        call(url, name, [1], KEY)
        assert len(books.read(book)) == 1
        clock.now += timedelta(seconds=1)
        assert call(url, name, [1], KEY).status_code in {200, 201}
    assert books.twice(book) == {mid(1): 2}


@pytest.mark.parametrize("name", KEYED)
def test_many_callers_with_one_key_are_booked_once(name: str, book: Path) -> None:
    with serving(Double(book, name)) as url, ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: call(url, name, [5], KEY).status_code, range(64)))
    assert len(books.read(book)) == 1
    assert set(answers) <= {200, 201, 400, 409}


def test_many_callers_at_once_are_all_booked_with_numbers_in_order(personality: str, book: Path) -> None:
    with serving(Double(book, personality)) as url, ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: ids(call(url, personality, [n]), personality)[0], range(200)))
    lines = books.read(book)
    assert [line["n"] for line in lines] == list(range(1, 201))
    assert {line["id"] for line in lines} == set(answers)
    assert books.twice(book) == {}


@pytest.mark.parametrize("name", KEYED)
def test_a_forgetful_double_books_a_repeated_key(name: str, book: Path) -> None:
    with serving(Double(book, name, forgetful=True)) as url:
        call(url, name, [1], KEY)
        call(url, name, [1], KEY)
    assert books.twice(book) == {mid(1): 2}


TAKEN_AND_HIDDEN = sorted(OUTCOMES - {"hang", "giant", "bomb"})


@pytest.mark.parametrize("outcome", TAKEN_AND_HIDDEN)
def test_whatever_is_answered_after_accepting_is_in_the_book(personality: str, outcome: str, book: Path) -> None:
    with serving(Double(book, personality, f"accept_then_{outcome}")) as url:
        try:
            answer = call(url, personality, [1])
        except httpx.TransportError:
            answer = None
    assert [line["mid"] for line in books.read(book)] == [mid(1)]
    cut = outcome in {"cut", "reset", "cut_in_answer"}
    assert (answer is None) == cut


@pytest.mark.parametrize("outcome", [*TAKEN_AND_HIDDEN, "cut_before", "cut_in_request"])
def test_without_accepting_nothing_is_in_the_book(personality: str, outcome: str, book: Path) -> None:
    with serving(Double(book, personality, outcome)) as url:
        try:
            answer = call(url, personality, [1])
        except httpx.TransportError:
            answer = None
    assert books.read(book) == []
    assert (answer is None) == (outcome in {"cut", "reset", "cut_in_answer", "cut_before", "cut_in_request"})


@pytest.mark.parametrize("mode", ["accept_then_hang", "hang"])
def test_a_hanging_double_never_answers(personality: str, mode: str, book: Path) -> None:
    with serving(Double(book, personality, mode)) as url, pytest.raises(httpx.ReadTimeout):
        call(url, personality, [1], timeout=0.3)
    assert len(books.read(book)) == (mode == "accept_then_hang")


def test_a_line_is_cut_at_the_byte_that_is_asked_for(book: Path) -> None:
    double = Double(book, "postmark")
    headers = "".join(f"{name}: {value}\r\n" for name, value in HEADERS["postmark"].items())
    data = body("postmark", [1])
    request = f"POST /email HTTP/1.1\r\ncontent-type: application/json\r\n{headers}content-length: {len(data)}\r\n\r\n"
    with serving(double) as url:
        whole = raw(url, request.encode() + data)
        for place in (0, 1, 17, len(whole) - 1):
            double.switch(f"accept_then_cut_in_answer={place}")
            assert len(raw(url, request.encode() + data)) == place
    assert len(books.read(book)) == 5


def test_a_request_cut_in_its_middle_is_not_read_to_the_end(book: Path) -> None:
    double = Double(book, "resend", "cut_in_request=0.5")
    with serving(double) as url, pytest.raises(httpx.TransportError):
        call(url, "resend", list(range(100)), batch=True)
    assert (books.read(book), len(double.requests)) == ([], 0)


def test_a_giant_answer_does_not_end(book: Path) -> None:
    with (
        serving(Double(book, "brevo", "accept_then_giant")) as url,
        CLIENT.stream(
            "POST", url + PATHS["brevo"][0], content=body("brevo", [1]), headers=HEADERS["brevo"]
        ) as response,
    ):
        read = 0
        for piece in response.iter_raw():
            read += len(piece)
            if read > 3_000_000:
                break
    assert (response.status_code, len(books.read(book))) == (201, 1)


def test_a_bomb_is_small_until_it_is_unpacked(book: Path) -> None:
    with (
        serving(Double(book, "brevo", "accept_then_bomb")) as url,
        CLIENT.stream(
            "POST", url + PATHS["brevo"][0], content=body("brevo", [1]), headers=HEADERS["brevo"]
        ) as response,
    ):
        packed = b"".join(response.iter_raw())
    assert len(packed) < 3_000_000
    assert len(gzip.decompress(packed)) == 1 << 28


@pytest.mark.parametrize(
    ("wish", "header"),
    [
        ("0", "0"),
        ("-1", "-1"),
        ("1000000000", "1000000000"),
        ("date", "Sun, 22 Nov 2026 09:00:07 GMT"),
        ("past", "Sat, 21 Nov 2026 09:00:00 GMT"),
        ("absent", None),
        ("junk", "sööner"),
    ],
)
def test_every_odd_retry_after_is_written(personality: str, wish: str, header: str | None, book: Path) -> None:
    with serving(Double(book, personality, f"throttle={wish}", clock=Clock())) as url:
        answer = call(url, personality, [1])
    assert answer.status_code == 429
    assert answer.headers.get("retry-after") == header
    assert books.read(book) == []


def test_any_retry_after_is_a_different_one_each_time(book: Path) -> None:
    with serving(Double(book, "resend", "throttle=any")) as url:
        seen = {call(url, "resend", [n]).headers.get("retry-after") for n in range(60)}
    assert {None, "0", "-1", "1000000000"} < seen


def test_postmark_refuses_some_of_a_batch_and_takes_the_rest(book: Path) -> None:
    with serving(Double(book, "postmark", "partial")) as url:
        codes = [one["ErrorCode"] for one in call(url, "postmark", list(range(20)), batch=True).json()]
    taken = {line["mid"] for line in books.read(book)}
    assert 0 < len(taken) < 20
    assert [code == 0 for code in codes] == [mid(n) in taken for n in range(20)]


def test_resend_sinks_a_strict_batch_and_names_the_bad_ones_of_a_permissive_one(book: Path) -> None:
    data = body("resend", list(range(20)), batch=True)
    with serving(Double(book, "resend", "partial")) as url:
        strict = CLIENT.post(f"{url}/emails/batch", content=data, headers=HEADERS["resend"])
        assert (strict.status_code, books.read(book)) == (422, [])
        headers = HEADERS["resend"] | {"x-batch-validation": "permissive"}
        permissive = CLIENT.post(f"{url}/emails/batch", content=data, headers=headers).json()
    bad = {error["index"] for error in permissive["errors"]}
    assert [line["mid"] for line in books.read(book)] == [mid(n) for n in range(20) if n not in bad]
    assert len(permissive["data"]) == 20 - len(bad) > 0


def test_one_bad_address_sinks_a_brevo_call(book: Path) -> None:
    with serving(Double(book, "brevo", "partial")) as url:
        answer = call(url, "brevo", list(range(20)), KEY, batch=True)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")
        assert books.read(book) == []
        CLIENT.post(f"{url}/_mode", json={"mode": "accept"})
        assert call(url, "brevo", list(range(20)), KEY, batch=True).status_code == 201


def test_a_recipient_named_refused_is_refused_in_every_mode(personality: str, book: Path) -> None:
    with serving(Double(book, personality)) as url:
        assert call(url, personality, [1], to="refused").status_code in {400, 422}
    assert books.read(book) == []


@pytest.mark.parametrize(("how", "count"), [("missing_ids", 3), ("too_few", 2), ("too_many", 4)])
def test_answers_can_have_the_wrong_number_of_results(personality: str, how: str, count: int, book: Path) -> None:
    with serving(Double(book, personality, how)) as url:
        document = call(url, personality, [1, 2, 3], batch=True).json()
    results = document if personality == "postmark" else document.get("messageIds", document.get("data"))
    assert len(results) == count
    assert len(books.read(book)) == 3


@pytest.mark.parametrize(("outcome", "statuses"), [("unauthorized", (401, 401, 401)), ("forbidden", (403, 403, 422))])
def test_credentials_can_be_refused_suddenly(outcome: str, statuses: tuple[int, ...], book: Path) -> None:
    for name, status in zip(ALL, statuses, strict=True):
        with serving(Double(book, name, outcome)) as url:
            assert call(url, name, [1]).status_code == status


def test_only_the_right_token_is_let_in(personality: str, book: Path) -> None:
    with serving(Double(book, personality, token="another")) as url:
        assert call(url, personality, [1]).status_code in {401, 403}
    assert books.read(book) == []


def look_up(url: str, personality: str, number: int) -> list[str]:
    """Return the provider's ids of one mail, as the look-up lists them."""
    if personality == "postmark":
        found = ask(url, personality, "/messages/outbound", count=10, offset=0, metadata_mid=mid(number)).json()
        return [one["MessageID"] for one in found["Messages"] if one["Metadata"].get("mid") == mid(number)]
    if personality == "brevo":
        found = ask(url, personality, "/smtp/emails", email=f"anna{number}@example.com").json()
        return [one["messageId"] for one in found.get("transactionalEmails", []) if one["from"] == "shop@example.com"]
    found = ask(url, personality, "/emails", limit=100).json()
    return [one["id"] for one in found["data"] if {"name": "mid", "value": mid(number)} in one["tags"]]


def test_a_look_up_finds_what_was_taken_and_nothing_else(personality: str, book: Path) -> None:
    with serving(Double(book, personality)) as url:
        (number,) = ids(call(url, personality, [1]), personality)
        assert look_up(url, personality, 1) == [number]
        assert look_up(url, personality, 2) == []


def test_a_look_up_lags(personality: str, book: Path) -> None:
    clock = Clock()
    with serving(Double(book, personality, lag=60, clock=clock)) as url:
        call(url, personality, [1])
        assert look_up(url, personality, 1) == []
        clock.now += timedelta(seconds=61)
        assert len(look_up(url, personality, 1)) == 1


def test_a_look_up_can_lie_and_list_other_peoples_mails_and_fail(personality: str, book: Path) -> None:
    double = Double(book, personality)
    with serving(double) as url:
        call(url, personality, [1])
        double.switch(look_ups="absent", times=1)
        assert look_up(url, personality, 1) == []
        assert len(look_up(url, personality, 1)) == 1
        double.switch(look_ups="others")
        assert look_up(url, personality, 1) == []
        assert "stranger" in ask(url, personality, *_anything(personality)).text
        double.switch(look_ups="500")
        assert ask(url, personality, *_anything(personality)).status_code == 500


def _anything(personality: str) -> tuple[str]:
    paths = {"brevo": "/smtp/emails?email=a@b.de", "resend": "/emails", "postmark": "/messages/outbound"}
    return (paths[personality] + ("?count=5&offset=0" if personality == "postmark" else ""),)


def test_resends_list_is_walked_page_by_page(book: Path) -> None:
    with serving(Double(book, "resend")) as url:
        given = ids(call(url, "resend", list(range(30)), batch=True), "resend")
        first = ask(url, "resend", "/emails", limit=20).json()
        rest = ask(url, "resend", "/emails", limit=20, after=first["data"][-1]["id"]).json()
    assert [one["id"] for one in first["data"] + rest["data"]] == given[::-1]
    assert (first["has_more"], rest["has_more"]) == (True, False)


def test_a_mode_is_switched_for_so_many_calls(personality: str, book: Path) -> None:
    with serving(Double(book, personality)) as url:
        assert CLIENT.post(f"{url}/_mode", json={"mode": "500", "times": 2}).status_code == 204
        statuses = [call(url, personality, [n]).status_code for n in range(3)]
    assert [status == 500 for status in statuses] == [True, True, False]


def test_an_act_that_does_not_exist_is_refused(book: Path) -> None:
    with serving(Double(book)) as url:
        assert CLIENT.post(f"{url}/_mode", json={"mode": "acept"}).status_code == 400


def test_a_mixture_follows_its_weights_and_its_seed_in_any_order() -> None:
    names = [f"call {n}" for n in range(4000)]
    mode, again, other = Mode("accept:3,cut:1", 5), Mode("accept:3,cut:1", 5), Mode("accept:3,cut:1", 6)
    drawn = {name: mode.draw(name).name for name in names}
    assert drawn == {name: again.draw(name).name for name in reversed(names)}
    assert drawn != {name: other.draw(name).name for name in names}
    assert 0.72 < Counter(drawn.values())["accept"] / 4000 < 0.78


@pytest.mark.parametrize("name", MIXTURES)
def test_every_named_mixture_is_made_of_acts_that_exist(name: str) -> None:
    mode = Mode(name)
    acts = {part.partition(":")[0].partition("=")[0] for part in MIXTURES[name].split(",")}
    assert {mode.draw(str(n)).name for n in range(3000)} == acts


def test_in_a_storm_the_book_has_what_was_answered_with_yes(personality: str, book: Path) -> None:
    def attempt(number: int) -> int:
        try:
            answer = call(url, personality, [number])
            return number if answer.status_code in {200, 201} and ids(answer, personality)[0] else -1
        except (httpx.TransportError, ValueError, LookupError, AttributeError, TypeError):
            return -1

    double = Double(book, personality, "everything", seed=3)
    with serving(double) as url, ThreadPoolExecutor(8) as pool:
        yes = {mid(number) for number in pool.map(attempt, range(300)) if number >= 0}
    booked = {line["mid"] for line in books.read(book)}
    assert yes < booked
    assert len(booked) < 300


def test_kill_9_keeps_the_book_and_its_keys(personality: str, book: Path) -> None:
    words = ("--personality", personality, "--book", str(book), "--no-sync")
    with program("tests.doubles.http", *words) as (process, port):
        first = call(f"http://127.0.0.1:{port}", personality, [1, 2], KEY, batch=True)
        os.kill(process.pid, signal.SIGKILL)
    assert [line["mid"] for line in books.read(book)] == [mid(1), mid(2)]
    with program("tests.doubles.http", *words) as (_, port):
        url = f"http://127.0.0.1:{port}"
        again = call(url, personality, [1, 2], KEY, batch=True)
        third = call(url, personality, [3], mid(78))
    assert len(books.read(book)) == (5 if personality == "postmark" else 3)
    assert len({line["id"] for line in books.read(book)}) == len(books.read(book))
    assert third.status_code in {200, 201}
    if personality == "resend":
        assert again.content == first.content


def test_killed_amid_calls_the_book_has_every_mail_that_was_answered(book: Path) -> None:
    answered: set[str] = set()
    some = threading.Event()

    def send(number: int) -> None:
        try:
            call(url, "postmark", [number, number + 1000], batch=True)
        except httpx.TransportError:
            return
        answered.update((mid(number), mid(number + 1000)))
        if len(answered) > 40:
            some.set()

    with (
        program("tests.doubles.http", "--personality", "postmark", "--book", str(book)) as (process, port),
        ThreadPoolExecutor(8) as pool,
    ):
        url = f"http://127.0.0.1:{port}"
        work = [pool.submit(send, number) for number in range(400)]
        assert some.wait(30)
        os.kill(process.pid, signal.SIGKILL)
        for one in work:
            one.cancel()
    lines = books.read(book)
    assert answered <= {line["mid"] for line in lines}
    assert Counter(line["of"] for line in lines) == {2: len(lines)}


def test_a_torn_end_of_the_book_counts_as_never_accepted(book: Path) -> None:
    with serving(Double(book, "resend")) as url:
        call(url, "resend", [1])
        call(url, "resend", [2, 3, 4], KEY, batch=True)
    whole = book.read_bytes()
    book.write_bytes(whole[: whole.rindex(b"{")])
    assert [line["mid"] for line in books.read(book)] == [mid(1)]
    with serving(Double(book, "resend")) as url:
        assert call(url, "resend", [2, 3, 4], KEY, batch=True).status_code == 200
    assert [line["mid"] for line in books.read(book)] == [mid(1), mid(2), mid(3), mid(4)]


def test_the_request_log_keeps_what_was_asked(book: Path) -> None:
    double = Double(book, "postmark", "500")
    with serving(double) as url:
        call(url, "postmark", [1])
        assert CLIENT.get(f"{url}/_requests").json() == {"count": 1, "last": ["/email"]}
    (entry,) = double.requests
    assert (entry["act"], entry["headers"]["x-postmark-server-token"]) == ("500", "k")
    assert json.loads(entry["raw"])["To"] == "anna1@example.com"


def test_whoever_knocks_in_the_last_moment_is_shown_out(book: Path) -> None:
    for _ in range(20):
        with serving(Double(book)) as url:
            late = socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=10)
        with late, suppress(ConnectionResetError):
            assert late.recv(1) == b""
