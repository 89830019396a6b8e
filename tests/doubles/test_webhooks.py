"""The double sends its news by itself, in every bad way a provider could."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.doubles.asking import call
from tests.doubles.http import Double, serving
from tests.doubles.webhooks import Courier


class Shop:
    """Keeps what it is told: headers and bytes."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self._more = threading.Condition()

    def hear(self, headers: dict[str, str], raw: bytes) -> None:
        with self._more:
            self.heard.append((headers, raw))
            self._more.notify_all()

    def wait_for(self, count: int) -> None:
        with self._more:
            assert self._more.wait_for(lambda: len(self.heard) >= count, 10)

    def kinds(self) -> list[str]:
        return [
            document.get("RecordType") or document.get("type") or document["event"] for document in self.documents()
        ]

    def documents(self) -> list[dict[str, str]]:
        return [json.loads(raw) for _, raw in self.heard]


@contextmanager
def shop() -> Iterator[tuple[Shop, str]]:
    """Listen for webhooks."""
    listener = Shop()

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["content-length"]))
            listener.hear({name.lower(): value for name, value in self.headers.items()}, raw)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield listener, f"http://127.0.0.1:{server.server_address[1]}/webhooks"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("personality", ["brevo", "resend", "postmark"])
def test_news_of_a_mail_comes_after_it_was_taken(personality: str, tmp_path: Path) -> None:
    with shop() as (listener, hooks):
        double = Double(tmp_path / "book", personality, courier=Courier(personality, hooks))
        with serving(double) as url:
            call(url, personality, [1])
            listener.wait_for(1)
    assert listener.kinds() == [
        {"brevo": "delivered", "resend": "email.delivered", "postmark": "Delivery"}[personality]
    ]


def test_early_news_comes_before_the_answer(tmp_path: Path) -> None:
    with shop() as (listener, hooks):
        double = Double(tmp_path / "book", "postmark", courier=Courier("postmark", hooks, "early"))
        with serving(double) as url:
            call(url, "postmark", [1, 2], batch=True)
            assert len(listener.heard) == 2


def test_news_is_doubled_shuffled_and_forged(tmp_path: Path) -> None:
    with shop() as (listener, hooks):
        courier = Courier("resend", hooks, "early+doubled+shuffled+forged")
        with serving(Double(tmp_path / "book", "resend", courier=courier)) as url:
            call(url, "resend", [1, 2, 3], batch=True)
    kinds = [kind for kind, _, _ in courier.told]
    assert sorted(kinds) == ["delivered"] * 6 + ["forged bounced"] * 6 + ["forged complained"] * 6
    assert kinds != sorted(kinds)
    signed = [headers["svix-signature"] for headers, _ in listener.heard]
    assert len(set(signed)) == 9


def test_late_news_is_dropped_when_the_double_stops_and_waits_until_then(tmp_path: Path) -> None:
    with shop() as (listener, hooks):
        courier = Courier("brevo", hooks, "late=600")
        with serving(Double(tmp_path / "book", "brevo", courier=courier)) as url:
            assert call(url, "brevo", [1]).status_code == 201
    assert (listener.heard, courier.told) == ([], [])


@pytest.mark.parametrize(("to", "kinds"), [("bounced", ["Bounce"]), ("complained", ["Delivery", "SpamComplaint"])])
def test_a_recipients_name_decides_its_fate(to: str, kinds: list[str], tmp_path: Path) -> None:
    with shop() as (listener, hooks):
        double = Double(tmp_path / "book", "postmark", courier=Courier("postmark", hooks, "early"))
        with serving(double) as url:
            call(url, "postmark", [1], to=to)
    assert listener.kinds() == kinds
