"""A connection pooler in front of PostgreSQL that lends a server session out for one transaction, as pgbouncer can.

It speaks as much of the protocol (version 3) as it takes: a client that is between two transactions has no session.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from urllib.parse import unquote

_READY = b"Z"


class Pooler:
    """Listens on loopback; `mode` is "transaction" or "session"."""

    def __init__(self, server: str, user: str, name: str, mode: str) -> None:
        self._server = server
        self._user = user
        self._name = name
        self._mode = mode
        self._idle: list[socket.socket] = []
        self._opened: list[socket.socket] = []
        self._lock = threading.Lock()
        self.door = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.door.getsockname()[1])

    def close(self) -> None:
        """Let nobody in any more, and end every session."""
        self.door.close()
        for server in self._opened:
            server.close()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.door.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server: socket.socket | None = None
        with client, suppress(OSError, EOFError):
            _greet(client)
            while True:
                kind, body = _message(client)
                if kind == b"X":
                    break
                server = server or self._borrow()
                server.sendall(_framed(kind, body))
                if kind in {b"Q", b"S"} and self._answer(server, client) and self._mode == "transaction":
                    server = self._give_back(server)
        if server is not None:
            server.close()

    def _answer(self, server: socket.socket, client: socket.socket) -> bool:
        """Hand the answer on; say whether the session is outside of a transaction now."""
        while True:
            kind, body = _message(server)
            client.sendall(_framed(kind, body))
            if kind == _READY:
                return body == b"I"

    def _borrow(self) -> socket.socket:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        server = socket.socket(socket.AF_UNIX)
        self._opened.append(server)
        server.connect(f"{self._server}/.s.PGSQL.5432")
        words = b"user\0" + self._user.encode() + b"\0database\0" + self._name.encode() + b"\0\0"
        server.sendall(struct.pack("!ii", 8 + len(words), 196608) + words)
        while _message(server)[0] != _READY:
            pass
        return server

    def _give_back(self, server: socket.socket) -> None:
        with self._lock:
            self._idle.append(server)


def _greet(client: socket.socket) -> None:
    """Let a client in: no encryption, no password, keys of our own."""
    while True:
        (length, code) = struct.unpack("!ii", _exactly(client, 8))
        _exactly(client, length - 8)
        if code == 196608:
            break
        client.sendall(b"N")
    settings = {"server_version": "15.0", "client_encoding": "UTF8", "standard_conforming_strings": "on"}
    settings |= {"integer_datetimes": "on", "TimeZone": "UTC", "DateStyle": "ISO, MDY"}
    client.sendall(_framed(b"R", struct.pack("!i", 0)))
    for name, value in settings.items():
        client.sendall(_framed(b"S", f"{name}\0{value}\0".encode()))
    client.sendall(_framed(b"K", struct.pack("!ii", 424242, 1)) + _framed(_READY, b"I"))


def _message(line: socket.socket) -> tuple[bytes, bytes]:
    kind, length = struct.unpack("!ci", _exactly(line, 5))
    return kind, _exactly(line, length - 4)


def _framed(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def _exactly(line: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        part = line.recv(count - len(found))
        if not part:
            raise EOFError
        found += part
    return found


@contextmanager
def pooler(url: str, mode: str) -> Iterator[str]:
    """Run a pooler in front of the database behind `url` (on a Unix socket) and give the URL of its door."""
    address, folder = url.rsplit("?host=", 1)
    name = address.rsplit("/", 1)[1]
    with closing(Pooler(unquote(folder), "treuepost", name, mode)) as running:
        yield f"postgresql+psycopg://treuepost@127.0.0.1:{running.port}/{name}?sslmode=disable"
