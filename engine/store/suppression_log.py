"""suppressions.log: every "no", written to a file beside the store before the person is answered.

A backup of the store is older than the last objections. This file is not: at every start it is read again, and whatever
the store lacks is put back, so that no restored backup revives anybody. It holds keyed hashes, never an address.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from engine.domain.words import Reason
from engine.errors import StoreError
from engine.store.database import Database
from engine.store.lines import Lines
from engine.store.suppressions import Hashes, NewSuppression

FILE_NAME = "suppressions.log"


@dataclass(frozen=True, slots=True)
class SuppressionLog:
    """The file, opened anew for each append: several processes may write to it."""

    path: Path

    @classmethod
    def beside(cls, database: Database, home: Path) -> SuppressionLog:
        """Return the log of a store: in its folder, or in the config's for PostgreSQL."""
        return cls((database.path.parent if database.path else home) / FILE_NAME)

    def append(self, entries: Sequence[NewSuppression]) -> None:
        """Write one line for each and wait until the disk has them."""
        if not entries:
            return
        try:
            Lines(self.path).append(b"".join(_line(entry) for entry in entries))
        except OSError as error:
            raise StoreError(
                f"{self.path} cannot be written: {error.strerror}.",
                "Nothing was recorded. Without this line a restored backup would forget the objection.",
            ) from error

    def read(self) -> Iterator[NewSuppression]:
        """Yield what the file holds; a line torn by a power cut was never answered for and is passed over."""
        if not self.path.exists():
            return
        with self.path.open("rb") as lines:
            for line in lines:
                entry = _parsed(line)
                if entry is not None:
                    yield entry


def _line(entry: NewSuppression) -> bytes:
    content = {
        "exact": entry.hashes.exact,
        "canonical": entry.hashes.canonical,
        "scope": entry.scope,
        "reason": entry.reason.value,
        "at": entry.at.astimezone(UTC).isoformat(),
    }
    return json.dumps(content, separators=(",", ":")).encode() + b"\n"


def _parsed(line: bytes) -> NewSuppression | None:
    try:
        content = json.loads(line)
        return NewSuppression(
            hashes=Hashes(str(content["exact"]), str(content["canonical"])),
            scope=str(content["scope"]),
            reason=Reason(content["reason"]),
            at=datetime.fromisoformat(content["at"]).astimezone(UTC),
            source="suppressions.log",
        )
    except (ValueError, KeyError, TypeError):
        return None
