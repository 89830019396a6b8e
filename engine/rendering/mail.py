"""Puts a rendered mail into its envelope: addresses and headers, ASCII and one line each, or no mail at all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.header import Header
from email.utils import parseaddr
from urllib.parse import urlsplit

from engine.config.loading import Config
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
    token = unsubscribe_token(keyring, message_id)
    return Links(f"{public_url(config)}/u/{token}", f"{public_url(config)}/p/{token}")


@dataclass(frozen=True, slots=True)
class Envelope:
    """Whom one mail goes to, and what it is."""

    message_id: str
    campaign: str
    kind: str
    to: str
    name: str = ""
    unsubscribe: str = ""


def compose(config: Config, rendered: Rendered, envelope: Envelope) -> Email:
    """Return the mail as it will be frozen and sent.

    A customer's name is cleaned; a line break anywhere else is a fault in the shop's own files and refused.
    """
    return Email(
        message_id=envelope.message_id,
        campaign=envelope.campaign,
        sender=_safe(config.sender_address, "from"),
        sender_name=_safe(config.sender_name, "from"),
        reply_to=_safe(parseaddr(config.provider.reply_to)[1], "reply_to"),
        to=_safe(envelope.to, "to"),
        to_name=clean(envelope.name)[:_LONGEST_NAME].strip(),
        subject=_safe(rendered.subject, "subject"),
        html=rendered.html,
        text=rendered.text,
        headers=headers(config, envelope),
    )


def headers(config: Config, envelope: Envelope) -> dict[str, str]:
    """Return the headers beside From, To, Subject and Date; RFC 8058's two for advertising, neither for owed mails.

    There is no mailto: in List-Unsubscribe, because nobody polls a mailbox for it.
    """
    domain = _ascii_domain(config.sender_address.rpartition("@")[2])
    found = {
        "Message-ID": f"<{envelope.message_id}@{domain}>",
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "OOF, AutoReply",
    }
    if is_advertising(envelope.kind):
        if urlsplit(envelope.unsubscribe).scheme not in ("http", "https"):
            message = f'campaign "{envelope.campaign}": advertising needs an unsubscribe link'
            raise TemplateError(message, "Set [web] public_url in config.toml.")
        found |= {
            "List-Unsubscribe": f"<{envelope.unsubscribe}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "List-Id": f"{_phrase(config.shop.name)} <{_label(envelope.kind)}.{domain}>",
            "Feedback-ID": f"{_label(envelope.campaign)}:{_label(envelope.kind)}:treuepost",
        }
    return {name: _ascii(_safe(value, name), name) for name, value in found.items()}


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
