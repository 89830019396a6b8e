"""What the steps need of the program: the App of the floor above, seen from below."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol
from uuid import UUID

from engine.campaigns.model import Campaign
from engine.clock import Clock
from engine.config.loading import Config
from engine.keys import Keyring
from engine.providers.contract import Provider
from engine.rendering.renderer import Renderer
from engine.store.database import Database


class Premises(Protocol):
    """The shop without campaigns and provider: enough to import, to hear a "no", and to say whom it may write to."""

    @property
    def config(self) -> Config: ...  # noqa: D102
    @property
    def database(self) -> Database: ...  # noqa: D102
    @property
    def keyring(self) -> Keyring: ...  # noqa: D102
    @property
    def installation(self) -> UUID: ...  # noqa: D102
    @property
    def home(self) -> Path: ...  # noqa: D102


class Shop(Premises, Protocol):
    """The whole of it: enough to plan, to send, and to say beforehand what would be sent."""

    @property
    def clock(self) -> Clock: ...  # noqa: D102
    @property
    def campaigns(self) -> tuple[Campaign, ...]: ...  # noqa: D102
    @property
    def renderer(self) -> Renderer: ...  # noqa: D102
    @property
    def provider(self) -> Provider: ...  # noqa: D102
    @property
    def rehearsal(self) -> bool: ...  # noqa: D102
