"""Where a store lies, as one word: two copies of a store never have the same.

SQLite: this machine's id and host name, and the number of the file. PostgreSQL: the server's system identifier and the
number of the database in it. In a container the host name changes with every start: TREUEPOST_PLACE says it instead.
"""

from __future__ import annotations

import hashlib
import os
import socket
from contextlib import suppress
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from engine.store.database import Database

VARIABLE = "TREUEPOST_PLACE"
_MACHINE = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))


def here(database: Database) -> str:
    """Return the word for where this store lies now."""
    pinned = os.environ.get(VARIABLE, "").strip()
    facts = f"pinned|{pinned}" if pinned else _of_file(database.path) if database.path else _of_server(database)
    return hashlib.sha256(facts.encode()).hexdigest()[:32]


def _of_file(path: Path) -> str:
    return f"sqlite|{_machine()}|{socket.gethostname()}|{path.stat().st_ino}"


def _machine() -> str:
    for path in _MACHINE:
        with suppress(OSError):
            return path.read_text(encoding="utf-8").strip()
    return ""


def _of_server(database: Database) -> str:
    with database.connection() as connection:
        number = connection.execute(sa.text("SELECT oid FROM pg_database WHERE datname = current_database()")).scalar()
        try:
            system = connection.execute(sa.text("SELECT system_identifier FROM pg_control_system()")).scalar()
        except DBAPIError as error:  # some hosts keep it from ordinary roles; the database's number still tells copies
            if error.connection_invalidated:
                raise
            system = None
        connection.rollback()
    return f"postgresql|{system}|{number}"
