"""Postmark's API: one mail, or a batch in which every mail has a result of its own. There is no key.

What is in doubt is looked up by our own id, which travels as metadata.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from engine.config.loading import Config
from engine.config.providers import PROVIDERS, USUAL_STREAM
from engine.domain.words import Absent, Accepted, Call, CannotTell, Email, Finding, Found, InDoubt, NotSent, Result
from engine.providers import mime
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
    retold,
    room,
    shown,
    taken,
    told,
    verdict,
)

SETTLES = timedelta(minutes=15)
MOST_BYTES = 50 * 1024 * 1024
_OWN_HEADERS = frozenset({"message-id", "date", "from", "to", "subject", "reply-to", "mime-version"})
_ANY_NO = range(200, 500)

TABLE = (
    Row(Says.CREDENTIALS, _ANY_NO, {"10"}),
    Row(Says.ACCOUNT, {429}),
    # Maintenance; sender signature; credits; an account that may not send (yet); a request that is ours to mend;
    # a message stream that is not there or sends nothing.
    Row(Says.ACCOUNT, _ANY_NO, {"100", "400", "401", "405", "412", "413", "402", "403", "409", "410", "1235", "1236"}),
    Row(Says.ACCOUNT, _ANY_NO, {"300"}, r"'(From|Reply-?To)'|\bFrom address"),
    Row(Says.DEAD, _ANY_NO, {"300"}, r"'To'"),
    Row(Says.REFUSED, _ANY_NO, {"300", "411"}),
    # Bounced or complained before, or took itself off this stream.
    Row(Says.DEAD, _ANY_NO, {"406"}),
    Row(Says.CREDENTIALS, {401}, {""}),
    # A filter in front of Postmark, or a wrong address.
    Row(Says.ACCOUNT, {403, 404, 405, 415}, {""}),
    Row(Says.REFUSED, {413}, {""}),
)
"""What Postmark's error codes mean (never its HTTP status, where there is a code); every 5xx and the rest is doubt."""


def build(config: Config) -> Postmark:
    """Return Postmark as the config names it."""
    provider = config.provider
    return Postmark(
        line(provider.base_url or PROVIDERS["postmark"].home, provider.secret),
        senders=provider.senders,
        stream=provider.message_stream,
        batch=provider.per_call,
        settles=provider.settle or SETTLES,
    )


def line(base_url: str, token: str, *, longest_call: float = LONGEST_CALL) -> Line:
    """Return the way to Postmark; it wants both content types named."""
    json = "application/json"
    headers = {"x-postmark-server-token": token, "accept": json, "content-type": json}
    return Line(base_url, headers, longest_call=longest_call)


class Postmark:
    """`POST /email` and `/email/batch`, in one message stream."""

    name = "postmark"
    rehearsal = False

    def __init__(
        self, way: Line, *, senders: int, stream: str = USUAL_STREAM, batch: int = 1, settles: timedelta = SETTLES
    ) -> None:
        self.senders = senders
        self.batch = batch
        self.recovery = Recovery(settles=settles)
        self._stream = stream
        self._line = way

    def send(self, call: Call) -> list[Result]:
        """Send the call's mails in one request."""
        count = len(call.emails)
        content = payload(call, self._stream)
        if len(content) > MOST_BYTES:
            text = (
                f"{count} mails make {len(content) >> 20} MB, and Postmark takes 50 MB at once: lower [provider] batch"
            )
            return [NotSent(text, account=True) for _ in call.emails]
        answer = self._line.post("/email/batch" if count > 1 else "/email", content, most=room(count))
        return classified(answer, count) if isinstance(answer, Answer) else [answer] * count

    def look_up(self, emails: Sequence[Email], since: datetime) -> list[Finding]:  # noqa: ARG002  (every provider is asked alike)
        """Ask for each mail by our own id; stop where no more answers are to be had."""
        return list(self._findings(emails))

    def close(self) -> None:
        """Let go of the connections."""
        self._line.close()

    def _findings(self, emails: Sequence[Email]) -> Iterator[Finding]:
        unanswered = ""
        for email in emails:
            if unanswered:
                yield CannotTell(unanswered)
                continue
            # Without a stream Postmark searches "outbound" only.
            query = {"count": "1", "offset": "0", "messagestream": self._stream, "metadata_mid": email.message_id}
            answer = self._line.get("/messages/outbound", query)
            if isinstance(answer, Answer) and answer.status == 200:
                yield recognised(answer, email)
            else:
                why = read(answer).detail if isinstance(answer, Answer) else answer.detail
                unanswered = why if not isinstance(answer, Answer) or ends_asking(answer) else ""
                yield CannotTell(why)


