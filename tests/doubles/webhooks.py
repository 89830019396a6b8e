"""The news a provider sends later, as the three APIs write and sign it; and how badly it can be sent.

Ways, joined by `+`: early (before the call is answered) · late=SECONDS · shuffled · doubled · forged (each mail also
gets a hard bounce and a complaint that somebody else made up, with a wrong signature). Which news a mail gets hangs on
the recipient's name: bounced…, complained…, unsubscribed…, deferred…; everybody else's is delivered.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from tests.doubles.book import Line

SECRETS = {
    "brevo": "a-long-shared-token",
    "postmark": "treuepost:a-long-password",
    "resend": "whsec_c2VjcmV0LXNlY3JldA==",
}
"""What a double proves itself with unless it is told otherwise."""
KINDS = ("accepted", "delivered", "deferred", "bounced", "complained", "unsubscribed", "opened", "clicked")


@dataclass(frozen=True)
class Hook:
    """One request to the shop: header names in lower case, and the bytes that were signed."""

    headers: dict[str, str]
    raw: bytes


def hook(personality: str, kind: str, mail: Line, at: datetime, secret: str, sent_at: datetime | None = None) -> Hook:
    """Return the news of one kind about one mail, written and proved as this provider does."""
    document = _WRITTEN[personality](kind, mail, at)
    raw = json.dumps(document, ensure_ascii=False).encode()
    event = hashlib.sha256(f"{mail['id']}|{kind}|{at.isoformat()}".encode()).hexdigest()[:24]
    return Hook(_proved(personality, raw, f"msg_{event}", sent_at or at, secret), raw)


def _proved(personality: str, raw: bytes, event: str, at: datetime, secret: str) -> dict[str, str]:
    headers = {"content-type": "application/json"}
    if personality == "brevo":
        return headers | {"authorization": f"Bearer {secret}"}
    if personality == "postmark":
        return headers | {"authorization": "Basic " + base64.b64encode(secret.encode()).decode()}
    seconds = str(int(at.timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = hmac.new(key, f"{event}.{seconds}.".encode() + raw, hashlib.sha256).digest()
    signed = f"v1,{base64.b64encode(signature).decode()}"
    return headers | {"svix-id": event, "svix-timestamp": seconds, "svix-signature": signed}


def _brevo(kind: str, mail: Line, at: datetime) -> dict[str, Any]:
    names = {"accepted": "request", "bounced": "hard_bounce", "complained": "spam", "clicked": "click"}
    document: dict[str, Any] = {
        "event": names.get(kind, kind),
        "email": mail["to"],
        "id": 26224,
        "date": at.strftime("%Y-%m-%d %H:%M:%S"),
        "ts": int(at.timestamp()),
        "ts_event": int(at.timestamp()),
        "ts_epoch": int(at.timestamp() * 1000),
        "message-id": mail["id"],
        "subject": mail.get("subject", ""),
        "tag": "",
        "tags": mail.get("tags", []),
        "sending_ip": "192.0.2.7",
        "X-Mailin-custom": mail["mid"],
    }
    if kind == "bounced":
        document["reason"] = "550 5.1.1 no such mailbox"
    if kind == "clicked":
        document["link"] = "https://shop.example/"
    return document


def _resend(kind: str, mail: Line, at: datetime) -> dict[str, Any]:
    names = {"accepted": "email.sent", "deferred": "email.delivery_delayed", "unsubscribed": "contact.updated"}
    stamp = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    data: dict[str, Any] = {
        "email_id": mail["id"],
        "created_at": stamp,
        "from": "Radhaus Sommer <post@radhaus-sommer.example.com>",
        "to": [mail["to"]],
        "subject": mail.get("subject", ""),
        "tags": {"mid": mail["mid"]} if mail["mid"] else {},
    }
    if kind == "bounced":
        told = {
            "type": "Permanent",
            "subType": "General",
            "message": "no such mailbox",
            "diagnosticCode": ["550 5.1.1"],
        }
        data["bounce"] = told
    if kind == "clicked":
        data["click"] = {
            "ipAddress": "192.0.2.1",
            "link": "https://shop.example/",
            "timestamp": stamp,
            "userAgent": "x",
        }
    return {"type": names.get(kind, f"email.{kind}"), "created_at": stamp, "data": data}


def _postmark(kind: str, mail: Line, at: datetime) -> dict[str, Any]:
    stamp = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    shared = {"MessageID": mail["id"], "MessageStream": "broadcast", "Tag": "", "ServerID": 23}
    shared |= {"Metadata": {"mid": mail["mid"]} if mail["mid"] else {}}
    number = int(hashlib.sha256(f"{mail['id']}|{kind}|{stamp}".encode()).hexdigest()[:12], 16)
    bounce = {"ID": number, "Email": mail["to"], "BouncedAt": stamp, "Description": "gone", "Details": "550 5.1.1"}
    own: dict[str, dict[str, Any]] = {
        "delivered": {"RecordType": "Delivery", "Recipient": mail["to"], "DeliveredAt": stamp, "Details": "250 ok"},
        "deferred": bounce | {"RecordType": "Bounce", "Type": "Transient", "TypeCode": 2, "Inactive": False},
        "bounced": bounce | {"RecordType": "Bounce", "Type": "HardBounce", "TypeCode": 1, "Inactive": True},
        "complained": bounce | {"RecordType": "SpamComplaint", "Type": "SpamComplaint", "TypeCode": 100001},
        "opened": {"RecordType": "Open", "FirstOpen": True, "Recipient": mail["to"], "ReceivedAt": stamp},
        "clicked": {"RecordType": "Click", "OriginalLink": "https://shop.example/", "ReceivedAt": stamp},
        "unsubscribed": {
            "RecordType": "SubscriptionChange",
            "Recipient": mail["to"],
            "ChangedAt": stamp,
            "Origin": "Recipient",
            "SuppressSending": True,
            "SuppressionReason": "ManualSuppression",
        },
    }
    return shared | own.get(kind, {"RecordType": "SomethingNew", "At": stamp})


_WRITTEN: dict[str, Callable[[str, Line, datetime], dict[str, Any]]] = {
    "brevo": _brevo,
    "resend": _resend,
    "postmark": _postmark,
}


def fate(mail: Line) -> list[str]:
    """Return the kinds of news a mail gets, in the order they happen."""
    for word, kinds in _FATES.items():
        if mail["to"].startswith(word):
            return kinds
    return ["delivered"]


_FATES = {
    "bounced": ["bounced"],
    "complained": ["delivered", "complained"],
    "unsubscribed": ["delivered", "unsubscribed"],
    "deferred": ["deferred", "delivered"],
}


@dataclass
class Courier:
    """Takes news to the shop's URL, in the ways it was told. `told` is what was answered: (kind, mid, status)."""

    personality: str
    url: str
    ways: str = ""
    secret: str = ""
    clock: Callable[[], datetime] | None = None
    told: list[tuple[str, str, int]] = field(default_factory=list)
    _waiting: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.secret = self.secret or SECRETS[self.personality]
        self._ways = dict(part.partition("=")[::2] for part in self.ways.split("+") if part)

    async def announce(self, mails: list[Line], now: datetime) -> None:
        """Send what there is to say of these mails: at once if early, else behind the answer's back."""
        news = [(kind, mail) for mail in mails for kind in fate(mail)]
        if "forged" in self._ways:
            news += [(f"forged {kind}", mail) for mail in mails for kind in ("bounced", "complained")]
        if "doubled" in self._ways:
            news += news
        if "shuffled" in self._ways:
            news.sort(key=lambda one: hashlib.sha256(f"{len(news)}{one[0]}{one[1]['id']}".encode()).digest())
        if "early" in self._ways:
            await self._send(news, now)
            return
        task = asyncio.create_task(self._later(news, now))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def stop(self) -> None:
        """Drop what was not sent."""
        for task in list(self._waiting):
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)

    async def _later(self, news: list[tuple[str, Line]], now: datetime) -> None:
        await asyncio.sleep(float(self._ways.get("late") or 0))
        await self._send(news, now)

    async def _send(self, news: list[tuple[str, Line]], now: datetime) -> None:
        for kind, mail in news:
            false = kind.startswith("forged ")
            secret = _WRONG[self.personality] if false else self.secret
            status = await self._post(hook(self.personality, kind.removeprefix("forged "), mail, now, secret))
            self.told.append((kind, mail["mid"], status))

    async def _post(self, one: Hook) -> int:
        """Return the status; 0 where nobody answered."""
        place = urlsplit(self.url)
        lines = [f"POST {place.path or '/'} HTTP/1.1", f"host: {place.netloc}", "connection: close"]
        lines += [f"{name}: {value}" for name, value in one.headers.items()]
        lines.append(f"content-length: {len(one.raw)}")
        with contextlib.suppress(OSError, ValueError, IndexError):
            reader, writer = await asyncio.open_connection(place.hostname, place.port)
            try:
                writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + one.raw)
                await writer.drain()
                return int((await reader.readline()).split()[1])
            finally:
                writer.close()
                await writer.wait_closed()
        return 0


_WRONG = {"brevo": "a-guess", "postmark": "treuepost:a-guess", "resend": "whsec_Z3Vlc3Nlcw=="}
