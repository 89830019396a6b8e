"""Who is let in, and what every answer carries: the one place through which each request and each answer goes.

It looks at the host name, counts, reads no more than it must, answers HEAD and OPTIONS without asking anybody, and
writes one line of log in which neither a token nor a whole network address stands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.clock import Clock, stopwatch
from engine.config.loading import Config
from engine.config.sections import LOOPBACK
from engine.web.limiting import Limits, cut, network_of

MOST_BYTES = 64 * 1024
MOST_WEBHOOK_BYTES = 1024 * 1024
SLOWEST_BODY = 15.0
"""In so many seconds a request's body must have come."""
HEADERS = {
    "cache-control": "no-store",
    "connection": "close",
    "content-security-policy": "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-robots-tag": "noindex, nofollow",
}
_UNTOUCHED = {"cache-control"}
"""What an answer may say otherwise: the style sheet is kept."""
_COUNTED = {"u": "stop", "p": "stop", "c": "stop", "webhooks": "webhook"}
_KNOWN = ("u", "p", "c", "d", "sign-up", "anmelden", "my-data", "meine-daten", "webhooks", "api", "health", "style.css")

Refuse = Callable[[Request, int, int], Response]
"""Makes the page for a request that is not let in: status, and seconds to wait where that helps."""

log = structlog.get_logger(__name__)


@dataclass
class _Passage:
    """One request on its way: the status it got, and whether an answer has begun."""

    began: float = field(default_factory=stopwatch)
    status: int = 500
    started: bool = False


class Door:
    """The ASGI middleware around the application."""

    def __init__(
        self, app: ASGIApp, *, config: Callable[[], Config], clock: Clock, limits: Limits, refuse: Refuse
    ) -> None:
        self._app = app
        self._config = config
        self._clock = clock
        self._limits = limits
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through, or answer it here."""
        if scope["type"] != "http":
            return
        config, passage = self._config(), _Passage()
        scope.setdefault("state", {})["visitor"] = visitor_of(scope, config.web.trusted_proxies)
        method, scope["method"] = scope["method"], "GET" if scope["method"] == "HEAD" else scope["method"]
        out = _Out(send, passage, bodiless=method == "HEAD")
        try:
            await self._let_in(scope, receive, out, config)
        except Exception:  # whatever happens, whoever asks gets a page and no traceback
            log.exception("page failed", page=_page(scope))
            if not passage.started:
                await self._refuse(Request(scope), 500, 0)(scope, receive, out)
        finally:
            _note(scope, method, passage)

    async def _let_in(self, scope: Scope, receive: Receive, send: Send, config: Config) -> None:
        request = Request(scope)
        if not _is_ours(request.headers.get("host", ""), config):
            await self._refuse(request, 421, 0)(scope, receive, send)
        elif scope["method"] == "OPTIONS":
            await Response(headers={"allow": "GET, HEAD, OPTIONS, POST"})(scope, receive, send)
        elif wait := self._wait(scope):
            await self._refuse(request, 429, wait)(scope, receive, send)
        else:
            body = _Body(receive, MOST_WEBHOOK_BYTES if _first(scope) == "webhooks" else MOST_BYTES)
            if status := await body.read(request.headers.get("content-length", "")):
                await self._refuse(request, status, 0)(scope, receive, send)
            else:
                await self._app(scope, body, send)

    def _wait(self, scope: Scope) -> int:
        """Return the seconds to wait, rounded up; 0 for whoever may go on."""
        now, first = self._clock(), _first(scope)
        if first == "health":
            return 0
        posted = scope["method"] != "GET"
        what = _COUNTED.get(first, "ask") if posted else "look"
        seconds = max(
            self._limits.wait("all", "", now),
            self._limits.wait(what, network_of(scope["state"]["visitor"]), now),
            self._limits.wait("all asks", "", now) if what == "ask" else 0,
        )
        return int(seconds) + 1 if seconds else 0


class _Body:
    """A request's body, read here to its end: never more than is allowed, and not for longer."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive = receive
        self._most = most
        self._bytes = bytearray()
        self._given = False

    async def read(self, announced: str) -> int:
        """Read all of it; return 0, or the status to refuse it with."""
        if announced.isascii() and announced.isdigit() and (len(announced) > 9 or int(announced) > self._most):
            return 413
        try:
            async with asyncio.timeout(SLOWEST_BODY):
                return await self._drain()
        except TimeoutError:
            return 408

    async def _drain(self) -> int:
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                return 400
            self._bytes += message.get("body", b"")
            if len(self._bytes) > self._most:
                return 413
            if not message.get("more_body", False):
                return 0

    async def __call__(self) -> Message:
        """Hand the body on, whole."""
        if self._given:
            return await self._receive()
        self._given = True
        return {"type": "http.request", "body": bytes(self._bytes), "more_body": False}


class _Out:
    """The way out: every answer gets the headers; an answer to HEAD loses its body."""

    def __init__(self, send: Send, passage: _Passage, *, bodiless: bool) -> None:
        self._send = send
        self._passage = passage
        self._bodiless = bodiless

    async def __call__(self, message: Message) -> None:
        """Send one part of the answer."""
        if message["type"] == "http.response.start":
            self._passage.status, self._passage.started = message["status"], True
            said = {name.lower() for name, _ in message.get("headers", [])}
            added = [
                (name.encode(), value.encode())
                for name, value in HEADERS.items()
                if not (name in _UNTOUCHED and name.encode() in said)
            ]
            message = {**message, "headers": [*message.get("headers", []), *added]}
        elif self._bodiless:
            message = {**message, "body": b""}
        await self._send(message)


def visitor_of(scope: Scope, trusted: tuple[str, ...]) -> str:
    """Return the network address of whoever asks: the last one in X-Forwarded-For that is none of our own proxies."""
    client = scope.get("client")
    host = str(client[0]) if client else ""
    if not _is_trusted(host, trusted):
        return host
    told = Request(scope).headers.getlist("x-forwarded-for")
    for one in reversed([part.strip() for part in ",".join(told).split(",")]):
        if not one:
            continue
        if not _is_address(one):  # whatever a trusted proxy passed on, an address it is not
            return host
        host = one
        if not _is_trusted(one, trusted):
            break
    return host


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_trusted(host: str, trusted: tuple[str, ...]) -> bool:
    if not _is_address(host):
        return False
    address = ip_address(host)
    for one in trusted:
        try:
            if address in ip_network(one, strict=False):
                return True
        except ValueError:
            continue
    return False


def _is_ours(host: str, config: Config) -> bool:
    """Say whether a Host header names this server: nobody else's name may lead here."""
    name = _host(host)
    ours = {_host(config.web.listen), urlsplit(config.web.public_url).hostname or "", *LOOPBACK}
    return bool(name) and name in ours


def _host(text: str) -> str:
    try:
        return urlsplit(f"//{text}").hostname or ""
    except ValueError:
        return ""


def _first(scope: Scope) -> str:
    return str(scope["path"]).split("/", 2)[1] if "/" in scope["path"] else ""


def _page(scope: Scope) -> str:
    first = _first(scope)
    return f"/{first}" if first in _KNOWN else "other"


def _note(scope: Scope, method: str, passage: _Passage) -> None:
    """Log what was asked for: the page without what stands behind it, the network without its last part."""
    page = _page(scope)
    if page == "/health" and passage.status == 200:
        return
    spent = round((stopwatch() - passage.began) * 1000)
    network = cut(scope["state"]["visitor"])
    log.info("page", method=method[:10], page=page, status=passage.status, network=network, ms=spent)