def payload(call: Call, stream: str) -> bytes:
    """Return the request's body."""
    mails = [_mail(email, stream) for email in call.emails]
    return encoded(mails if len(mails) > 1 else mails[0])


def classified(answer: Answer, count: int = 1) -> list[Result]:
    """Say what Postmark's answer to a call with so many mails means."""
    said, document = read(answer), parsed(answer)
    if count > 1 and isinstance(document, list) and 200 <= answer.status < 300:
        if len(document) == count:
            return [_one(entry, said) for entry in document]
        return [InDoubt(f"Postmark {answer.status}: {len(document)} results for {count} mails")] * count
    if count == 1 and 200 <= answer.status < 300:
        return [_one(document, said)]
    return for_all(verdict(TABLE, said), count)


def recognised(answer: Answer, email: Email) -> Finding:
    """Say whether the mail found carries our own id."""
    document = parsed(answer)
    found = document.get("Messages") if isinstance(document, dict) else None
    if not isinstance(found, list) or type(document.get("TotalCount")) is not int:
        return CannotTell("Postmark 200: a list that cannot be read")
    if not found and document["TotalCount"] == 0:
        return Absent("Postmark has no mail with our id")
    first = found[0] if found and isinstance(found[0], dict) else {}
    metadata = first.get("Metadata")
    if isinstance(metadata, dict) and metadata.get("mid") == email.message_id:
        return Found(shown(str(first.get("MessageID", ""))), "Postmark has it under our id")
    return CannotTell("Postmark listed mails that do not carry our id")


def _one(entry: object, said: Told) -> Result:
    """Return what a result within a yes says of its mail. One that is only queued has no error code."""
    given: Mapping[str, Any] = entry if isinstance(entry, dict) else {}
    code, text = given.get("ErrorCode", 0), given.get("Message")
    if code != 0 or isinstance(code, bool):
        return verdict(TABLE, retold(said, said.status, code, text))
    result = taken("Postmark", said.status, given.get("MessageID"))
    if isinstance(result, Accepted) and text not in {None, "OK"}:
        return Accepted(result.provider_id, retold(said, said.status, "", text).detail)
    return result


def read(answer: Answer) -> Told:
    """Return what an answer as a whole says."""
    document = parsed(answer)
    given: Mapping[str, Any] = document if isinstance(document, dict) else {}
    return told("Postmark", answer, given.get("ErrorCode"), given.get("Message"))


def _mail(email: Email, stream: str) -> dict[str, Any]:
    ours = [(name, value) for name, value in email.headers.items() if name.lower() not in _OWN_HEADERS]
    document: dict[str, Any] = {
        "From": mime.mailbox(email.sender_name, email.sender),
        "To": mime.mailbox(email.to_name, email.to),
        "Subject": email.subject,
        "HtmlBody": email.html,
        "TextBody": email.text,
        "MessageStream": stream,
        "Tag": email.campaign,
        "Metadata": {"mid": email.message_id},
        "Headers": [{"Name": name, "Value": value} for name, value in ours],
        "TrackOpens": False,
        "TrackLinks": "None",
    }
    return document | {"ReplyTo": email.reply_to} if email.reply_to else document
