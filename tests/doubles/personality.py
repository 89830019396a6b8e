"""What the three APIs have in common: requests, replies, members of a call, and what the desk knows of keys."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.doubles.book import Line
from tests.doubles.modes import Act


@dataclass
class Request:
    """One request as it came; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        """Return the path, without the version some APIs begin with."""
        return urlsplit(self.target).path.removeprefix("/v3")

    @property
    def query(self) -> dict[str, str]:
        """Return the query's parameters."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @cached_property
    def document(self) -> Any:
        """Return the body as JSON; None when it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@dataclass(frozen=True)
class Reply:
    """One answer, before anything is done to it."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})

    @property
    def document(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)


_encoded = json.JSONEncoder(ensure_ascii=False).encode


def reply(status: int, document: Any, **headers: str) -> Reply:
    """Return a JSON answer; in header names `_` stands for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, _encoded(document).encode(), {"content-type": "application/json"} | named)


@dataclass
class Member:
    """One mail of a call, and what is wrong with it: (code, message) in the personality's own words."""

    to: str
    mid: str
    subject: str
    sender: str
    tags: list[str]
    problem: tuple[Any, str] | None = None


@dataclass
class Use:
    """One use of a key: when, with which bytes, and the answer that is replayed; None while it is in progress."""

    at: float
    sha: str
    answer: Reply | None = None


@dataclass
class Taken:
    """What a call came to: the answer, and what is to be booked before it is given."""

    reply: Reply
    mails: list[Line] = field(default_factory=list)
    key: str = ""
    sha: str = ""


class Personality:
    """One API. Subclasses say how a call reads and how answers are written."""

    name = ""
    ttl: timedelta | None = None
    no_id = "id"
    """The field of an answer that holds the provider's id."""

    def denied(self, request: Request, token: str) -> Reply | None:
        """Return the refusal if the request does not carry our secret (any, where none was named)."""
        raise NotImplementedError

    def is_call(self, request: Request) -> bool:
        """Say whether mails are handed in at this path."""
        raise NotImplementedError

    def key(self, request: Request) -> str:
        """Return the call's idempotency key."""
        raise NotImplementedError

    def repeated(self, use: Use, sha: str) -> Reply:
        """Answer a call whose key was used before."""
        raise NotImplementedError

    def members(self, request: Request) -> list[Member] | Reply:
        """Read the call's mails, or refuse it whole."""
        raise NotImplementedError

    def answer(self, request: Request, members: list[Member], ids: list[str], now: datetime) -> tuple[Reply, list[int]]:
        """Return the answer, and the positions of the mails it takes."""
        raise NotImplementedError

    def no(self, outcome: str, now: datetime, wish: str) -> Reply | None:
        """Return a refusal or failure in this API's words; None when it has none of its own."""
        raise NotImplementedError

    def spoilt(self, given: Reply, how: str) -> Reply:
        """Return the answer with ids missing, or with a result too few or too many."""
        raise NotImplementedError

    def look_up(self, request: Request, shelf: Shelf) -> Reply:
        """Answer a question about mails taken."""
        raise NotImplementedError

    def new_id(self, number: str) -> str:
        """Return the provider's id of a mail: the shape of a UUID."""
        digest = hashlib.sha256(f"{self.name}|{number}".encode()).hexdigest()
        return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"


class Shelf:
    """The mails a look-up can see: newest first, found by our id, the provider's, or the recipient."""

    def __init__(self) -> None:
        self.until = float("inf")
        self.liars: list[Line] | None = None
        """What is listed whatever was asked for, where the provider lies."""
        self._lines: list[Line] = []
        self._ours: dict[str, list[Line]] = {}
        self._theirs: dict[str, list[Line]] = {}
        self._mailbox: dict[str, list[Line]] = {}

    def put(self, line: Line) -> None:
        """Add a mail that was taken."""
        self._lines.append(line)
        self._ours.setdefault(line["mid"], []).append(line)
        self._theirs.setdefault(line["id"], []).append(line)
        self._mailbox.setdefault(line["to"].lower(), []).append(line)

    def lying(self, lines: list[Line]) -> Shelf:
        """Return a shelf that shows these instead."""
        shelf = Shelf()
        shelf.liars = lines
        return shelf

    def all(self) -> list[Line]:
        """Return every mail."""
        return self._seen(self._lines)

    def by_mid(self, mid: str) -> list[Line]:
        """Return the mails that carry our id."""
        return self._seen(self._ours.get(mid, []))

    def by_id(self, number: str) -> list[Line]:
        """Return the mail with the provider's id."""
        return self._seen(self._theirs.get(number, []))

    def by_recipient(self, email: str) -> list[Line]:
        """Return the mails to an address."""
        return self._seen(self._mailbox.get(email.lower(), []))

    def _seen(self, lines: list[Line]) -> list[Line]:
        if self.liars is not None:
            return self.liars
        return [line for line in reversed(lines) if line["at"] <= self.until]


def refused(member: Member, act: Act, position: int) -> bool:
    """Say whether a mail is one the provider will never take: so named, or by the act."""
    local = member.to.partition("@")[0]
    if local.startswith("refused") or "+refused" in local or act.name == "refuse":
        return True
    if act.name != "partial":
        return False
    share = hashlib.sha256(f"{act.value}|{member.mid or member.to}".encode()).digest()[0]
    return position == 0 or share < 85


def later(lines: list[Line], query: Mapping[str, str], first: str, last: str) -> list[Line]:
    """Return the mails between two days or instants of the query."""
    begin, end = query.get(first, ""), query.get(last, "")
    since = datetime.fromisoformat(begin).replace(tzinfo=UTC).timestamp() if begin else float("-inf")
    until = datetime.fromisoformat(end).replace(tzinfo=UTC).timestamp() if end else float("inf")
    if len(end) == len("2026-01-01"):
        until += 86_400
    return [line for line in lines if since <= line["at"] < until]


def mailbox(text: str) -> str:
    """Return the bare address of `Name <address>` or `address`."""
    return text.rpartition("<")[2].rstrip("> ").strip()


def stamp(at: float) -> str:
    """Return epoch seconds as an instant."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def retry_after(wish: str, now: datetime) -> dict[str, str]:
    """Return the header as wished."""
    dates = {"date": now + timedelta(seconds=7), "past": now - timedelta(days=1)}
    value = format_datetime(dates[wish], usegmt=True) if wish in dates else {"junk": "sööner"}.get(wish, wish)
    return {} if wish == "absent" else {"retry-after": value}


HTML = {"content-type": "text/html"}
PLAIN = {
    "502": Reply(502, b"<html><h1>Bad gateway</h1></html>", HTML),
    "504": Reply(504, b"<html><h1>Gateway timeout</h1></html>", HTML),
    "408": Reply(408, b"<html><h1>Request timeout</h1></html>", HTML),
    "404_html": Reply(404, b"<html><h1>Not here</h1></html>", HTML),
    "moved": Reply(302, b"", {"location": "/elsewhere"}),
    "html": Reply(200, b"<html><p>thanks</p></html>", HTML),
    "junk": Reply(200, bytes(hashlib.sha512(b"junk").digest()) * 4),
    "empty": Reply(200, b""),
    "other_json": Reply(200, b'["hello", {"id": null}, 3]'),
}
"""Answers that look alike at every provider."""


def bomb() -> Reply:
    """Return a small body that unpacks into 256 MB."""
    body = gzip.compress(b" " * (1 << 28), compresslevel=1)
    return Reply(200, body, {"content-type": "application/json", "content-encoding": "gzip"})
