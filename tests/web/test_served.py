"""The server the daemon runs: it notes that its pages answer, and lets nobody hold a connection for ever."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from engine.clock import stopwatch
from engine.daemon import pages
from engine.daemon.pages import Pages
from engine.errors import TreuepostError
from engine.providers import http
from engine.store import installation
from tests.people import NOW
from tests.steps.sending_shop import later

if TYPE_CHECKING:
    from engine.app import App


@pytest.fixture
def opened(app: App) -> Iterator[tuple[App, Pages]]:
    web = app.config.web.model_copy(update={"listen": "127.0.0.1:0"})
    shop = replace(app, config=app.config.model_copy(update={"web": web}))
    made = Pages(lambda: shop)
    made.open()
    yield shop, made
    made.close()


def seen(app: App) -> object:
    with app.database.read() as session:
        return installation.pages_seen(session)


def test_pages_that_answer_are_noted_and_pages_that_do_not_are_not(opened: tuple[App, Pages]) -> None:
    app, made = opened
    assert seen(app) == NOW
    made.look(later(1))
    assert seen(app) == later(1)
    assert made._server is not None
    made._server.should_exit = True
    assert made._thread is not None
    made._thread.join(20)
    made.look(later(2))
    assert seen(app) == later(1)
    made.look(later(3))  # the server was put up again meanwhile
    assert seen(app) == later(3)


def test_who_says_nothing_is_cut_off(opened: tuple[App, Pages], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "SLOWEST_REQUEST", 0.3)
    place = urlsplit(opened[1].url)
    began = stopwatch()
    for said in (b"", b"GET / HTTP/1.1\r\nhost: local"):
        with closing(socket.create_connection((place.hostname or "", place.port or 0), timeout=20)) as line:
            line.sendall(said)
            with suppress(ConnectionResetError):
                assert line.recv(100) == b""
    assert stopwatch() - began < 15
    assert http.answers(f"{opened[1].url}/health")


def test_a_line_too_long_to_be_ours_is_refused(opened: tuple[App, Pages]) -> None:
    place = urlsplit(opened[1].url)
    with closing(socket.create_connection((place.hostname or "", place.port or 0), timeout=20)) as line:
        line.sendall(b"GET /" + b"x" * 40_000)
        assert b" 400 " in line.recv(100)


def test_nobody_answers_at_a_closed_door_or_with_another_status(opened: tuple[App, Pages]) -> None:
    assert not http.answers(f"{opened[1].url}/u/unknown")
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    assert not http.answers(f"http://127.0.0.1:{port}/health", longest=2)


def test_a_door_somebody_else_has_is_named(app: App) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        listen = f"127.0.0.1:{door.getsockname()[1]}"
        web = app.config.web.model_copy(update={"listen": listen})
        shop = replace(app, config=app.config.model_copy(update={"web": web}))
        with pytest.raises(TreuepostError, match=listen):
            Pages(lambda: shop).open()
