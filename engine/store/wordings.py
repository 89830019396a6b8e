"""The register of the texts people agreed to: every version word for word, under its own hash, for good."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain import registers
from engine.store.lawful_tables import Wording
from engine.store.upsert import insert_new

_TABLE: sa.Table = Wording.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class KeptWording:
    """One version of a wording: its hash, its ID in the config, and what people were shown with it."""

    sha256: str
    name: str
    content: Mapping[str, object]
    seen_at: datetime

    @property
    def text(self) -> str:
        """Return the text, word for word."""
        return str(self.content["text"])

    @property
    def title(self) -> str:
        """Return what the topic is called on the pages; the ID where it has no title."""
        return str(self.content["title"] or self.name)

    @property
    def scope(self) -> str:
        """Return what products and services it is about."""
        return str(self.content["product_scope"])

    @property
    def language(self) -> str:
        """Return the language it is written in."""
        return str(self.content["language"])

    @property
    def kinds(self) -> frozenset[str]:
        """Return the kinds of mail it names."""
        named = self.content["kinds"]
        return frozenset(str(kind) for kind in named) if isinstance(named, list) else frozenset()


def keep(session: Session, name: str, content: Mapping[str, object], now: datetime) -> str:
    """Keep this version where it is new; return its hash."""
    sha256, canonical = registers.version(content)
    insert_new(
        session, _TABLE, [{"sha256": sha256, "name": name, "content": canonical, "seen_at": now}], conflict=["sha256"]
    )
    return sha256


def find(session: Session, sha256: str) -> KeptWording | None:
    """Return the version with this hash."""
    return _first(session, sa.select(*_TABLE.c).where(_TABLE.c.sha256 == sha256))


def current(session: Session, name: str) -> KeptWording | None:
    """Return the version of a wording that was seen last."""
    newest = sa.select(*_TABLE.c).where(_TABLE.c.name == name).order_by(_TABLE.c.seen_at.desc(), _TABLE.c.sha256)
    return _first(session, newest.limit(1))


def _first(session: Session, query: sa.Select[tuple[object, ...]]) -> KeptWording | None:
    row = session.connection().execute(query).one_or_none()
    return KeptWording(row.sha256, row.name, json.loads(row.content), row.seen_at) if row else None
