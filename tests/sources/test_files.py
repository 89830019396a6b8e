"""Encodings, delimiters, quotes: rows 1 to 13 of the bad-input catalogue."""

from __future__ import annotations

import csv
import os
import tracemalloc
from pathlib import Path

import pytest

from engine.errors import NothingFound, TreuepostError, UsageError
from engine.sources.files import read
from engine.sources.options import ReadOptions
from engine.sources.tables import Refusal
from tests.sources.reading import open_text, read_rows, refused, settled, sound, write

GERMAN = "Kundennr;email;last_name\n1;a@example.com;Müller\n2;b@example.com;Weiß – „Söhne“\n"


def test_row_1_a_windows_1252_file_is_read_as_such_and_says_so(tmp_path: Path) -> None:
    table = open_text(tmp_path, GERMAN.encode("cp1252"))
    assert [cells["last_name"] for _, cells in table] == ["Müller", "Weiß – „Söhne“"]
    assert table.encoding == "Windows-1252"
    assert table.notes == ("read as Windows-1252, because row 2 is not UTF-8; --encoding says otherwise",)


def test_row_1_the_encoding_can_be_told(tmp_path: Path) -> None:
    table = open_text(tmp_path, GERMAN.encode("cp1252"), encoding="cp1252")
    assert (table.encoding, table.notes) == ("Windows-1252", ())
    with pytest.raises(UsageError, match='--encoding "klingon" is not known'):
        open_text(tmp_path, GERMAN, encoding="klingon")
    with pytest.raises(TreuepostError, match=r"row 2 is not UTF-8"):
        open_text(tmp_path, GERMAN.encode("cp1252"), encoding="utf-8")


@pytest.mark.parametrize("codec", ["mac_roman", "cp850"])
def test_row_1_an_encoding_that_would_garble_names_is_refused_with_the_option(tmp_path: Path, codec: str) -> None:
    text = "email;last_name\na@example.com;Müllerhöfer\nb@example.com;Jäger\nc@example.com;Größler\n"
    with pytest.raises(TreuepostError, match="row 2 is not UTF-8, nor Windows-1252") as caught:
        open_text(tmp_path, text.encode(codec))
    assert "--encoding" in caught.value.hint
    assert [cells["last_name"] for _, cells in open_text(tmp_path, text.encode(codec), encoding=codec)][1] == "Jäger"


def test_row_2_utf8_that_is_read_as_windows_1252_stops_the_file(tmp_path: Path) -> None:
    with pytest.raises(TreuepostError, match='row 2 holds "MÃ¼ller", which is UTF-8 read as Windows-1252') as caught:
        open_text(tmp_path, "email;last_name\na@example.com;Müller\n", encoding="cp1252")
    assert "--encoding utf-8" in caught.value.hint


def test_row_2_text_that_was_garbled_before_stops_the_file(tmp_path: Path) -> None:
    garbled = "email;last_name\na@example.com;Meier\nb@example.com;Peter’s\n".encode().decode("cp1252")
    with pytest.raises(TreuepostError, match="row 3 holds") as caught:
        open_text(tmp_path, garbled)
    assert "garbled before" in caught.value.hint


def test_row_2_a_name_with_an_accent_on_a_capital_is_no_garbled_text(tmp_path: Path) -> None:
    rows = read_rows(tmp_path, "email,last_name\na@example.com,SÃO JOÃO\nb@example.com,Ângela\n")
    assert len(sound(rows)) == 2


@pytest.mark.parametrize("codec", ["utf-16", "utf-8-sig", "utf-32"])
def test_rows_3_and_4_a_byte_order_mark_is_honoured_and_never_part_of_the_first_heading(
    tmp_path: Path, codec: str
) -> None:
    table = open_text(tmp_path, GERMAN.encode(codec))
    assert table.headers[0] == "Kundennr"
    assert next(iter(table))[1]["last_name"] == "Müller"


def test_row_3_utf16_without_a_mark_is_refused_with_the_option(tmp_path: Path) -> None:
    with pytest.raises(TreuepostError, match="looks like UTF-16") as caught:
        open_text(tmp_path, GERMAN.encode("utf-16-le"))
    assert "--encoding utf-16-le" in caught.value.hint


@pytest.mark.parametrize("sign", [";", ",", "\t", "|"])
def test_row_5_the_delimiter_is_read_from_the_headings_alone(tmp_path: Path, sign: str) -> None:
    body = sign.join(["a@example.com", '"x;,|\ty"', "1;2,3|4".replace(sign, " ")])
    table = open_text(tmp_path, f"email{sign}first_name{sign}company\n{body}\n")
    assert table.delimiter == sign
    assert next(iter(table))[1]["first_name"] == "x;,|\ty"


def test_row_5_a_file_of_one_column_needs_no_delimiter(tmp_path: Path) -> None:
    assert sound(read_rows(tmp_path, "email\ninfo@example.com\nmax@example.com\n"))[1].line == 3


def test_row_5_the_delimiter_can_be_told_and_excels_own_hint_is_heard(tmp_path: Path) -> None:
    assert open_text(tmp_path, "email:last_name\na@example.com:B\n", delimiter=":").headers == ("email", "last_name")
    assert open_text(tmp_path, "email\tlast_name\na@example.com\tB\n", delimiter="tab").delimiter == "\t"
    table = open_text(tmp_path, "sep=;\nemail;last_name\na@example.com;B\n")
    assert [line for line, _ in table] == [3]
    with pytest.raises(TreuepostError, match="may be divided by"):
        open_text(tmp_path, "email;last,first\na@example.com;B,A\n")


def test_row_5_a_heading_may_hold_a_line_break(tmp_path: Path) -> None:
    table = open_text(tmp_path, '"Kunden-\nnummer";email\n1;a@example.com\n')
    assert (table.headers, table.delimiter) == (("Kunden-\nnummer", "email"), ";")
    assert [line for line, _ in table] == [3]


