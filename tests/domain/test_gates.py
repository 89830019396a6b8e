"""The gates: who may be written to now, and when to look again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain import gates
from engine.domain.calendar import is_open
from engine.domain.gates import CHECKS, Facts, Rules, decide
from engine.domain.grammar import EVERY_DAY, Cap, Weekdays, Window
from engine.domain.permission import Permitted, Refused
from engine.domain.words import Basis, Reason
from tests.people import NOW

BERLIN = ZoneInfo("Europe/Berlin")
YES = Permitted(Basis.CONSENT, "consent:1")
OPEN = Rules(between=Window.parse("09:00-18:00"), days=EVERY_DAY)
FINE = Facts(
    rules=OPEN,
    zone=BERLIN,
    due=NOW.date(),
    standing=NOW.date(),
    expires_at=NOW + timedelta(days=3),
    permission=YES,
    email="anna@example.com",
)


def _with(**changes: Any) -> Facts:
    rules = {name: changes.pop(name) for name in list(changes) if name in Rules.__dataclass_fields__}
    return replace(FINE, rules=replace(OPEN, **rules), **changes)


def _ago(days: int) -> datetime:
    return NOW - timedelta(days=days)


def test_with_nothing_against_it_a_mail_goes_with_its_basis() -> None:
    decision = decide(FINE, NOW)
    assert (decision.action, decision.reason) == ("send", None)
    assert (decision.basis, decision.evidence) == (Basis.CONSENT, "consent:1")
    assert [line.check for line in decision.trail] == [name for name, _ in CHECKS]
    assert {line.result for line in decision.trail} == {"ok"}


@pytest.mark.parametrize(
    ("facts", "action", "reason"),
    [
        (_with(expires_at=NOW), "expire", Reason.TOO_LATE),
        (_with(is_on=False), "wait", Reason.CAMPAIGN_OFF),
        (_with(paused=True), "wait", Reason.PAUSED),
        (_with(email=None), "skip", Reason.NO_ADDRESS),
        (_with(email="änne@example.com"), "skip", Reason.UNSENDABLE_ADDRESS),
        (_with(data_changed=True), "skip", Reason.DATA_CHANGED),
        (_with(not_in_source=True), "skip", Reason.NOT_IN_SOURCE),
        (_with(tags=frozenset({"staff"}), never_tags=frozenset({"staff"})), "skip", Reason.NEVER_TAGS),
        (_with(standing=None), "skip", Reason.OCCASION_GONE),
        (_with(standing=date(2026, 11, 25)), "wait", Reason.OCCASION_MOVED),
        (_with(stop=frozenset({"visit"}), happened=frozenset({"visit"})), "cancel", Reason.STOPPED),
        (_with(permission=Refused(Reason.NO_CONSENT)), "skip", Reason.NO_CONSENT),
        (_with(overtaken=True), "skip", Reason.OVERTAKEN),
        (_with(carried_by="abc"), "skip", Reason.SAME_ADDRESS),
        (_with(not_ready="shop.email"), "wait", Reason.NOT_READY),
        (_with(may_advertise=False), "wait", Reason.NO_UNSUBSCRIBE_PAGE),
        (_with(stale="purchases are of 2026-11-01"), "wait", Reason.STALE_DATA),
        (_with(at_most=(Cap.parse("1 per 30 days"),), written=(_ago(3),)), "wait", Reason.FREQUENCY_CAP),
        (_with(limit=Cap.parse("1 per 30 days"), written_by_campaign=(_ago(3),)), "wait", Reason.FREQUENCY_CAP),
        (_with(quiet=Window.parse("09:00-10:00")), "wait", Reason.QUIET_HOURS),
        (_with(between=Window.parse("10:00-12:00")), "wait", Reason.SEND_WINDOW),
        (_with(days=Weekdays.parse("Tue-Sun")), "wait", Reason.SEND_WINDOW),
    ],
)
def test_each_check_has_its_word(facts: Facts, action: str, reason: Reason) -> None:
    decision = decide(facts, NOW)
    assert (decision.action, decision.reason) == (action, reason)
    assert len(decision.trail) == len(CHECKS)
    assert [line.result for line in decision.trail].count("ok") == len(CHECKS) - 1


@pytest.mark.parametrize(
    "facts",
    [
        _with(stop=frozenset({"purchase"}), happened=frozenset({"visit"})),
        _with(advertising=False, may_advertise=False),
        _with(advertising=False, at_most=(Cap.parse("1 per 30 days"),), written=(_ago(3),)),
        _with(at_most=(Cap.parse("2 per 30 days"),), written=(_ago(3), _ago(31))),
        _with(at_most=(Cap.parse("1 per 30 days"),), written=(_ago(30),)),
        _with(tags=frozenset({"vip"}), never_tags=frozenset({"staff"})),
        _with(standing=NOW.date() - timedelta(days=1)),
    ],
)
def test_what_does_not_concern_a_mail_does_not_stop_it(facts: Facts) -> None:
    assert decide(facts, NOW).action == "send"


def test_a_cap_names_the_day_from_which_there_is_room() -> None:
    facts = _with(at_most=(Cap.parse("2 per 30 days"),), written=(_ago(2), _ago(10), _ago(29)))
    assert decide(facts, NOW).until == datetime(2026, 12, 13, 8, 0, tzinfo=UTC)


def test_several_waits_last_as_long_as_the_longest() -> None:
    facts = _with(
        at_most=(Cap.parse("1 per 10 days"),),
        written=(_ago(3),),
        quiet=Window.parse("09:00-10:00"),
        may_advertise=False,
    )
    decision = decide(facts, NOW)
    assert decision.reason is Reason.NO_UNSUBSCRIBE_PAGE
    assert decision.until == datetime(2026, 11, 30, 9, 0, tzinfo=UTC)


def test_a_detail_is_told_with_its_reason() -> None:
    decision = decide(_with(permission=Refused(Reason.NO_CONSENT, "nobody asked")), NOW)
    assert gates.reason_detail(decision) == "nobody asked"


instants = st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
zones = st.sampled_from(["Europe/Berlin", "Pacific/Auckland", "America/New_York", "UTC"]).map(ZoneInfo)
windows = st.sampled_from(["09:00-18:00", "22:00-06:00", "00:00-24:00", "02:00-03:00", "23:30-00:30"]).map(Window.parse)
weekdays = st.sampled_from(["Mon-Sun", "Mon-Sat", "Wed", "Sat,Sun"]).map(Weekdays.parse)
quiets = st.sampled_from([None, Window.parse("12:00-13:00"), Window.parse("02:15-02:45")])
caps = st.sampled_from(["1 per 30 days", "2 per 1 week", "4 per 12 months"]).map(Cap.parse)


@st.composite
def facts_of_any_kind(draw: st.DrawFn, permission: Permitted | Refused = YES) -> tuple[Facts, datetime]:
    """Draw any facts at any instant."""
    now = draw(instants)
    flags = {name: draw(st.booleans()) for name in ("data_changed", "not_in_source", "overtaken")}
    days = [now.date() + timedelta(days=draw(st.integers(-9, 9))) for _ in range(2)]
    rules = Rules(
        between=draw(windows),
        days=draw(weekdays),
        quiet=draw(quiets),
        is_on=draw(st.booleans()),
        paused=draw(st.booleans()),
        advertising=draw(st.booleans()),
        may_advertise=draw(st.booleans()),
        stop=frozenset(draw(st.sets(st.sampled_from(["purchase", "visit"])))),
        limit=draw(st.none() | caps),
        at_most=tuple(draw(st.lists(caps, max_size=2))),
        stale=draw(st.sampled_from(["", "old"])),
        not_ready=draw(st.sampled_from(["", "shop.email"])),
    )
    facts = Facts(
        rules=rules,
        zone=draw(zones),
        due=days[0],
        standing=draw(st.none() | st.just(days[1])),
        expires_at=now + timedelta(hours=draw(st.integers(-5, 200))),
        permission=permission,
        email=draw(st.sampled_from(["a@example.com", None])),
        happened=frozenset(draw(st.sets(st.sampled_from(["purchase", "visit"])))),
        carried_by=draw(st.sampled_from(["", "abc"])),
        written=tuple(now - timedelta(days=draw(st.integers(0, 400))) for _ in range(draw(st.integers(0, 4)))),
        **flags,
    )
    return facts, now


@given(facts_of_any_kind(Refused(Reason.SUPPRESSED)))
def test_nothing_lets_a_suppressed_or_refused_customer_through(drawn: tuple[Facts, datetime]) -> None:
    assert decide(*drawn).action != "send"


@given(facts_of_any_kind(Refused(Reason.SUPPRESSED)), st.permutations(CHECKS))
def test_no_order_of_the_checks_lets_a_suppressed_customer_through(
    drawn: tuple[Facts, datetime], order: list[Any]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gates, "CHECKS", tuple(order))
        assert decide(*drawn).action != "send"


@given(facts_of_any_kind())
def test_a_wait_ends_later_and_inside_the_window(drawn: tuple[Facts, datetime]) -> None:
    facts, now = drawn
    decision = decide(facts, now)
    if decision.action != "wait":
        assert decision.until is None
        return
    assert decision.until is not None
    assert decision.until > now
    assert is_open(decision.until, facts.zone, facts.rules.between, facts.rules.days, facts.rules.quiet)


@given(facts_of_any_kind())
def test_a_mail_that_may_go_goes_inside_its_window_and_before_it_expires(drawn: tuple[Facts, datetime]) -> None:
    facts, now = drawn
    if decide(facts, now).action == "send":
        rules = facts.rules
        assert is_open(now, facts.zone, rules.between, rules.days, rules.quiet)
        assert now < facts.expires_at
        assert rules.is_on
        assert not rules.paused
        assert not facts.happened & rules.stop


@given(facts_of_any_kind())
def test_the_trail_names_every_check_in_order(drawn: tuple[Facts, datetime]) -> None:
    decision = decide(*drawn)
    assert [line.check for line in decision.trail] == [name for name, _ in CHECKS]
    assert (decision.action == "send") is all(line.result == "ok" for line in decision.trail)
