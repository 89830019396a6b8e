"""Is this an address? One clear sentence when it is not, and what to know about it when it is.

The rules are email-validator's, strict and without asking the network; what is said about a refusal is ours.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from email_validator import EmailNotValidError, validate_email

from engine.domain.permission import is_sendable
from engine.sources.faults import Unfit

_PLAIN = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*\Z")
_DISPLAY_NAME = re.compile(r".*<[^<>]*>\s*\Z", re.DOTALL)
_LONGEST_LOCAL = 64
_LONGEST = 254
_INVISIBLE = {"Cf", "Zl", "Zp", "Zs", "Co", "Cn", "Cs"}
_ROLES = frozenset(
    {"abuse", "noreply", "no-reply", "donotreply", "postmaster", "mailer-daemon", "webmaster", "hostmaster"}
)
_DISPOSABLE = frozenset(
    {"mailinator.com", "guerrillamail.com", "10minutemail.com", "trashmail.com", "yopmail.com", "wegwerfmail.de",
     "temp-mail.org", "sharklasers.com", "byom.de", "spoofmail.de", "trash-mail.com"}
)  # fmt: skip


def read_address(text: str) -> str | None:
    """Return the address in the form to keep: local part as typed, domain in lower case; None for an empty cell."""
    address = text.strip(" \xa0")
    if not address:
        return None
    if not address.isascii():
        _refuse_the_invisible(address)
        address = unicodedata.normalize("NFKC", address)
    local, at, domain = address.rpartition("@")
    if at and len(local) <= _LONGEST_LOCAL and len(address) <= _LONGEST and _PLAIN.match(local):
        known = _domain(domain)
        if known and local.lower() != "postmaster":
            return f"{local}@{known}"
    return _examined(address)


@lru_cache(maxsize=20_000)
def _domain(domain: str) -> str | None:
    """Return the domain as it is kept, where an ordinary local part makes it an address; None where it does not."""
    try:
        return validate_email(f"x@{domain}", check_deliverability=False, strict=True).domain
    except EmailNotValidError:
        return None


def _examined(address: str) -> str:
    """Check an address that is out of the ordinary, and say in one sentence what is wrong with it."""
    _refuse_what_people_write(address)
    try:
        return validate_email(address, check_deliverability=False, strict=True).normalized
    except EmailNotValidError as error:
        raise Unfit(f"not an address: {_lowered(str(error))}") from error


def _refuse_the_invisible(address: str) -> None:
    for position, letter in enumerate(address, 1):
        if unicodedata.category(letter) in _INVISIBLE:
            raise Unfit(f"invisible character (U+{ord(letter):04X}) at position {position} of the address; delete it")


def _refuse_what_people_write(address: str) -> None:
    """Name the habits people have: pasted line ends, lists, display names, numbers for hosts, half an address."""
    control = next((letter for letter in address if ord(letter) < 32 or 127 <= ord(letter) < 160), None)
    if control:
        raise Unfit(f"the address holds a control character ({ascii(control)[1:-1]}); delete it")
    if _DISPLAY_NAME.match(address):
        raise Unfit("a name beside the address; only the address itself belongs here")
    if address.count("@") > 1 and re.search(r"[,; ]", address):
        raise Unfit("more than one address; each customer has one")
    local, at, domain = address.rpartition("@")
    if not at:
        raise Unfit("not an address: there is no @ in it")
    _refuse_no_domain(domain.lower())
    if ".." in address:
        raise Unfit("two dots in a row; an address never has them")
    if len(local) > _LONGEST_LOCAL:
        raise Unfit(f"{len(local)} characters before the @; at most {_LONGEST_LOCAL} are allowed")


def _refuse_no_domain(domain: str) -> None:
    if domain.startswith("["):
        raise Unfit("a number for the mail server instead of a domain; write the domain, like gmx.de")
    if domain == "localhost" or domain.endswith(".localhost"):
        raise Unfit("localhost is this very machine, nobody's mailbox")


def _lowered(sentence: str) -> str:
    return (sentence[:1].lower() + sentence[1:]).rstrip(".")


def remarks(address: str) -> tuple[str, ...]:
    """Return what the owner should know about a valid address, as codes with what they stand for."""
    if address.isascii() and "xn--" not in address:
        return _plain_remarks(address)
    found = []
    if not is_sendable(address):
        found.append("umlaut_address")
    if _is_mixed(address.rpartition("@")[2]):
        found.append("mixed_script")
    return (*found, *_plain_remarks(address))


def _plain_remarks(address: str) -> tuple[str, ...]:
    local, _, domain = address.lower().rpartition("@")
    if domain in _DISPOSABLE:
        return ("disposable_address",)
    return ("role_address",) if local in _ROLES else ()


def _is_mixed(domain: str) -> bool:
    """Say whether one label of the domain mixes alphabets, as look-alike domains do."""
    return any(len({_script(letter) for letter in label if letter.isalpha()}) > 1 for label in domain.split("."))


def _script(letter: str) -> str:
    return unicodedata.name(letter, "?").split(" ", 1)[0]


def punycode(address: str) -> str:
    """Return the address with its domain as the mail servers write it, which no look-alike letter survives."""
    try:
        checked = validate_email(address, check_deliverability=False, strict=True)
    except EmailNotValidError:
        return address
    return f"{checked.local_part}@{checked.ascii_domain}"
