"""A mail server on loopback that answers as it is told, command by command, and keeps what it took."""

from __future__ import annotations

import base64
import contextlib
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

CUT = "CUT"
"""In place of an answer: the line is cut."""


@dataclass
class MailServer:
    """Answers by command; `DOT` is the answer to the end of the mail."""

    answers: dict[str, str] = field(default_factory=dict)
    password: str = ""
    took: list[bytes] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)

    def answer(self, command: str, default: str) -> str:
        """Return what to say to a command."""
        return self.answers.get(command, default)


class _Talk(socketserver.StreamRequestHandler):
    server_double: MailServer

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError, ValueError):
            if self._say("HELLO", "220 double"):
                while self._listen():
                    pass

    def _say(self, command: str, default: str) -> bool:
        answer = self.server_double.answer(command, default)
        if answer == CUT:
            return False
        self.wfile.write(answer.replace("\n", "\r\n").encode() + b"\r\n")
        return True

    def _listen(self) -> bool:
        line = self.rfile.readline()
        if not line:
            return False
        command = line.split()[0].decode().upper()
        self.server_double.commands.append(command)
        if command == "EHLO":
            return self._say("EHLO", "250-double\n250-SMTPUTF8\n250 AUTH PLAIN")
        if command == "AUTH":
            given = base64.b64decode(line.split()[-1]).split(b"\0")[-1].decode()
            return self._say("AUTH", "235 ok" if given == self.server_double.password else "535 5.7.8 wrong")
        if command == "DATA":
            return self._take()
        return self._say(command, "250 ok")

    def _take(self) -> bool:
        if not self.server_double.answer("DATA", "354 go").startswith("354"):
            return self._say("DATA", "")
        if not self._say("DATA", "354 go"):
            return False
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                return False
            lines.append(line[1:] if line.startswith(b".") else line)
        if self.server_double.answer("DOT", "250 ok").startswith(("250", CUT)):
            self.server_double.took.append(b"".join(lines))
        return self._say("DOT", "250 2.0.0 queued as 4711")


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False


@contextmanager
def listening(double: MailServer) -> Iterator[int]:
    """Answer on loopback until the end of the block; the port."""
    server = _Server(("127.0.0.1", 0), type("Talk", (_Talk,), {"server_double": double}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
