"""A few kills of every kind, with real processes: the long form is `make chaos`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.judging import Promise, Verdict, judge
from tests.chaos.killing import Run
from tests.chaos.rows import ROWS, Row
from tests.chaos.table import table

SHORT = [row for row in ROWS if row.short]


@pytest.mark.parametrize("row", SHORT, ids=[row.name for row in SHORT])
def test_a_row_keeps_its_promise(row: Row, tmp_path: Path) -> None:
    verdict = row.make(Run(tmp_path, seed=1, kills=row.short or 0, say=lambda _text: None))
    if verdict.skipped:
        pytest.skip(verdict.skipped)
    assert verdict.broken == [], table([verdict])
    assert verdict.messages > 0


def test_the_judge_counts_by_the_book_and_not_by_the_log() -> None:
    booked = {"twice@x.example": 2, "once@x.example": 1, "denied@x.example": 1, "stranger@x.example": 1}
    states = {
        "twice@x.example": ["sent"],
        "once@x.example": ["sent"],
        "denied@x.example": ["failed"],
        "claimed@x.example": ["sent"],
        "lost@x.example": [],
        "unsure@x.example": ["unknown"],
        "refused@x.example": ["rejected"],
    }
    verdict = judge(Verdict("", ""), states, booked, states, Promise())
    assert (verdict.messages, verdict.twice, verdict.forgotten, verdict.unknown) == (7, 1, 2, 1)
    assert len(verdict.broken) == 5


def test_the_judge_lets_no_naive_sender_pass_that_was_not_caught() -> None:
    verdict = judge(Verdict("", ""), ["a@x.example"], {"a@x.example": 1}, {}, Promise(caught=True))
    assert verdict.broken
