"""Which purchases carry the § 7(3) hint: those the file says it of, and those a source is declared for, from a day on.

A declaration is somebody's word: that since a day this text has stood at the e-mail field of every order that comes
from this source, and that the address was given there. Who says so, and the hash of the scan or photo that shows it,
are part of the version that each purchase carries. What was bought before that day never carries it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from engine.config.sections import Config, Notice
from engine.domain.existing_customer import CONCLUDED, Shown
from engine.domain.registers import version
from engine.sources.rows import PurchaseRow
from engine.steps.importing.contract import file_mark
from engine.steps.subscribing import shown_of
from engine.store.notices import Version


@dataclass(frozen=True, slots=True)
class Registered:
    """A notice that counts: the days on which it was shown, and its version."""

    shown: Shown
    version: Version


class Notices:
    """The notices of one shop, as one import stamps its purchases with them; `declared` is the source's own."""

    def __init__(self, config: Config, source: str) -> None:
        self._zone = config.shop.zone
        self._known = registered(config)
        self._declared = config.source[source].notice if source in config.source else ""
        self.used: dict[str, Version] = {}

    def stamp(self, row: PurchaseRow) -> dict[str, object]:
        """Return the columns in which this purchase says what was shown; what the file itself says is never changed."""
        if "notice" in row.given:
            return {"notice": row.notice, "notice_version": self._version(row.notice, row.purchased_at)}
        if not self._declared or row.status != CONCLUDED:
            return {}
        found = self._version(self._declared, row.purchased_at)
        if not found:
            return {}
        values: dict[str, object] = {"notice": self._declared, "notice_version": found}
        if "notice_shown_at" not in row.given:
            values["notice_shown_at"] = row.purchased_at
        if "email_from_sale" not in row.given:
            values["email_from_sale"] = True
        return values

    def _version(self, name: str, at: datetime) -> str:
        known = self._known.get(name)
        if known is None or at.astimezone(self._zone).date() not in known.shown:
            return ""
        self.used[known.version.sha256] = known.version
        return known.version.sha256


def registered(config: Config) -> Mapping[str, Registered]:
    """Return the notices that count, by their ids: declared by name, with text and proof that can be read."""
    found = {name: _registered(config.home, name, notice) for name, notice in config.notice.items()}
    return {name: one for name, one in found.items() if one is not None}


def _registered(home: Path, name: str, notice: Notice) -> Registered | None:
    shown = shown_of(notice)
    try:
        text, proof = (home / notice.file).read_text(encoding="utf-8"), file_mark(home / notice.proof)
    except (OSError, UnicodeDecodeError):
        return None
    if shown is None:
        return None
    sha256, content = version(
        {
            "name": name,
            "text": text,
            "contact": notice.contact,
            "shown_from": shown.first.isoformat(),
            "declared_by": notice.declared_by,
            "declares": "shown at the e-mail field; the address was given in the sale",
            "proof": notice.proof,
            "proof_sha256": proof,
        }
    )
    return Registered(shown, Version(name, sha256, content))
