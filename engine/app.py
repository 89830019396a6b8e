"""The only place where things are put together: a config and a clock in, a whole Treuepost out.

`assemble` opens the store, checks its schema, reads the keys, the campaigns and the templates, and builds the
provider. Everything a step needs is a field of `App`; nothing is looked up anywhere else.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from uuid import UUID

from engine import providers
from engine.campaigns.loading import load_campaigns
from engine.campaigns.model import Campaign
from engine.clock import Clock
from engine.config.loading import Config, load_config
from engine.errors import StoreError, TreuepostError
from engine.keys import Keyring
from engine.providers.contract import Provider
from engine.rendering.renderer import Renderer
from engine.steps.privacy import forgetting
from engine.steps.suppressing import replay
from engine.store import clocks, installation, schema, suppressions
from engine.store.database import Database
from engine.store.suppression_log import SuppressionLog

KEY_FILE = "secret.key"


@dataclass(frozen=True, slots=True)
class App:
    """A whole Treuepost, put together and ready for the steps."""

    config: Config
    database: Database
    clock: Clock
    campaigns: tuple[Campaign, ...]
    renderer: Renderer
    provider: Provider
    keyring: Keyring
    installation: UUID
    home: Path

    @property
    def rehearsal(self) -> bool:
        """Say whether nobody is really mailed."""
        return self.config.rehearsal

    def campaign(self, campaign_id: str) -> Campaign | None:
        """Return the campaign with this id, if its file is there."""
        return next((campaign for campaign in self.campaigns if campaign.id == campaign_id), None)


@dataclass(frozen=True, slots=True)
class Premises:
    """The shop without campaigns and provider: whoever objects is heard even where a campaign file is broken."""

    config: Config
    database: Database
    keyring: Keyring
    installation: UUID
    home: Path


def open_premises(config: Config, clock: Clock) -> Premises:
    """Open the store and read the keys; put back what a restored backup has forgotten: every "no", every erasure."""
    database = open_store(config)
    try:
        keyring = _keys(database, key_file(config, database))
        identity = _identify(database, keyring, clock(), key_file(config, database))
        replay(database, SuppressionLog.beside(database, config.home))
        shop = Premises(config, database, keyring, identity, config.home)
        forgetting.replay(shop, clock())
    except TreuepostError:
        database.close()
        raise
    return shop


def assemble(config: Config, clock: Clock) -> App:
    """Put a whole Treuepost together from its config."""
    shop = open_premises(config, clock)
    campaigns, renderer = read_campaigns(config)
    return App(
        config=config,
        database=shop.database,
        clock=clocks.of(shop.database, clock),
        campaigns=campaigns,
        renderer=renderer,
        provider=providers.build(config),
        keyring=shop.keyring,
        installation=shop.installation,
        home=shop.home,
    )


def _keys(database: Database, file: Path) -> Keyring:
    """Read the keys; a store that was made with keys gets no new ones, or nobody who objected would be recognised."""
    if not file.exists():
        with database.read() as session:
            standing = installation.find(session)
        if standing is not None and standing.canary:
            raise StoreError(
                f"{file} is missing: it holds the keys this store was made with.",
                "Put it back from your backup: without it nobody who objected can be recognised. Nothing was sent.",
            )
    return Keyring.load_or_create(file)


def _identify(database: Database, keyring: Keyring, now: datetime, file: Path) -> UUID:
    """Return the store's uuid; refuse keys that are not the store's own, and leave their mark in a new store."""
    with database.read() as session:
        standing = installation.find(session)
    if standing is None or keyring.canary not in standing.canary.split():
        with database.write() as session:
            standing = installation.ensure(session, now)
            suppressions.seal(session, keyring)
    if not keyring.fits(standing.canary):
        raise StoreError(
            f"{file} holds other keys than the ones this store was made with.",
            "Put back the secret.key that belongs to it: without it nobody who objected can be recognised.",
        )
    return standing.uuid


def reassemble(app: App, environ: Mapping[str, str] | None = None) -> App:
    """Read config, campaigns and templates again for the same store; raise and change nothing if any is invalid."""
    config = load_config(app.config.file, os.environ if environ is None else environ)
    campaigns, renderer = read_campaigns(config)
    provider = app.provider if config.provider == app.config.provider else providers.build(config)
    return replace(app, config=config, campaigns=campaigns, renderer=renderer, provider=provider)


def read_campaigns(config: Config) -> tuple[tuple[Campaign, ...], Renderer]:
    """Read the campaigns and compile every template they use."""
    campaigns = load_campaigns(config.home / "campaigns", config)
    return campaigns, Renderer(config, config.home / "templates", campaigns)


def open_store(config: Config) -> Database:
    """Open the store; a new SQLite file gets its tables by itself, an older one is refused by name of the remedy."""
    database = Database(config.store.url)
    if database.sqlite and schema.is_empty(database):
        schema.upgrade(database)
    schema.require(database)
    return database


def key_file(config: Config, database: Database) -> Path:
    """Return where the installation's secret key lies: beside the store, or beside the config for PostgreSQL."""
    return (database.path.parent if database.path else config.home) / KEY_FILE
