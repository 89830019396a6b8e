"""Campaign files for the tests: right ones to spoil, and a way to read them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engine.campaigns.loading import examine_campaigns
from engine.campaigns.model import Campaign
from engine.config.loading import Config
from engine.config.sections import Legal, Shop
from engine.errors import Finding

MESSAGE = '[message]\nsubject = "Hallo"\nbody = "Guten Tag"\n'
BIRTHDAY = f'id = "gruss"\nkind = "birthday"\n[trigger]\non = "birthday"\n{MESSAGE}'
SERVICE = """
id = "wartung"
kind = "service_reminder"
advertises = ["Heizung.Wartung"]
[trigger]
on = "service_due"
item_types = ["heating"]
[[step]]
id = "vorher"
when = "30 days before"
subject = "Bald fällig"
body = "…"
[[step]]
id = "danach"
when = "14 days after"
subject = "Überfällig"
body = "…"
"""

Examine = Callable[..., tuple[tuple[Campaign, ...], list[Finding]]]


def config(language: str = "en") -> Config:
    """Return the config of a shop that speaks this language."""
    return Config(shop=Shop(name="Radhaus", address="Lindenallee 4", language=language))  # type: ignore[arg-type]


def examine(
    folder: Path, *files: str | bytes, language: str = "en", legal: Legal | None = None
) -> tuple[tuple[Campaign, ...], list[Finding]]:
    """Write the files as a.toml, b.toml, … and read them as campaigns."""
    for name, text in zip("abcdefgh", files, strict=False):
        (folder / f"{name}.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return examine_campaigns(folder, config(language).model_copy(update={"legal": legal or Legal()}))
