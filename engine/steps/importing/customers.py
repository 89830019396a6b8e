"""Customers on their way in: recognised by the shop's id, else by the exact address; nobody is guessed together."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session

from engine.domain import addresses as forms
from engine.errors import TreuepostError
from engine.sources.rows import CustomerRow
from engine.sources.tables import Refusal
from engine.steps.importing.contract import Asked, Checked, Counts, Importer, OwnDays, as_cell, look_up
from engine.steps.importing.spooling import FirstSeen, Numbers, Rows
from engine.steps.shop import Premises
from engine.store import customers, purchases, suppressions
from engine.store.customers import Directory, Incoming, Known
from engine.store.database import Database

_PLAIN = (
    "first_name",
    "last_name",
    "salutation",
    "company",
    "language",
    "address_form",
    "timezone",
    "country",
    "customer_since",
)
_PAGE = 1000
_MAY_GO = 0.05
"""The share of customers a complete list may lack before somebody has to say yes."""


class CustomersImport(Importer):
    """The rows of a customers file."""

    def __init__(self, shop: Premises, asked: Asked) -> None:
        self._shop, self._asked, self._days = shop, asked, OwnDays(asked.zone)
        self._first, self._nameless = FirstSeen(), Numbers()
        self._met, self._highest, self._gone = Numbers(), 0, 0
        self._twins, self._suppressed = Rows(), Rows()

    def check(self, session: Session, rows: Sequence[CustomerRow]) -> Checked:
        """Recognise each row's customer and refuse what would mean two."""
        directory = look_up(session, rows)
        checked = Checked()
        for row in rows:
            found = _recognise(row, directory)
            self._note_met(row, directory, found)
            refusal = found if isinstance(found, Refusal) else self._repeated(row, found)
            if refusal:
                checked.refused.append(refusal)
            else:
                checked.ready.append(incoming(row, found if isinstance(found, Known) else None))
        self._note_suppressed(session, rows)
        return checked

    def _note_met(self, row: CustomerRow, directory: Directory, found: Known | Refusal | None) -> None:
        """Whoever a row may mean is in the shop's list, even where the row itself is refused."""
        if isinstance(found, Known):
            self._met.add(found.id)
        if isinstance(found, Refusal):
            for known in directory.by_address.get(forms.exact(row.email or ""), []):
                self._met.add(known.id)
            if row.customer_id in directory.by_id:
                self._met.add(directory.by_id[row.customer_id].id)

    def note_refused(self, session: Session, keys: Sequence[tuple[str, str]]) -> None:
        """Keep those in the list whose rows could not be read, going by the bare cells for id and address."""
        ids = [customer_id for customer_id, _ in keys if customer_id]
        found = customers.directory(session, ids, [forms.exact(email) for _, email in keys if email])
        for known in (*found.by_id.values(), *(one for sharing in found.by_address.values() for one in sharing)):
            self._met.add(known.id)

    def _repeated(self, row: CustomerRow, known: Known | None) -> Refusal | None:
        """Refuse a second row for the same customer, naming the first; the first row counts."""
        if row.customer_id and (line := self._first.note(f"id {row.customer_id}", row.line)):
            return row.refusal("customer_id", f"row {line} has the same customer_id and was taken", row.customer_id)
        if not row.customer_id:
            self._nameless.add(row.line)
        line = self._first.note(f"at {forms.exact(row.email)}", row.line) if row.email else 0
        if line and (not row.customer_id or line in self._nameless):
            return row.refusal(
                "email",
                f"row {line} has the same address (upper and lower case do not count) and was taken; "
                "two customers at one address need a customer_id each",
                row.email or "",
            )
        if known and (other := self._first.note(f"is {known.id}", row.line)):
            return row.refusal(
                "customer_id", f"row {other} means the same customer and was taken", row.customer_id or ""
            )
        if line:
            self._twins.add(row.line, line)
        return None

    def _note_suppressed(self, session: Session, rows: Sequence[CustomerRow]) -> None:
        keyring = self._shop.keyring
        marks = {
            row.line: suppressions.address_marks(keyring, forms.exact(row.email), forms.canonical(row.email))
            for row in rows
            if row.email
        }
        standing = suppressions.blocks(session, {mark for each in marks.values() for mark in each})
        for line, each in marks.items():
            if any(mark in standing for mark in each):
                self._suppressed.add(line)

    def agree(self, database: Database) -> None:
        """With a complete list: refuse one that would lose more than a few of the customers."""
        if not self._asked.complete:
            return
        present = missing = 0
        with database.read() as session:
            while page := customers.numbers_after(session, self._highest, _PAGE):
                self._highest = page[-1][0]
                present += sum(not gone for _, gone in page)
                missing += sum(not gone and number not in self._met for number, gone in page)
        if missing > present * _MAY_GO and not self._asked.yes:
            raise TreuepostError(
                f"{missing} of {present} customers are missing from this file, more than 5 %. Nothing was written.",
                "If they are really gone, say so with --yes; if the file is only a part, leave out --complete.",
            )

    def write(self, session: Session, ready: Sequence[Incoming]) -> Counts:
        """Write a batch; whoever moved to another time zone has the days of all purchases counted anew."""
        written = customers.write(session, self._shop.installation, ready, self._asked.now)
        if written.moved:
            zones = customers.zones(session, written.moved)
            purchases.move_days(session, written.moved, lambda number, at: self._days.day(zones[number], at))
            purchases.count_again(session, written.moved)
        return Counts(written.created, written.updated, written.unchanged)

    def finish(self, database: Database, *, mend: bool) -> int:  # noqa: ARG002  (nothing is left half-done here)
        """Mark those a complete list no longer names."""
        if not self._asked.complete:
            return 0
        after, page = 0, [(0, False)]
        while page:
            with database.write() as session:
                page = [one for one in customers.numbers_after(session, after, _PAGE) if one[0] <= self._highest]
                missing = [number for number, gone in page if not gone and number not in self._met]
                customers.mark_gone(session, missing, self._asked.now)
            after = page[-1][0] if page else after
            self._gone += len(missing)
        return self._gone

    def warnings(self) -> list[str]:
        """Say who shares an address, who stays suppressed and who is gone."""
        said = []
        if self._twins.count:
            said.append(
                f"{self._twins.count} rows share their address with an earlier row (rows {self._twins}): "
                "they are kept as different customers, and get one mail a day per campaign together."
            )
        if self._suppressed.count:
            said.append(
                f"{self._suppressed.count} rows have an address that is suppressed (rows {self._suppressed}): "
                "the customers are imported, the addresses stay suppressed."
            )
        if self._gone:
            said.append(f"{self._gone} customers are not in this complete list any more and get no mail.")
        return said


