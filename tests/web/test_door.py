"""The door: whose name leads here, how much is read, how often somebody may ask, and what the log says of it."""

from __future__ import annotations

import socket
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from engine.clock import stopwatch
from engine.domain.limits import Rate
from engine.web import door
from engine.web.application import build
from engine.web.door import visitor_of
from engine.web.limiting import Limits, cut, network_of
from tests.people import NOW
from tests.web.visiting import HOST, ONE_CLICK, Asked, dump, pages_of, served, token_of, visitor

if TYPE_CHECKING:
    from engine.app import App


@pytest.mark.parametrize(
    "path", ["/u/{token}", "/p/{token}", "/u/x", "/nothing", "/sign-up/newsletter-2015", "/my-data"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "OPTIONS"])
def test_every_answer_keeps_quiet_about_itself(app: App, path: str, method: str) -> None:
    answer = visitor(pages_of(app)).request(method, path.format(token=token_of(app)))
    said = answer.headers
    assert said["referrer-policy"] == "no-referrer"
    assert said["cache-control"] == "no-store"
    assert "noindex" in said["x-robots-tag"]
    assert said["x-content-type-options"] == "nosniff"
    assert said["content-security-policy"].startswith("default-src 'none'; style-src 'self'; form-action 'self'")
    assert "frame-ancestors 'none'" in said["content-security-policy"]
    assert not {"set-cookie", "server", "location", "access-control-allow-origin"} & set(said)
    assert "<script" not in answer.text
    assert " style=" not in answer.text


def test_the_style_sheet_is_kept_under_its_own_mark(app: App) -> None:
    client = visitor(pages_of(app))
    link = client.get("/my-data").text.partition('<link rel="stylesheet" href="')[2].partition('"')[0]
    assert "immutable" in client.get(link).headers["cache-control"]


@pytest.mark.parametrize(
    ("host", "status"),
    [(HOST, 200), (f"{HOST}:8443", 200), (HOST.upper(), 200), ("localhost:8025", 200), ("[::1]:8025", 200),
     ("evil.example", 421), (f"{HOST}.evil.example", 421), ("", 421), ("[", 421), (f"{HOST}@x", 421)],
)  # fmt: skip
def test_only_the_shops_own_names_lead_here(app: App, host: str, status: int) -> None:
    assert visitor(pages_of(app)).get("/my-data", headers={"host": host}).status_code == status


@pytest.mark.parametrize(
    ("client", "told", "seen"),
    [
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "198.51.100.1, 127.0.0.1", "198.51.100.1"),
        ("127.0.0.1", "198.51.100.1, unknown", "127.0.0.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("10.0.0.7", "2001:db8::1", "2001:db8::1"),
        ("somewhere", "198.51.100.1", "somewhere"),
    ],
)
def test_a_forwarded_address_is_believed_from_our_own_proxies_alone(client: str, told: str, seen: str) -> None:
    scope = {"type": "http", "client": (client, 1), "headers": [(b"x-forwarded-for", told.encode())]}
    assert visitor_of(scope, ("127.0.0.1", "10.0.0.0/8", "nonsense")) == seen


def test_networks_are_counted_and_shown_by_their_first_part() -> None:
    assert network_of("2001:db8:1:2:3::4") == network_of("2001:db8:1:2:ffff::1") != network_of("2001:db8:1:3::1")
    assert (network_of("::ffff:198.51.100.7"), network_of("testclient")) == ("198.51.100.7", "testclient")
    assert [cut(one) for one in ("198.51.100.7", "2001:db8:1:2::3", "::ffff:198.51.100.7", "x")] == [
        "198.51.100.0", "2001:db8:1::", "198.51.100.0", "",
    ]  # fmt: skip


class Hands:
    """A clock whose hands a test moves."""

    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> Any:
        return self.at


