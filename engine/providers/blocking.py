"""The registry of those whose block list can be read: one file each, and one line here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from engine.config.loading import Config
from engine.domain.blocked import BlockedPage
from engine.domain.words import InDoubt, NotSent
from engine.providers import brevo, brevo_blocked
from engine.providers.http import Line

Pages = Iterator[BlockedPage | NotSent | InDoubt]

READERS: Mapping[str, tuple[Callable[[Config], Line], Callable[[Line], Pages]]] = MappingProxyType(
    {"brevo": (brevo.line_of, brevo_blocked.pages)}
)
"""Provider -> the way to it, and what reads its list. `config/providers.py` says the same with `blocks`."""


def pages(config: Config) -> Pages:
    """Yield the block list of the provider the config names; nothing for one that offers none."""
    if config.provider.use not in READERS:
        return
    way, read = READERS[config.provider.use]
    line = way(config)
    try:
        yield from read(line)
    finally:
        line.close()
