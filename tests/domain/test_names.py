"""Names typed with the shift key held down."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.names import is_shouted, tidy_name


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("JON", "Jon"),
        ("MCDONALD", "McDonald"),
        ("O'BRIEN", "O'Brien"),
        ("VON DER LEYEN", "von der Leyen"),
        ("MÜLLER-LÜDENSCHEIDT", "Müller-Lüdenscheidt"),
        ("DE LA CRUZ", "de la Cruz"),
        ("VAN LE", "van Le"),
        ("GROẞ", "Groß"),
        ("JOHN SMITH III", "John Smith III"),
        ("PROF. DR.", "Prof. Dr."),
        ("LI", "Li"),
        ("JP", "JP"),
        ("J.P.", "J.P."),
        ("X", "X"),
        ("anna", "Anna"),
    ],
)
def test_a_shouted_name_is_written_as_people_write_it(typed: str, meant: str) -> None:
    assert tidy_name(typed) == meant


@pytest.mark.parametrize("name", ["Jon", "MacArthur", "van den Berg", "DeShawn", "", "😀", "42", "{{7*7}}"])
def test_a_name_somebody_has_taken_care_of_is_left_alone(name: str) -> None:
    assert tidy_name(name) == name


@given(st.text(max_size=30))
def test_tidying_twice_changes_nothing_more(name: str) -> None:
    once = tidy_name(name)
    assert tidy_name(once) == once or not is_shouted(once)
