"""`doctor --eml FILE`: a mail as it arrived in a mailbox, looked at with the eyes of Gmail and of RFC 8058."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from engine.cli.checkup import FAIL, OK, WARN, Line
from engine.domain.received import ONE_CLICK, Received, aligned, read
from engine.errors import NothingFound, UsageError

Say = Callable[..., str]
_LARGEST = 25_000_000


def examine(path: Path, say: Say) -> Iterator[Line]:
    """Yield a line for each thing a mailbox provider looks at."""
    mail = read(_bytes(path))
    if not mail.headers:
        raise UsageError(f"{path} is no mail.", "Save the mail with all headers: “show original”, then download it.")
    yield from _checks(mail, say)
    yield _signer(mail, say)
    yield _once(mail, say)
    yield from _unsubscribing(mail, say)
    yield _message_id(mail, say)


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST + 1)
    except OSError as error:
        raise NothingFound(f"{path} cannot be read: {error.strerror}.", "Name the saved mail.") from error
    if len(raw) > _LARGEST:
        raise UsageError(f"{path} is larger than 25 MB.", "Save one mail alone.")
    return raw


def _checks(mail: Received, say: Say) -> Iterator[Line]:
    if not mail.results:
        text = say("The receiving server says nothing about SPF, DKIM and DMARC.")
        yield Line(WARN, "checks", text, say("save the mail from the mailbox it arrived in, with all headers"))
        return
    remedies = {
        "spf": say("add the provider to your domain's SPF record; its settings show the line"),
        "dkim": say("put the provider's DKIM keys into your domain's DNS; its settings show them"),
        "dmarc": say("publish a DMARC record (v=DMARC1; p=none), and send from a domain that SPF or DKIM covers"),
    }
    for method, remedy in remedies.items():
        passed = mail.passed(method)
        yield Line(OK if passed else FAIL, method, mail.told(method) or "–", "" if passed else remedy)


def _signer(mail: Received, say: Say) -> Line:
    if mail.is_signed_by_sender:
        return Line(OK, "signer", say("signed by the sender's own domain, %(domain)s", domain=mail.sender_domain))
    text = say("no valid signature of the sender's own domain, %(domain)s", domain=mail.sender_domain or "–")
    return Line(WARN if not mail.results else FAIL, "signer", text, say("let the provider sign with your domain"))


def _once(mail: Received, say: Say) -> Line:
    if not mail.miscounted:
        return Line(OK, "headers", say("each header is there once"))
    text = say("missing, or there more than once: %(names)s", names=", ".join(mail.miscounted))
    return Line(FAIL, "headers", text, say("the provider adds one of its own: look for a setting to switch that off"))


def _unsubscribing(mail: Received, say: Say) -> Iterator[Line]:
    if not mail.is_advertising:
        text = say("This mail has no List-Unsubscribe: a mail that is owed, or a test mail.")
        yield Line(WARN, "unsub", text, say("save an advertising mail that you got as a customer"))
        return
    if mail.web_links and mail.first("list-unsubscribe-post") == ONE_CLICK:
        yield Line(OK, "unsub", say("unsubscribing with one click, over https"))
    else:
        text = say("List-Unsubscribe has no https address, or List-Unsubscribe-Post does not say One-Click.")
        yield Line(FAIL, "unsub", text, say("set [web] public_url to an https address"))
    if mail.uncovered:
        text = say("the signature does not cover: %(names)s (RFC 8058)", names=", ".join(mail.uncovered))
        remedy = say("ask the provider to sign these headers: without that Gmail shows no link to unsubscribe")
        yield Line(FAIL, "covered", text, remedy)
    else:
        yield Line(OK, "covered", say("the signature covers both headers for unsubscribing"))


def _message_id(mail: Received, say: Say) -> Line:
    own = aligned(mail.message_id_domain, mail.sender_domain)
    text = say("the Message-ID ends in %(domain)s", domain=mail.message_id_domain or "–")
    remedy = "" if own else say("the provider writes one of its own: bounces are recognised by other marks")
    return Line(OK if own else WARN, "mail id", text, remedy)
