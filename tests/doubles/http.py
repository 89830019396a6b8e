"""A double of a mail provider's HTTP API on loopback, with its own durable book.

As a program:  python -m tests.doubles.http --personality resend --book FILE --mode MODE   (prints its port)
In a test:     with serving(Double(book, personality="resend")) as url: ...

How it behaves is said in `modes`, what it writes down in `book`, what it sends by itself in `webhooks`. At run time:
`POST /_mode` {"mode", "look_ups", "times", "seed", "lag", "delay"} (all optional) · `GET /_book` {"mails", "twice"} ·
`GET /_requests` {"count", "last"}. After `times` requests it takes everything again.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import socket
import struct
import sys
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

from engine.clock import Clock, system_clock
from tests.doubles import book as books
from tests.doubles.book import Line
from tests.doubles.desk import PERSONALITIES, Desk, document
from tests.doubles.modes import LOOK_UPS, MANNERS, Act, Mode
from tests.doubles.personality import Reply, Request, Taken, reply
from tests.doubles.webhooks import Courier

_PEEK = 4096
_BLOCK = b" " * 65_536
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Double:
    """A provider: its desk, how it behaves, and what it was asked (`requests`: the last 2,000)."""

    def __init__(
        self,
        book: Path,
        personality: str = "brevo",
        mode: str = "accept",
        *,
        look_ups: str = "honest",
        lag: float = 0.0,
        seed: int = 0,
        token: str = "",
        forgetful: bool = False,
        sync: bool = True,
        ttl: float | None = None,
        delay: float = 0.2,
        clock: Clock = system_clock,
        courier: Courier | None = None,
    ) -> None:
        self.path = book
        self.desk = Desk(book, personality, clock=clock, forgetful=forgetful, sync=sync)
        self.desk.token, self.desk.lag = token, lag
        self.desk.ttl = self.desk.ttl if ttl is None else ttl
        self.delay = delay
        self.courier = courier
        self.requests: deque[dict[str, Any]] = deque(maxlen=2000)
        self.asked = 0
        self._lock = threading.Lock()
        self._left: dict[bool, int] = {}
        """How many requests are still treated so, per kind: look-ups (True) and calls."""
        self._modes = {False: Mode(mode, seed), True: Mode(look_ups, seed, look_ups=True)}

    def switch(
        self, mode: str | None = None, times: int | None = None, *, look_ups: str | None = None, seed: int = 0
    ) -> None:
        """Behave differently from now on, or for so many requests."""
        with self._lock:
            for asks, text in ((False, mode), (True, look_ups)):
                if text is not None:
                    self._modes[asks] = Mode(text, seed, look_ups=asks)
                    self._left[asks] = times or 0

    def mails(self) -> list[Line]:
        """Return what the book on disk says was accepted, in order."""
        return books.read(self.path)

    def twice(self) -> dict[str, int]:
        """Return our ids that were accepted more than once."""
        return books.twice(self.path)

    def next_act(self, *, asks: bool, identity: str) -> Act:
        """Return what to do with the next request."""
        with self._lock:
            act = self._modes[asks].draw(identity)
            if self._left.get(asks):
                self._left[asks] -= 1
                if not self._left[asks]:
                    self._modes[asks] = Mode("honest" if asks else "accept", look_ups=asks)
            return act

    def note(self, request: Request, act: Act) -> None:
        """Keep a request in the log."""
        self.asked += 1
        entry = {"method": request.method, "path": request.path, "headers": dict(request.headers), "act": act.name}
        self.requests.append(entry | {"query": request.query, "raw": request.body})

    def control(self, request: Request) -> Reply:
        """Answer who runs the double."""
        if request.path == "/_book":
            return reply(200, {"mails": self.desk.book.count, "twice": self.twice()})
        if request.path == "/_requests":
            return reply(200, {"count": self.asked, "last": [entry["path"] for entry in self.requests]})
        wanted = document(request.body)
        self.desk.lag = wanted.get("lag", self.desk.lag)
        self.delay = wanted.get("delay", self.delay)
        try:
            self.switch(
                wanted.get("mode"), wanted.get("times"), look_ups=wanted.get("look_ups"), seed=wanted.get("seed", 0)
            )
        except ValueError as error:
            return reply(400, {"error": str(error)})
        return reply(204, {})


class Server:
    """Answers for one double on one event loop. Bookings that come together share one fsync."""

    def __init__(self, double: Double) -> None:
        self.double = double
        self.stopping = asyncio.Event()
        self._lines: set[asyncio.Task[None]] = set()
        self._guests: set[asyncio.Transport] = set()
        self._queue: list[tuple[list[Line], asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._server: asyncio.Server | None = None

    async def start(self, port: int) -> int:
        """Listen on loopback; return the port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Visit(self._talk, self._guests), "127.0.0.1", port, backlog=1024
        )
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Cut every line and let go of the port."""
        assert self._server is not None
        self.stopping.set()
        for door in self._server.sockets:  # a server that is closed drops whoever is on the way in, and leaks the line
            asyncio.get_running_loop().remove_reader(door.fileno())
        for line in list(self._lines):
            line.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)
        if self._writing:
            await self._writing
        if self.double.courier:
            await self.double.courier.stop()
        await asyncio.sleep(0)
        while asyncio.all_tasks() - {asyncio.current_task()} or self._guests:  # some were only just let in
            for guest in list(self._guests):
                guest.abort()  # one that was closed may still hold bytes that nobody fetches
            await asyncio.sleep(0)
        self._server.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._lines.add(task)
        try:
            line = _Line(self, reader, writer)
            while await line.serve():
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            writer.transport.abort()  # the caller hung up, or the double stops
        finally:
            self._lines.discard(task)
            writer.close()

    async def booked(self, taken: Taken) -> Reply:
        """Book a call, then answer."""
        if taken.mails:
            done = asyncio.get_running_loop().create_future()
            self._queue.append((self.double.desk.number(taken), done))
            if self._writing is None:
                self._writing = asyncio.create_task(self._write())
            try:
                await done
            except OSError:
                return self.double.desk.drop(taken)
        return self.double.desk.finish(taken)

    async def _write(self) -> None:
        book = self.double.desk.book
        while self._queue:
            group, self._queue = self._queue, []
            try:
                if book.sync:
                    await asyncio.to_thread(book.write, [mails for mails, _ in group])
                else:
                    book.write([mails for mails, _ in group])
            except OSError as error:
                for _, done in group:
                    done.set_exception(error)
            for _, done in group:
                if not done.done():
                    done.set_result(None)
        self._writing = None


class _Visit(asyncio.StreamReaderProtocol):
    """Somebody at the door, known from the first moment on: what is let in is also shown out."""

    def __init__(self, talk: Talk, guests: set[asyncio.Transport]) -> None:
        super().__init__(asyncio.StreamReader(limit=1 << 22), talk)
        self._guests = guests
        self._own: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._own = transport
        self._guests.add(transport)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._own:
            self._guests.discard(self._own)
        super().connection_lost(exc)


class _Line:
    """One connection."""

    def __init__(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server, self.double = server, server.double
        self.reader, self.writer = reader, writer

    async def serve(self) -> bool:
        """Answer one request; return whether the line stays open."""
        request, length = await self._head()
        if request.path.startswith("/_"):
            request.body = await self.reader.readexactly(length)
            return await self._give(self.double.control(request))
        begin = await self.reader.readexactly(min(length, _PEEK))
        asks = request.method == "GET"
        identity = hashlib.sha256(request.target.encode() + begin).hexdigest()
        act = self.double.next_act(asks=asks, identity=identity)
        if act.name in {"cut_before", "cut_in_request"}:
            return await self._cut_early(act, length, len(begin))
        request.body = begin + await self.reader.readexactly(length - len(begin))
        self.double.note(request, act)
        return await self._carry_out(act, await self._answer(request, act))

    async def _head(self) -> tuple[Request, int]:
        head = await self.reader.readuntil(b"\r\n\r\n")
        first, *rest = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {}
        for line in rest:
            name, colon, value = line.partition(":")
            if colon:
                headers[name.strip().lower()] = value.strip()
        if headers.get("expect"):
            self.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return Request(method, target, headers), int(headers.get("content-length", "0"))

    async def _cut_early(self, act: Act, length: int, read: int) -> bool:
        if act.name == "cut_in_request":
            await self.reader.readexactly(max(0, act.place(length) - read))
        return self._reset()

    async def _answer(self, request: Request, act: Act) -> Reply:
        desk = self.double.desk
        if request.method == "GET":
            return desk.look_up(request, act) if act.name in LOOK_UPS | MANNERS else desk.no(act)
        if not desk.personality.is_call(request):
            return reply(404, {"message": "no such path"})
        if not act.takes:
            return desk.no(act)
        begun = desk.begin(request, act)
        if act.name == "ponder":
            await asyncio.sleep(act.seconds(self.double.delay))
        if isinstance(begun, Reply):
            given = begun
        else:
            given = await self.server.booked(begun)
            if self.double.courier and begun.mails:
                await self.double.courier.announce(begun.mails, desk.now)
        return self._seen(act, given)

    def _seen(self, act: Act, given: Reply) -> Reply:
        """Return what the caller is to see of an answer to a call that was taken."""
        if given.status < 300 and act.name in {"missing_ids", "too_few", "too_many"}:
            return self.double.desk.personality.spoilt(given, act.name)
        hidden = act.name.startswith("accept_then_") and act.outcome not in MANNERS
        return self.double.desk.no(act) if hidden else given

    async def _carry_out(self, act: Act, given: Reply) -> bool:
        manners = {"cut_in_answer": self._cut_in_answer, "drip": self._drip, "giant": self._endless}
        if act.outcome in manners:
            return await manners[act.outcome](act, given)
        if act.outcome == "hang":
            await self.server.stopping.wait()
        if act.outcome == "slow":
            await asyncio.sleep(act.seconds(self.double.delay))
        if act.outcome == "reset":
            return self._reset()
        return False if act.outcome in {"hang", "cut"} else await self._give(given)

    async def _give(self, given: Reply) -> bool:
        self.writer.write(_bytes(given))
        await self.writer.drain()
        return True

    async def _cut_in_answer(self, act: Act, given: Reply) -> bool:
        data = _bytes(given)
        self.writer.write(data[: min(act.place(len(data)), len(data) - 1)])
        await self.writer.drain()
        return False

    async def _drip(self, act: Act, given: Reply) -> bool:
        data = _bytes(Reply(given.status, given.body, {"x-slow": "z" * 2000} | given.headers))
        for place in range(len(data)):
            self.writer.write(data[place : place + 1])
            await self.writer.drain()
            await asyncio.sleep(act.seconds(self.double.delay))
        return True

    async def _endless(self, act: Act, given: Reply) -> bool:  # noqa: ARG002  (every manner is called alike)
        self.writer.write(f"HTTP/1.1 {given.status} OK\r\ncontent-type: application/json\r\n\r\n".encode())
        while not self.server.stopping.is_set():
            self.writer.write(_BLOCK)
            await self.writer.drain()
        return False

    def _reset(self) -> bool:
        found = self.writer.get_extra_info("socket")
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
        return False


def _bytes(given: Reply) -> bytes:
    phrase = HTTPStatus(given.status).phrase
    headers = given.headers | {"content-length": str(len(given.body))}
    lines = [f"HTTP/1.1 {given.status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + given.body


@contextmanager
def serving(double: Double, port: int = 0) -> Iterator[str]:
    """Answer on loopback until the end of the block; the URL for `[provider] base_url`."""
    loop = asyncio.new_event_loop()
    server = Server(double)
    thread = threading.Thread(target=loop.run_forever, name="provider double", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{asyncio.run_coroutine_threadsafe(server.start(port), loop).result()}"
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
        double.desk.book.close()


def _wanted() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A double of a mail provider on loopback.")
    parser.add_argument("--personality", choices=sorted(PERSONALITIES), default="brevo")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--book", type=Path, required=True)
    parser.add_argument("--mode", default="accept", help="an act or a mixture, see tests/doubles/modes.py")
    parser.add_argument("--look-ups", default="honest")
    parser.add_argument("--lag", type=float, default=0.0, help="seconds until a look-up sees a mail")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--token", default="", help="the only API key that is let in; any where none is named")
    parser.add_argument("--ttl", type=float, help="how many seconds a key lives, other than the provider's own")
    parser.add_argument("--delay", type=float, default=0.2, help="seconds for slow, ponder and drip")
    parser.add_argument("--forgetful", action="store_true", help="book a key as often as it comes")
    parser.add_argument("--no-sync", action="store_true", help="write the book without fsync (survives kill -9)")
    parser.add_argument("--webhooks", default="", metavar="URL")
    parser.add_argument("--ways", default="", help="how webhooks are sent: early+late=S+shuffled+doubled+forged")
    return parser.parse_args()


def main() -> None:
    """Answer until the process is told to stop."""
    wanted = _wanted()
    courier = Courier(wanted.personality, wanted.webhooks, wanted.ways) if wanted.webhooks else None
    double = Double(
        wanted.book,
        wanted.personality,
        wanted.mode,
        look_ups=wanted.look_ups,
        lag=wanted.lag,
        seed=wanted.seed,
        token=wanted.token,
        forgetful=wanted.forgetful,
        sync=not wanted.no_sync,
        ttl=wanted.ttl,
        delay=wanted.delay,
        courier=courier,
    )
    with serving(double, wanted.port) as url:
        sys.stdout.write(f"{url.rpartition(':')[2]}\n")
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
