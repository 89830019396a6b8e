"""Addresses and names: rows 24 to 34 of the bad-input catalogue."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.domain.permission import is_sendable
from engine.sources.rows import CustomerRow
from engine.sources.tables import Refusal
from engine.sources.validating import Watch
from tests.sources.reading import read_rows, refused, sound


def address(folder: Path, cell: str) -> str | None:
    quoted = '"' + cell.replace('"', '""') + '"'
    (row,) = read_rows(folder, f"customer_id|email\n7|{quoted}\n")
    return row.reason if isinstance(row, Refusal) else row.email  # type: ignore[attr-defined]


def warned(folder: Path, cell: str) -> tuple[CustomerRow, tuple[str, ...]]:
    watch = Watch()
    (row,) = sound(read_rows(folder, f"email|first_name\n{cell}\n", watch=watch))
    assert isinstance(row, CustomerRow)
    return row, watch.warnings()


def test_an_address_is_kept_as_typed_before_the_at_and_in_lower_case_behind_it(tmp_path: Path) -> None:
    assert address(tmp_path, " Max.Muster+rad@GMX.de ") == "Max.Muster+rad@gmx.de"
    assert address(tmp_path, "info@xn--bckerei-5wa.de") == "info@bäckerei.de"
    assert address(tmp_path, "") is None


@pytest.mark.parametrize(
    ("cell", "shown"),
    [("max@example.com\n", r"\n"), ("max@example.com\r\nBcc: x@example.com", r"\r"), ("a\tb@x.de", r"\t")],
)
def test_row_24_control_characters_in_an_address_are_refused_and_made_visible(
    tmp_path: Path, cell: str, shown: str
) -> None:
    assert address(tmp_path, cell) == f"the address holds a control character ({shown}); delete it"


def test_row_25_sixty_five_characters_before_the_at_are_refused(tmp_path: Path) -> None:
    assert address(tmp_path, "a" * 64 + "@example.com") == "a" * 64 + "@example.com"
    assert address(tmp_path, "a" * 65 + "@example.com") == "65 characters before the @; at most 64 are allowed"


def test_row_26_an_umlaut_before_the_at_is_kept_but_cannot_be_written_to(tmp_path: Path) -> None:
    row, warnings = warned(tmp_path, "müller@firma.de|A")
    assert row.email == "müller@firma.de"
    assert not is_sendable(row.email or "")
    assert "umlaut before the @" in warnings[0]
    assert "row 2" in warnings[0]


def test_row_26_full_width_letters_become_plain_ones(tmp_path: Path) -> None:
    row, warnings = warned(tmp_path, "ｍａｘ@firma.de|A")
    assert (row.email, warnings) == ("max@firma.de", ())


def test_row_27_a_domain_that_mixes_alphabets_is_flagged_in_punycode(tmp_path: Path) -> None:
    row, warnings = warned(tmp_path, "max@pаypal.com|A")
    assert is_sendable(row.email or "")
    assert "max@xn--pypal-4ve.com" in warnings[0]


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        ("a@example.com,b@example.com", "more than one address; each customer has one"),
        ("a@example.com; b@example.com", "more than one address; each customer has one"),
        ("Max <max@example.com>", "a name beside the address; only the address itself belongs here"),
        ("max@[1.2.3.4]", "a number for the mail server instead of a domain; write the domain, like gmx.de"),
        ("max@localhost", "localhost is this very machine, nobody's mailbox"),
        ("max..muster@example.com", "two dots in a row; an address never has them"),
        ("max.example.com", "not an address: there is no @ in it"),
    ],
)
def test_row_28_each_habit_gets_one_clear_sentence(tmp_path: Path, cell: str, sentence: str) -> None:
    assert address(tmp_path, cell) == sentence


@pytest.mark.parametrize(
    ("cell", "position", "code"), [("max\u200b@example.com", 4, "200B"), ("max@exam\u202eple.com", 9, "202E")]
)
def test_row_29_an_invisible_character_is_named_with_its_position(
    tmp_path: Path, cell: str, position: int, code: str
) -> None:
    expected = f"invisible character (U+{code}) at position {position} of the address; delete it"
    assert address(tmp_path, cell) == expected


@pytest.mark.parametrize("domain", ["firma.invalid", "firma.test"])
def test_row_30_a_reserved_domain_is_refused(tmp_path: Path, domain: str) -> None:
    assert "special-use or reserved" in str(address(tmp_path, f"max@{domain}"))


def test_row_30_addresses_nobody_reads_and_throw_away_ones_are_flagged(tmp_path: Path) -> None:
    assert "no person reads" in warned(tmp_path, "noreply@example.com|A")[1][0]
    assert "throw-away" in warned(tmp_path, "max@mailinator.com|A")[1][0]


@pytest.mark.parametrize(
    "name",
    [
        "{{7*7}}",
        "{% for x in y %}",
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "😀",
        "محمد",
        "O'Neill",
    ],
)
def test_rows_31_and_32_a_name_that_looks_like_a_template_or_html_is_kept_letter_by_letter(
    tmp_path: Path, name: str
) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    assert warned(tmp_path, f"a@example.com|{quoted}")[0].first_name == name


@pytest.mark.parametrize("breaker", ["\r\n", "\n", "\u2028", "\u2029", "\v", "\x1b", "\x85"])
def test_row_33_what_would_break_a_header_becomes_a_blank_and_is_noted(tmp_path: Path, breaker: str) -> None:
    row, warnings = warned(tmp_path, f'a@example.com|"Anna{breaker}Bcc: x@example.com"')
    assert row.first_name == "Anna Bcc: x@example.com"
    assert "line break in a name" in warnings[0]


def test_row_34_a_name_beyond_two_hundred_characters_is_refused(tmp_path: Path) -> None:
    (row,) = refused(read_rows(tmp_path, f"email|first_name\na@example.com|{'x' * 10_000}\n"))
    assert (row.field, row.reason) == ("first_name", "10,000 characters; at most 200 are allowed")
    assert len(row.value) == 60
    assert warned(tmp_path, f"a@example.com|{'x' * 200}")[0].first_name == "x" * 200
    assert warned(tmp_path, "a@example.com|")[0].first_name == ""


def test_names_are_tidied_only_when_asked(tmp_path: Path) -> None:
    text = "email,first_name,salutation\na@example.com,JON,MR.\n"
    (as_is,) = sound(read_rows(tmp_path, text))
    (tidied,) = sound(read_rows(tmp_path, text, tidy_names=True))
    assert (as_is.first_name, tidied.first_name, tidied.salutation) == ("JON", "Jon", "Mr.")  # type: ignore[attr-defined]
