"""What may be done about a mail that may have been accepted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from engine.domain.doubts import (
    FIRST_REPEAT,
    GIVES_UP,
    LOOK_UPS_BELIEVED,
    Doubt,
    Way,
    after_not_yet,
    after_silence,
    next_step,
)
from tests.people import NOW

MINUTE = timedelta(minutes=1)
spans = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=5))
offers = st.none() | st.timedeltas(min_value=MINUTE, max_value=timedelta(days=1))
doubts = st.builds(
    lambda first, later, **rest: Doubt(first_at=NOW, last_at=NOW + min(first, later), **rest),
    first=spans,
    later=spans,
    made=st.integers(1, 50),
    look_ups=st.integers(0, 3),
    replays=offers,
    settles=offers,
    whole=st.booleans(),
    resend=st.booleans(),
    proved=st.booleans(),
    elsewhere=st.booleans(),
)
KEY = Doubt(NOW, NOW, 1, 0, replays=timedelta(hours=20), settles=None, whole=True, resend=False)
LOOK_UP = replace(KEY, replays=None, settles=15 * MINUTE)


@given(doubts, spans)
def test_nothing_is_repeated_without_a_living_key_or_without_every_member(doubt: Doubt, later: timedelta) -> None:
    step = next_step(doubt, doubt.last_at + later)
    if step.way is Way.REPEAT:
        assert doubt.whole
        assert not doubt.proved
        assert doubt.replays is not None
        assert doubt.last_at + later < doubt.first_at + doubt.replays


@given(doubts, spans)
def test_a_mail_goes_out_anew_only_after_two_noes_or_on_the_owners_word(doubt: Doubt, later: timedelta) -> None:
    step = next_step(doubt, doubt.last_at + later)
    if step.way is Way.AGAIN:
        assert not doubt.proved
        assert doubt.resend or (doubt.settles is not None and doubt.look_ups >= LOOK_UPS_BELIEVED)


@given(doubts, spans)
def test_another_account_is_asked_nothing_and_its_ignorance_is_no_answer(doubt: Doubt, later: timedelta) -> None:
    step = next_step(replace(doubt, elsewhere=True), doubt.last_at + later)
    assert step.way not in {Way.REPEAT, Way.LOOK_UP}
    assert step.way is not Way.AGAIN or doubt.resend


@given(doubts)
def test_a_doubt_has_two_days_for_its_account_to_come_back(doubt: Doubt) -> None:
    away = replace(doubt, elsewhere=True, proved=False)
    assert next_step(away, away.last_at + GIVES_UP - timedelta(microseconds=1)).way is Way.WAIT
    assert next_step(away, away.last_at + GIVES_UP).way is not Way.WAIT


@given(doubts, spans)
def test_a_look_up_waits_for_the_settle_time_and_the_second_for_twice_of_it(doubt: Doubt, later: timedelta) -> None:
    step = next_step(doubt, doubt.last_at + later)
    if step.way is Way.LOOK_UP:
        assert doubt.settles is not None
        assert later >= doubt.settles * (doubt.look_ups + 1)


@given(doubts, spans)
def test_a_wait_ends_in_the_future_and_then_something_is_done(doubt: Doubt, later: timedelta) -> None:
    now = doubt.last_at + later
    step = next_step(doubt, now)
    if step.way is Way.WAIT:
        assert step.at > now
        assert next_step(doubt, step.at).way is not Way.WAIT or next_step(doubt, step.at).at > step.at


@given(doubts)
def test_every_doubt_ends(doubt: Doubt) -> None:
    latest = doubt.last_at + GIVES_UP + timedelta(days=5)
    assert next_step(doubt, latest).way in ({Way.PROVED} if doubt.proved else {Way.AGAIN, Way.UNKNOWN})


@given(doubts, spans)
def test_without_any_means_a_doubt_is_unknown_at_once(doubt: Doubt, later: timedelta) -> None:
    helpless = replace(doubt, replays=None, settles=None, proved=False, elsewhere=False)
    assert next_step(helpless, doubt.last_at + later).way is (Way.AGAIN if doubt.resend else Way.UNKNOWN)


def test_repeats_come_later_each_time() -> None:
    waits = [next_step(replace(KEY, made=made), NOW).at - NOW for made in (1, 2, 3, 10)]
    assert waits == [timedelta(seconds=5), timedelta(seconds=10), timedelta(seconds=20), 2 * MINUTE]


def test_the_last_instant_of_a_keys_life_is_no_longer_in_it() -> None:
    over = NOW + timedelta(hours=20)
    assert next_step(KEY, over - timedelta(microseconds=1)).way is Way.REPEAT
    assert next_step(KEY, over).way is Way.UNKNOWN
    assert next_step(replace(KEY, settles=MINUTE), over).way is Way.LOOK_UP


def test_two_noes_in_a_row_are_believed_and_one_is_not() -> None:
    assert [next_step(LOOK_UP, NOW + minutes * MINUTE).way for minutes in (0, 14, 15)] == [
        Way.WAIT,
        Way.WAIT,
        Way.LOOK_UP,
    ]
    once = replace(LOOK_UP, look_ups=1)
    assert [next_step(once, NOW + minutes * MINUTE).way for minutes in (15, 29, 30)] == [
        Way.WAIT,
        Way.WAIT,
        Way.LOOK_UP,
    ]
    assert next_step(replace(LOOK_UP, look_ups=2), NOW + 30 * MINUTE).way is Way.AGAIN


def test_a_look_up_without_an_answer_is_asked_again_sooner_than_it_settles() -> None:
    assert NOW < after_silence(LOOK_UP, NOW) < NOW + 15 * MINUTE


@given(spans, spans.filter(bool), st.none() | spans)
def test_what_may_not_be_repeated_yet_is_looked_at_again_before_its_key_ends(
    passed: timedelta, left: timedelta, waits: timedelta | None
) -> None:
    now, ends = NOW + passed, NOW + passed + left
    until = None if waits is None else now + waits
    again = after_not_yet(until, ends, now)
    if until is not None and until < ends:
        assert again == until
    else:
        assert now < again <= ends
        assert again < ends or left <= 2 * FIRST_REPEAT
