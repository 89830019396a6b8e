"""The versions of § 7(3) hints that purchases carry: kept word for word, under the hash of what was declared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session

from engine.store.lawful_tables import NoticeVersion
from engine.store.upsert import insert_new

_TABLE: sa.Table = NoticeVersion.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a notice: its id in the config, and its content as it was hashed."""

    name: str
    sha256: str
    content: str


def keep(session: Session, versions: Sequence[Version], now: datetime) -> int:
    """Keep the versions that are not kept yet; return how many are new."""
    rows = [{"sha256": one.sha256, "name": one.name, "content": one.content, "seen_at": now} for one in versions]
    return insert_new(session, _TABLE, rows, ["sha256"])


def find(session: Session, sha256: str) -> Version | None:
    """Return one version by its hash."""
    row = session.connection().execute(sa.select(_TABLE).where(_TABLE.c.sha256 == sha256)).one_or_none()
    return None if row is None else Version(row.name, row.sha256, row.content)
