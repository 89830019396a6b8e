"""A mail server on loopback that keeps a durable book of what it took, and fails at every stage it is told to.

As a program:  python -m tests.doubles.smtp --book FILE --mode MODE   (prints its port)
In a test:     with listening(MailServer(book)) as port: ...

MODE is `accept`, one `WHAT@STAGE`, or a mixture `WHAT@STAGE:WEIGHT,…` drawn per connection (and per mail from MAIL
on). STAGE: HELLO · EHLO · AUTH · MAIL · RCPT · DATA · BODY (amid the mail) · DOT (the mail is read, not taken) ·
TAKEN (the mail is in the book) · QUIT. WHAT: cut · silence · a code such as 450 or 550.
The book is that of `book`; our id is the Message-ID's part before the @. There is no key: a repeat stands in it twice.
Recipients whose name begins with `refused` get 550.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import socketserver
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from pathlib import Path

from engine.clock import Clock, system_clock
from tests.doubles import book as books
from tests.doubles.book import Book, Line
from tests.doubles.modes import weighted

STAGES = ("HELLO", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "BODY", "DOT", "TAKEN", "QUIT")


@dataclass
class MailServer:
    """What it took, and how it behaves. `password`: the only one that is let in; any where it is empty."""

    path: Path
    mode: str = "accept"
    password: str = ""
    seed: int = 0
    sync: bool = True
    clock: Clock = system_clock
    commands: list[str] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._book = Book(self.path, sync=self.sync)
        self._lock = threading.Lock()
        self._drawn = 0
        self.switch(self.mode)

    def switch(self, mode: str) -> None:
        """Behave differently from now on."""
        found = [(weight, *act.partition("@")[::2]) for weight, act in weighted(mode)]
        for _, what, stage in found:
            if (what, stage) != ("accept", "") and (stage not in STAGES or not _is_fault(what)):
                raise ValueError(f"no such act: {what}@{stage}")
        self.mode, self._acts = mode, found

    def draw(self) -> tuple[str, str]:
        """Return what goes wrong next, and at which stage."""
        with self._lock:
            self._drawn += 1
            digest = hashlib.sha256(f"{self.seed}|{self._drawn}".encode()).digest()
            share = int.from_bytes(digest[:6]) / 2**48 * sum(weight for weight, _, _ in self._acts)
            for weight, what, stage in self._acts:
                share -= weight
                if share < 0:
                    return what, stage
            return self._acts[-1][1:]

    def take(self, recipient: str, mail: bytes) -> str:
        """Put a mail into the book; return its queue id."""
        read = message_from_bytes(mail, policy=policy.default)
        number = str(read["Message-ID"] or "")
        with self._lock:
            queued = f"{self._book.calls + 1:08X}"
            line: Line = {
                "id": queued,
                "mid": number.strip("<> ").partition("@")[0],
                "to": recipient,
                "subject": str(read["Subject"] or ""),
                "at": round(self.clock().timestamp(), 6),
                "key": "",
                "sha": hashlib.sha256(mail).hexdigest(),
            }
            self._book.write([self._book.number([line])])
        return queued

    def mails(self) -> list[Line]:
        """Return what the book on disk says was accepted, in order."""
        return books.read(self.path)

    def twice(self) -> dict[str, int]:
        """Return our ids that were accepted more than once."""
        return books.twice(self.path)

    def close(self) -> None:
        """Let go of the book."""
        self._book.close()


def _is_fault(what: str) -> bool:
    return what in {"cut", "silence"} or (what.isdigit() and len(what) == 3)


class _Cut(Exception):
    """The line ends here."""


class _Talk(socketserver.StreamRequestHandler):
    server_double: MailServer

    def handle(self) -> None:
        self._what, self._stage = self.server_double.draw()
        self._drawn_for_mail = False
        self._recipient = ""
        with contextlib.suppress(OSError, ValueError, IndexError, _Cut):
            self._say("HELLO", "220 double")
            while self._listen():
                pass

    def _say(self, stage: str, default: str) -> bool:
        """Answer at a stage; return whether the answer was the usual one."""
        fault = self._what if stage == self._stage else ""
        if fault == "silence":
            self.server_double.stopping.wait()
        if fault in {"cut", "silence"}:
            raise _Cut
        answer = f"{fault} 4.0.0 not now" if fault.startswith("4") else f"{fault} 5.0.0 never" if fault else default
        self.wfile.write(answer.replace("\n", "\r\n").encode() + b"\r\n")
        if fault == "421":
            raise _Cut
        return not fault

    def _listen(self) -> bool:
        line = self.rfile.readline()
        if not line:
            return False
        command = line.split()[0].decode().upper()
        self.server_double.commands.append(command)
        if command == "MAIL":
            self._begin_mail()
        if command == "DATA":
            return self._take()
        if command == "RCPT":
            self._recipient = line.partition(b"<")[2].partition(b">")[0].decode()
            refused = self._recipient.startswith("refused")
            return self._say("RCPT", "550 5.1.1 no such mailbox" if refused else "250 ok") or True
        stage = "EHLO" if command == "HELO" else command
        return self._say(stage, self._usual(command, line)) or command != "QUIT"

    def _begin_mail(self) -> None:
        """Draw anew for a second mail on the same line."""
        if self._drawn_for_mail:
            self._what, self._stage = self.server_double.draw()
        self._drawn_for_mail = True

    def _usual(self, command: str, line: bytes) -> str:
        if command == "EHLO":
            return "250-double\n250-SMTPUTF8\n250 AUTH PLAIN"
        if command == "AUTH":
            given = base64.b64decode(line.split()[-1]).split(b"\0")[-1].decode()
            return "235 ok" if self.server_double.password in {"", given} else "535 5.7.8 wrong"
        return "221 bye" if command == "QUIT" else "250 ok"

    def _take(self) -> bool:
        if not self._say("DATA", "354 go"):
            return True
        lines: list[bytes] = []
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                return False
            lines.append(line[1:] if line.startswith(b".") else line)
            if self._stage == "BODY" and len(lines) > 3:
                self._say("BODY", "")
        if self._stage == "DOT":
            self._say("DOT", "")
            return True
        queued = self.server_double.take(self._recipient, b"".join(lines))
        return self._say("TAKEN", f"250 2.0.0 queued as {queued}") or True


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128


@contextmanager
def listening(double: MailServer, port: int = 0) -> Iterator[int]:
    """Answer on loopback until the end of the block; the port."""
    server = _Server(("127.0.0.1", port), type("Talk", (_Talk,), {"server_double": double}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        double.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()
        double.close()


def main() -> None:
    """Answer until the process is told to stop."""
    parser = argparse.ArgumentParser(description="A double of a mail server on loopback.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--book", type=Path, required=True)
    parser.add_argument("--mode", default="accept")
    parser.add_argument("--password", default="")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-sync", action="store_true")
    wanted = parser.parse_args()
    double = MailServer(wanted.book, wanted.mode, password=wanted.password, seed=wanted.seed, sync=not wanted.no_sync)
    with listening(double, wanted.port) as port:
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
