"""The lines of `explain` for people: each check, its answer and its detail in the shop's language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from engine.cli.opening import Translate
from engine.cli.reasons import BASES
from engine.cli.sentences import SENTENCES, STATES
from engine.domain.calendar import local_time
from engine.domain.words import Basis, Reason, State, Trail

CHECKS: Mapping[str, str] = {
    "log": "last mail",
    "due": "due",
    "expired": "in time",
    "campaign": "campaign runs",
    "address": "address usable",
    "data": "same data as at the first attempt",
    "source": "in the customer list",
    "never_tags": "no tag against it",
    "occasion": "occasion",
    "stop": "not done yet",
    "permission": "permission",
    "overtaken": "no later step due",
    "same_address": "only mail to this address today",
    "ready": "the shop is ready to send",
    "unsubscribe_page": "unsubscribing possible or not needed",
    "fresh_data": "fresh data",
    "frequency_cap": "not too often",
    "send_window": "hours",
    "held": "your word",
}
RESULTS: Mapping[str, str] = {"ok": "yes", "no": "no", "wait": "wait"}

DUE: Mapping[str, str] = {
    r"next due (?P<day>\S+)": "next on %(day)s",
    r"planned for (?P<day>\S+), not before (?P<when>\S+)": "planned for %(day)s, not before %(when)s",
    r"none within (?P<days>\d+) days": "none within %(days)s days",
}
"""What the explanation says of days, and the sentence for each."""

_PAST = re.compile(r"(?P<state>\w+) (?P<day>[\d-]+)(?:: (?P<reason>\w+))? \(.*message (?P<message>[\w-]+)\)")
_TELLING = frozenset(
    {
        Reason.NEVER_TAGS,
        Reason.OCCASION_MOVED,
        Reason.SEND_WINDOW,
        Reason.QUIET_HOURS,
        Reason.PURCHASE_NOT_CONCLUDED,
        Reason.ADDRESS_NOT_FROM_SALE,
        Reason.NOTICE_MISSING,
        Reason.STALE_CUSTOMER,
        Reason.ADVERTISES_MISSING,
        Reason.ADVERTISES_EVERYTHING,
        Reason.CATEGORY_NOT_SIMILAR,
        Reason.LEGAL_HOLD,
    }
)
"""Reasons whose detail is data (a tag, a day, ids of purchases and notices) and reads the same in every language."""


def trail_lines(trail: tuple[Trail, ...], zone: ZoneInfo, _: Translate) -> list[str]:
    """Return the trail as aligned lines."""
    told = [(_(CHECKS.get(one.check, one.check)), _answer(one, _), _detail(one, zone, _)) for one in trail]
    names = max(len(name) for name, *_rest in told)
    answers = max(len(answer) for _name, answer, _more in told)
    return [f"  {name:<{names}}  {answer:<{answers}}  {detail}".rstrip() for name, answer, detail in told]


def _answer(line: Trail, _: Translate) -> str:
    return "·" if line.check == "log" else _(RESULTS[line.result])


def _detail(line: Trail, zone: ZoneInfo, _: Translate) -> str:
    if line.check == "due":
        return _due(line.detail, zone, _)
    if line.check == "log":
        return _past(line.detail, _)
    word, _colon, rest = line.detail.partition(": ")
    if word in set(Basis):
        return f"{_(BASES[Basis(word)])} ({rest})"
    if word not in set(Reason):
        return line.detail
    reason = Reason(word)
    more = f": {rest}" if rest and reason in _TELLING else ""
    return f"{_(SENTENCES[reason])}{more} ({reason.value})"


def _due(detail: str, zone: ZoneInfo, _: Translate) -> str:
    for pattern, sentence in DUE.items():
        if found := re.fullmatch(pattern, detail):
            facts = found.groupdict()
            if "when" in facts:
                facts["when"] = local_time(datetime.fromisoformat(facts["when"]), zone)
            return _(sentence, **facts)
    return detail


def _past(detail: str, _: Translate) -> str:
    found = _PAST.fullmatch(detail)
    if found is None:
        return detail
    why = f": {_(SENTENCES[Reason(found['reason'])])}" if found["reason"] else ""
    return f"{_(STATES[State(found['state'])])} {found['day']}{why} ({found['message'][:8]})"
