"""A shop without campaigns, for the steps that hear what people allow and forbid."""

from __future__ import annotations

from pathlib import Path

from engine.app import Premises
from engine.config.loading import load_config
from engine.keys import Keyring
from engine.store import installation, suppressions
from engine.store.database import Database
from tests.conftest import CONFIG, WORDING
from tests.people import NOW


def open_shop(home: Path, database: Database) -> Premises:
    """Put a shop around a store."""
    (home / "wording.txt").write_text(WORDING, encoding="utf-8")
    (home / "config.toml").write_text(CONFIG.replace("{store}", "sqlite:///store.db"), encoding="utf-8")
    keyring = Keyring.load_or_create(home / "secret.key")
    with database.write() as session:
        standing = installation.ensure(session, NOW)
        suppressions.seal(session, keyring)
    return Premises(load_config(home / "config.toml", {}), database, keyring, standing.uuid, home)
