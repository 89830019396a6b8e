"""VOICES: one file per provider. This is the registry; a provider is imported only where it is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.config.loading import Config
    from engine.providers.contract import Provider

PROVIDERS = {
    "outbox": "engine.providers.outbox",
    "smtp": "engine.providers.smtp",
    "brevo": "engine.providers.brevo",
    "resend": "engine.providers.resend",
    "postmark": "engine.providers.postmark",
}
"""`[provider] use` -> the module whose `build(config)` makes it."""


def build(config: Config) -> Provider:
    """Return the provider the config names."""
    provider: Provider = import_module(PROVIDERS[config.provider.use]).build(config)
    return provider
