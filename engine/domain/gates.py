"""The gates: may this mail leave now? One pure function, the same for plan, explain and sending.

Every check looks at the facts alone and the first "no" in rule order decides, so that no other check can let a mail
through. `explain` prints them all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from engine.domain import permission
from engine.domain.calendar import day_start, is_open, local_day, local_time, next_open
from engine.domain.grammar import Cap, Window
from engine.domain.permission import Permitted
from engine.domain.words import Decision, Reason, Trail

LOOK_AGAIN = timedelta(hours=1)
"""When a message is looked at again that waits for something nobody can date."""
PAGE_AGAIN = timedelta(minutes=5)
"""When it is looked at again while it waits only for the page to answer: the daemon mends that by itself."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the campaign's file and the config say; the same for every message of one campaign."""

    between: Window
    days: frozenset[int]
    quiet: Window | None = None
    is_on: bool = True
    paused: bool = False
    brake: str = ""
    advertising: bool = True
    may_advertise: bool = True
    page_fault: str = "nobody could unsubscribe yet"
    stop: frozenset[str] = frozenset()
    never_tags: frozenset[str] = frozenset()
    limit: Cap | None = None
    at_most: tuple[Cap, ...] = ()
    stale: str = ""
    not_ready: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the store knows of one message at one instant.

    `standing` is the day today's data gives the occasion (None: it is gone). `happened` names what of `[stop]` has come
    to pass, `carried_by` the mail that already goes to this address today, `names_a_thing` that this mail is about a
    service item. `written` and `written_by_campaign` are the instants at which this address was written to.
    """

    rules: Rules
    zone: ZoneInfo
    due: date
    standing: date | None
    expires_at: datetime
    permission: Permitted | permission.Refused
    email: str | None
    data_changed: bool = False
    not_in_source: bool = False
    tags: frozenset[str] = frozenset()
    happened: frozenset[str] = frozenset()
    overtaken: bool = False
    carried_by: str = ""
    names_a_thing: bool = False
    written: tuple[datetime, ...] = ()
    written_by_campaign: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class _No:
    """What one check has against the mail."""

    action: str
    reason: Reason
    detail: str = ""
    until: datetime | None = None


def decide(facts: Facts, now: datetime) -> Decision:
    """Ask every check in rule order; the first "no" decides, and only without any the mail may go."""
    answers = [check(facts, now) for _, check in CHECKS]
    nos = [no for no in answers if no is not None]
    if nos:
        first = nos[0]
        trail = tuple(ok if no is None else _line(ok.check, no) for ok, no in zip(_ALL_OK, answers, strict=True))
        until = _until(nos, facts, now) if first.action == "wait" else None
        return Decision(first.action, first.reason, until, trail=trail)
    if isinstance(facts.permission, Permitted):
        return Decision("send", basis=facts.permission.basis, evidence=facts.permission.evidence, trail=_ALL_OK)
    # Permission is one of the checks: this line is the belt to its braces.
    return Decision("skip", Reason.PERMISSION_FAILED, trail=_ALL_OK)


def reason_detail(decision: Decision) -> str:
    """Return the sentence that belongs to a decision's reason."""
    return next((line.detail.partition(": ")[2] for line in decision.trail if line.result != "ok"), "")


def _line(check: str, no: _No) -> Trail:
    told = f"{no.reason.value}: {no.detail}" if no.detail else no.reason.value
    return Trail(check, "wait" if no.action == "wait" else "no", told)


def _until(nos: list[_No], facts: Facts, now: datetime) -> datetime:
    """Return when to look again: after every wait that is known, at an hour at which one may write."""
    known = [no.until for no in nos if no.until is not None]
    earliest = max([*known, now + timedelta(seconds=1)])
    rules = facts.rules
    return next_open(earliest, facts.zone, rules.between, rules.days, rules.quiet) or earliest


def _expired(facts: Facts, now: datetime) -> _No | None:
    if now < facts.expires_at:
        return None
    return _No("expire", Reason.TOO_LATE, f"too late since {facts.expires_at:%Y-%m-%dT%H:%M}Z")


def _campaign(facts: Facts, now: datetime) -> _No | None:
    if not facts.rules.is_on:
        return _No("wait", Reason.CAMPAIGN_OFF, until=now + LOOK_AGAIN)
    if facts.rules.paused:
        return _No("wait", Reason.PAUSED, facts.rules.brake, now + LOOK_AGAIN)
    return None


def _address(facts: Facts, _now: datetime) -> _No | None:
    if not facts.email:
        return _No("skip", Reason.NO_ADDRESS)
    if not permission.is_sendable(facts.email):
        return _No("skip", Reason.UNSENDABLE_ADDRESS)
    return None


def _data(facts: Facts, _now: datetime) -> _No | None:
    if facts.data_changed:
        return _No("skip", Reason.DATA_CHANGED, "the address or the language has changed since the first attempt")
    return None


