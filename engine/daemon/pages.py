"""The public pages in a thread of the daemon: open before it is ready, closed gently, and seen by itself to answer.

Only the daemon serves; its workers and other machines go by the moment it noted last (`installation.pages_seen_at`).
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from urllib.parse import urlsplit

import structlog
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from engine.app import App
from engine.clock import system_clock
from engine.errors import StoreBusy, TreuepostError
from engine.providers import http
from engine.store import installation
from engine.web.application import build

SLOWEST_REQUEST = 15.0
"""In so many seconds a request's first lines must have come; the door behind it says how long a body may take."""
MOST_AT_ONCE = 200
GRACE = 5
_BACKLOG = 512
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (where the owner listens everywhere, we ask at home)

log = structlog.get_logger(__name__)


class _Patient(H11Protocol):
    """One connection, for one request: who does not say what is wanted is cut off."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give the request a time by which its first lines must be here."""
        super().connection_made(transport)
        self._rope = self.loop.call_later(SLOWEST_REQUEST, self._cut)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the time."""
        self._rope.cancel()
        super().connection_lost(exc)

    def _cut(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.abort()


class Pages:
    """One server. Without `[web] listen` there is none, and it never answers."""

    def __init__(self, app: Callable[[], App]) -> None:
        self._app = app
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._silent = False
        self.url = ""
        """Where this machine reaches them; empty where they are not served."""

    def open(self) -> None:
        """Serve from now on; raise where the door is another program's."""
        if not self._app().config.web.listen:
            return
        self._serve(_door(self._app().config.web.listen))
        log.info("pages", listen=self.url, public=self._app().config.web.public_url)
        with suppress(StoreBusy):  # the next look notes it
            self.look(self._app().clock())

    def _serve(self, door: socket.socket) -> None:
        self.url = _url(door)
        application = build(self._app, lambda: self._app().clock(), counting=system_clock)
        self._server = uvicorn.Server(
            uvicorn.Config(
                application,
                http=_Patient,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                limit_concurrency=MOST_AT_ONCE,
                timeout_keep_alive=GRACE,
                timeout_graceful_shutdown=GRACE,
                h11_max_incomplete_event_size=16 * 1024,
            )
        )
        sockets = [door]
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": sockets}, name="pages", daemon=True)
        self._thread.start()
        self._wait_until_open()

    def _wait_until_open(self) -> None:
        pause = threading.Event()
        while self._server is not None and self._thread is not None and not self._server.started:
            if not self._thread.is_alive():
                raise TreuepostError("The public pages could not be opened.", "The log says why.")
            pause.wait(0.01)

    def look(self, now: datetime) -> None:
        """Ask ourselves for a page as anybody would, and note that it came; what is not noted grows old by itself."""
        if not self.url:
            return
        serving = self._thread is not None and self._thread.is_alive()
        silent = not (serving and http.answers(f"{self.url}/health"))  # another program at the port is none of ours
        if not silent:
            with self._app().database.write() as session:
                installation.note_pages_seen(session, now)
        if silent and not self._silent:
            log.error("pages do not answer", listen=self.url, note="advertising waits until they do")
        elif self._silent and not silent:
            log.info("pages answer again", listen=self.url)
        self._silent = silent
        if silent and self._thread is not None and not self._thread.is_alive():
            self._serve(_door(self._app().config.web.listen))  # the next look sees whether that helped

    def close(self) -> None:
        """Take nobody else in, let whoever is being served finish, and free the port."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(GRACE * 2)
        self.url = ""


def _url(door: socket.socket) -> str:
    host, port = door.getsockname()[:2]
    host = _EVERYWHERE.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _door(listen: str) -> socket.socket:
    host, _, port = listen.rpartition(":")
    host = urlsplit(f"//{listen}").hostname or host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, int(port)), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise TreuepostError(
            f"The public pages cannot listen on {listen}: {error.strerror or error}.",
            "Another program has it, or this machine has no such address. Change [web] listen in config.toml.",
        ) from error
