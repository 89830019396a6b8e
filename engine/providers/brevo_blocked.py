"""Brevo's list of blocked contacts: whoever unsubscribed, complained, bounced, or was blocked by hand (F3).

The list is that of the account: whoever blocked another sender of it is left alone as well. The oldest come first, so
that what is added meanwhile stands at the end and shifts nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from engine.domain.blocked import Blocked, BlockedPage
from engine.domain.words import InDoubt, NotSent, Reason
from engine.providers.brevo import TABLE, read
from engine.providers.http import Answer, Line
from engine.providers.incoming import instant, plain
from engine.providers.verdicts import parsed, verdict

PAGE = 100
_MOST_PAGES = 100_000
REASONS: Mapping[str, Reason] = MappingProxyType(
    {
        "unsubscribedViaMA": Reason.OBJECTION,
        "unsubscribedViaEmail": Reason.OBJECTION,
        "unsubscribedViaApi": Reason.OBJECTION,
        "contactFlaggedAsSpam": Reason.COMPLAINT,
        "hardBounce": Reason.HARD_BOUNCE,
        "adminBlocked": Reason.SUPPRESSED,
    }
)
"""Brevo's code -> ours; a code nobody knows is taken for the person's own "no"."""


def pages(line: Line) -> Iterator[BlockedPage | NotSent | InDoubt]:
    """Yield the list in parts; end with the fault where a part could not be read."""
    offset = 0
    for _ in range(_MOST_PAGES):
        query = {"limit": str(PAGE), "offset": str(offset), "sort": "asc"}
        page = _page(line.get("/smtp/blockedContacts", query))
        yield page
        if not isinstance(page, BlockedPage) or not page.entries:
            return
        offset += len(page.entries)
        if offset >= page.total:
            return


def _page(answer: Answer | NotSent | InDoubt) -> BlockedPage | NotSent | InDoubt:
    if not isinstance(answer, Answer):
        return answer
    if answer.status != 200:
        said = verdict(TABLE, read(answer))
        return said if isinstance(said, NotSent) else InDoubt(read(answer).detail)
    document = parsed(answer)
    listed = document.get("contacts", []) if isinstance(document, dict) else None
    total = document.get("count", 0) if isinstance(document, dict) else None
    if not isinstance(listed, list) or not isinstance(total, int) or not all(_is_entry(one) for one in listed):
        return InDoubt("Brevo 200: a list that cannot be read")
    return BlockedPage(tuple(_entry(one) for one in listed), total)


def _is_entry(one: Any) -> bool:
    return isinstance(one, dict) and isinstance(one.get("email"), str)


def _entry(one: Mapping[str, Any]) -> Blocked:
    said = one.get("reason")
    code = plain(said.get("code")) if isinstance(said, dict) else ""
    code = code[:1].lower() + code[1:]  # the description writes both adminBlocked and AdminBlocked
    return Blocked(one["email"].strip(), REASONS.get(code, Reason.OBJECTION), instant(one.get("blockedAt")), code)
