from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import TreuepostError
from engine.sources.options import ReadOptions
from engine.steps.importing.files import import_file
from engine.store import imports
from engine.store.tables import Customer, ImportRun
from tests.people import NOW
from tests.steps.desk import Desk

COLUMNS = {
    "CustomerKey": "customer_id",
    "Prefix": "salutation",
    "FirstName": "first_name",
    "LastName": "last_name",
    "BirthDate": "birthday",
    "EmailAddress": "email",
}


def test_a_file_that_is_refused_whole_writes_nothing_and_is_remembered(desk: Desk) -> None:
    with pytest.raises(TreuepostError):
        desk.bring("customers", 'customer_id,email\n1,a@example.com\n2,"b@example.com\n')

    assert desk.all(Customer, "id") == []
    [(good, detail)] = desk.all(ImportRun, "good", "detail")
    assert not good
    assert "row 3" in detail


def test_every_import_leaves_its_counts_and_bumps_the_data_version_when_it_changed_something(desk: Desk) -> None:
    version = desk.data_version()

    desk.bring("customers", "customer_id,email\n1,a@example.com\n2,nonsense\n")

    assert desk.all(ImportRun, "what", "good", "read", "created", "refused") == [("customers", True, 2, 1, 1)]
    assert desk.data_version() > version
    with desk.shop.database.read() as session:
        assert imports.last_good(session, "customers") == NOW
        assert imports.last_good(session, "purchases") is None


def test_refused_rows_can_be_mended_and_imported_from_their_file(desk: Desk) -> None:
    report = desk.bring("customers", "customer_id,email\n1,a@example.com\n2,nonsense\n")
    assert report.refused_file is not None
    mended = report.refused_file.read_text(encoding="utf-8-sig").replace(",nonsense\n", ",b@example.com\n")
    path = desk.lay(mended, "mended.csv")

    again = import_file(desk.shop, "customers", path, ReadOptions(), NOW)

    assert (again.created, again.refused) == (1, 0)
    assert desk.email_of("2") == "b@example.com"


def test_rows_are_written_while_another_program_reads(desk: Desk) -> None:
    with desk.shop.database.read() as session:
        assert imports.last_good(session, "customers") is None

        report = desk.bring("customers", "customer_id,email\n1,a@example.com\n")

    assert report.created == 1


def test_the_bike_shop_comes_in_whole_and_a_second_time_changes_nothing(desk: Desk, shared_data: Path) -> None:
    options = ReadOptions(columns=COLUMNS, date_format="M/D/YYYY", encoding="latin-1", tidy_names=True)
    files = [
        ("customers", shared_data / "adventureworks" / "AdventureWorks_Customers.csv", options, 18_148),
        ("purchases", shared_data / "bikeshop" / "purchases.csv", ReadOptions(), 25_164),
        ("service-items", shared_data / "bikeshop" / "service-items.csv", ReadOptions(), 13_929),
        ("consents", shared_data / "bikeshop" / "consents.csv", ReadOptions(), 13_570),
    ]
    copies = [(what, _copy(path, desk.folder), how, rows) for what, path, how, rows in files]

    for what, path, how, rows in copies:
        report = import_file(desk.shop, what, path, how, NOW)
        assert (report.read, report.created, report.refused) == (rows, rows, 0)
    for what, path, how, rows in copies:
        report = import_file(desk.shop, what, path, how, NOW)
        assert (report.created, report.updated, report.unchanged) == (0, 0, rows)

    assert desk.customer("11000")["first_name"] == "Jon"


def _copy(path: Path, folder: Path) -> Path:
    copy = folder / path.name
    copy.write_bytes(path.read_bytes())
    return copy
