"""Brevo's transactional API: one mail, or a batch of versions, known by a key in the body that works once.

A repeat of the key is answered with an error, and that error is proof. Later a mail can be looked up by its recipient
and recognised by its tags.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from email.header import Header
from typing import Any
from uuid import UUID

from engine.config.loading import Config
from engine.config.providers import PROVIDERS
from engine.domain.words import Absent, Call, CannotTell, Email, Finding, Found, InDoubt, NotSent, Result
from engine.providers.contract import Recovery
from engine.providers.http import LONGEST_CALL, Answer, Line
from engine.providers.verdicts import (
    Row,
    Says,
    Told,
    encoded,
    ends_asking,
    for_all,
    parsed,
    room,
    shown,
    taken,
    told,
    verdict,
)

LONGEST_NAME = 70
REPLAYS = timedelta(minutes=12)
"""Brevo keeps a key for 30 minutes, and once announced 15."""
SETTLES = timedelta(minutes=15)
MOST_LISTED = 500
"""Without dates Brevo lists what it sent within 30 days, the latest first: far more than a doubt is looked up for."""
_OWN_HEADERS = frozenset({"message-id", "date", "from", "to", "subject", "reply-to", "mime-version"})
"""Brevo writes these itself and takes none of ours."""
_STAND_INS = {"subject": "-", "htmlContent": "<p>-</p>", "textContent": "-"}
"""Must be there so that every version may have its own; nobody ever reads them."""
_CLOCKS_APART = timedelta(minutes=5)
_MAILS_VERSION = 5
_REPEATED = frozenset({"duplicate_parameter", "duplicate_request"})
_REFUSED = frozenset(
    {
        "invalid_parameter",
        "missing_parameter",
        "out_of_range",
        "document_not_found",
        "method_not_allowed",
        "not_acceptable",
        "bad_request",
        "unprocessable_entity",
    }
)
_NO = frozenset({400, 404, 405, 406, 413, 415, 422})

TABLE = (
    Row(Says.ACCOUNT, {429}),
    Row(Says.CREDENTIALS, {401, 403}),
    Row(Says.ACCOUNT, {402}),
    # Only the key can repeat, and the key is ours: an earlier call was accepted.
    Row(Says.PROVED, range(400, 500), _REPEATED),
    Row(Says.ACCOUNT, _NO, _REFUSED, r"\bsender\b"),
    Row(Says.DEAD, _NO, _REFUSED, r"email is not valid in to\b"),
    Row(Says.REFUSED, _NO, _REFUSED),
    # At these numbers whoever does not speak Brevo's language is not Brevo: the address is wrong.
    Row(Says.ACCOUNT, {404, 405, 415}),
)
"""What Brevo's errors mean; every 5xx and whatever is not here is doubt."""


def build(config: Config) -> Brevo:
    """Return Brevo as the config names it."""
    provider = config.provider
    return Brevo(
        base_url=provider.base_url or PROVIDERS["brevo"].home,
        api_key=provider.secret,
        senders=provider.senders,
        batch=provider.per_call,
        settles=provider.settle or SETTLES,
    )


def line_of(config: Config) -> Line:
    """Return the way to Brevo as the config names it."""
    return _line(config.provider.base_url or PROVIDERS["brevo"].home, config.provider.secret)


def _line(base_url: str, api_key: str, longest_call: float = LONGEST_CALL) -> Line:
    headers = {"api-key": api_key, "accept": "application/json", "content-type": "application/json"}
    return Line(base_url, headers, longest_call=longest_call)


class Brevo:
    """`POST /smtp/email`, called by as many threads as there are senders."""

    name = "brevo"
    rehearsal = False

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        senders: int,
        batch: int = 1,
        settles: timedelta = SETTLES,
        longest_call: float = LONGEST_CALL,
    ) -> None:
        self.senders = senders
        self.batch = batch
        self.recovery = Recovery(replays=REPLAYS, settles=settles)
        self._line = _line(base_url, api_key, longest_call)

    def send(self, call: Call) -> list[Result]:
        """Send the call's mails in one request."""
        if len({(email.sender, email.sender_name) for email in call.emails}) > 1:
            text = "Brevo takes one sender for a batch, and these mails have several"
            return [NotSent(text, whole=True) for _ in call.emails]
        answer = self._line.post("/smtp/email", payload(call), most=room(len(call.emails)))
        return classified(answer, len(call.emails)) if isinstance(answer, Answer) else [answer] * len(call.emails)

    def look_up(self, emails: Sequence[Email], since: datetime) -> list[Finding]:
        """Ask for what went to each recipient since; stop where no more answers are to be had."""
        return list(self._findings(emails, since))

    def close(self) -> None:
        """Let go of the connections."""
        self._line.close()

    def _findings(self, emails: Sequence[Email], since: datetime) -> Iterator[Finding]:
        unanswered = ""
        for email in emails:
            if unanswered:
                yield CannotTell(unanswered)
                continue
            answer = self._line.get("/smtp/emails", {"email": email.to, "limit": str(MOST_LISTED)})
            if isinstance(answer, Answer) and answer.status == 200:
                yield recognised(answer, email, since)
            else:
                why = read(answer).detail if isinstance(answer, Answer) else answer.detail
                unanswered = why if not isinstance(answer, Answer) or ends_asking(answer) else ""
                yield CannotTell(why)