def _recognise(row: CustomerRow, directory: Directory) -> Known | Refusal | None:
    """Return the stored customer a row means, None for a new one; two possible ones are refused."""
    there = directory.by_address.get(forms.exact(row.email), []) if row.email else []
    nameless = [known for known in there if known.customer_id is None]
    if not row.customer_id:
        if len(there) > 1:
            return row.refusal(
                "email", f"{len(there)} customers share this address; name the customer_id", row.email or ""
            )
        return there[0] if there else None
    known = directory.by_id.get(row.customer_id)
    if known and nameless:
        return row.refusal(
            "email",
            f"matches two customers: {row.customer_id} by its id, and one without an id by this address",
            row.email or "",
        )
    return known or (nameless[0] if nameless else None)


def incoming(row: CustomerRow, known: Known | None) -> Incoming:
    """Return what a row says of a customer: only what it gives."""
    values: dict[str, object] = {name: getattr(row, name) for name in _PLAIN if name in row.given}
    if "birthday" in row.given:
        values |= {"birth_md": row.birth_md, "birth_year": row.birth_year}
    if "tags" in row.given:
        values["tags"] = as_cell(row.tags)
    email = (row.email or "") if "email" in row.given else None
    return Incoming(known.id if known else None, row.customer_id, email, values)
