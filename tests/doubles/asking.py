"""How the doubles' own tests speak to them: calls as the three APIs want them, by httpx or byte by byte."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

HEADERS = {
    "brevo": {"api-key": "k"},
    "resend": {"authorization": "Bearer k"},
    "postmark": {"x-postmark-server-token": "k", "accept": "application/json"},
}
PATHS = {
    "brevo": ("/smtp/email", "/smtp/email"),
    "resend": ("/emails", "/emails/batch"),
    "postmark": ("/email", "/email/batch"),
}
CLIENT = httpx.Client(verify=False, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))  # noqa: S501
"""Plain HTTP only: loading certificates for every call would take longer than the calls."""


def mid(number: int) -> str:
    """Return our n-th id."""
    return str(UUID(int=number))


def body(personality: str, numbers: list[int], key: str = "", *, batch: bool = False, to: str = "anna") -> bytes:
    """Return a call's bytes: one mail, or a batch."""
    mails = [_MAILS[personality](number, f"{to}{number}@example.com") for number in numbers]
    if personality == "brevo":
        shared = {"sender": {"email": "shop@example.com"}, "subject": "s", "htmlContent": "<p></p>", "tags": ["c"]}
        top: dict[str, Any] = {"messageVersions": mails} if batch else mails[0]
        given = {"idempotencyKey": key} if key else {}
        return json.dumps(shared | top | {"headers": top.get("headers", {}) | given}).encode()
    return json.dumps(mails if batch else mails[0]).encode()


def _brevo(number: int, to: str) -> dict[str, Any]:
    return {"to": [{"email": to}], "subject": f"to {number}", "headers": {"X-Mailin-custom": mid(number)}}


def _resend(number: int, to: str) -> dict[str, Any]:
    tags = [{"name": "mid", "value": mid(number)}]
    return {"from": "shop@example.com", "to": [to], "subject": f"to {number}", "html": "x", "tags": tags}


def _postmark(number: int, to: str) -> dict[str, Any]:
    return {
        "From": "shop@example.com",
        "To": to,
        "Subject": f"to {number}",
        "HtmlBody": "x",
        "Metadata": {"mid": mid(number)},
    }


_MAILS = {"brevo": _brevo, "resend": _resend, "postmark": _postmark}


def call(
    url: str, personality: str, numbers: list[int], key: str = "", *, timeout: float = 10.0, **more: Any
) -> httpx.Response:
    """Make a call; a key travels where this API wants it."""
    data = body(personality, numbers, key, **more)
    headers = {"content-type": "application/json"} | HEADERS[personality]
    if key and personality == "resend":
        headers["idempotency-key"] = key
    path = PATHS[personality][bool(more.get("batch"))]
    return CLIENT.post(url + path, content=data, headers=headers, timeout=timeout)


def ask(url: str, personality: str, path: str, **query: Any) -> httpx.Response:
    """Look something up."""
    return CLIENT.get(url + path, params=query or None, headers=HEADERS[personality])


def raw(url: str, data: bytes) -> bytes:
    """Send bytes and return everything that comes back until the line ends."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as line:
        line.sendall(data)
        line.shutdown(socket.SHUT_WR)
        got = b""
        while piece := line.recv(65_536):
            got += piece
        return got


@contextmanager
def program(module: str, *words: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run a double as a process of its own; it is gone after the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *words],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process, int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
