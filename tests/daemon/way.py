"""A way to the PostgreSQL server of the tests whose machine can lose its power: lines end, callers hear nothing."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from urllib.parse import unquote

from engine.store.database import Database


class Way:
    """Carries every call on a port of its own to the server, until it vanishes."""

    def __init__(self, database: Database) -> None:
        address, folder = database.url.render_as_string(hide_password=False).rsplit("?host=", 1)
        self._server = f"{unquote(folder)}/.s.PGSQL.5432"
        self._name = address.rsplit("/", 1)[1]
        self._lines: list[socket.socket] = []
        self._dark = False
        self._door = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def url(self) -> str:
        """Return the URL of the store by this way."""
        port = self._door.getsockname()[1]
        return f"postgresql+psycopg://treuepost@127.0.0.1:{port}/{self._name}?sslmode=disable&connect_timeout=2"

    def vanish(self) -> None:
        """End every line; whoever calls from now on is taken in and never answered."""
        self._dark = True
        for line in self._lines:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def come_back(self) -> None:
        """Answer again."""
        self._dark = False

    def close(self) -> None:
        """Take nobody in any more."""
        self._door.close()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._door.accept()
                self._lines.append(client)
                if not self._dark:
                    self._join(client)

    def _join(self, client: socket.socket) -> None:
        server = socket.socket(socket.AF_UNIX)
        server.connect(self._server)
        self._lines.append(server)
        for one, other in ((client, server), (server, client)):
            threading.Thread(target=_carry, args=(one, other), daemon=True).start()


def _carry(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    with suppress(OSError):
        other.shutdown(socket.SHUT_RDWR)
