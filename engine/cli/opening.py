"""How a command gets at the shop: the global options, the config file, and the assembled app at an instant."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import typer

from engine.clock import Clock, stopped_at, system_clock
from engine.errors import UsageError

if TYPE_CHECKING:  # heavy: only a command that needs them pays for them
    from engine.app import App, Premises
    from engine.config.loading import Config
    from engine.store.database import Database

Translate = Callable[..., str]


@dataclass(frozen=True, slots=True)
class Options:
    """What stands before the command's name."""

    config: Path | None = None
    debug: bool = False


def read_config(ctx: typer.Context) -> Config:
    """Find and read the config file."""
    from engine.config.loading import find_config, load_config

    options = ctx.obj if isinstance(ctx.obj, Options) else Options()
    return load_config(find_config(options.config, os.environ), os.environ)


@contextmanager
def opened(ctx: typer.Context, at: str | None = None) -> Iterator[App]:
    """Lend the assembled app, with its clock stopped at `at` where that is given, and close the store afterwards."""
    from engine.app import assemble

    config = read_config(ctx)
    app = assemble(config, clock_at(at, config.shop.zone))
    try:
        yield app
    finally:
        app.database.close()


@contextmanager
def opened_store(ctx: typer.Context) -> Iterator[tuple[Config, Database]]:
    """Lend the store alone: what reads it works even where a campaign or a template is broken."""
    from engine.app import open_store

    config = read_config(ctx)
    database = open_store(config)
    try:
        yield config, database
    finally:
        database.close()


@contextmanager
def opened_premises(ctx: typer.Context) -> Iterator[Premises]:
    """Lend the store and the keys: whoever objects is heard even where a campaign or a template is broken."""
    from engine.app import open_premises

    shop = open_premises(read_config(ctx), system_clock)
    try:
        yield shop
    finally:
        shop.database.close()


def spoken(config: Config) -> Translate:
    """Return the translation into the shop's language: `_("%(count)s mails", count=3)`."""
    from engine.language import Language

    return Language(config.shop.language).gettext


def clock_at(at: str | None, zone: ZoneInfo, flag: str = "--at") -> Clock:
    """Return the machine's clock, or one that always shows `at` (RFC 3339; without an offset, the shop's time)."""
    if not at:
        return system_clock
    try:
        instant = datetime.fromisoformat(at)
    except ValueError as error:
        raise UsageError(
            f'{flag} "{at}" is not a time.', "Write it like 2026-12-24T09:00:00+01:00 (RFC 3339)."
        ) from error
    return stopped_at(instant if instant.tzinfo else instant.replace(tzinfo=zone))
