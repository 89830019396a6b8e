"""The sidecar: a small file beside the store that remembers when the store last worked, where, and whether for real.

No backup of the store holds it, so a store that was put back is older than its sidecar, and a copy of the store comes
without one. It lies beside the SQLite file, or beside the config for PostgreSQL.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from engine.domain.guard import Memory
from engine.errors import StoreError, StoreFull
from engine.store.database import Database

ENDING = ".seen"
NAME = "treuepost.seen"
_FULL = 28  # ENOSPC


@dataclass(frozen=True, slots=True)
class Sidecar:
    """The file, read and replaced as a whole."""

    path: Path

    @classmethod
    def beside(cls, database: Database, home: Path) -> Sidecar:
        """Return the sidecar of a store."""
        return cls(database.path.with_name(database.path.name + ENDING) if database.path else home / NAME)

    def read(self) -> Memory | None:
        """Return what it remembers; None where it is missing or is not one."""
        try:
            content = json.loads(self.path.read_bytes())
            tick = content["last_tick"]
            at = datetime.fromisoformat(tick).astimezone(UTC) if tick else None
            mailed, ordinal = content.get("mailed"), content.get("ordinal")  # an older program did not say
            return Memory(
                str(content["uuid"]),
                at,
                str(content["place"]),
                mailed=mailed if isinstance(mailed, bool) else None,
                ordinal=ordinal if isinstance(ordinal, int) else None,
            )
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError):
            return None  # never torn, for it is replaced whole: somebody else wrote it

    def write(self, memory: Memory) -> None:
        """Replace the file and wait until the disk has it."""
        content = {
            "uuid": memory.uuid,
            "last_tick": memory.last_tick.astimezone(UTC).isoformat() if memory.last_tick else None,
            "place": memory.place,
            "mailed": memory.mailed,
            "ordinal": memory.ordinal,
        }
        try:
            self._replace(json.dumps(content).encode() + b"\n")
        except OSError as error:
            kind = StoreFull if error.errno == _FULL else StoreError
            raise kind(
                f"{self.path} cannot be written: {error.strerror}.",
                "It tells a restored backup from the store itself; nothing is sent until it can be written.",
            ) from error

    def _replace(self, content: bytes) -> None:
        passing = self.path.with_name(f"{self.path.name}.{os.getpid()}-{threading.get_ident()}")
        try:
            descriptor = os.open(passing, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                os.write(descriptor, content)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            passing.replace(self.path)
        finally:
            passing.unlink(missing_ok=True)
        _sync(self.path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
