"""A mail as bytes: what travels over SMTP and what a mail program opens from the outbox."""

from __future__ import annotations

import re
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8

from engine.domain.words import Email

LONGEST_NAME = 100


def build(email: Email, *, utf8_headers: bool = False) -> bytes:
    """Return the whole mail, text before HTML, with CRLF line ends.

    `utf8_headers` is for servers that take addresses outside ASCII (SMTPUTF8).
    """
    message = EmailMessage(policy=SMTPUTF8 if utf8_headers else SMTP)
    message["From"] = _named(email.sender_name, email.sender)
    message["To"] = _named(email.to_name, email.to)
    if email.reply_to:
        message["Reply-To"] = _named("", email.reply_to)
    message["Subject"] = _one_line(email.subject)
    for name, value in email.headers.items():
        message[name] = _one_line(value)
    if "Message-ID" not in message:
        message["Message-ID"] = message_id(email)
    message.set_content(email.text, cte="quoted-printable")
    message.add_alternative(email.html, subtype="html", cte="quoted-printable")
    message.set_boundary(f"=_{email.message_id}")  # else a random one: the same mail makes the same bytes
    return message.as_bytes()


def message_id(email: Email) -> str:
    """Return the Message-ID: our own id at the sender's domain, the same at every attempt."""
    return f"<{email.message_id}@{ascii_domain(email.sender)}>"


def ascii_domain(address: str) -> str:
    """Return an address's domain as it stands in DNS."""
    domain = address.rpartition("@")[2]
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return domain


def mailbox(name: str, address: str) -> str:
    """Return `Name <address>` for an API that takes text: quoted where it must be, not encoded."""
    readable = "".join(sign if sign.isprintable() else " " for sign in name)
    plain = " ".join(readable.split())[:LONGEST_NAME].strip()
    ascii_form = f"{address.rpartition('@')[0]}@{ascii_domain(address)}"
    if not plain:
        return ascii_form
    if re.fullmatch(r"[\w !#$%&'*+/=?^`{|}~-]+", plain):
        return f"{plain} <{ascii_form}>"
    quoted = plain.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" <{ascii_form}>'


def _named(name: str, address: str) -> Address:
    local = address.rpartition("@")[0]
    return Address(_one_line(name), local, ascii_domain(address))


def _one_line(text: str) -> str:
    """Return text that cannot start a header of its own."""
    return " ".join(text.split())
