"""How often an address may be asked to confirm, and for how long its link is good."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain import requests
from engine.domain.grammar import Span
from engine.domain.registers import version
from engine.domain.wordings import names_firm, says_how_to_withdraw

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
HOURS = st.lists(st.integers(0, 24 * 90), max_size=60).map(sorted)


@given(HOURS)
def test_b5_never_more_than_one_in_24_hours_and_three_in_30_days(hours: list[int]) -> None:
    sent: list[datetime] = []
    for hour in hours:
        at = NOW + timedelta(hours=hour)
        if requests.may_ask(sent, at):
            sent.append(at)
    for at in sent:
        assert sum(at <= other < at + timedelta(hours=24) for other in sent) == 1
        assert sum(at <= other < at + timedelta(days=30) for other in sent) <= 3


@given(HOURS)
def test_b5_whoever_has_waited_long_enough_may_ask_again(hours: list[int]) -> None:
    sent = [NOW + timedelta(hours=hour) for hour in hours]
    assert requests.may_ask(sent, NOW + timedelta(hours=24 * 121))


@given(HOURS, st.integers(0, 24 * 90))
def test_b5_more_requests_never_allow_more(hours: list[int], more: int) -> None:
    sent = [NOW + timedelta(hours=hour) for hour in hours]
    at = NOW + timedelta(days=45)
    if requests.may_ask([*sent, NOW + timedelta(hours=more)], at):
        assert requests.may_ask(sent, at)


@pytest.mark.parametrize(
    ("ago", "allowed"),
    [(timedelta(hours=23, minutes=59), False), (timedelta(hours=24), True), (timedelta(hours=-1), False)],
)
def test_b5_the_day_is_24_hours_and_a_clock_set_back_earns_nothing(ago: timedelta, *, allowed: bool) -> None:
    assert requests.may_ask([NOW - ago], NOW) is allowed


@pytest.mark.parametrize(("text", "days"), [("7 days", 7), ("2 weeks", 14), ("14 days", 14), ("3 months", 14)])
def test_b9_a_link_is_good_for_two_weeks_at_most(text: str, days: int) -> None:
    assert requests.good_until(Span.parse(text), NOW) == NOW + timedelta(days=days)


def test_a_version_is_the_hash_of_everything_that_was_said() -> None:
    content = {"text": "Grüße", "kinds": ["coupon"], "withdrawal": True}
    sha256, canonical = version(content)
    assert canonical == '{"kinds":["coupon"],"text":"Grüße","withdrawal":true}'
    assert version({"withdrawal": True, "kinds": ["coupon"], "text": "Gru\u0308ße"}) == (sha256, canonical)
    assert version(content | {"text": "Gruß"})[0] != sha256
    assert len(sha256) == 64


@pytest.mark.parametrize(
    "text",
    [
        "Ich kann das jederzeit für die Zukunft beenden.",
        "Widerruf jederzeit möglich.",
        "Abmelden mit einem Klick.",
        "I can stop this at any time.",
        "You may withdraw your consent.",
    ],
)
def test_b2_a_text_says_how_to_withdraw(text: str) -> None:
    assert says_how_to_withdraw(text)


def test_b2_a_text_that_says_nothing_of_it_is_found_out() -> None:
    assert not says_how_to_withdraw("Ja, ich will den Newsletter. Stopp nicht!")


def test_b2_a_firm_is_named_with_or_without_its_legal_form() -> None:
    assert names_firm("Ja, radhaus  Sommer darf mir schreiben.", "Radhaus Sommer GmbH")
    assert names_firm("Ja, Bäcker Öz darf.", "Ba\u0308cker Öz e.K.")
    assert not names_firm("Ja, ihr dürft mir schreiben.", "Radhaus Sommer")
