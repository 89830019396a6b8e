"""When complaints, noes and refusals are too many."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.complaints import Mood, is_flood, is_unwanted, mood

COUNTS = st.integers(0, 3000)


@pytest.mark.parametrize(
    ("complaints", "sent", "what"),
    [
        (0, 0, Mood.CALM),
        (1, 1001, Mood.CALM),
        (1, 1000, Mood.WARN),
        (1, 200, Mood.WARN),
        (2, 3, Mood.WARN),
        (3, 1000, Mood.STOP),
        (3, 1001, Mood.WARN),
        (30, 10_000, Mood.STOP),
        (29, 10_000, Mood.WARN),
        (3, 0, Mood.STOP),
    ],
)
def test_j9_warned_at_one_in_a_thousand_and_stopped_at_three_with_at_least_three(
    complaints: int, sent: int, what: Mood
) -> None:
    assert mood(complaints, sent) is what


@given(COUNTS, COUNTS, COUNTS)
def test_j9_more_complaints_never_calm_down(complaints: int, more: int, sent: int) -> None:
    order = list(Mood)
    assert order.index(mood(complaints + more, sent)) >= order.index(mood(complaints, sent))
    assert order.index(mood(complaints, sent + more)) <= order.index(mood(complaints, sent))


@pytest.mark.parametrize(
    ("noes", "sent", "floods"),
    [(19, 0, False), (20, 400, False), (21, 400, True), (1000, 100_000, False), (1001, 1_000_000, True)],
)
def test_more_noes_in_an_hour_than_can_be_true_are_a_flood(noes: int, sent: int, floods: bool) -> None:
    assert is_flood(noes, sent) is floods


@pytest.mark.parametrize(("refused", "sent", "true"), [(2, 2, False), (3, 60, True), (3, 61, False)])
def test_o1_refusals_for_our_sake_count_together(refused: int, sent: int, true: bool) -> None:
    assert is_unwanted(refused, sent) is true
