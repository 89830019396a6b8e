"""A desk on which tests lay files for import and read back what the store made of them."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from engine.app import Premises
from engine.sources.options import ReadOptions
from engine.steps.importing.files import ImportReport, import_file
from engine.store import installation
from engine.store.tables import Address, Customer, Purchase, ServiceItem
from tests.people import NOW


@dataclass
class Desk:
    """One shop and the folder its files lie in."""

    shop: Premises
    folder: Path

    def lay(self, text: str, name: str = "file.csv") -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def bring(
        self,
        what: str,
        text: str,
        *,
        now: datetime = NOW,
        complete: bool = False,
        yes: bool = False,
    ) -> ImportReport:
        path = self.lay(text)
        return import_file(self.shop, what, path, ReadOptions(), now, complete=complete, yes=yes)

    def refused(self, report: ImportReport) -> list[tuple[int, str, str]]:
        """Return the refused rows as they stand in their file: row, field, reason."""
        if report.refused_file is None:
            return []
        with report.refused_file.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        return [(int(row["refused_row"]), row["refused_field"], row["refused_because"]) for row in rows]

    def customer(self, customer_id: str) -> dict[str, Any]:
        return self._one(Customer, "customer_id", customer_id)

    def customer_at(self, exact: str) -> dict[str, Any]:
        number = self._one(Address, "exact", exact)["id"]
        return self._one(Customer, "address_id", number)

    def email_of(self, customer_id: str) -> str | None:
        number = self.customer(customer_id)["address_id"]
        return self._one(Address, "id", number)["email"] if number else None

    def purchase(self, purchase_id: str) -> dict[str, Any]:
        return self._one(Purchase, "purchase_id", purchase_id)

    def item(self, service_item_id: str) -> dict[str, Any]:
        return self._one(ServiceItem, "service_item_id", service_item_id)

    def all(self, model: Any, *columns: str) -> list[tuple[Any, ...]]:
        table = model.__table__
        with self.shop.database.read() as session:
            query = sa.select(*(table.c[name] for name in columns)).order_by(*(table.c[name] for name in columns))
            return [tuple(row) for row in session.connection().execute(query)]

    def data_version(self) -> int:
        with self.shop.database.read() as session:
            standing = installation.find(session)
        assert standing is not None
        return standing.data_version

    def _one(self, model: Any, key: str, value: object) -> dict[str, Any]:
        table = model.__table__
        with self.shop.database.read() as session:
            query = sa.select(table).where(table.c[key] == value)
            return dict(session.connection().execute(query).mappings().one())
