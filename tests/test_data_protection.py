"""docs/data-protection.md is held to the tests: every number once, every test it names exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent
PAGE = (ROOT.parent / "docs" / "data-protection.md").read_text(encoding="utf-8")
LAST = {
    "A": 8, "B": 16, "C": 10, "D": 11, "E": 9, "F": 7, "G": 7, "H": 1, "I": 7, "J": 11, "K": 8, "L": 4, "M": 4, "N": 4,
    "O": 3, "P": 7,
}  # fmt: skip
"""The requirements' chapters, and how many each has."""
NUMBERS = [f"{letter}{number}" for letter, last in LAST.items() for number in range(1, last + 1)]
ROW = re.compile(r"^\| ([A-P]\d+) \| (MUST|SHOULD) \| ([^|]+) \| ([^|]+) \|([^|]*)\|$", re.MULTILINE)
ROWS = {row[1]: row for row in ROW.finditer(PAGE)}
NOT_MET = frozenset({"A8"})
"""Numbers of which something is not done that must be; the page says in their line what is missing."""


@cache
def _tests_in(file: Path) -> frozenset[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def _named(cell: str) -> list[tuple[str, str]]:
    return re.findall(r"`tests/([\w/]+\.py)::(\w+)`", cell)


def _is_left_out(number: str) -> bool:
    return ROWS[number][4].startswith("left out: ")


def test_every_number_stands_there_exactly_once_and_in_order() -> None:
    assert [row[1] for row in ROW.finditer(PAGE)] == NUMBERS


@pytest.mark.parametrize("number", NUMBERS)
def test_every_test_that_is_named_exists(number: str) -> None:
    cell = ROWS[number][5]
    lost = [f"{file}::{name}" for file, name in _named(cell) if name not in _tests_in(ROOT / file)]
    assert lost == []
    assert re.sub(r"`tests/[\w/]+\.py::test_\w+`", "", cell).strip() == "", "the last cell holds tests and nothing else"


def test_every_number_is_shown_or_openly_left_out() -> None:
    bare = {number for number in NUMBERS if not _named(ROWS[number][5])}
    assert {number for number in bare if not _is_left_out(number)} == set()


def test_what_is_not_met_says_so() -> None:
    assert {number for number in NUMBERS if "not met: " in ROWS[number][4]} == NOT_MET


def test_tests_the_text_speaks_of_exist() -> None:
    text = ROW.sub("", PAGE)
    for file in re.findall(r"`tests/([\w/]+\.py)`", text):
        assert (ROOT / file).is_file()
    for start in re.findall(r"`(test_\w+)…`", text):
        assert any(name.startswith(start) for name in _tests_in(ROOT / "steps" / "test_asking.py"))


def test_only_what_should_be_may_be_left_out_and_with_a_reason() -> None:
    for number in NUMBERS:
        if _is_left_out(number):
            assert ROWS[number][2] == "SHOULD"
            assert len(ROWS[number][4]) > 50


def test_the_numbers_tests_carry_are_the_laws() -> None:
    carried = {
        number.upper()
        for file in ROOT.rglob("test_*.py")
        for name in _tests_in(file)
        for number in re.findall(r"(?:^test|(?<=_[a-p]\d)|(?<=_[a-p]\d\d))_([a-p]\d{1,2})(?=_)", name)
    }
    assert {"P1", "C10", "J2", "J8", "O1", "F5"} <= carried
    assert carried <= set(NUMBERS)