def test_who_asks_too_often_waits_as_long_as_told(app: App) -> None:
    clock = Hands()
    limits = Limits({"look": Rate(3, timedelta(minutes=1)), "stop": Rate(2, timedelta(minutes=1))})
    client = visitor(build(lambda: app, clock, asking=Asked(), limits=limits))
    link = f"/u/{token_of(app)}"
    answers = [client.get(link) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    wait = int(answers[-1].headers["retry-after"])
    assert 1 <= wait <= 21
    assert [client.post(link).status_code for _ in range(3)] == [400, 400, 429]
    clock.at += timedelta(seconds=wait)
    assert client.get(link).status_code == 200
    assert client.get("/health").status_code == 200


def test_another_network_is_not_kept_waiting_and_everybody_together_is(app: App) -> None:
    trusting = app.config.web.model_copy(update={"trusted_proxies": ("127.0.0.1",)})
    shop = replace(app, config=app.config.model_copy(update={"web": trusting}))
    limits = Limits({"look": Rate(1, timedelta(hours=1)), "all": Rate(4, timedelta(hours=1))})
    with served(pages_of(shop, limits=limits)) as client:
        asked = ["198.51.100.1", "198.51.100.1", "198.51.100.2", "198.51.100.3", "198.51.100.4"]
        answers = [client.get("/my-data", headers={"x-forwarded-for": one}).status_code for one in asked]
    assert answers == [200, 429, 200, 200, 429]


def test_a_flood_of_networks_fills_no_memory() -> None:
    from engine.web import limiting

    limits = Limits()
    for number in range(limiting._MOST_KEPT + 100):
        limits.wait("look", str(number), NOW)
    assert len(limits._buckets) == limiting._MOST_KEPT


@pytest.mark.parametrize("path", ["/u/x", "/api/sign-up", "/my-data", "/nothing"])
def test_a_body_beyond_64_kilobytes_is_not_read(app: App, path: str) -> None:
    before = dump(app)
    with served(pages_of(app)) as client:
        assert client.post(path, content=b"x" * 70_000).status_code == 413
        assert client.post(path, content=iter([b"x" * 1000] * 70)).status_code == 413
        assert client.post(path, content=b"", headers={"content-length": "0"}).status_code in {400, 404, 422}
    assert dump(app) == before


def test_a_body_that_drips_is_cut(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "SLOWEST_BODY", 0.3)
    with served(pages_of(app)) as client:
        with closing(socket.create_connection((client.base_url.host, client.base_url.port), timeout=20)) as line:
            began = stopwatch()
            line.sendall(b"POST /my-data HTTP/1.1\r\nhost: localhost\r\ncontent-length: 50\r\n\r\nemail=")
            assert b" 408 " in line.recv(100)
        assert stopwatch() - began < 10


def test_the_log_has_neither_token_nor_address_nor_a_whole_network(app: App) -> None:
    token = token_of(app)
    client = visitor(pages_of(app))
    with structlog.testing.capture_logs() as lines:
        client.post(f"/u/{token}", data=ONE_CLICK)
        client.post("/my-data", data={"email": "k0@example.com"})
        client.get("/k0@example.com/%1b%5b31m")
        client.get("/health")
    assert [line["page"] for line in lines] == ["/u", "/my-data", "other"]
    assert [line["status"] for line in lines] == [200, 200, 404]
    assert not any(secret in repr(lines) for secret in (token, token[:12], "k0", "x1b"))


def test_a_fault_of_ours_is_a_page_and_no_traceback(app: App) -> None:
    class Broken(Asked):
        def pending(self, *_: Any) -> Any:
            raise RuntimeError("secret k0@example.com")

    with structlog.testing.capture_logs() as lines:
        answer = visitor(pages_of(app, Broken())).get("/c/t")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "Fehler liegt bei uns" in answer.text
    assert [line["event"] for line in lines] == ["page failed", "page"]


def test_a_busy_store_is_said_and_the_provider_comes_again(app: App) -> None:
    from engine.errors import StoreBusy

    class Busy(Asked):
        def pending(self, *_: Any) -> Any:
            raise StoreBusy("busy")

    answer = visitor(pages_of(app, Busy())).get("/c/t")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


def test_the_pages_follow_a_reload_at_once(app: App) -> None:
    shops = [app]
    client = visitor(build(lambda: shops[-1], app.clock, asking=Asked()))
    assert "Radhaus Sommer" in client.get("/my-data").text
    renamed = app.config.shop.model_copy(update={"name": "Radhaus Winter"})
    shops.append(replace(app, config=app.config.model_copy(update={"shop": renamed})))
    assert "Radhaus Winter" in client.get("/my-data").text
