from __future__ import annotations

import pytest

from engine.rendering.context import CustomerView
from engine.rendering.greeting import greet


@pytest.mark.parametrize(
    ("salutation", "first", "last", "form", "language", "greeting"),
    [
        ("Frau", "Anna", "Müller", "Sie", "de", "Guten Tag Frau Müller"),
        ("Herr", "Jon", "Yang", "Sie", "de", "Guten Tag Herr Yang"),
        ("Herrn", "Jon", "Yang", "Sie", "de", "Guten Tag Herr Yang"),
        ("", "Jon", "Yang", "Sie", "de", "Guten Tag Jon Yang"),
        ("Mr.", "Jon", "Yang", "Sie", "de", "Guten Tag Herr Yang"),
        ("Mrs", "Eva", "Wu", "Sie", "en", "Dear Ms Wu"),
        ("Frau Dr.", "Eva", "Wu", "Sie", "de", "Guten Tag Frau Dr. Wu"),
        ("Herr Prof. Dr. med.", "Jo", "Wu", "Sie", "de", "Guten Tag Herr Prof. Dr. Wu"),
        ("Frau Dr.", "Eva", "Wu", "Sie", "en", "Dear Dr. Wu"),
        ("Dr.", "Kim", "Wu", "Sie", "de", "Guten Tag Dr. Wu"),
        ("Freiherr", "Kim", "Wu", "Sie", "de", "Guten Tag Kim Wu"),
        ("Frau", "Anna", "", "Sie", "de", "Guten Tag"),
        ("", "", "Wu", "Sie", "de", "Guten Tag"),
        ("", "", "", "Sie", "de", "Guten Tag"),
        ("", "", "", "Sie", "en", "Hello"),
        ("", "Jon", "Yang", "Sie", "en", "Hello Jon Yang"),
        ("Herr", "Jon", "Yang", "du", "de", "Hallo Jon"),
        ("Herr", "", "Yang", "du", "de", "Hallo"),
        ("", "Jon", "Yang", "du", "en", "Hello Jon"),
        ("", "Jon\r\nBcc: x", "Yang", "du", "de", "Hallo Jon Bcc: x"),
        ("", "x" * 10_000, "Yang", "du", "de", "Hallo"),
    ],
)
def test_people_are_greeted_as_they_want_to_be(
    salutation: str, first: str, last: str, form: str, language: str, greeting: str
) -> None:
    assert greet(CustomerView(first, last, salutation), form, language) == greeting


def test_a_first_name_never_decides_who_somebody_is() -> None:
    assert greet(CustomerView("Anna", "Müller"), "Sie", "de") == "Guten Tag Anna Müller"
