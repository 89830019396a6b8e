"""The only place that speaks HTTP to providers, and the only import of httpx.

One client per sender thread (a shared one collapses under load) with one TLS context for all; no redirects, no
automatic retries, no proxies from the environment. What happened is a value: an answer, "provably not sent", or doubt.
Doubt is the rule as soon as the first byte may have left.
"""

from __future__ import annotations

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

LONGEST_CALL = 30.0
MOST_BYTES = 64 * 1024
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider said. Header names are lower case; a longer body is cut."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Line:
    """The way to one provider's API."""

    def __init__(self, base_url: str, headers: Mapping[str, str], *, longest_call: float = LONGEST_CALL) -> None:
        self._base_url = base_url.rstrip("/")
        self._headers = dict(headers)
        self._longest_call = longest_call
        self._tls: ssl.SSLContext | None = None
        self._mine = threading.local()
        self._lock = threading.Lock()
        self._clients: list[httpx.Client] = []

    def post(self, path: str, content: bytes) -> Answer | NotSent | InDoubt:
        """Send one request, once, and say what came of it within the longest time a call may take."""
        call = _Call(self._longest_call, self._mine)
        try:
            with (
                call,
                self._client().stream(
                    "POST", self._base_url + path, content=content, extensions={"trace": call.trace}
                ) as response,
            ):
                return Answer(response.status_code, dict(response.headers), call.read(response))
        except _NOT_SENT as error:
            return NotSent(f"not reachable: {_named(error)}", account=True)
        except httpx.LocalProtocolError as error:
            return InDoubt(_named(error)) if call.began_writing else NotSent(_named(error))
        except (httpx.InvalidURL, UnicodeEncodeError) as error:
            return NotSent(_named(error))
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            return InDoubt("no answer within the time a call may take" if call.is_over else _named(error))

    def close(self) -> None:
        """Close every thread's connections."""
        with self._lock:
            for client in self._clients:
                client.close()
            self._clients.clear()
            self._mine = threading.local()

    def _client(self) -> httpx.Client:
        client: httpx.Client | None = getattr(self._mine, "client", None)
        if client is None:
            with self._lock:
                self._tls = self._tls or httpx.create_ssl_context(trust_env=False)
                client = self._mine.client = self._new_client(self._tls)
                self._clients.append(client)
        return client

    def _new_client(self, tls: ssl.SSLContext) -> httpx.Client:
        return httpx.Client(
            headers={"accept-encoding": "identity"} | self._headers,
            verify=tls,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(self._longest_call, connect=min(5.0, self._longest_call), pool=5.0),
            # Shorter than any provider's idle time: a line that died between two mails would be doubt.
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=4.0),
        )


class _Call:
    """One call's deadline: when it is over, the line is cut, however slowly bytes still drip."""

    def __init__(self, seconds: float, mine: threading.local) -> None:
        self.began_writing = False
        self.is_over = False
        self._ends = stopwatch() + seconds
        self._mine = mine.__dict__  # a kept line was opened by an earlier call of this thread
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> _Call:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def trace(self, name: str, info: Mapping[str, Any]) -> None:
        """Note how far the call came (httpx calls this at every stage)."""
        if name.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._mine["line"] = info.get("return_value")
        elif name.endswith("send_request_headers.complete"):
            self.began_writing = True

    def read(self, response: httpx.Response) -> bytes:
        """Return the first bytes of the body."""
        body = b""
        for piece in response.iter_raw():
            body += piece
            if len(body) >= MOST_BYTES:
                break
            if stopwatch() > self._ends:
                self.is_over = True
                raise httpx.ReadTimeout("the body came too slowly")
        return body[:MOST_BYTES]

    def _cut(self) -> None:
        self.is_over = True
        line = self._mine.get("line")
        if line is not None:
            with suppress(OSError):  # it may be closed already
                line.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
