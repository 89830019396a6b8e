"""Resend's API: one mail, or a batch; a key in a header lives a day, and a repeat gets the first answer again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from engine.config.loading import Config
from engine.config.providers import PROVIDERS
from engine.domain.words import Accepted, Call, CannotTell, Email, Finding, InDoubt, Result
from engine.providers import mime
from engine.providers.contract import Recovery
from engine.providers.http import Answer, Line
from engine.providers.verdicts import Row, Says, Told, encoded, for_all, parsed, retold, room, taken, told, verdict

REPLAYS = timedelta(hours=20)
"""Resend keeps a key for 24 hours."""
QUOTA_PAUSE = timedelta(hours=1)
_OWN_HEADERS = frozenset({"message-id", "date", "from", "to", "subject", "reply-to", "mime-version"})
_KEYS = frozenset(
    {"missing_api_key", "restricted_api_key", "invalid_api_key", "suspended_api_key", "invalid_permission"}
)
_QUOTAS = frozenset({"daily_quota_exceeded", "monthly_quota_exceeded"})
_OURS = frozenset({"invalid_idempotency_key", "invalid_from_address", "invalid_access", "invalid_region"})
_MAILS = frozenset({"validation_error", "missing_required_field", "invalid_parameter", "invalid_attachment"})
_NO = frozenset({400, 422})

TABLE = (
    Row(Says.ACCOUNT, {429}, _QUOTAS, pause=QUOTA_PAUSE),
    Row(Says.ACCOUNT, {429}),
    Row(Says.CREDENTIALS, {401}),
    Row(Says.CREDENTIALS, {403}, _KEYS),
    Row(Says.ACCOUNT, {403}),
    # The key was used with other bytes: so there was an earlier call with it, and Resend keeps only what it took. Of a
    # batch that is less than all, where one was refused (see `classified`).
    Row(Says.PROVED, {409}, {"invalid_idempotent_request"}),
    Row(Says.ACCOUNT, {404, 405, 415}),
    Row(Says.ACCOUNT, _NO, _OURS),
    Row(Says.ACCOUNT, _NO, _MAILS, r"domain is not verified|`from` field|testing emails"),
    Row(Says.DEAD, _NO, {"validation_error", "invalid_parameter"}, r"invalid `to` field"),
    Row(Says.REFUSED, _NO, _MAILS),
)
"""What Resend's errors mean; every 5xx, a call still in progress (409) and whatever is not here is doubt."""


def build(config: Config) -> Resend:
    """Return Resend as the config names it."""
    provider = config.provider
    return Resend(
        base_url=provider.base_url or PROVIDERS["resend"].home,
        api_key=provider.secret,
        senders=provider.senders,
        batch=provider.per_call,
    )


class Resend:
    """`POST /emails` and `/emails/batch`."""

    name = "resend"
    rehearsal = False
    recovery = Recovery(replays=REPLAYS, repeats_answer=True)  # its list has no filter: the key is the only way

    def __init__(
        self, *, base_url: str, api_key: str, senders: int, batch: int = 1, longest_call: float = 30.0
    ) -> None:
        self.senders = senders
        self.batch = batch
        headers = {"authorization": f"Bearer {api_key}", "content-type": "application/json"}
        self._line = Line(base_url, headers, longest_call=longest_call)

    def send(self, call: Call) -> list[Result]:
        """Send the call's mails in one request; in a batch, one that is refused leaves the others alone."""
        count = len(call.emails)
        headers = {"idempotency-key": call.key}
        if count > 1:
            headers["x-batch-validation"] = "permissive"
        path = "/emails/batch" if count > 1 else "/emails"
        answer = self._line.post(path, payload(call), headers, most=room(count))
        return classified(answer, count) if isinstance(answer, Answer) else [answer] * count

    def look_up(self, emails: Sequence[Email], since: datetime) -> list[Finding]:  # noqa: ARG002  (every provider is asked alike)
        """Say that nobody can tell: Resend lists its mails, and cannot be asked for one of ours."""
        return [CannotTell("Resend has no look-up by our own id") for _ in emails]

    def close(self) -> None:
        """Let go of the connections."""
        self._line.close()


def payload(call: Call) -> bytes:
    """Return the request's body: the same bytes for the same call."""
    mails = [_mail(email) for email in call.emails]
    return encoded(mails if len(mails) > 1 else mails[0])


def classified(answer: Answer, count: int = 1) -> list[Result]:
    """Say what Resend's answer to a call with so many mails means."""
    said, given = read(answer), _object(answer)
    if not 200 <= answer.status < 300:
        meant = verdict(TABLE, said)
        if count > 1 and isinstance(meant, Accepted):
            # In the earlier call each mail was judged by itself, and what was said of this one is not told again.
            meant = InDoubt(meant.detail)
        return for_all(meant, count)
    if count == 1:
        return [taken("Resend", answer.status, given.get("id"))]
    return (
        _members(given, said, count)
        or [InDoubt(f"Resend {answer.status}: no result for each of {count} mails")] * count
    )


def read(answer: Answer) -> Told:
    """Return what an answer as a whole says."""
    given = _object(answer)
    return told("Resend", answer, given.get("name"), given.get("message"))


def _object(answer: Answer) -> Mapping[str, Any]:
    document = parsed(answer)
    return document if isinstance(document, dict) else {}


def _members(given: Mapping[str, Any], said: Told, count: int) -> list[Result]:
    """Return each mail's result: the refused ones are named by position, the ids are those of the others, in order.

    Empty when it does not come out even.
    """
    errors, data = given.get("errors") or [], given.get("data")
    if not isinstance(errors, list) or not isinstance(data, list):
        return []
    refused = {error["index"]: error for error in errors if isinstance(error, dict) and type(error.get("index")) is int}
    places = [place for place in range(count) if place not in refused]
    if len(refused) != len(errors) or len(places) != count - len(refused) or len(data) != len(places):
        return []
    numbers = dict(zip(places, data, strict=True))
    return [_refused(refused[at], said) if at in refused else _taken(numbers[at], said) for at in range(count)]


def _taken(entry: object, said: Told) -> Result:
    return taken("Resend", said.status, entry.get("id") if isinstance(entry, dict) else None)


def _refused(error: Mapping[str, Any], said: Told) -> Result:
    # A member's error has a sentence and no code; being in this list it is a refusal.
    return verdict(TABLE, retold(said, 422, "validation_error", error.get("message")))


def _mail(email: Email) -> dict[str, Any]:
    document: dict[str, Any] = {
        "from": mime.mailbox(email.sender_name, email.sender),
        "to": [mime.mailbox(email.to_name, email.to)],
        "subject": email.subject,
        "html": email.html,
        "text": email.text,
        "headers": {name: value for name, value in email.headers.items() if name.lower() not in _OWN_HEADERS},
        "tags": [
            {"name": "mid", "value": email.message_id},
            {"name": "campaign", "value": re.sub(r"[^A-Za-z0-9_-]", "_", email.campaign)[:256]},
        ],
    }
    return document | {"reply_to": [email.reply_to]} if email.reply_to else document