def _source(facts: Facts, _now: datetime) -> _No | None:
    return _No("skip", Reason.NOT_IN_SOURCE) if facts.not_in_source else None


def _never_tags(facts: Facts, _now: datetime) -> _No | None:
    found = sorted(facts.tags & facts.rules.never_tags) if facts.rules.never_tags else []
    return _No("skip", Reason.NEVER_TAGS, ", ".join(found)) if found else None


def _occasion(facts: Facts, now: datetime) -> _No | None:
    if facts.standing is None:
        return _No("skip", Reason.OCCASION_GONE)
    if facts.standing != facts.due and facts.standing > local_day(now, facts.zone):
        return _No("wait", Reason.OCCASION_MOVED, f"{facts.standing}", day_start(facts.standing, facts.zone))
    return None


def _stop(facts: Facts, _now: datetime) -> _No | None:
    found = sorted(facts.happened & facts.rules.stop) if facts.happened else []
    return _No("cancel", Reason.STOPPED, ", ".join(found)) if found else None


def _permission(facts: Facts, _now: datetime) -> _No | None:
    if isinstance(facts.permission, Permitted):
        return None
    return _No("skip", facts.permission.reason, facts.permission.detail)


def _overtaken(facts: Facts, _now: datetime) -> _No | None:
    return _No("skip", Reason.OVERTAKEN, "a later step of the same occasion is due") if facts.overtaken else None


def _same_address(facts: Facts, now: datetime) -> _No | None:
    """Let one mail a day reach an address; a thing it does not name waits for the next day, or nobody would tell."""
    if not facts.carried_by:
        return None
    if not facts.names_a_thing:
        return _No("skip", Reason.SAME_ADDRESS, facts.carried_by)
    tomorrow = local_day(now, facts.zone) + timedelta(days=1)
    return _No("wait", Reason.SAME_ADDRESS, facts.carried_by, day_start(tomorrow, facts.zone))


def _ready(facts: Facts, now: datetime) -> _No | None:
    rules = facts.rules
    return _No("wait", Reason.NOT_READY, rules.not_ready, now + LOOK_AGAIN) if rules.not_ready else None


def _unsubscribe_page(facts: Facts, now: datetime) -> _No | None:
    if facts.rules.advertising and not facts.rules.may_advertise:
        return _No("wait", Reason.NO_UNSUBSCRIBE_PAGE, facts.rules.page_fault, now + PAGE_AGAIN)
    return None


def _fresh(facts: Facts, now: datetime) -> _No | None:
    return _No("wait", Reason.STALE_DATA, facts.rules.stale, now + LOOK_AGAIN) if facts.rules.stale else None


def _cap(facts: Facts, now: datetime) -> _No | None:
    if not facts.written and not facts.written_by_campaign:
        return None
    rules = facts.rules
    own = [(rules.limit, facts.written_by_campaign)] if rules.limit else []
    general = [(cap, facts.written) for cap in rules.at_most] if rules.advertising else []
    free = {cap: day for cap, written in own + general if (day := free_on(cap, written, facts.zone, now)) is not None}
    if not free:
        return None
    cap, day = max(free.items(), key=lambda item: item[1])
    return _No("wait", Reason.FREQUENCY_CAP, f"{cap}: again from {day}", day_start(day, facts.zone))


def free_on(cap: Cap, written: Sequence[datetime], zone: ZoneInfo, now: datetime) -> date | None:
    """Return the local day on which a cap leaves room again, or None where there is room today."""
    days = sorted((local_day(instant, zone) for instant in written), reverse=True)
    if len(days) < cap.count:
        return None
    free = cap.per.after(days[cap.count - 1])
    return free if free > local_day(now, zone) else None


def _window(facts: Facts, now: datetime) -> _No | None:
    rules = facts.rules
    if is_open(now, facts.zone, rules.between, rules.days, rules.quiet):
        return None
    quiet = is_open(now, facts.zone, rules.between, rules.days)
    reason = Reason.QUIET_HOURS if quiet else Reason.SEND_WINDOW
    opens = next_open(now, facts.zone, rules.between, rules.days, rules.quiet)
    return _No("wait", reason, local_time(now, facts.zone), opens or now + LOOK_AGAIN)


CHECKS: tuple[tuple[str, Callable[[Facts, datetime], _No | None]], ...] = (
    ("expired", _expired),
    ("campaign", _campaign),
    ("address", _address),
    ("data", _data),
    ("source", _source),
    ("never_tags", _never_tags),
    ("occasion", _occasion),
    ("stop", _stop),
    ("permission", _permission),
    ("overtaken", _overtaken),
    ("same_address", _same_address),
    ("ready", _ready),
    ("unsubscribe_page", _unsubscribe_page),
    ("fresh_data", _fresh),
    ("frequency_cap", _cap),
    ("send_window", _window),
)
"""The rule order: what ends a message stands before what lets it wait."""

_ALL_OK = tuple(Trail(name, "ok") for name, _ in CHECKS)
