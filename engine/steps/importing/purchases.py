"""Purchases on their way in: each belongs to a known customer, and that customer's figures follow at the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice

from sqlmodel import Session

from engine.sources.rows import PurchaseRow
from engine.sources.tables import Refusal
from engine.steps.importing.contract import Asked, Checked, Counts, Importer, OwnDays, as_cell, look_up, owner_of
from engine.steps.importing.noticing import Notices
from engine.steps.importing.spooling import FirstSeen, Numbers
from engine.steps.shop import Premises
from engine.store import installation, notices, purchases
from engine.store.database import Database

_PLAIN = ("status", "email_from_sale", "notice_shown_at")
_PAGE = 1000


class PurchasesImport(Importer):
    """The rows of a purchases file."""

    def __init__(self, shop: Premises, asked: Asked) -> None:
        self._asked, self._days = asked, OwnDays(asked.zone)
        self._notices = Notices(shop.config, asked.source)
        self._first, self._buyers = FirstSeen(), Numbers()

    def check(self, session: Session, rows: Sequence[PurchaseRow]) -> Checked:
        """Find each row's customer and refuse what is there twice or lies in the future."""
        directory = look_up(session, rows)
        checked = Checked()
        for row in rows:
            owner = owner_of(row, directory)
            refusal = owner if isinstance(owner, Refusal) else self._repeated(row)
            if isinstance(owner, Refusal) or refusal:
                checked.refused.append(owner if isinstance(owner, Refusal) else refusal)  # type: ignore[arg-type]
            else:
                checked.ready.append(self._values(row, owner.id, owner.zone))
        return checked

    def _repeated(self, row: PurchaseRow) -> Refusal | None:
        line = self._first.note(row.purchase_id, row.line)
        if not line:
            return None
        return row.refusal("purchase_id", f"row {line} has the same purchase_id and was taken", row.purchase_id)

    def _values(self, row: PurchaseRow, customer: int, zone: str) -> dict[str, object]:
        at, given = row.purchased_at, row.given
        values: dict[str, object] = {
            "purchase_id": row.purchase_id,
            "customer_id": customer,
            "purchased_at": at,
            "local_on": self._days.day(zone, at),
        }
        for name in _PLAIN:
            if name in given:
                values[name] = getattr(row, name)
        if "amount" in given:
            values["amount_minor"], values["currency"] = row.amount_minor, row.currency
        if "categories" in given:
            values["categories"] = as_cell(row.categories)
        if "items" in given:
            # Names of goods are shown in mails, so they keep their capitals.
            values["items"] = as_cell(row.items, lower=False)
        return values | self._notices.stamp(row)

    def note_refused(self, session: Session, keys: Sequence[tuple[str, str]]) -> None:
        """Need not know whose rows could not be read."""

    def agree(self, database: Database) -> None:
        """Take any file: a purchase that is missing is not a purchase undone."""

    def write(self, session: Session, ready: Sequence[dict[str, object]]) -> Counts:
        """Write a batch and remember whose figures it touches."""
        notices.keep(session, list(self._notices.used.values()), self._asked.now)
        written = purchases.write(session, ready, self._asked.now)
        for number in written.customers:
            self._buyers.add(number)
        return Counts(written.created, written.updated, written.unchanged)

    def finish(self, database: Database, *, mend: bool) -> int:
        """Count the touched customers' figures again, each once, in order of their numbers."""
        pages = _all_buyers(database) if mend else _pages(self.touched())
        for page in pages:
            with database.write() as session:
                purchases.count_again(session, page)
        return 0

    def touched(self) -> Iterator[int]:
        """Return the customers whose figures have to be counted again."""
        return iter(self._buyers)


def take_one(shop: Premises, row: PurchaseRow, now: datetime) -> Counts | Refusal:
    """Take a single purchase as it happens, figures and all, in one transaction."""
    importer = PurchasesImport(shop, Asked("purchases", now, shop.config.shop.zone))
    with shop.database.write() as session:
        checked = importer.check(session, [row])
        if checked.refused:
            return checked.refused[0]
        counts = importer.write(session, checked.ready)
        if counts.created or counts.updated:
            purchases.count_again(session, list(importer.touched()))
            installation.bump_data_version(session)
    return counts


def _pages(numbers: Iterator[int]) -> Iterator[list[int]]:
    while page := list(islice(numbers, _PAGE)):
        yield page


def _all_buyers(database: Database) -> Iterator[list[int]]:
    """Go through everybody with purchases: an import that was cut short left figures nobody remembers."""
    after = 0
    while True:
        with database.read() as session:
            page = purchases.buyers(session, after, _PAGE)
        if not page:
            return
        yield page
        after = page[-1]
