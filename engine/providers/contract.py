"""What a provider is: it takes mails and says of each what came of it. It never raises for a provider's fault."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from engine.config.loading import Config
from engine.domain.words import Email, Result


class Provider(Protocol):
    """A voice. One file in this folder each, and one line in the registry."""

    @property
    def name(self) -> str:
        """Return the word that stands for it in the config and in the log."""

    @property
    def rehearsal(self) -> bool:
        """Say whether it only pretends: nobody is mailed."""

    @property
    def group(self) -> int:
        """Return how many mails one release may cover: as many as can be under way within a second."""

    @property
    def senders(self) -> int:
        """Return how many calls may run at once, each in a thread of its own."""

    def send(self, emails: Sequence[Email]) -> list[Result]:
        """Send these mails and return as many results, in the same order."""

    def close(self) -> None:
        """Let go of connections."""


def may_advertise(config: Config) -> bool:
    """Say whether advertising may leave: not through a real provider while no unsubscribe page answers.

    A provider on the same machine is a test: it mails nobody.
    """
    return config.rehearsal or config.provider.on_loopback


def calls_at_once(config: Config) -> int:
    """Return how many calls a real provider makes at once: its senders, bounded by `batch`."""
    senders = config.provider.senders
    return min(senders, config.provider.batch or senders)
