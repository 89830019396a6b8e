"""erasures.log: every erasure, written to a file beside the store before anything is erased.

A backup of the store still holds whoever was erased after it. At every start this file is read, and whomever a restored
backup has brought back is erased again. It holds keyed hashes, never a name, a number or an address.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from engine.errors import StoreError
from engine.keys import Keyring
from engine.store import suppressions
from engine.store.database import Database
from engine.store.lines import Lines

FILE_NAME = "erasures.log"
_NUMBER = "customer.number"


@dataclass(frozen=True, slots=True)
class Tombstone:
    """Whom an erasure is about, as keyed hashes: of the uid, of the shop's number, and of each address."""

    at: datetime
    uid: str = ""
    number: str = ""
    addresses: tuple[str, ...] = ()

    @property
    def mark(self) -> str:
        """Return what makes this erasure single, in the store as in the log."""
        return f"{self.at.astimezone(UTC).isoformat()} {self.uid or ' '.join(self.addresses)}"


def tombstone(
    keyring: Keyring, uid: str | None, customer_id: str | None, emails: tuple[str, ...], at: datetime
) -> Tombstone:
    """Return the tombstone of a customer, or of a bare address."""
    return Tombstone(
        at=at,
        uid=suppressions.person_hashes(keyring, uid).exact if uid else "",
        number=keyring.hmac(_NUMBER, customer_id) if customer_id else "",
        addresses=tuple(sorted(suppressions.address_hashes(keyring, email).exact for email in emails)),
    )


def number_marks(keyring: Keyring, customer_id: str) -> tuple[str, ...]:
    """Return every hash under which a customer's number may stand in the log."""
    return keyring.hmacs(_NUMBER, customer_id)


@dataclass(frozen=True, slots=True)
class ErasureLog:
    """The file of one store."""

    lines: Lines

    @classmethod
    def beside(cls, database: Database, home: Path) -> ErasureLog:
        """Return the log of a store: in its folder, or in the config's for PostgreSQL."""
        return cls(Lines.beside(database, home, FILE_NAME))

    def append(self, entry: Tombstone) -> None:
        """Write one line and wait until the disk has it."""
        content = {
            "at": entry.at.astimezone(UTC).isoformat(),
            "uid": entry.uid,
            "number": entry.number,
            "addresses": list(entry.addresses),
        }
        try:
            self.lines.append(json.dumps(content, separators=(",", ":")).encode() + b"\n")
        except OSError as error:
            raise StoreError(
                f"{self.lines.path} cannot be written: {error.strerror}.",
                "Nothing was erased. Without this line a restored backup would bring the person back.",
            ) from error

    def read(self) -> Iterator[Tombstone]:
        """Yield what the file holds; a line torn by a power cut was never answered for and is passed over."""
        for line in self.lines.read():
            entry = _parsed(line)
            if entry is not None:
                yield entry


def _parsed(line: bytes) -> Tombstone | None:
    try:
        content = json.loads(line)
        return Tombstone(
            at=datetime.fromisoformat(content["at"]).astimezone(UTC),
            uid=str(content["uid"]),
            number=str(content["number"]),
            addresses=tuple(str(one) for one in content["addresses"]),
        )
    except (ValueError, KeyError, TypeError):
        return None
