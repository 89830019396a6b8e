"""A mail as it arrived: what the receiving server says of it, what its signatures cover, which headers it has once.

Sources: RFC 8601 (Authentication-Results), RFC 6376 (DKIM-Signature), RFC 8058 §4 (both headers signed), RFC 5322 §3.6.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import Message
from email.utils import getaddresses
from functools import cached_property

LIST_HEADERS = ("list-unsubscribe", "list-unsubscribe-post")
ONE_CLICK = "List-Unsubscribe=One-Click"
ONCE = ("from", "to", "subject", "date", "message-id")
AT_MOST_ONCE = ("reply-to", "sender", "cc", "mime-version", *LIST_HEADERS)
_SECOND_LEVEL = frozenset({"co", "com", "org", "net", "ac", "gov", "edu", "or"})


@dataclass(frozen=True, slots=True)
class Signature:
    """One DKIM signature: the domain that signed, and the names of the headers it covers, in lower case."""

    domain: str
    covers: frozenset[str]


@dataclass(frozen=True)
class Received:
    """What a received mail shows. Names of headers are in lower case; values are unfolded."""

    headers: Mapping[str, tuple[str, ...]]

    def first(self, name: str) -> str:
        """Return the topmost value of a header: the one that was added last; empty where there is none."""
        return next(iter(self.headers.get(name, ())), "")

    @cached_property
    def results(self) -> tuple[tuple[str, str, str], ...]:
        """Return (method, result, domain) as the receiving server found them; of nobody below it.

        A server may write several of these headers; those under another name may have come with the mail.
        """
        told = self.headers.get("authentication-results", ())
        server = _server(told[0]) if told else ""
        return tuple(one for value in told if _server(value) == server for one in _results(value))

    def passed(self, method: str) -> bool:
        """Say whether a check was passed: spf, dkim or dmarc."""
        return any(name == method and result == "pass" for name, result, _ in self.results)

    def told(self, method: str) -> str:
        """Return what came of a check, in the server's words; empty where it says nothing."""
        return ", ".join(result for name, result, _ in self.results if name == method)

    @cached_property
    def sender_domain(self) -> str:
        """Return the domain the mail says it is from; empty unless it names exactly one mailbox."""
        mailboxes = getaddresses(list(self.headers.get("from", ())))
        return _domain(mailboxes[0][1]) if len(mailboxes) == 1 else ""

    @cached_property
    def signatures(self) -> tuple[Signature, ...]:
        """Return what each DKIM signature covers."""
        return tuple(_signature(value) for value in self.headers.get("dkim-signature", ()))

    @property
    def is_signed_by_sender(self) -> bool:
        """Say whether a signature of the sender's own domain was found valid."""
        return any(
            name == "dkim" and result == "pass" and aligned(domain, self.sender_domain)
            for name, result, domain in self.results
        )

    @property
    def uncovered(self) -> tuple[str, ...]:
        """Return which of the two headers for unsubscribing no aligned signature covers (RFC 8058 §4)."""
        mine = [one.covers for one in self.signatures if aligned(one.domain, self.sender_domain)]
        lacks = [tuple(name for name in LIST_HEADERS if name not in covers) for covers in mine]
        return min(lacks, key=len, default=LIST_HEADERS)

    @property
    def is_advertising(self) -> bool:
        """Say whether the mail offers to unsubscribe at all."""
        return any(name in self.headers for name in LIST_HEADERS)

    @property
    def web_links(self) -> list[str]:
        """Return the https addresses of List-Unsubscribe."""
        return re.findall(r"<\s*(https://[^>\s]+)\s*>", self.first("list-unsubscribe"))

    @property
    def message_id_domain(self) -> str:
        """Return the right side of the Message-ID."""
        return _domain(self.first("message-id").strip("<> "))

    @property
    def miscounted(self) -> tuple[str, ...]:
        """Return the headers that are missing, or there more than once (RFC 5322 §3.6)."""
        counts = {name: len(self.headers.get(name, ())) for name in (*ONCE, *AT_MOST_ONCE)}
        return tuple(name for name, count in counts.items() if count > 1 or (not count and name in ONCE))


def read(raw: bytes) -> Received:
    """Read a mail as it was saved; whatever is no mail has no headers."""
    mail: Message = message_from_bytes(raw, policy=policy.compat32)
    found: dict[str, list[str]] = {}
    for name, value in mail.items():
        found.setdefault(name.strip().lower(), []).append(" ".join(str(value).split()))
    return Received({name: tuple(values) for name, values in found.items()})


def aligned(one: str, other: str) -> bool:
    """Say whether two domains belong to the same organisation, as far as can be told without the list of suffixes."""
    return bool(one and other) and _organisation(one) == _organisation(other)


def _organisation(domain: str) -> str:
    labels = domain.lower().rstrip(".").split(".")
    deep = len(labels) > 2 and labels[-2] in _SECOND_LEVEL and len(labels[-1]) == 2
    return ".".join(labels[-3 if deep else -2 :])


def _plain(value: str) -> str:
    """Return a value without its comments, which may be nested."""
    before = None
    while before != value:
        before, value = value, re.sub(r"\([^()]*\)", " ", value)
    return value


def _server(value: str) -> str:
    return _plain(value).partition(";")[0].strip().lower().partition(" ")[0]


def _results(value: str) -> Iterator[tuple[str, str, str]]:
    for part in _plain(value).split(";")[1:]:
        said = re.match(r"\s*([\w-]+)(?:/\d+)?\s*=\s*(\w+)", part)
        if said:
            by = re.search(r"(?:header\.(?:d|i|from)|smtp\.mailfrom)\s*=\s*\"?([^\s;\"]+)", part)
            yield said[1].lower(), said[2].lower(), _domain(by[1]) if by else ""


def _signature(value: str) -> Signature:
    tags = {
        name.strip().lower(): "".join(text.split())
        for name, equals, text in (part.partition("=") for part in value.split(";"))
        if equals
    }
    return Signature(tags.get("d", "").lower(), frozenset(tags.get("h", "").lower().split(":")) - {""})


def _domain(address: str) -> str:
    return address.rpartition("@")[2].strip().lower()
