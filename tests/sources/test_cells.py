"""Dates, money, words and formulas: rows 14 to 17 and 22 of the bad-input catalogue."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from engine.errors import TreuepostError, UsageError
from engine.sources.dates import DateFormat
from engine.sources.refused import RefusedRows, refused_file
from engine.sources.rows import CustomerRow, PurchaseRow
from engine.sources.tables import Refusal
from engine.sources.validating import Watch, validated
from tests.sources.reading import open_text, read_rows, refused, settled, sound


def birthday(folder: Path, cell: str, **options: object) -> tuple[int | None, int | None] | str:
    (row,) = read_rows(folder, f'email|birthday\na@example.com|"{cell}"\n', **options)
    return row.reason if isinstance(row, Refusal) else (row.birth_md, row.birth_year)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("1985-12-31", (1231, 1985)),
        ("31.12.1985", (1231, 1985)),
        ("1.2.1985", (201, 1985)),
        ("1985-12-31 00:00:00", (1231, 1985)),
        ("--02-29", (229, None)),
        ("29.02.2000", (229, 2000)),
        ("", (None, None)),
    ],
)
def test_german_and_iso_dates_just_work(tmp_path: Path, cell: str, expected: tuple[int, int]) -> None:
    assert birthday(tmp_path, cell) == expected


@pytest.mark.parametrize("cell", ["31.02.1990", "29.02.2001", "1990-02-31", "00.00.0000", "--02-30", "13.13.1990"])
def test_row_14_a_day_that_does_not_exist_is_refused(tmp_path: Path, cell: str) -> None:
    assert birthday(tmp_path, cell) == f'"{cell}": no such date'


@pytest.mark.parametrize(
    ("cell", "option"),
    [
        ("03/04/1990", "--date-format D/M/YYYY or --date-format M/D/YYYY"),
        ("13/04/1990", "--date-format D/M/YYYY"),
        ("04/13/1990", "--date-format M/D/YYYY"),
        ("1.1.70", "--date-format D.M.YY"),
        ("32874", "--date-format excel"),
        ("Mai 1990", "--date-format"),
    ],
)
def test_row_15_a_date_that_needs_telling_is_refused_with_the_option_that_tells(
    tmp_path: Path, cell: str, option: str
) -> None:
    reason = birthday(tmp_path, cell)
    assert isinstance(reason, str)
    assert option in reason


@pytest.mark.parametrize(
    ("cell", "told", "expected"),
    [
        ("03/04/1990", "D/M/YYYY", (403, 1990)),
        ("03/04/1990", "M/D/YYYY", (304, 1990)),
        ("3-4-1990", "%d-%m-%Y", (403, 1990)),
        ("1.1.70", "TT.MM.JJ", (101, 1970)),
        ("1.1.40", "D.M.YY", (101, 1940)),
        ("32874", "excel", (101, 1990)),
        ("1990-04-03", "D/M/YYYY", (403, 1990)),
        ("04/1990/13", "M/YYYY/D", (413, 1990)),
    ],
)
def test_row_15_with_the_option_the_same_cells_are_read(
    tmp_path: Path, cell: str, told: str, expected: tuple[int, int]
) -> None:
    assert birthday(tmp_path, cell, date_format=told) == expected


def test_row_15_what_does_not_follow_the_told_format_is_refused(tmp_path: Path) -> None:
    assert birthday(tmp_path, "31.12.1985", date_format="M/D/YYYY") == '"31.12.1985" is not written as M/D/YYYY'
    assert birthday(tmp_path, "13/31/1985", date_format="M/D/YYYY") == '"13/31/1985": no such date'


@pytest.mark.parametrize("text", ["D/M", "YYYY", "%Q", "D/D/YYYY", ""])
def test_a_date_format_that_says_too_little_or_too_much_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        DateFormat.parse(text)
    assert "D/M/YYYY" in caught.value.hint


@pytest.mark.parametrize(
    ("cell", "words"),
    [("2026-11-24", "in the future"), ("1899-12-31", "before 1900"), ("00.00.0000", "no such date")],
)
def test_row_16_birthdays_in_the_future_before_1900_and_of_zeros_are_refused(
    tmp_path: Path, cell: str, words: str
) -> None:
    assert words in str(birthday(tmp_path, cell))


def amounts(folder: Path, *cells: str, currency: str = "EUR") -> list[int | str | None]:
    lines = "".join(f"{number}|7|2026-01-05|{currency}|{cell}\n" for number, cell in enumerate(cells, 1))
    rows = read_rows(folder, f"purchase_id|customer_id|purchased_at|currency|amount\n{lines}", "purchases")
    return [row.reason if isinstance(row, Refusal) else row.amount_minor for row in rows]  # type: ignore[attr-defined]


def test_row_17_german_english_and_swiss_money_is_recognised_by_its_column(tmp_path: Path) -> None:
    assert amounts(tmp_path, "1.234,50 €", "1.234", "-5,00", "7", "") == [123450, 123400, -500, 700, None]
    assert amounts(tmp_path, "1,234.50", "1,234", "€ 0.99", "12 345.60", "3.20-") == [123450, 123400, 99, 1234560, -320]
    assert amounts(tmp_path, "CHF 1'234.50", "1’000.00", currency="CHF") == [123450, 100000]
    assert amounts(tmp_path, "$90,000 ", "$170,000", currency="USD") == [9000000, 17000000]
    assert amounts(tmp_path, "1234", currency="JPY") == [1234]


def test_row_17_a_column_that_mixes_both_ways_is_refused_whole(tmp_path: Path) -> None:
    with pytest.raises(TreuepostError, match=r'row 2 has "1\.234,50", row 4 "1,234\.50"'):
        amounts(tmp_path, "1.234,50", "7", "1,234.50")


def test_row_17_what_may_be_read_two_ways_is_refused_where_no_row_says_which(tmp_path: Path) -> None:
    first, second = amounts(tmp_path, "1.234", "7")
    assert "can be read two ways" in str(first)
    assert second == 700


@pytest.mark.parametrize(
    ("cell", "words"),
    [("abc", "not an amount"), ("1.2.3,4,5", "not an amount"), ("1,5 $", "is in USD"), ("1,505", "two ways")],
)
def test_an_amount_that_is_none_is_refused(tmp_path: Path, cell: str, words: str) -> None:
    assert words in str(amounts(tmp_path, cell)[0])


def test_an_amount_with_more_decimals_than_its_currency_has_is_refused(tmp_path: Path) -> None:
    assert amounts(tmp_path, "1,50", "1,505")[1] == '"1,505" has more decimals than EUR has (2)'


@pytest.mark.parametrize("cell", ['=HYPERLINK("http://x","y")', "@SUM(1+1)", "+49 89 123", "-1", "=cmd|'/c calc'!A0"])
def test_row_22_a_cell_that_looks_like_a_formula_is_text_and_defused_in_the_refused_file(
    tmp_path: Path, cell: str
) -> None:
    quoted = '"' + cell.replace('"', '""') + '"'
    table = open_text(tmp_path, f"email;company\na@example.com;{quoted}\nkein-at;{quoted}\n")
    taken, refusal = validated(table, settled(table))
    assert isinstance(taken, CustomerRow)
    assert taken.company == cell
    assert isinstance(refusal, Refusal)
    with RefusedRows(refused_file(table.path), table) as rows:
        rows.add(refusal)
    written = list(csv.reader((tmp_path / "kunden.refused.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert written[0][:4] == ["refused_row", "refused_field", "refused_because", "refused_value"]
    assert written[1] == ["3", "email", "not an address: there is no @ in it", "kein-at", "kein-at", f"'{cell}"]


def test_a_mended_refused_file_comes_back_as_it_was(tmp_path: Path) -> None:
    mended = (
        "refused_row,refused_field,refused_because,refused_value,email,birthday,company\n"
        "3,email,not an address,kein-at,a@example.com,'--02-29,'+49 89\n"
    )
    (row,) = sound(read_rows(tmp_path, mended))
    assert isinstance(row, CustomerRow)
    assert (row.birth_md, row.company) == (229, "+49 89")


def test_without_a_refusal_there_is_no_refused_file_and_the_import_itself_is_never_overwritten(tmp_path: Path) -> None:
    table = open_text(tmp_path, "email\na@example.com\n")
    with RefusedRows(refused_file(table.path), table) as rows:
        assert rows.path_or_none is None
    assert not refused_file(table.path).exists()
    with pytest.raises(TreuepostError, match="is the file being imported"):
        RefusedRows(table.path, table)


def test_a_purchase_gets_the_shops_zone_currency_and_status_where_it_says_nothing(tmp_path: Path) -> None:
    text = (
        "purchase_id,customer_id,purchased_at,amount\nA1,7,2026-07-01,5.00\nA2,7,2026-07-01 09:30,5.00\n"
        "A3,7,2026-07-01T09:30:00Z,5.00\nA4,7,1.7.2026 9:30,\n"
    )
    rows = [row for row in sound(read_rows(tmp_path, text, "purchases")) if isinstance(row, PurchaseRow)]
    assert [row.purchased_at for row in rows] == [
        datetime(2026, 7, 1, 10, 0, tzinfo=UTC),
        datetime(2026, 7, 1, 7, 30, tzinfo=UTC),
        datetime(2026, 7, 1, 9, 30, tzinfo=UTC),
        datetime(2026, 7, 1, 7, 30, tzinfo=UTC),
    ]
    assert {(row.currency, row.status) for row in rows} == {("EUR", "concluded")}
    assert [row.amount_minor for row in rows] == [500, 500, 500, None]


def test_a_purchase_of_today_is_taken_and_one_in_the_future_refused(tmp_path: Path) -> None:
    text = "purchase_id,customer_id,purchased_at\nA1,7,2026-11-23\nA2,7,2026-11-24\nA3,7,2026-11-23 09:31\n"
    today, tomorrow, soon = read_rows(tmp_path, text, "purchases")
    assert isinstance(today, PurchaseRow)
    assert [row.reason for row in refused([tomorrow, soon])] == [
        '"2026-11-24" lies in the future',
        '"2026-11-23 09:31" lies in the future',
    ]


def test_words_of_another_program_are_mapped_and_unknown_ones_refused_with_the_option(tmp_path: Path) -> None:
    text = "purchase_id,customer_id,purchased_at,status\nA1,7,2026-07-01,Completed\nA2,7,2026-07-01,shipped\n"
    done, unknown = read_rows(tmp_path, text, "purchases", values={"status": {"completed": "concluded"}})
    assert isinstance(done, PurchaseRow)
    assert done.status == "concluded"
    assert isinstance(unknown, Refusal)
    assert '--values "status:shipped=concluded"' in unknown.reason


def test_a_row_needs_a_customer_and_zero_is_none(tmp_path: Path) -> None:
    (row,) = refused(read_rows(tmp_path, "customer_id,email\n0,\n"))
    assert row.reason == "neither customer_id nor email; one of them is needed"


def test_an_absent_column_is_not_given_and_an_empty_cell_is(tmp_path: Path) -> None:
    (row,) = sound(read_rows(tmp_path, "customer_id,first_name,Umsatz\n7,,12\n"))
    assert row.given == {"customer_id", "first_name"}


@pytest.mark.parametrize(
    ("field", "cell", "words"),
    [
        ("country", "Deutschland", '--values "country:Deutschland=DE"'),
        ("language", "deutsch", "two letters like de or en"),
        ("timezone", "Europe/Berln", "Europe/Berlin"),
        ("address_form", "Ihr", "is not one of Sie, du"),
        ("customer_since", "2027-01-01", "in the future"),
    ],
)
def test_a_word_from_a_closed_list_is_checked(tmp_path: Path, field: str, cell: str, words: str) -> None:
    (row,) = refused(read_rows(tmp_path, f"email,{field}\na@example.com,{cell}\n"))
    assert (row.field, words in row.reason) == (field, True)


def test_every_mistake_of_a_row_is_told_at_once(tmp_path: Path) -> None:
    (row,) = refused(read_rows(tmp_path, "email,birthday\nkein-at,31.02.1990\n"))
    assert row.reason == 'not an address: there is no @ in it; birthday: "31.02.1990": no such date'


def test_one_birthday_shared_by_many_is_warned_about(tmp_path: Path) -> None:
    lines = [f"k{number}@example.com,19{number % 90 + 10}-0{number % 9 + 1}-11\n" for number in range(900)]
    lines += [f"x{number}@example.com,1970-01-01\n" for number in range(30)]
    watch = Watch()
    sound(read_rows(tmp_path, "email,birthday\n" + "".join(lines), watch=watch))
    assert watch.warnings() == ("30 of 930 rows have the birthday 1970-01-01: is it a filler for an unknown one?",)


def test_a_service_items_interval_is_a_span_of_days_or_longer(tmp_path: Path) -> None:
    text = "service_item_id,customer_id,interval,last_service_on\nT1,7,12 months,1.3.2026\n"
    (row,) = sound(read_rows(tmp_path, text, "service-items"))
    assert (row.interval, row.last_service_on) == ("12 months", date(2026, 3, 1))  # type: ignore[attr-defined]
    (bad,) = refused(read_rows(tmp_path, text.replace("12 months", "jährlich"), "service-items"))
    assert bad.field == "interval"


def test_a_bare_yes_counts_as_claimed_and_a_no_is_never_refused_for_its_date(tmp_path: Path) -> None:
    text = "email,state,at\na@example.com,ja,\nb@example.com,withdrawn,2027-01-01T00:00:00Z\n"
    assert [row.state for row in sound(read_rows(tmp_path, text, "consents"))] == [  # type: ignore[attr-defined]
        "claimed",
        "withdrawn",
    ]
