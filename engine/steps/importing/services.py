"""Service items and visits on their way in."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session

from engine.domain.contracts import is_reference
from engine.sources.rows import ServiceItemRow, VisitRow
from engine.sources.tables import Refusal
from engine.steps.importing.contract import Asked, Checked, Counts, Importer, look_up, owner_of
from engine.steps.importing.spooling import FirstSeen, Rows
from engine.steps.shop import Premises
from engine.store import service_items

_ITEM_FIELDS = (
    "name",
    "last_service_on",
    "interval",
    "next_service_on",
    "booked_for",
    "contract_ref",
    "contract_from",
    "contract_until",
)
_VISIT_FIELDS = ("next_service_on", "report_url")


class ServiceItemsImport(Importer):
    """The rows of a service-items file."""

    def __init__(self, shop: Premises, asked: Asked) -> None:  # noqa: ARG002  (every kind is made alike)
        self._asked, self._first, self._empty = asked, FirstSeen(), Rows()

    def check(self, session: Session, rows: Sequence[ServiceItemRow]) -> Checked:
        """Find each row's customer and refuse what is there twice."""
        directory = look_up(session, rows)
        checked = Checked()
        for row in rows:
            owner = owner_of(row, directory)
            line = self._first.note(row.service_item_id, row.line)
            if isinstance(owner, Refusal):
                checked.refused.append(owner)
            elif line:
                reason = f"row {line} has the same service_item_id and was taken"
                checked.refused.append(row.refusal("service_item_id", reason, row.service_item_id))
            else:
                checked.ready.append(_item(row, owner.id))
                if row.contract_ref and not is_reference(row.contract_ref):
                    self._empty.add(row.line)
        return checked

    def write(self, session: Session, ready: Sequence[dict[str, object]]) -> Counts:
        """Write a batch; due days and cycles follow."""
        written = service_items.write(session, ready, self._asked.now)
        return Counts(written.created, written.updated, written.unchanged)

    def warnings(self) -> list[str]:
        """Say which contracts nobody could show: they carry no mail."""
        if not self._empty.count:
            return []
        return [
            f'{self._empty.count} service items have a contract_ref that is none, like "ja" (rows {self._empty}): it '
            "takes something one can show, the number or the date of the contract."
        ]


class VisitsImport(Importer):
    """The rows of a visits file."""

    def __init__(self, shop: Premises, asked: Asked) -> None:  # noqa: ARG002  (every kind is made alike)
        self._asked, self._first = asked, FirstSeen()

    def check(self, session: Session, rows: Sequence[VisitRow]) -> Checked:
        """Find each row's item and refuse what is there twice."""
        items = service_items.find_items(session, list({row.service_item_id for row in rows}))
        checked = Checked()
        for row in rows:
            line = self._first.note(row.visit_id, row.line)
            if row.service_item_id not in items:
                reason = "no service item has this id; import the service items first"
                checked.refused.append(row.refusal("service_item_id", reason, row.service_item_id))
            elif line:
                reason = f"row {line} has the same visit_id and was taken"
                checked.refused.append(row.refusal("visit_id", reason, row.visit_id))
            else:
                checked.ready.append(_visit(row, items[row.service_item_id]))
        return checked

    def write(self, session: Session, ready: Sequence[dict[str, object]]) -> Counts:
        """Write a batch; the items' next dates and cycles follow."""
        written = service_items.write_visits(session, ready, self._asked.now)
        return Counts(written.created, written.updated, written.unchanged)


def _item(row: ServiceItemRow, customer: int) -> dict[str, object]:
    values = {name: getattr(row, name) for name in _ITEM_FIELDS if name in row.given}
    if "item_type" in row.given:
        values["item_type"] = row.item_type.lower()
    return {"service_item_id": row.service_item_id, "customer_id": customer, **values}


def _visit(row: VisitRow, item: int) -> dict[str, object]:
    values = {name: getattr(row, name) for name in _VISIT_FIELDS if name in row.given}
    return {"visit_id": row.visit_id, "service_item_id": item, "done_on": row.done_on, **values}
