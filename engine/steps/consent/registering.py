"""Keeps what people are shown: each version of each wording, word for word, before anybody can agree to it.

An edited text under the same ID is a new version beside the old one; what was agreed to before stays what it was.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from sqlmodel import Session

from engine.config.loading import Config
from engine.domain.wordings import says_how_to_withdraw
from engine.store import wordings
from engine.store.database import Database
from engine.store.wordings import KeptWording

CHANNEL = "email"


class Shop(Protocol):
    """What registering needs of the program."""

    @property
    def config(self) -> Config: ...  # noqa: D102
    @property
    def database(self) -> Database: ...  # noqa: D102


def content_of(config: Config, name: str) -> dict[str, object] | None:
    """Return everything that belongs to a wording as it stands now; None where it is not fit to be agreed to.

    A consent has to name who writes and about what (law.md B2): without either, or without its text, there is none.
    """
    wording = config.wording.get(name)
    text = text_of(config, name)
    if wording is None or not (text and wording.product_scope.strip() and config.shop.address.strip()):
        return None
    return {
        "id": name,
        "language": wording.language,
        "text": text,
        "controller": {"name": config.shop.name, "address": config.shop.address.strip()},
        "product_scope": wording.product_scope.strip(),
        "channel": CHANNEL,
        "kinds": sorted(wording.kinds),
        "withdrawal": says_how_to_withdraw(text),
        "privacy": config.shop.privacy,
        "title": wording.title,
        "special_categories": sorted(wording.special_categories),
    }


def text_of(config: Config, name: str) -> str:
    """Return a wording's text with plain line ends; empty where it cannot be read."""
    wording = config.wording.get(name)
    try:
        raw = (config.home / wording.file).read_text(encoding="utf-8-sig") if wording else ""
    except (OSError, UnicodeDecodeError):
        return ""
    return re.sub(r"\r\n?", "\n", raw).strip()


def register(session: Session, config: Config, name: str, now: datetime) -> KeptWording | None:
    """Keep a wording as it stands now, within the caller's transaction; None where nobody can agree to it."""
    content = content_of(config, name)
    return None if content is None else wordings.find(session, wordings.keep(session, name, content, now))


def register_all(shop: Shop, now: datetime) -> Mapping[str, str]:
    """Keep every wording as it stands now; return their versions by ID."""
    if not shop.config.wording:
        return {}
    with shop.database.write() as session:
        kept = {name: register(session, shop.config, name, now) for name in shop.config.wording}
    return {name: one.sha256 for name, one in kept.items() if one is not None}
