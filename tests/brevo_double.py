"""A double of Brevo on loopback that keeps its own book: what it accepted, whoever says otherwise.

As a program:  python -m tests.brevo_double --port 0 --book FILE --mode MODE   (prints its port)
In a test:     with serving(BrevoDouble(book)) as url: ...

Modes: accept · accept_then_hang (accepts, never answers) · accept_then_500 · accept_then_502_html · accept_then_cut ·
accept_without_id · cut (before accepting) · throttle (429 + Retry-After) · throttle_reset (429 + x-sib-ratelimit-reset)
· unauthorized · no_credits · forbidden · refuse · bad_recipient · bad_sender · timeout_408 · moved · html_404 · slow
(answers after --delay) · drip (a byte of the answer every --delay) · huge (an endless body) · mixed (by the key: a
fifth each of hang, 500, cut, throttle, accept) · mixed_fast (the same without waiting).

`POST /_mode` with {"mode": …, "times": n} switches a running double; after n requests it accepts again.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Answer = tuple[int, dict[str, str], bytes]


class BrevoDouble:
    """What it accepted (append-only, on disk before the answer), and how it behaves."""

    def __init__(self, book: Path, mode: str = "accept", *, delay: float = 0.2, forgetful: bool = False) -> None:
        self.book = book
        self.mode = mode
        self.delay = delay
        self.forgetful = forgetful
        self.requests: list[dict[str, Any]] = []
        self.stopping = threading.Event()
        self._times: int | None = None
        self._lock = threading.Lock()
        self._keys = {mail["key"]: mail["messageId"] for mail in self.mails()}

    def switch(self, mode: str, times: int | None = None) -> None:
        """Behave differently from now on, or for so many requests."""
        with self._lock:
            self.mode, self._times = mode, times

    def mails(self) -> list[dict[str, Any]]:
        """Return what the book says was accepted, in order."""
        if not self.book.exists():
            return []
        return [json.loads(line) for line in self.book.read_text(encoding="utf-8").splitlines()]

    def next_mode(self) -> str:
        """Return how to behave towards this request."""
        with self._lock:
            mode = self.mode
            if self._times is not None:
                self._times -= 1
                if self._times <= 0:
                    self.mode, self._times = "accept", None
            return mode

    def accept(self, call: dict[str, Any]) -> Answer:
        """Write a call's mails into the book, unless its key is there already."""
        key = call.get("headers", {}).get("idempotencyKey", "")
        versions = call.get("messageVersions") or [call]
        with self._lock:
            if key in self._keys and not self.forgetful:
                return problem(400, "duplicate_parameter", "The idempotency key was used before")
            mark = f"{len(self._keys) + 1}.{hashlib.sha256(key.encode()).hexdigest()[:12]}"
            numbers = [f"<{mark}.{place}@relay.example>" for place in range(len(versions))]
            self._keys[key] = numbers[0]
            with self.book.open("a", encoding="utf-8") as file:
                for version, number in zip(versions, numbers, strict=True):
                    file.write(json.dumps(_entry(key, number, call, version), ensure_ascii=False) + "\n")
                file.flush()
                os.fsync(file.fileno())
        return reply(201, {"messageIds": numbers} if "messageVersions" in call else {"messageId": numbers[0]})


def _entry(key: str, number: str, call: dict[str, Any], version: dict[str, Any]) -> dict[str, Any]:
    headers = call.get("headers", {}) | version.get("headers", {})
    return {
        "key": key,
        "messageId": number,
        "mid": headers.get("X-Mailin-custom", ""),
        "to": version["to"][0]["email"],
        "subject": version.get("subject", call.get("subject", "")),
        "tags": call.get("tags", []),
    }


