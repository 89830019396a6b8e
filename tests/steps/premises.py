"""A shop without campaigns, for the steps that hear what people allow and forbid."""

from __future__ import annotations

from pathlib import Path

from engine.app import Premises
from engine.config.loading import Config, load_config
from engine.keys import Keyring
from engine.store import installation, suppressions
from engine.store.database import Database
from tests.conftest import CONFIG, WORDING
from tests.people import NOW


def write_config(home: Path, *, zone: str = "") -> Config:
    """Write the shop's config into its folder and read it as the program does."""
    text = CONFIG.replace("{store}", "sqlite:///store.db")
    if zone:
        text = text.replace("[store]", f'timezone = "{zone}"\n\n[store]', 1)
    (home / "wording.txt").write_text(WORDING, encoding="utf-8")
    (home / "config.toml").write_text(text, encoding="utf-8")
    return load_config(home / "config.toml", {})


def open_shop(home: Path, database: Database) -> Premises:
    """Put a shop around a store."""
    keyring = Keyring.load_or_create(home / "secret.key")
    with database.write() as session:
        standing = installation.ensure(session, NOW)
        suppressions.seal(session, keyring)
    return Premises(write_config(home), database, keyring, standing.uuid, home)
