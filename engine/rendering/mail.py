"""Puts a rendered mail into its envelope: addresses and headers, ASCII and one line each, or no mail at all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.header import Header
from email.utils import parseaddr
from functools import lru_cache
from typing import NamedTuple

from engine.config.loading import Config
from engine.config.sections import split_mailbox
from engine.domain.permission import is_advertising
from engine.domain.words import Email
from engine.errors import TemplateError
from engine.keys import Keyring
from engine.rendering.context import Links, clean
from engine.rendering.renderer import Rendered
from engine.tokens import unsubscribe_token

_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LONGEST_NAME = 100


def public_url(config: Config) -> str:
    """Return where the shop's public pages answer, without a slash at the end."""
    return (config.web.public_url or f"http://{config.web.listen}").rstrip("/")


def links(config: Config, keyring: Keyring, message_id: str) -> Links:
    """Return the links of one mail; each carries a token and no address."""
    token, home = unsubscribe_token(keyring, message_id), public_url(config)
    return Links(f"{home}/u/{token}", f"{home}/p/{token}")


@dataclass(frozen=True, slots=True)
class Envelope:
    """Whom one mail goes to, and what it is."""

    message_id: str
    campaign: str
    kind: str
    to: str
    name: str = ""
    unsubscribe: str = ""
    date: str = ""


def compose(config: Config, rendered: Rendered, envelope: Envelope) -> Email:
    """Return the mail as it will be frozen and sent.

    A customer's name is cleaned; a line break anywhere else is a fault in the shop's own files and refused.
    """
    mailboxes = _mailboxes(config.provider.sender, config.provider.reply_to)
    return Email(
        message_id=envelope.message_id,
        campaign=envelope.campaign,
        sender=mailboxes.sender,
        sender_name=mailboxes.sender_name,
        reply_to=mailboxes.reply_to,
        to=_safe(envelope.to, "to"),
        to_name=clean(envelope.name)[:_LONGEST_NAME].strip(),
        subject=_safe(rendered.subject, "subject"),
        html=rendered.html,
        text=rendered.text,
        headers=headers(config, envelope),
    )


class _Mailboxes(NamedTuple):
    """Who writes and who is answered: the same in every mail of a shop."""

    sender: str
    sender_name: str
    reply_to: str


@lru_cache(maxsize=8)
def _mailboxes(sender: str, reply_to: str) -> _Mailboxes:
    name, address = split_mailbox(sender)
    return _Mailboxes(_safe(address, "from"), _safe(name, "from"), _safe(parseaddr(reply_to)[1], "reply_to"))


def headers(config: Config, envelope: Envelope) -> dict[str, str]:
    """Return the headers beside From, To and Subject; RFC 8058's two for advertising, neither for owed mails.

    There is no mailto: in List-Unsubscribe, because nobody polls a mailbox for it.
    """
    of_all = _of_all(config.provider.sender, config.shop.name, envelope.campaign, envelope.kind)
    found = {"Message-ID": _header(f"<{envelope.message_id}@{of_all.domain}>", "Message-ID")}
    found |= of_all.headers
    if envelope.date:
        found["Date"] = envelope.date
    if is_advertising(envelope.kind):
        if not envelope.unsubscribe.lower().startswith(("http://", "https://")):
            message = f'campaign "{envelope.campaign}": advertising needs an unsubscribe link'
            raise TemplateError(message, "Set [web] public_url in config.toml.")
        found["List-Unsubscribe"] = _header(f"<{envelope.unsubscribe}>", "List-Unsubscribe")
        found |= of_all.of_advertising
    return found


class _OfAll(NamedTuple):
    """The headers that are the same in every mail of a campaign."""

    domain: str
    headers: dict[str, str]
    of_advertising: dict[str, str]


@lru_cache(maxsize=256)
def _of_all(sender: str, shop: str, campaign: str, kind: str) -> _OfAll:
    domain = _ascii_domain(split_mailbox(sender)[1].rpartition("@")[2])
    every = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "OOF, AutoReply"}
    advertising = {
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "List-Id": f"{_phrase(shop)} <{_label(kind)}.{domain}>",
        "Feedback-ID": f"{_label(campaign)}:{_label(kind)}:treuepost",
    }
    return _OfAll(domain, every, {name: _header(value, name) for name, value in advertising.items()})


def _header(value: str, name: str) -> str:
    return _ascii(_safe(value, name), name)


def _ascii(value: str, where: str) -> str:
    if not value.isascii():
        raise TemplateError(f"`{where}` must be ASCII: {value[:60]!r}", "Write web addresses with %-escapes.")
    return value


def _safe(value: str, where: str) -> str:
    if _UNSAFE.search(value):
        raise TemplateError(f"a line break or control character in `{where}`: {value[:60]!r}", "Remove it.")
    return value


def _phrase(text: str) -> str:
    """Return a display phrase in ASCII: as it is where it can be, else as RFC 2047 encodes it."""
    plain = clean(text).replace("\\", "").replace('"', "'")
    return f'"{plain}"' if plain.isascii() else Header(plain, "utf-8", maxlinelen=1000).encode()


def _label(text: str) -> str:
    return re.sub(r"[^a-z0-9-]+", "-", text.lower()).strip("-") or "mail"


def _ascii_domain(domain: str) -> str:
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return "treuepost.invalid"