def reply(status: int, document: dict[str, Any], **headers: str) -> Answer:
    """Return a JSON answer."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, {"content-type": "application/json"} | names, json.dumps(document).encode()


def problem(status: int, code: str, message: str, **headers: str) -> Answer:
    """Return an error as Brevo writes it."""
    return reply(status, {"code": code, "message": message}, **headers)


NOS: dict[str, Answer] = {
    "throttle": problem(429, "too_many_requests", "Slow down", Retry_After="7"),
    "throttle_reset": problem(429, "too_many_requests", "Slow down", x_sib_ratelimit_reset="11"),
    "unauthorized": problem(401, "unauthorized", "Key not found"),
    "no_credits": problem(402, "not_enough_credits", "You have not enough credits"),
    "forbidden": problem(403, "permission_denied", "Your account is under validation"),
    "refuse": problem(400, "invalid_parameter", "htmlContent is not valid"),
    "bad_recipient": problem(400, "invalid_parameter", "email is not valid in to"),
    "bad_sender": problem(400, "invalid_parameter", "The sender you used is not valid. Validate your sender"),
    "unknown_code": problem(400, "strange", "nobody knows"),
    "conflict": problem(409, "conflict", "busy"),
    "timeout_408": problem(408, "timeout", "too slow"),
    "moved": (302, {"location": "/elsewhere"}, b""),
    "html_404": (404, {"content-type": "text/html"}, b"<h1>not here</h1>"),
}
"""Answers given without accepting anything."""

YESES: dict[str, Answer] = {
    "accept_then_500": problem(500, "internal", "something broke"),
    "accept_then_502_html": (502, {"content-type": "text/html"}, b"<h1>Bad gateway</h1>"),
    "accept_then_503": problem(503, "unavailable", "later", Retry_After="1"),
    "accept_without_id": reply(201, {}),
    "accept_not_json": (200, {"content-type": "text/html"}, b"<p>thanks</p>"),
}
"""Answers that hide that the mail was accepted."""
_MIXTURES = {
    "mixed": ("accept_then_hang", "accept_then_500", "accept_then_cut", "throttle", "accept"),
    "mixed_fast": ("accept_then_500", "accept_then_cut", "accept_without_id", "cut", "accept"),
}


class _Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    double: BrevoDouble
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", "0"))
        document = json.loads(self.rfile.read(length) or b"{}")
        if self.path == "/_mode":
            self.double.switch(document["mode"], document.get("times"))
            self._write((204, {}, b""))
            return
        self.double.requests.append({"path": self.path, "headers": dict(self.headers), "body": document})
        self._behave(self.double.next_mode(), document)

    def _behave(self, mode: str, mail: dict[str, Any]) -> None:
        key = mail.get("headers", {}).get("idempotencyKey", "")
        if mode in _MIXTURES:
            mixture = _MIXTURES[mode]
            mode = mixture[int(hashlib.sha256(key.encode()).hexdigest(), 16) % len(mixture)]
        if mode in NOS:
            self._write(NOS[mode])
        elif mode == "cut":
            self._cut()
        elif mode in _ACTS:
            _ACTS[mode](self, self.double.accept(mail))
        elif mode in YESES:
            self.double.accept(mail)
            self._write(YESES[mode])
        else:
            self._write(self.double.accept(mail))

    def _write(self, answer: Answer) -> None:
        status, headers, body = answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _cut(self, _answer: Answer | None = None) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _hang(self, _answer: Answer) -> None:
        self.double.stopping.wait()
        self._cut()

    def _slow(self, answer: Answer) -> None:
        self.double.stopping.wait(self.double.delay)
        self._write(answer)

    def _drip(self, _answer: Answer) -> None:
        self.close_connection = True
        for byte in b"HTTP/1.1 201 Created\r\nx-slow: " + b"z" * 100_000:
            if self.double.stopping.wait(self.double.delay):
                return
            self.wfile.write(bytes([byte]))

    def _endless(self, _answer: Answer) -> None:
        self.close_connection = True
        self.send_response(201)
        self.end_headers()
        while not self.double.stopping.is_set():
            self.wfile.write(b" " * 65536)

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the library's name)
        """Keep quiet."""


_ACTS: dict[str, Callable[[_Door, Answer], None]] = {
    "accept_then_hang": _Door._hang,
    "accept_then_cut": _Door._cut,
    "slow": _Door._slow,
    "drip": _Door._drip,
    "huge": _Door._endless,
}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128


@contextmanager
def serving(double: BrevoDouble, port: int = 0) -> Iterator[str]:
    """Answer on loopback until the end of the block; the URL for `[provider] base_url`."""
    handler = type("Door", (_Door,), {"double": double})
    server = _Server(("127.0.0.1", port), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        double.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()


def main() -> None:
    """Answer until the process is told to stop."""
    parser = argparse.ArgumentParser(description="A double of Brevo on loopback.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--book", type=Path, required=True)
    parser.add_argument("--mode", default="accept")
    parser.add_argument("--delay", type=float, default=0.2)
    parser.add_argument("--forgetful", action="store_true", help="book a key as often as it comes")
    wanted = parser.parse_args()
    double = BrevoDouble(wanted.book, wanted.mode, delay=wanted.delay, forgetful=wanted.forgetful)
    with serving(double, wanted.port) as url:
        sys.stdout.write(f"{url.rpartition(':')[2]}\n")
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
