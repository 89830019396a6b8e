"""What a bounce says about an address: every row of the table, and that order never matters."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.bounces import Bounce, Told, about, lasting
from tests.people import NOW

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        *((code, Bounce.DEAD) for code in ("5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10")),
        ("5.2.1", Bounce.DISABLED),
        *((code, Bounce.SOFT) for code in ("5.2.2", "4.2.2", "4.4.7", "4.0.0", "5.4.1", "5.4.14", "5.0.0")),
        *((code, Bounce.CONTENT) for code in ("5.2.3", "5.3.4", "5.6.0", "5.6.11")),
        *((code, Bounce.POLICY) for code in ("5.7.1", "5.7.26", "5.7.27", "5.7.29", "5.7.30", "5.7.515", "4.7.28")),
        *((code, Bounce.POLICY) for code in ("5.1.7", "5.1.8")),
    ],
)
def test_o1_each_code_of_the_table_means_what_it_says_whatever_the_provider_calls_it(
    code: str, meaning: Bounce
) -> None:
    for kind, word in (("bounced", "hard_bounce"), ("deferred", "soft_bounce")):
        assert about(kind, f"{word} 550 {code} no") is meaning
        assert about(kind, f"{word} 550-{code}. gone") is meaning


@pytest.mark.parametrize(
    ("kind", "detail", "meaning"),
    [
        ("bounced", "hard_bounce no such user", Bounce.DEAD),
        ("deferred", "soft_bounce mailbox full", Bounce.SOFT),
        ("bounced", "hard_bounce 550 5.1.4 moved", Bounce.DEAD),
        ("deferred", "soft_bounce 550 5.1.4 moved", Bounce.SOFT),
        ("bounced", "hard_bounce from 5.1.1.9 by Exim 1.5.7.1", Bounce.DEAD),
        ("deferred", "soft_bounce by [4.5.1.1]", Bounce.SOFT),
        ("deferred", "Bounce DMARCPolicy refused", Bounce.POLICY),
        ("deferred", "Bounce Blocked by the ISP", Bounce.POLICY),
        ("deferred", "email.bounced Transient MessageTooLarge", Bounce.CONTENT),
        ("bounced", "hard_bounce the user Blocked us", Bounce.DEAD),
    ],
)
def test_o1_without_a_code_of_the_table_the_providers_own_word_counts(kind: str, detail: str, meaning: Bounce) -> None:
    assert about(kind, detail) is meaning


@pytest.mark.parametrize(
    ("kind", "detail"),
    [
        ("deferred", "deferred 451 4.4.1 later"),
        ("deferred", "email.delivery_delayed"),
        ("deferred", "Bounce Transient 4.4.1"),
        ("delivered", "delivered 250 2.0.0"),
        ("complained", "spam 5.1.1"),
        ("failed", "blocked 5.1.1"),
        ("other", "auto_reply 5.1.1"),
    ],
)
def test_o2_a_delay_and_whatever_is_no_bounce_say_nothing_of_an_address(kind: str, detail: str) -> None:
    assert about(kind, detail) is None


def _days(meaning: Bounce, *days: float) -> list[Told]:
    return [Told(NOW + timedelta(days=day), meaning) for day in days]


@pytest.mark.parametrize(
    ("told", "ends"),
    [
        (_days(Bounce.DEAD, 0), True),
        (_days(Bounce.DISABLED, 0), False),
        (_days(Bounce.DISABLED, 0, 29), True),
        (_days(Bounce.DISABLED, 0, 30), False),
        (_days(Bounce.SOFT, 0, 1, 2, 3), False),
        (_days(Bounce.SOFT, 0, 1, 2, 3, 4), True),
        (_days(Bounce.SOFT, 0, 0.1, 0.2, 0.25, 0.3), False),
        (_days(Bounce.SOFT, 0, 8, 15, 22, 31), False),
        (_days(Bounce.POLICY, *range(30)), False),
        (_days(Bounce.CONTENT, *range(30)), False),
    ],
)
def test_o1_an_address_is_given_up_when_the_table_says_so(told: list[Told], ends: bool) -> None:
    assert lasting(told, BERLIN) is ends


events = st.builds(
    Told,
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 4, 1), timezones=st.just(BERLIN)),  # noqa: DTZ001
    st.sampled_from(Bounce),
)


@given(st.lists(events, max_size=12), st.data())
def test_o3_order_and_repetition_of_bounces_never_matter(told: list[Told], data: st.DataObject) -> None:
    again = data.draw(st.permutations(told + told[: len(told) // 2]))
    assert lasting(again, BERLIN) is lasting(told, BERLIN)


@given(st.lists(events, max_size=12), events)
def test_o1_one_bounce_more_never_brings_an_address_back(told: list[Told], more: Told) -> None:
    assert lasting([*told, more], BERLIN) >= lasting(told, BERLIN)


@given(st.lists(events.filter(lambda one: one.about in (Bounce.POLICY, Bounce.CONTENT))))
def test_o1_what_is_about_us_never_blocks_anybody(told: list[Told]) -> None:
    assert not lasting(told, BERLIN)
