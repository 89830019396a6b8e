"""What a preview proposes, and what it leaves to the owner."""

from __future__ import annotations

import shlex
import tomllib
from pathlib import Path

import pytest

from engine.errors import UsageError
from engine.sources.files import read
from engine.sources.mapping import settle
from engine.sources.options import ReadOptions, columns_from_flags, values_from_flags
from engine.sources.preview import Preview, propose
from engine.sources.rows import CustomerRow
from engine.sources.validating import validated
from tests.sources.reading import SHOP, open_text, settled, sound, write


def preview_of(folder: Path, content: str, what: str = "customers", **options: object) -> Preview:
    return propose(open_text(folder, content), what, ReadOptions(**options), SHOP)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("Kundennr.", "customer_id"),
        ("CustomerKey", "customer_id"),
        ("E-Mail", "email"),
        ("EmailAddress", "email"),
        ("Vorname", "first_name"),
        ("Nachname", "last_name"),
        ("Prefix", "salutation"),
        ("Anrede", "salutation"),
        ("Geb.-Datum", "birthday"),
        ("BirthDate", "birthday"),
        ("Kunde seit", "customer_since"),
        ("Frist Name", "first_name"),
    ],
)
def test_usual_headings_are_proposed_and_never_taken_by_themselves(tmp_path: Path, header: str, field: str) -> None:
    preview = preview_of(tmp_path, f"{header};Umsatz\n;12\n1;13\n")
    assert preview.added == {header: field}
    assert preview.mapping.columns == {header: field}
    with pytest.raises(UsageError):
        settled(preview.table)


def test_columns_that_mean_nothing_here_are_left_alone(tmp_path: Path) -> None:
    preview = preview_of(tmp_path, "email;Gender;AnnualIncome;Occupation;Umsatz;PLZ\na@example.com;M;1;x;2;80331\n")
    assert (preview.added, preview.settled) == ({}, True)


@pytest.mark.parametrize(
    ("cells", "told", "because"),
    [
        (("4/8/1966", "5/14/1965"), "M/D/YYYY", "month first (1 days above 12 prove it)"),
        (("4/8/1966", "14/5/1965"), "D/M/YYYY", "day first (1 days above 12 prove it)"),
        (("1.1.70", "2.3.71"), "D.M.YY", "day first"),
        (("32874", "32875"), "excel", "spreadsheets count days"),
        (("4/8/1966", "5/6/1965"), None, "say --date-format D/M/YYYY or --date-format M/D/YYYY"),
        (("14/8/1966", "5/16/1965"), None, "the column mixes both"),
        (("4/8/1966", "5-16-1965"), None, "more than one way"),
    ],
)
def test_a_date_format_is_proposed_only_where_the_rows_prove_it(
    tmp_path: Path, cells: tuple[str, str], told: str | None, because: str
) -> None:
    text = "email;birthday\n" + "".join(f"k{number}@example.com;{cell}\n" for number, cell in enumerate(cells))
    preview = preview_of(tmp_path, text)
    assert preview.dates is not None
    assert (preview.options.date_format, preview.settled) == (told, False)
    assert because in preview.dates.because


def test_dates_that_need_no_telling_leave_the_reading_settled(tmp_path: Path) -> None:
    text = "email;birthday\na@example.com;31.12.1985\nb@example.com;1985-12-31\nc@example.com;1.1.70\n"
    preview = preview_of(tmp_path, text)
    assert (preview.settled, preview.dates) == (True, None)
    assert preview.columns[1].note == "1 refused"


def test_tidying_is_proposed_where_most_names_are_in_capitals(tmp_path: Path) -> None:
    text = "email;first_name;last_name\na@example.com;JON;YANG\nb@example.com;Eva;KURZ\n"
    assert preview_of(tmp_path, text).options.tidy_names is True
    assert preview_of(tmp_path, text, tidy_names=False).options.tidy_names is False
    assert preview_of(tmp_path, text.replace("KURZ", "Kurz").replace("YANG", "Yang")).options.tidy_names is None


def test_the_proposed_command_and_the_source_say_the_same(tmp_path: Path) -> None:
    content = "Kundennr.;E-Mail;Nachname;Geb.-Datum\n1;a@example.com;MÜLLER;1/31/1970\n".encode("cp1252")
    table = read(write(tmp_path, content, "meine kunden.csv"), ReadOptions())
    preview = propose(table, "customers", ReadOptions(), SHOP)
    words = shlex.split(preview.command())
    assert words[:4] == ["treuepost", "import", "customers", str(tmp_path / "meine kunden.csv")]
    maps = [words[index + 1] for index, word in enumerate(words) if word == "--map"]
    source = tomllib.loads(preview.source(tmp_path))["source"]["customers"]
    assert columns_from_flags(maps) == source.pop("columns")
    assert source == {
        "from": "file",
        "file": "meine kunden.csv",
        "what": "customers",
        "date_format": "M/D/YYYY",
        "encoding": "Windows-1252",
        "tidy_names": True,
    }
    assert words[-3:] == ["--date-format", "M/D/YYYY", "--tidy-names"]


def test_a_word_for_another_column_can_be_told_or_left_out(tmp_path: Path) -> None:
    table = open_text(tmp_path, "Geb.-Datum;email;tags\n1.2.1985;a@example.com;vip\n")
    mapping = settled(table, columns={"geb.-datum": "birthday", "tags": ""})
    assert mapping.columns == {"Geb.-Datum": "birthday", "email": "email"}
    with pytest.raises(UsageError, match='no column "Gebdatum"') as caught:
        settled(table, columns={"Gebdatum": "birthday"})
    assert 'Did you mean "Geb.-Datum"?' in caught.value.hint
    with pytest.raises(UsageError, match='have no field "birtday"') as caught:
        settled(table, columns={"Geb.-Datum": "birtday"})
    assert caught.value.hint == "Did you mean birthday?"


def test_flags_that_say_nothing_are_refused_with_an_example() -> None:
    assert columns_from_flags(["a=b=customer_id"]) == {"a=b": "customer_id"}
    assert values_from_flags(["status:done=concluded", "status:x=open"]) == {
        "status": {"done": "concluded", "x": "open"}
    }
    for wrong in ("Geburtstag", "=birthday"):
        with pytest.raises(UsageError, match="HEADER=FIELD"):
            columns_from_flags([wrong])
    for wrong in ("status", "status:x", ":x=y"):
        with pytest.raises(UsageError, match="FIELD:THEIRS=OURS"):
            values_from_flags([wrong])


def test_the_public_customer_list_is_read_with_the_flags_its_preview_proposes(shared_data: Path) -> None:
    table = read(shared_data / "adventureworks" / "AdventureWorks_Customers.csv", ReadOptions())
    preview = propose(table, "customers", ReadOptions(), SHOP)
    assert preview.options.date_format == "M/D/YYYY"
    assert preview.options.tidy_names is True
    rows = sound(list(validated(table, settle(table, "customers", preview.options, SHOP))))
    assert len(rows) == 18_148
    jon = rows[0]
    assert isinstance(jon, CustomerRow)
    assert (jon.customer_id, jon.first_name, jon.last_name, jon.salutation) == ("11000", "Jon", "Yang", "Mr.")
    assert (jon.email, jon.birth_md, jon.birth_year) == ("jon24@adventure-works.com", 408, 1966)
