"""consent-checkpoints.log: how far the consent log had come on which day, and the hash it ended with.

A chain by itself cannot tell that its end was cut off, nor that all of it was written anew. These lines can: they lie
beside the store and not in it, and they are mailed to the owner, so that his mailbox keeps what he had on which day.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from engine.errors import StoreError
from engine.store.database import Database
from engine.store.lines import Lines

FILE_NAME = "consent-checkpoints.log"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One line: whose log it is, how many events it had, the hash of the last one, and when that was.

    `restored` marks the line that was written when the owner said that an older backup was put back: what lies between
    it and the lines before was lost with his knowledge.
    """

    origin: UUID
    size: int
    hash: str
    at: datetime
    restored: bool = False


@dataclass(frozen=True, slots=True)
class CheckpointLog:
    """The file of one store."""

    path: Path

    @classmethod
    def beside(cls, database: Database, home: Path) -> CheckpointLog:
        """Return the checkpoints of a store: in its folder, or in the config's for PostgreSQL."""
        return cls((database.path.parent if database.path else home) / FILE_NAME)

    def append(self, checkpoint: Checkpoint) -> None:
        """Write one line and wait until the disk has it."""
        try:
            Lines(self.path).append(line(checkpoint).encode() + b"\n")
        except OSError as error:
            raise StoreError(
                f"{self.path} cannot be written: {error.strerror}.",
                "Free some space or mend its permissions. The consent log itself is whole.",
            ) from error

    def read(self, origin: UUID) -> list[Checkpoint]:
        """Return the lines that are of this store's log, in their order; what is no line of ours is passed over."""
        if not self.path.exists():
            return []
        found = [_parsed(text) for text in self.path.read_bytes().splitlines()]
        return [one for one in found if one is not None and one.origin == origin]


def line(checkpoint: Checkpoint) -> str:
    """Return a checkpoint as it is kept and mailed."""
    content: dict[str, object] = {
        "origin": str(checkpoint.origin),
        "size": checkpoint.size,
        "hash": checkpoint.hash,
        "at": checkpoint.at.astimezone(UTC).isoformat(),
    }
    if checkpoint.restored:
        content["restored"] = True
    return json.dumps(content, separators=(",", ":"))


def standing(checkpoints: Sequence[Checkpoint]) -> dict[int, Checkpoint]:
    """Return what still has to be true, by the number of events; what a backup that was put back has lost has not."""
    found: dict[int, Checkpoint] = {}
    for one in checkpoints:
        if one.restored:
            found = {size: earlier for size, earlier in found.items() if size <= one.size}
        found.setdefault(one.size, one)  # the earliest word on a place counts: a later one may be a correction
    return found


def _parsed(text: bytes) -> Checkpoint | None:
    try:
        content = json.loads(text)
        return Checkpoint(
            origin=UUID(content["origin"]),
            size=int(content["size"]),
            hash=str(content["hash"]),
            at=datetime.fromisoformat(content["at"]).astimezone(UTC),
            restored=content.get("restored") is True,
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
