"""Brevo's transactional API: one mail per call, recognised by an idempotency key that is our own message id."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from email.header import Header
from typing import Any

from engine.config.loading import Config
from engine.domain.words import Accepted, Call, CannotTell, Email, Finding, InDoubt, NotSent, Refused, Result
from engine.providers.contract import Recovery
from engine.providers.http import Answer, Line

BASE_URL = "https://api.brevo.com/v3"
LONGEST_NAME = 70
_OWN_HEADERS = frozenset({"message-id", "date", "from", "to", "subject", "reply-to", "mime-version"})
"""Brevo writes these itself and takes none of ours."""
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


def build(config: Config) -> Brevo:
    """Return Brevo as the config names it."""
    key = config.provider.api_key
    return Brevo(
        base_url=config.provider.base_url or BASE_URL,
        api_key=key.get_secret_value() if key else "",
        senders=config.provider.senders,
    )


class Brevo:
    """`POST /smtp/email`, called by as many threads as there are senders."""

    name = "brevo"
    rehearsal = False
    batch = 1
    recovery = Recovery(replays=timedelta(minutes=12))

    def __init__(self, *, base_url: str, api_key: str, senders: int, longest_call: float = 30.0) -> None:
        self.senders = senders
        headers = {"api-key": api_key, "accept": "application/json", "content-type": "application/json"}
        self._line = Line(base_url, headers, longest_call=longest_call)

    def send(self, call: Call) -> list[Result]:
        """Send the call's mail."""
        return [self._send(call.key, email) for email in call.emails]

    def look_up(self, emails: Sequence[Email], since: datetime) -> list[Finding]:  # noqa: ARG002  (every provider is asked alike)
        """Say that nobody can tell: not yet."""
        return [CannotTell("not asked") for _ in emails]

    def close(self) -> None:
        """Let go of the connections."""
        self._line.close()

    def _send(self, key: str, email: Email) -> Result:
        answer = self._line.post("/smtp/email", payload(email, key))
        return classified(answer) if isinstance(answer, Answer) else answer


def payload(email: Email, key: str) -> bytes:
    """Return the request's body: the same bytes for the same mail and key."""
    ours = {name: value for name, value in email.headers.items() if name.lower() not in _OWN_HEADERS}
    document: dict[str, Any] = {
        "sender": _person(email.sender_name, email.sender),
        "to": [_person(email.to_name, email.to)],
        "subject": _untouched(email.subject),
        "htmlContent": _untouched_html(email.html),
        "textContent": _untouched(email.text),
        "headers": ours | {"idempotencyKey": key, "X-Mailin-custom": email.message_id},
        "tags": [email.campaign],
    }
    if email.reply_to:
        document["replyTo"] = {"email": email.reply_to}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def classified(answer: Answer) -> Result:
    """Say what Brevo's answer means; whatever is not known to be a yes or a no is doubt."""
    document = _parsed(answer.body)
    code, message = str(document.get("code", "")), str(document.get("message", ""))
    detail = f"{answer.status} {code} {message}".strip()[:500]
    if 200 <= answer.status < 300:
        number = document.get("messageId")
        return Accepted(number) if isinstance(number, str) and number else InDoubt(f"{detail} without a messageId")
    if answer.status == 429:
        return NotSent(detail, retry_after=_wish(answer.headers), account=True)
    if answer.status in {401, 402, 403}:
        return NotSent(detail, account=True, credentials=answer.status != 402)
    if code in _REPEATED:
        # Only the key can repeat, and the key is ours: an earlier call was accepted.
        return Accepted("", detail)
    if answer.status in {400, 404, 405, 406, 413, 415, 422}:
        return _refusal(answer.status, code, message, detail)
    return InDoubt(detail)


def _refusal(status: int, code: str, message: str, detail: str) -> Result:
    if code not in _REFUSED:
        # An error that does not speak Brevo's language at these numbers comes from a wrong address, not from Brevo.
        return NotSent(detail, account=True) if status in {404, 405, 415} else InDoubt(detail)
    if re.search(r"\bsender\b", message, re.IGNORECASE):
        return NotSent(detail, account=True)
    return Refused(detail, hard_bounce=bool(re.search(r"email is not valid in to\b", message, re.IGNORECASE)))


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _wish(headers: Mapping[str, str]) -> timedelta | None:
    """Return how long Brevo wants us to wait: seconds, in one of two headers."""
    for name in ("retry-after", "x-sib-ratelimit-reset"):
        value = headers.get(name, "").strip()
        if re.fullmatch(r"[0-9]{1,6}", value):
            return timedelta(seconds=int(value))
    return None


def _person(name: str, address: str) -> dict[str, str]:
    plain = " ".join(name.split())[:LONGEST_NAME].strip()
    if not plain:
        return {"email": address}
    if not plain.isascii() and re.search(r'[,;:<>@"()\[\]\\]', plain):
        # Brevo drops a name that has both, unless it is encoded already.
        encoded = Header(plain, "utf-8", maxlinelen=1000).encode()
        plain = encoded if len(encoded) <= LONGEST_NAME else re.sub(r'[,;:<>@"()\[\]\\]+', " ", plain)
    return {"name": plain, "email": address}


def _untouched(text: str) -> str:
    """Keep Brevo's own template language from seeing braces in the text (an invisible joiner breaks the pair)."""
    return text.replace("{{", "{\u2060{").replace("{%", "{\u2060%")


def _untouched_html(html: str) -> str:
    return html.replace("{{", "{&#123;").replace("{%", "{&#37;")
