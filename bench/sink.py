"""A provider's double that is fast and knows nothing: a process of its own that takes any mail and gives it an id.

It answers like Resend (`/emails`, `/emails/batch`), Postmark (`/email`, `/email/batch`) and Brevo (`/smtp/email`), at
once or after a set time, and keeps a book of when each call came and how many mails were in it. It parses nothing: the
mails of a call are counted by the name of their recipient's field, which no encoded text can contain.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import httpx

from engine.clock import stopwatch

_HEAD_END = b"\r\n\r\n"
_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Book:
    """What the sink has seen: for each call the instant it was whole (the machine's stopwatch) and its mails."""

    calls: list[tuple[float, int]]

    @property
    def mails(self) -> int:
        """Return how many mails came."""
        return sum(count for _, count in self.calls)

    def most_within(self, seconds: float) -> int:
        """Return the most mails that came within any span of so many seconds."""
        most = first = inside = 0
        for at, count in self.calls:
            inside += count
            while self.calls[first][0] <= at - seconds:
                inside -= self.calls[first][1]
                first += 1
            most = max(most, inside)
        return most

    def longest_gap(self) -> float:
        """Return the longest time between two calls."""
        return max((later - sooner for (sooner, _), (later, _) in pairwise(self.calls)), default=0.0)


@dataclass(frozen=True, slots=True)
class Sink:
    """A sink that runs, as the benchmarks use it."""

    url: str

    def reset(self, latency: float = 0.0) -> None:
        """Empty the book; from now on answer after `latency` seconds."""
        httpx.put(f"{self.url}/book", content=json.dumps(latency), trust_env=False).raise_for_status()

    def book(self) -> Book:
        """Return what came since the last reset."""
        answer = httpx.get(f"{self.url}/book", trust_env=False, timeout=30)
        return Book([(at, count) for at, count in answer.json()])


@contextmanager
def running() -> Iterator[Sink]:
    """Run a sink in a process of its own."""
    command = [sys.executable, "-m", "bench.sink"]
    process = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Sink(process.stdout.readline().strip())
    finally:
        process.terminate()
        process.wait(10)


class _State:
    """The book, and the ids given so far."""

    def __init__(self) -> None:
        self.calls: list[tuple[float, int]] = []
        self.latency = 0.0
        self.given = 0

    def ids(self, count: int) -> Iterator[str]:
        """Return so many ids never given before, in the form of a UUID."""
        first, self.given = self.given, self.given + count
        return (f"{number:08x}-0000-4000-8000-000000000000" for number in range(first, self.given))


def _one(state: _State, _body: bytes) -> tuple[int, bytes]:
    return 1, b'{"id":"%s"}' % next(state.ids(1)).encode()


def _resend_batch(state: _State, body: bytes) -> tuple[int, bytes]:
    count = body.count(b'"to":')
    rows = ",".join([f'{{"id":"{name}"}}' for name in state.ids(count)])
    return count, f'{{"data":[{rows}]}}'.encode()


_POSTMARK = '{{"To":"","SubmittedAt":"2026-11-23T08:00:00Z","MessageID":"{}","ErrorCode":0,"Message":"OK"}}'


def _postmark(state: _State, _body: bytes) -> tuple[int, bytes]:
    return 1, _POSTMARK.format(next(state.ids(1))).encode()


def _postmark_batch(state: _State, body: bytes) -> tuple[int, bytes]:
    count = body.count(b'"To":')
    return count, f"[{','.join([_POSTMARK.format(name) for name in state.ids(count)])}]".encode()


def _brevo(state: _State, _body: bytes) -> tuple[int, bytes]:
    return 1, b'{"messageId":"<%s@sink.invalid>"}' % next(state.ids(1)).encode()


_WAYS: dict[bytes, Callable[[_State, bytes], tuple[int, bytes]]] = {
    b"/emails": _one,
    b"/emails/batch": _resend_batch,
    b"/email": _postmark,
    b"/email/batch": _postmark_batch,
    b"/smtp/email": _brevo,
}


class _Line(asyncio.Protocol):
    """One connection: requests one after another, each answered whole."""

    def __init__(self, state: _State) -> None:
        self._state = state
        self._parts: list[bytes] = []
        self._missing = 0
        self._request = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Gather a request; answer it once it is whole."""
        if not self._request:
            data = b"".join([*self._parts, data])
            end = data.find(_HEAD_END)
            self._parts = [data]
            if end < 0:
                return
            head, data = data[:end], data[end + 4 :]
            self._request = head.partition(b"\r\n")[0]
            self._missing = _length(head)
            self._parts = []
        self._parts.append(data)
        self._missing -= len(data)
        if self._missing <= 0:
            body, self._parts = b"".join(self._parts), []
            request, self._request = self._request, b""
            self._answer(request, body)

    def _answer(self, request: bytes, body: bytes) -> None:
        state, (method, path, _) = self._state, request.split(b" ")
        if path == b"/book":
            self._write(_booked(state, method, body))
            return
        count, answer = _WAYS[path](state, body)
        state.calls.append((stopwatch(), count))
        if state.latency:
            asyncio.get_running_loop().call_later(state.latency, self._write, answer)
        else:
            self._write(answer)

    def _write(self, body: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body
            )


def _length(head: bytes) -> int:
    _, _, after = head.lower().partition(b"content-length:")
    return int(after.partition(b"\r\n")[0] or 0)


def _booked(state: _State, method: bytes, body: bytes) -> bytes:
    if method == b"PUT":
        state.calls.clear()
        state.latency = json.loads(body)
    return json.dumps(state.calls).encode()


async def _serve() -> None:
    state = _State()
    server = await asyncio.get_running_loop().create_server(lambda: _Line(state), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