def payload(call: Call) -> bytes:
    """Return the request's body: the same bytes for the same call."""
    first = call.emails[0]
    document: dict[str, Any] = {"sender": _person(first.sender_name, first.sender)}
    if len(call.emails) == 1:
        document |= _mail(first) | {"tags": [first.campaign, first.message_id]}
        document["headers"] |= {"idempotencyKey": call.key}
        return encoded(document)
    return encoded(
        document
        | _STAND_INS
        | {
            "headers": {"idempotencyKey": call.key},
            "tags": sorted({email.campaign for email in call.emails}),
            "messageVersions": [_version(email) for email in call.emails],
        }
    )


def _mail(email: Email) -> dict[str, Any]:
    ours = {name: value for name, value in email.headers.items() if name.lower() not in _OWN_HEADERS}
    document: dict[str, Any] = {
        "to": [_person(email.to_name, email.to)],
        "subject": _untouched(email.subject),
        "htmlContent": _untouched_html(email.html),
        "textContent": _untouched(email.text),
        "headers": ours | {"X-Mailin-custom": email.message_id},
    }
    return document | {"replyTo": {"email": email.reply_to}} if email.reply_to else document


def _version(email: Email) -> dict[str, Any]:
    # Headers of a version are not in Brevo's description, but other clients send them. The tag in them is the only way
    # to tell the mails of a batch apart later; where Brevo ignores it, a look-up cannot tell.
    document = _mail(email)
    document["headers"]["X-Mailin-Tag"] = email.message_id
    return document


def classified(answer: Answer, count: int = 1) -> list[Result]:
    """Say what Brevo's answer to a call with so many mails means."""
    if not 200 <= answer.status < 300:
        return for_all(verdict(TABLE, read(answer)), count)
    document = parsed(answer)
    given = document if isinstance(document, dict) else {}
    numbers = given.get("messageIds") if count > 1 else [given.get("messageId")]
    if not isinstance(numbers, list) or len(numbers) != count:
        return [InDoubt(f"Brevo {answer.status}: a yes without an id for each of {count} mails")] * count
    return [taken("Brevo", answer.status, number) for number in numbers]


def recognised(answer: Answer, email: Email, since: datetime) -> Finding:
    """Say whether a mail is among those listed for its recipient.

    Its own id in a tag is proof. One that carries the id of another mail, or is older than the call, is another one.
    Any that might be it leaves the question open.
    """
    document = parsed(answer)
    listed = document.get("transactionalEmails", []) if isinstance(document, dict) else None
    if not isinstance(listed, list) or not isinstance(document.get("count"), int):
        return CannotTell("Brevo 200: a list that cannot be read")
    open_ones = 0
    for entry in listed:
        tags = entry.get("tags") or [] if isinstance(entry, dict) else []
        if isinstance(tags, list) and email.message_id in tags:
            return Found(shown(str(entry.get("messageId", ""))), "Brevo lists it with its own tag")
        open_ones += _may_be(entry, tags, email, since)
    if open_ones or document["count"] > len(listed):
        return CannotTell(f"Brevo lists {open_ones or 'too many'} mails to this recipient without a tag of ours")
    return Absent("Brevo lists no such mail to this recipient")


def _may_be(entry: Any, tags: Any, email: Email, since: datetime) -> bool:
    if not isinstance(entry, dict) or not isinstance(tags, list):
        return True
    if str(entry.get("email", "")).lower() != email.to.lower():
        return True  # Brevo listed more than it was asked for: the list proves nothing
    if _names_another(tags, email.campaign):
        return False
    try:
        sent = datetime.fromisoformat(str(entry.get("date", "")))
    except ValueError:
        return True
    return sent.tzinfo is None or sent >= since - _CLOCKS_APART


def _names_another(tags: Sequence[object], campaign: str) -> bool:
    """Say whether a tag is the id of another mail, and not a campaign's that looks like one.

    A batch bears the tags of all its campaigns. Where ours is among them only an id as campaigns' mails have it counts
    (domain/identity); other mails, whose ids are of another version, bear no campaign's tag.
    """
    ids = [found for tag in tags if tag != campaign and (found := _uuid(tag)) is not None]
    return any(one.version == _MAILS_VERSION for one in ids) if campaign in tags else bool(ids)


def _uuid(tag: object) -> UUID | None:
    try:
        found = UUID(str(tag))
    except ValueError:
        return None
    return found if str(found) == tag else None


def read(answer: Answer) -> Told:
    """Return what an answer as a whole says."""
    document = parsed(answer)
    given: Mapping[str, Any] = document if isinstance(document, dict) else {}
    return told("Brevo", answer, given.get("code"), given.get("message"))


def _person(name: str, address: str) -> dict[str, str]:
    plain = " ".join(name.split())[:LONGEST_NAME].strip()
    if not plain:
        return {"email": address}
    if not plain.isascii() and re.search(r'[,;:<>@"()\[\]\\]', plain):
        # Brevo drops a name that has both, unless it is encoded already.
        encoded_name = Header(plain, "utf-8", maxlinelen=1000).encode()
        plain = encoded_name if len(encoded_name) <= LONGEST_NAME else re.sub(r'[,;:<>@"()\[\]\\]+', " ", plain)
    return {"name": plain, "email": address}


def _untouched(text: str) -> str:
    """Keep Brevo's own template language from seeing braces in the text (an invisible joiner breaks the pair)."""
    return text.replace("{{", "{\u2060{").replace("{%", "{\u2060%")


def _untouched_html(html: str) -> str:
    return html.replace("{{", "{&#123;").replace("{%", "{&#37;")
