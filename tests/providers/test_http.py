"""The way to a provider: deadlines that hold however an answer drips, lines that are kept, questions with a query."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from engine.domain.words import InDoubt, NotSent
from engine.providers.http import MOST_BYTES, Answer, Line
from tests.doubles.http import Double, serving
from tests.providers.conftest import Desk

BODY = b'{"From": "a@example.com", "To": "b@example.com", "TextBody": "x"}'
HEADERS = {"x-postmark-server-token": "x", "accept": "application/json", "content-type": "application/json"}


@pytest.fixture
def desk(open_desk: Callable[[str], Desk]) -> Desk:
    return open_desk("postmark")


@pytest.fixture
def way(desk: Desk) -> Iterator[Line]:
    made = Line(desk.url, HEADERS, longest_call=1.5)
    yield made
    made.close()


@pytest.mark.parametrize("mode", ["accept_then_hang", "drip"])
def test_a_call_ends_in_time_and_says_so(way: Line, desk: Desk, mode: str) -> None:
    desk.double.switch(mode)
    assert way.post("/email", BODY) == InDoubt("no answer within the time a call may take")


def test_after_a_call_that_took_too_long_the_next_one_goes_through(way: Line, desk: Desk) -> None:
    for _ in range(3):
        desk.double.switch("accept_then_hang", 1)
        assert isinstance(way.post("/email", BODY), InDoubt)
        assert isinstance(way.post("/email", BODY), Answer)


def _watches() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "deadlines"}


def test_many_threads_share_one_watch_over_their_deadlines(way: Line, desk: Desk) -> None:
    others = _watches()
    desk.double.switch("accept_then_hang")
    came: list[object] = []
    threads = [threading.Thread(target=lambda: came.append(way.post("/email", BODY))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    watches = _watches() - others
    assert came == [InDoubt("no answer within the time a call may take")] * 8
    assert len(watches) == 1


def test_the_watch_ends_with_the_line_and_begins_anew(desk: Desk) -> None:
    others = _watches()
    way = Line(desk.url, HEADERS, longest_call=1.5)
    assert isinstance(way.post("/email", BODY), Answer)
    (watch,) = _watches() - others
    way.close()
    watch.join(timeout=5)
    assert not watch.is_alive()
    desk.double.switch("accept_then_hang", 1)
    assert isinstance(way.post("/email", BODY), InDoubt)
    way.close()


def test_an_answer_is_read_to_a_limit_and_the_line_is_not_used_again(way: Line, desk: Desk) -> None:
    desk.double.switch("giant", 1)
    answer = way.post("/email", BODY)
    assert isinstance(answer, Answer)
    assert len(answer.body) == MOST_BYTES
    assert isinstance(way.post("/email", BODY), Answer)


def test_a_packed_answer_is_not_unpacked(desk: Desk) -> None:
    way = Line(desk.url, HEADERS)
    desk.double.switch("bomb", 1)
    answer = way.post("/email", BODY)
    assert isinstance(answer, Answer)
    assert len(answer.body) <= MOST_BYTES
    way.close()


def test_a_question_carries_its_query_whatever_stands_in_it(way: Line, desk: Desk) -> None:
    query = {"count": "1", "offset": "0", "recipient": "änne+x&y=z@example.com"}
    assert isinstance(way.get("/messages/outbound", query), Answer)
    assert desk.double.requests[-1]["query"] == query
    assert desk.double.requests[-1]["method"] == "GET"


def test_headers_of_one_call_do_not_stay_for_the_next(way: Line, desk: Desk) -> None:
    way.post("/email", BODY, {"idempotency-key": "once"})
    way.post("/email", BODY)
    assert [request["headers"].get("idempotency-key") for request in desk.double.requests] == ["once", None]


def test_a_redirect_is_not_followed(way: Line, desk: Desk) -> None:
    desk.double.switch("moved")
    answer = way.post("/email", BODY)
    assert isinstance(answer, Answer)
    assert answer.status == 302
    assert len(desk.double.requests) == 1


@pytest.mark.parametrize("mode", ["cut_before", "cut_in_request=0.5", "reset", "accept_then_cut_in_answer"])
def test_a_line_that_breaks_once_it_was_written_on_is_doubt(way: Line, desk: Desk, mode: str) -> None:
    desk.double.switch(mode)
    assert isinstance(way.post("/email", BODY), InDoubt)
    assert len(desk.double.requests) <= 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "ftp://127.0.0.1", "http://"])
def test_where_nobody_can_be_reached_nothing_was_sent(url: str) -> None:
    way = Line(url, HEADERS)
    assert isinstance(way.post("/email", BODY), NotSent)
    way.close()


@pytest.mark.parametrize("key", ["schlüssel", "a\u2011key", "a\nkey", "a\x00key", " key"])
def test_a_key_no_header_can_hold_is_the_accounts_fault_and_is_not_shown(desk: Desk, key: str) -> None:
    way = Line(desk.url, HEADERS | {"x-postmark-server-token": key})
    results = [way.post("/email", BODY), way.get("/email", {})]
    way.close()
    for result in results:
        assert isinstance(result, NotSent)
        assert (result.account, result.credentials) == (True, True)
        assert "x-postmark-server-token takes ASCII signs only" in result.detail
        assert key.strip() not in result.detail.replace("the key", "")
    assert desk.double.mails() == []


def test_a_server_that_went_away_between_two_calls_is_noticed(tmp_path_factory: pytest.TempPathFactory) -> None:
    with serving(Double(tmp_path_factory.mktemp("book") / "book", "postmark")) as url:
        way = Line(url, HEADERS)
        assert isinstance(way.post("/email", BODY), Answer)
    assert isinstance(way.post("/email", BODY), NotSent | InDoubt)
    way.close()


def test_a_connection_that_comes_after_the_deadline_is_closed_and_nothing_is_sent(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    way = Line(desk.url, HEADERS, longest_call=0.1)
    looked_up, watched = socket.getaddrinfo, threading.Event()

    def slowly(*of: Any, **how: Any) -> Any:
        watched.wait(0.5)  # a name server that takes its time; nothing can be cut before there is a connection
        return looked_up(*of, **how)

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    result = way.post("/email", BODY)
    way.close()
    assert isinstance(result, NotSent)
    assert "came too late" in result.detail
    assert not desk.double.requests
