"""What the kinds of import have in common: how each is asked for, and how rows find the customer they name."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from sqlmodel import Session

from engine.domain import addresses as forms
from engine.sources.rows import CustomerRow, PurchaseRow, ServiceItemRow
from engine.sources.tables import Refusal
from engine.store import customers
from engine.store.customers import Directory, Known
from engine.store.database import Database

Progress = Callable[[int], None]
"""Is told how many rows were done since the last call; every row is done twice."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One import, as it was asked for.

    `complete` says the file names every customer there is; `yes` agrees beforehand to what would be asked back. `mark`
    recognises the file's content and how it is read; a file with fewer than `at_least` rows is taken for half-written.
    """

    what: str
    now: datetime
    zone: ZoneInfo
    complete: bool = False
    yes: bool = False
    source: str = ""
    mark: str = ""
    at_least: int = 0

    def marked(self, path: Path) -> Asked:
        """Return this with the file's mark, taken before anything of it is read."""
        return self if self.mark or not path.is_file() else replace(self, mark=file_mark(path))


@dataclass(slots=True)
class Checked:
    """What came of checking a batch: rows ready to be written, and rows refused."""

    ready: list[Any] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)


@dataclass(slots=True)
class Counts:
    """How many rows came to what."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0


class Importer(Protocol):
    """One kind of row on its way into the store; where a kind has nothing of its own to do, what stands here holds."""

    def check(self, session: Session, rows: Sequence[Any]) -> Checked:
        """Look at a batch in the first pass; nothing is written."""

    def note_refused(self, session: Session, keys: Sequence[tuple[str, str]]) -> None:
        """Learn the bare (customer_id, email) cells of rows that could not be read; most kinds need not know them."""

    def agree(self, database: Database) -> None:
        """Raise if the file as a whole is not to be taken; most kinds take any. Still nothing is written."""

    def write(self, session: Session, ready: Sequence[Any]) -> Counts:
        """Write a batch in the second pass."""

    def finish(self, database: Database, *, mend: bool) -> int:  # noqa: ARG002  (most kinds leave nothing half-done)
        """Do what is done once at the end; `mend` also what an import that was cut short left. Return rows changed."""
        return 0

    def warnings(self) -> list[str]:
        """Say what the owner should know."""
        return []


class OwnDays:
    """Turns instants into the local days of customers: each by the customer's own zone, else by the shop's."""

    def __init__(self, shop_zone: ZoneInfo) -> None:
        self._zones = {"": shop_zone}

    def day(self, zone: str, instant: datetime) -> date:
        """Return the local day of an instant."""
        known = self._zones.get(zone)
        if known is None:
            known = self._zones[zone] = ZoneInfo(zone)
        return instant.astimezone(known).date()


def look_up(session: Session, rows: Sequence[CustomerRow | PurchaseRow | ServiceItemRow]) -> Directory:
    """Find the customers these rows may mean."""
    ids = list({row.customer_id for row in rows if row.customer_id})
    return customers.directory(session, ids, list({forms.exact(row.email) for row in rows if row.email}))


def owner_of(row: PurchaseRow | ServiceItemRow, directory: Directory) -> Known | Refusal:
    """Return the one customer a row names; a row alone never makes a customer."""
    if row.customer_id:
        known = directory.by_id.get(row.customer_id)
        return known or row.refusal(
            "customer_id", "no customer has this id; import the customers first", row.customer_id
        )
    email = row.email or ""
    found = directory.by_address.get(forms.exact(email), [])
    if not found:
        return row.refusal("email", "no customer has this address; import the customers first", email)
    if len(found) > 1:
        return row.refusal("email", f"{len(found)} customers share this address; name the customer_id", email)
    return found[0]


@lru_cache(maxsize=4096)
def as_cell(words: tuple[str, ...], *, lower: bool = True) -> str:
    """Return a list as the store keeps it: `;a;b;`, so that a filter is one LIKE."""
    return f";{';'.join(word.lower() if lower else word for word in words)};" if words else ""


def file_mark(path: Path) -> str:
    """Return what recognises a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
