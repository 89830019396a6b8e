"""XLSX and ODS: row 23 of the bad-input catalogue."""

from __future__ import annotations

import zipfile
from datetime import date, datetime
from pathlib import Path

import pytest
from openpyxl import Workbook

from engine.errors import TreuepostError, UsageError
from engine.sources import workbooks
from engine.sources.files import read
from engine.sources.options import ReadOptions
from engine.sources.rows import CustomerRow, PurchaseRow
from engine.sources.tables import Refusal, Table
from engine.sources.validating import validated
from tests.sources.reading import settled, sound

ODS_CONTENT = """<?xml version="1.0" encoding="UTF-8"?>
<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" office:version="1.2"><office:body><office:spreadsheet>
<table:table table:name="Kunden"><table:table-row>
<table:table-cell office:value-type="string"><text:p>email</text:p></table:table-cell>
<table:table-cell office:value-type="string"><text:p>birthday</text:p></table:table-cell></table:table-row>
<table:table-row><table:table-cell office:value-type="string"><text:p>anna@example.com</text:p></table:table-cell>
<table:table-cell office:value-type="date" office:date-value="1985-12-31"><text:p>31.12.85</text:p></table:table-cell>
</table:table-row></table:table></office:spreadsheet></office:body></office:document-content>"""


def saved(folder: Path, **sheets: list[list[object]]) -> Path:
    """Write a workbook as a spreadsheet program would."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    path = folder / "kunden.xlsx"
    book.save(path)
    book.close()
    return path


def opened(path: Path, **options: object) -> Table:
    return read(path, ReadOptions(**options))  # type: ignore[arg-type]


def repacked(path: Path, changes: dict[str, bytes]) -> Path:
    """Write the same archive with some members replaced or added."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (members | changes).items():
            archive.writestr(name, content)
    return path


def test_true_dates_numbers_and_flags_of_a_workbook_need_no_telling(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["purchase_id", "customer_id", "purchased_at", "amount", "email_from_sale"],
        [4711, 11000.0, datetime.fromisoformat("2026-07-01 09:30"), 1.5, True],
        ["A2", "11001", date(2026, 7, 2), 1234, False],
    ]
    table = opened(saved(tmp_path, Tabelle1=rows))
    first, second = sound(list(validated(table, settled(table, "purchases"))))
    assert isinstance(first, PurchaseRow)
    assert isinstance(second, PurchaseRow)
    assert (first.purchase_id, first.customer_id, first.amount_minor, first.email_from_sale) == (
        "4711",
        "11000",
        150,
        True,
    )
    assert (second.amount_minor, second.email_from_sale, second.purchased_at.hour) == (123400, False, 10)
    assert (table.sheet, table.size, first.line) == ("Tabelle1", 2, 2)


def test_a_true_date_is_read_even_where_a_format_is_told(tmp_path: Path) -> None:
    table = opened(saved(tmp_path, T=[["email", "birthday"], ["a@example.com", date(1985, 12, 31)]]))
    (row,) = sound(list(validated(table, settled(table, date_format="M/D/YYYY"))))
    assert isinstance(row, CustomerRow)
    assert (row.birth_md, row.birth_year) == (1231, 1985)


def test_rows_are_numbered_as_the_spreadsheet_numbers_them(tmp_path: Path) -> None:
    rows: list[list[object]] = [[], [], ["email"], ["a@example.com"], [], ["b@example.com"]]
    assert [line for line, _ in opened(saved(tmp_path, T=rows))] == [4, 6]


def test_an_ods_file_is_read_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / "kunden.ods"
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    manifest = (
        '<?xml version="1.0"?><manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/></manifest:manifest>'
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", kind)
        archive.writestr("META-INF/manifest.xml", manifest)
        archive.writestr("content.xml", ODS_CONTENT.replace("\n", ""))
    table = opened(path)
    (row,) = sound(list(validated(table, settled(table))))
    assert isinstance(row, CustomerRow)
    assert (row.email, row.birth_md, table.sheet) == ("anna@example.com", 1231, "Kunden")


def test_of_several_sheets_the_only_filled_one_is_taken_else_the_owner_is_asked(tmp_path: Path) -> None:
    one: list[list[object]] = [["email"], ["a@example.com"]]
    assert opened(saved(tmp_path, Kunden=one, Leer=[])).sheet == "Kunden"
    both = saved(tmp_path, Kunden=one, Alt=one)
    with pytest.raises(UsageError, match='2 sheets with data: "Kunden", "Alt"') as caught:
        opened(both)
    assert "--sheet" in caught.value.hint
    assert opened(both, sheet="Alt").sheet == "Alt"
    with pytest.raises(UsageError, match='no sheet "Neu"'):
        opened(both, sheet="Neu")


def test_row_23_a_formula_without_a_saved_result_refuses_its_row(tmp_path: Path) -> None:
    rows: list[list[object]] = [["email", "company"], ["a@example.com", '="A"&"B"'], ["b@example.com", "B"]]
    table = opened(saved(tmp_path, T=rows))
    refusal, row = validated(table, settled(table))
    assert isinstance(refusal, Refusal)
    assert (refusal.line, refusal.reason) == (2, "cell B2 is a formula whose result is not saved in the file")
    assert row.line == 3


def test_row_23_a_macro_file_and_one_with_external_links_give_their_values_only(tmp_path: Path) -> None:
    path = saved(tmp_path, T=[["email"], ["a@example.com"]])
    repacked(path, {"xl/vbaProject.bin": b"\xd0\xcf", "xl/externalLinks/externalLink1.xml": b"<externalLink/>"})
    assert [cells for _, cells in opened(path)] == [{"email": "a@example.com"}]


def test_row_23_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path, T=[["email"], ["a@example.com"]])
    repacked(path, {"xl/media/image1.bin": b"\0" * (60 << 20)})
    with pytest.raises(TreuepostError, match="unpacks to"):
        opened(path)
    monkeypatch.setattr(workbooks, "LARGEST", 100)
    with pytest.raises(TreuepostError, match="unpacks to"):
        opened(saved(tmp_path, T=[["email"], ["a@example.com"]]))


def test_row_23_an_archive_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, T=[["email"], ["a@example.com"]])
    repacked(path, {"xl/media/image1.bin": b"\0" * 100_000})
    content = path.read_bytes()
    size = (100_000).to_bytes(4, "little")
    assert content.count(size) == 2
    path.write_bytes(content.replace(size, (10).to_bytes(4, "little")))
    with pytest.raises(TreuepostError, match="damaged, half-written"):
        opened(path)


def test_row_23_xml_that_wants_to_be_expanded_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, T=[["email"], ["a@example.com"]])
    bomb = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><sst>&a;</sst>'
    with pytest.raises(TreuepostError, match="to be expanded"):
        opened(repacked(path, {"xl/sharedStrings.xml": bomb}))


def test_row_23_a_half_written_workbook_and_other_archives_get_a_sentence(tmp_path: Path) -> None:
    path = saved(tmp_path, T=[["email"], ["a@example.com"]])
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(TreuepostError, match="half-written"):
        opened(path)
    for member, words in [
        ("word/document.xml", "text document"),
        ("a.txt", "packed file"),
        ("xl/workbook.bin", "xlsb"),
    ]:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(member, "x")
        with pytest.raises(TreuepostError, match=words):
            opened(path)


def test_an_empty_workbook_counts_no_rows(tmp_path: Path) -> None:
    with pytest.raises(TreuepostError, match="is empty: 0 rows"):
        opened(saved(tmp_path, T=[]))
