"""The only place that speaks HTTP to providers, and the only import of httpx.

One client per sender thread (a shared one collapses under load) with one TLS context for all; no redirects, no
automatic retries, no proxies from the environment. What happened is a value: an answer, "provably not sent", or doubt.
Doubt is the rule as soon as the first byte may have left.
"""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx

from engine.clock import stopwatch
from engine.domain.words import InDoubt, NotSent
from engine.providers.deadlines import Deadlines

LONGEST_CALL = 30.0
MOST_BYTES = 64 * 1024
"""As much of the answer to a call with one mail is read."""
MOST_FOUND = 1024 * 1024
"""As much of the answer to a question is read."""
TOOK_TOO_LONG = "no answer within the time a call may take"
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)
_HEADER = re.compile(r"[!-~]([ -~]*[!-~])?")
_ONLY = "takes ASCII signs only, in one line: no umlauts, no typographic hyphens"
# Shorter than any provider's idle time: a line that died between two mails would be doubt.
_LIMITS = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=4.0)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider said. Header names are lower case; a longer body is cut."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Line:
    """The way to one provider's API; `longest_call` in seconds, from the first try to connect to the last byte."""

    def __init__(self, base_url: str, headers: Mapping[str, str], *, longest_call: float = LONGEST_CALL) -> None:
        self._base_url = base_url.rstrip("/")
        self._headers = {"accept-encoding": "identity"} | dict(headers)
        self._fault = _no_header(headers)
        self._longest_call = longest_call
        waits = {"connect": min(5.0, longest_call), "pool": 5.0, "read": longest_call, "write": longest_call}
        self._extensions = {"timeout": waits}
        self._tls = _trust(base_url)  # here, and not at the first call: that would be late for its turn
        self._mine = threading.local()
        self._lock = threading.Lock()
        self._clients: list[httpx.HTTPTransport] = []
        self._deadlines = Deadlines()

    def post(
        self, path: str, content: bytes, headers: Mapping[str, str] | None = None, *, most: int = MOST_BYTES
    ) -> Answer | NotSent | InDoubt:
        """Send one request, once, and say what came of it; at most `most` bytes of the answer are read."""
        return self._fault or self._ask("POST", path, content, headers, most)

    def get(self, path: str, query: Mapping[str, str], *, most: int = MOST_FOUND) -> Answer | NotSent | InDoubt:
        """Ask once; nothing is changed at the provider, whatever comes of it."""
        return self._fault or self._ask("GET", f"{path}?{httpx.QueryParams(query)}", None, None, most)

    def close(self) -> None:
        """Close every thread's connections."""
        with self._lock:
            for client in self._clients:
                client.close()
            self._clients.clear()
            self._mine = threading.local()
            self._deadlines.close()

    def _ask(
        self, method: str, path: str, content: bytes | None, headers: Mapping[str, str] | None, most: int
    ) -> Answer | NotSent | InDoubt:
        client = self._client()
        call = _Call(self._longest_call, self._mine)
        self._deadlines.enter(call)
        try:
            request = httpx.Request(
                method,
                self._base_url + path,
                content=content,
                headers={**self._headers, **(headers or {})},
                extensions=self._extensions | {"trace": call.trace},
            )
            return call.read(client.handle_request(request), most)
        except _NOT_SENT as error:
            return NotSent(f"not reachable: {named(error)}", account=True)
        except httpx.LocalProtocolError as error:
            return InDoubt(named(error)) if call.began_writing else NotSent(named(error))
        except (httpx.InvalidURL, UnicodeEncodeError) as error:
            return NotSent(named(error))
        except httpx.TimeoutException:
            return InDoubt(TOOK_TOO_LONG)
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            return InDoubt(TOOK_TOO_LONG if call.is_over else f"no answer: {named(error)}")
        finally:
            self._deadlines.leave(call)

    def _client(self) -> httpx.HTTPTransport:
        """Return this thread's client.

        The transport is the part of an `httpx.Client` that is needed here; cookies, redirects and a log line for each
        request would cost as much again.
        """
        client: httpx.HTTPTransport | None = getattr(self._mine, "client", None)
        if client is None:
            with self._lock:
                client = httpx.HTTPTransport(verify=self._tls, trust_env=False, limits=_LIMITS, retries=0)
                self._mine.client = client
                self._clients.append(client)
        return client


def answers(url: str, *, longest: float = 5.0) -> bool:
    """Say whether somebody answers 200 there: how the daemon sees that its own pages are up."""
    line = Line(url, {}, longest_call=longest)
    try:
        said = line.get("", {}, most=1024)
        return isinstance(said, Answer) and said.status == 200
    finally:
        line.close()


def _no_header(headers: Mapping[str, str]) -> NotSent | None:
    """Say that no call can be made where a header of all calls cannot hold its value (RFC 9110 § 5.5): the key's.

    That is no mail's fault. It is told without the key, which httpx's own errors would show.
    """
    for name, value in headers.items():
        if value and not _HEADER.fullmatch(value):
            return NotSent(f"the key cannot be shown to the provider: {name} {_ONLY}", account=True, credentials=True)
    return None


def _trust(base_url: str) -> ssl.SSLContext:
    """Return what every client of a line trusts: the public authorities, or nobody where TLS is not spoken."""
    if base_url.startswith("https:"):
        return httpx.create_ssl_context(trust_env=False)
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class _Call:
    """One call: how far it came, and its end, however slowly bytes still drip."""

    def __init__(self, seconds: float, mine: threading.local) -> None:
        self.began_writing = False
        self.is_over = False
        self.ends = stopwatch() + seconds
        self._mine = mine.__dict__  # a kept line was opened by an earlier call of this thread

    def trace(self, name: str, info: Mapping[str, Any]) -> None:
        """Note how far the call came (httpx calls this at every stage)."""
        if name.endswith(("connect_tcp.complete", "start_tls.complete")):
            line = self._mine["line"] = info.get("return_value")
            if self.is_over:  # looking the name up took that long, and nothing could be cut before there was a line
                if line is not None:
                    line.close()
                raise httpx.ConnectTimeout("the connection came too late")
        elif name.endswith("send_request_headers.complete"):
            self.began_writing = True

    def read(self, response: httpx.Response, most: int) -> Answer:
        """Return the answer with the first bytes of its body."""
        body = bytearray()
        try:
            for piece in response.iter_raw():
                body += piece
                if len(body) >= most:
                    break
                if stopwatch() > self.ends:
                    self.is_over = True
                    raise httpx.ReadTimeout("the body came too slowly")
        finally:
            response.close()
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, headers, bytes(body[:most]))

    def end(self) -> None:
        """Cut the line."""
        self.is_over = True
        line = self._mine.get("line")
        if line is not None:
            with suppress(OSError):  # it may be closed already
                # Below TLS: a TLS socket that is shut down reads on in the clear.
                socket.socket.shutdown(line.get_extra_info("socket"), socket.SHUT_RDWR)


def named(error: Exception) -> str:
    """Return an error with its type: httpx's sentences alone say little."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