def test_row_6_an_unclosed_quote_names_the_row_it_opens_in(tmp_path: Path) -> None:
    text = 'email;last_name\na@example.com;A\nb@example.com;"Bauer\nc@example.com;C\nd@example.com;D\n'
    table = open_text(tmp_path, text)
    with pytest.raises(TreuepostError, match="row 3: a quote opens here and is not closed"):
        list(table)


def test_row_6_an_unclosed_quote_that_another_one_closes_names_the_row_it_opens_in(tmp_path: Path) -> None:
    text = 'email;last_name\na@example.com;"Auer\nb@example.com;"Bauer"\n'
    with pytest.raises(TreuepostError, match="row 2: a quote opens here"):
        list(open_text(tmp_path, text))


def test_row_6_a_line_break_within_closed_quotes_is_a_cell_like_any_other(tmp_path: Path) -> None:
    rows = sound(read_rows(tmp_path, 'email;company\na@example.com;"Auer\nund Söhne"\nb@example.com;B\n'))
    assert [(row.line, row.company) for row in rows] == [(2, "Auer und Söhne"), (4, "B")]  # type: ignore[attr-defined]


def test_row_7_text_after_a_closing_quote_refuses_the_row(tmp_path: Path) -> None:
    rows = read_rows(tmp_path, 'email;last_name\na@example.com;"A"uer\nb@example.com;B\n')
    assert isinstance(rows[0], Refusal)
    assert (rows[0].line, rows[0].reason) == (2, "text after a closing quote")
    assert len(sound(rows[1:])) == 1


def test_row_8_a_nul_byte_refuses_the_row(tmp_path: Path) -> None:
    rows = read_rows(tmp_path, "email;last_name\na@example.com;A\0B\nb@example.com;B\n")
    assert isinstance(rows[0], Refusal)
    assert "NUL byte" in rows[0].reason
    assert len(sound(rows[1:])) == 1


def test_row_9_a_cell_beyond_the_limit_names_row_column_and_limit(tmp_path: Path) -> None:
    long = "x" * (csv.field_size_limit() + 1)
    rows = read_rows(tmp_path, f"email;last_name\na@example.com;{long}\nb@example.com;B\n")
    assert isinstance(rows[0], Refusal)
    assert (rows[0].line, rows[0].reason) == (2, "column 2 is longer than 131,072 characters")
    assert len(sound(rows[1:])) == 1


def test_row_10_a_missing_column_lists_the_headings_and_the_nearest(tmp_path: Path) -> None:
    table = open_text(tmp_path, "E-Mail;Nachname\na@example.com;A\n")
    with pytest.raises(UsageError, match=r'no column customer_id or email\. It has: "E-Mail", "Nachname"') as caught:
        settled(table)
    assert '--map "E-Mail=email"' in caught.value.hint


def test_row_10_a_heading_that_stands_twice_stops_the_file(tmp_path: Path) -> None:
    with pytest.raises(TreuepostError, match=r'"Email" stands twice \(columns 1 and 3\)'):
        open_text(tmp_path, "email;last_name;Email\na@example.com;A;b@example.com\n")


def test_row_10_two_columns_for_one_field_are_refused(tmp_path: Path) -> None:
    table = open_text(tmp_path, "email;E-Mail\na@example.com;b@example.com\n")
    with pytest.raises(UsageError, match="would both be email"):
        settled(table, columns={"E-Mail": "email"})


def test_row_11_too_few_and_too_many_cells_refuse_the_row_with_both_counts(tmp_path: Path) -> None:
    rows = refused(read_rows(tmp_path, "email;last_name;tags\na@example.com;A\nb@example.com;B;x;y;z\n"))
    assert [row.reason for row in rows] == ["2 cells, but the header has 3", "5 cells, but the header has 3"]


def test_row_12_an_empty_file_and_one_with_headings_alone_count_no_rows(tmp_path: Path) -> None:
    with pytest.raises(TreuepostError, match="is empty: 0 rows"):
        open_text(tmp_path, "")
    with pytest.raises(TreuepostError, match="is empty: 0 rows"):
        open_text(tmp_path, "\n\n ; \n".replace(" ; ", ""))
    with pytest.raises(TreuepostError, match="headings and nothing else: 0 rows"):
        open_text(tmp_path, "email;last_name\n;\n\n")


def test_row_13_a_long_file_is_streamed(tmp_path: Path) -> None:
    path = tmp_path / "lang.csv"
    with path.open("w") as file:
        file.write("email,last_name\n")
        for number in range(60_000):
            file.write(f"kunde{number}@example.com,{'Name' * 40}\n")
    table = read(path, ReadOptions())
    tracemalloc.start()
    try:
        count = sum(1 for _ in table)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (count, table.size) == (60_000, 60_000)
    assert peak < path.stat().st_size / 5


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    table = open_text(tmp_path, "email\na@example.com\n")
    os.utime(table.path, ns=(1, 1))
    with pytest.raises(TreuepostError, match="has changed while it was read"):
        list(table)


def test_a_missing_file_a_folder_and_foreign_files_each_get_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(NothingFound, match="No such file"):
        read(tmp_path / "nichts.csv", ReadOptions())
    with pytest.raises(TreuepostError, match="is not a file"):
        read(tmp_path, ReadOptions())
    for content, words in [
        (b"%PDF-1.7 ...", "is a PDF"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Excel file"),
        (b"  <html><table>", "a web page"),
        (b"PK\x03\x04 cut off", "damaged or half-written"),
    ]:
        with pytest.raises(TreuepostError, match=words):
            read(write(tmp_path, content, "datei.xlsx"), ReadOptions())
