"""The two forms of an address, and how to show one without telling it.

Consent matches only the exact form; suppression matches either. Over-blocking is safe, over-mailing is not.
"""

from __future__ import annotations

import unicodedata

_ONE_MAILBOX = {"googlemail.com": "gmail.com"}
_DOTLESS = frozenset({"gmail.com"})


def exact(address: str) -> str:
    """Return the form in which two spellings are the same mailbox for consent: NFC, lower case throughout."""
    return unicodedata.normalize("NFC", address.strip()).casefold()


def canonical(address: str) -> str:
    """Return the form that reveals aliases: no plus tag, Gmail's dots and second domain removed."""
    local, _, domain = exact(address).rpartition("@")
    domain = _ONE_MAILBOX.get(domain, domain)
    local = local.split("+", 1)[0] or local
    if domain in _DOTLESS:
        local = local.replace(".", "")
    return f"{local}@{domain}"


def masked(address: str) -> str:
    """Return the address as logs may show it: `k***@gmx.de`."""
    local, at, domain = address.rpartition("@")
    return f"{local[:1]}***@{domain}" if at else "***"


def veiled(address: str) -> str:
    """Return the address as a page may show it to whoever holds a link: `k***@g***`, enough to know one's own."""
    local, at, domain = address.rpartition("@")
    return f"{local[:1]}***@{domain[:1]}***" if at else "***"


ERASED = "erased:"
"""How what stands where an erased address stood begins: it is none, and no two are the same."""


def unless_erased(email: str) -> str:
    """Return an address, or nothing where an erasure has left what is none."""
    return "" if email.startswith(ERASED) else email
