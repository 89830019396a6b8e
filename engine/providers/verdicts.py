"""What an HTTP provider's answer means, read off a table: one row per meaning, the first that fits holds, else doubt.

Here is what the tables have in common: how a row is matched, how an answer is told in one line, and JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any

import orjson

from engine.domain.words import Accepted, InDoubt, NotSent, Refused, Result, one_line
from engine.providers.http import MOST_BYTES, Answer

LONGEST_DETAIL = 500
MOST_PER_MAIL = 1024
"""As much of an answer is read for each mail of a batch."""
_LONGEST_ID = 250


class Says(Enum):
    """What an answer says of the mails in a call."""

    PROVED = "an earlier call with this key was accepted"
    REFUSED = "this mail is never taken"
    DEAD = "this address is never written to"
    ACCOUNT = "nothing left, and the account is at fault: the provider stops"
    CREDENTIALS = "nothing left, and the key was refused"
    DOUBT = "nobody can tell"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table. What is left out fits everything; `text` is looked for in the provider's sentence."""

    says: Says
    statuses: Container[int] = range(1000)
    codes: Container[str] | None = None
    text: str = ""
    pause: timedelta | None = None

    def fits(self, told: Told) -> bool:
        """Say whether this row is about that answer."""
        return (
            told.status in self.statuses
            and (self.codes is None or told.code in self.codes)
            and re.search(self.text, told.text, re.IGNORECASE) is not None
        )


@dataclass(frozen=True, slots=True)
class Told:
    """An answer, or one mail's part of it: who said it, the HTTP status, the provider's own code and its sentence."""

    who: str
    status: int
    code: str = ""
    text: str = ""
    wish: timedelta | None = None

    @property
    def detail(self) -> str:
        """Return it in one line, as the log shows it: `Brevo 400 invalid_parameter: email is not valid in to`."""
        return shown(" ".join(filter(None, (self.who, str(self.status), self.code))) + (self.text and f": {self.text}"))


def verdict(table: Sequence[Row], told: Told) -> Result:
    """Return what the first row that fits says; what no row speaks of is doubt."""
    row = row_for(table, told) or Row(Says.DOUBT)
    match row.says:
        case Says.PROVED:
            return Accepted("", told.detail)
        case Says.REFUSED | Says.DEAD:
            return Refused(told.detail, hard_bounce=row.says is Says.DEAD)
        case Says.ACCOUNT | Says.CREDENTIALS:
            wish = max((wait for wait in (told.wish, row.pause) if wait is not None), default=None)
            return NotSent(told.detail, wish, account=True, credentials=row.says is Says.CREDENTIALS)
    return InDoubt(told.detail)


def row_for(table: Sequence[Row], told: Told) -> Row | None:
    """Return the first row of a table that speaks of this answer."""
    return next((row for row in table if row.fits(told)), None)


def for_all(result: Result, count: int) -> list[Result]:
    """Return a result that was given to a whole call, once per mail.

    A batch refused as a whole says nothing of one mail: none left, and each is to be tried again, alone.
    """
    if isinstance(result, Refused) and count > 1:
        detail = f"{result.detail} (one of {count} mails in a batch; none was taken)"
        result = NotSent(detail[:LONGEST_DETAIL], whole=True)
    return [result] * count


def ends_asking(answer: Answer) -> bool:
    """Say whether no more is to be asked after this answer: the account is refused or was too quick, or nothing works.

    Any other "no" is about the one question.
    """
    return answer.status in {401, 403, 429} or answer.status >= 500


def taken(who: str, status: int, number: object) -> Result:
    """Return "accepted" for a yes with an id; a yes without one proves nothing."""
    if isinstance(number, str) and re.fullmatch(rf"[!-~]{{1,{_LONGEST_ID}}}", number):
        return Accepted(number)
    return InDoubt(f"{who} {status}: a yes without an id")


def encoded(document: object) -> bytes:
    """Return compact JSON in UTF-8: the same bytes for the same document (ten times as fast as `json`)."""
    return orjson.dumps(document)


def parsed(answer: Answer) -> Any:
    """Return the answer's JSON, or None when it is none."""
    try:
        return json.loads(answer.body)  # it forgives more than orjson does, and what a provider says counts
    except (ValueError, RecursionError):
        return None


def told(who: str, answer: Answer, code: object, text: object) -> Told:
    """Return what an answer says; one that does not speak the provider's language is described instead."""
    words, sentence = _word(code), text if isinstance(text, str) else ""
    if not words and not sentence:
        kind = answer.headers.get("content-type", "").partition(";")[0] or "no content type"
        sentence = f"an answer without a reason ({kind}, {len(answer.body)} bytes)"
    # Some say with every answer when their count begins anew: it is a wish only where the count was exceeded.
    return Told(who, answer.status, words, sentence, wish_of(answer.headers) if answer.status == 429 else None)


def retold(told: Told, status: int, code: object, text: object) -> Told:
    """Return what an answer says of one mail of a batch."""
    return replace(told, status=status, code=_word(code), text=text if isinstance(text, str) else "", wish=None)


def room(count: int) -> int:
    """Return how many bytes of the answer to a call with so many mails are read."""
    return MOST_BYTES + MOST_PER_MAIL * count


def wish_of(headers: Mapping[str, str]) -> timedelta | None:
    """Return how long the provider wants us to wait: seconds, or a date by its own clock; None for anything else."""
    for name in ("retry-after", "x-sib-ratelimit-reset", "ratelimit-reset"):
        value = headers.get(name, "").strip()
        if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value):
            return timedelta(seconds=float(value))
        if name == "retry-after" and value.endswith("GMT"):
            return _until(value, headers.get("date", ""))
    return None


def shown(text: str) -> str:
    """Return a foreign text as one short line that every store takes."""
    return one_line(text)[:LONGEST_DETAIL]


def _word(code: object) -> str:
    return str(code)[:80] if isinstance(code, str | int) and not isinstance(code, bool) else ""


def _until(value: str, now: str) -> timedelta | None:
    try:
        left = parsedate_to_datetime(value) - parsedate_to_datetime(now)
    except (ValueError, TypeError, OverflowError):
        return None
    return max(left, timedelta(0))
