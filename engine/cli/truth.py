"""What `init` ends with: the sources pulled, and who may be written to today."""

from __future__ import annotations

import os
from pathlib import Path

from engine.cli.opening import Translate
from engine.cli.output import say, show_error
from engine.errors import TreuepostError


def adopt(config_file: Path, customers: Path, _: Translate, *, err: bool = False) -> None:
    """Take the customer list up as a source; a list that cannot be read yet is said, not fatal."""
    try:
        _adopt(config_file, customers, _, err=err)
    except TreuepostError as error:
        show_error(error)


def _adopt(config_file: Path, customers: Path, _: Translate, *, err: bool) -> None:
    """Look at the customer list, print which column is which, and keep that as [source.customers] in the config."""
    from engine.clock import system_clock
    from engine.config.loading import load_config
    from engine.sources.files import read
    from engine.sources.mapping import Surroundings
    from engine.sources.options import ReadOptions
    from engine.sources.preview import propose

    config = load_config(config_file, os.environ)
    options = ReadOptions()
    surroundings = Surroundings(config.shop.zone, config.shop.currency, system_clock())
    preview = propose(read(customers.absolute(), options), "customers", options, surroundings)
    say(_("%(file)s is read like this (kept in config.toml as [source.customers]):", file=customers.name), err=err)
    for column in preview.columns:
        say(f"  {column.header:<24} -> {column.field or '–'}", err=err)
    with config_file.open("a", encoding="utf-8") as file:
        file.write(f"\n{preview.source(config.home).strip()}\n")


def tell(config_file: Path) -> None:
    """Pull the configured sources and print the reach; a source that cannot be read yet is said, not fatal."""
    from engine.app import assemble
    from engine.cli import reach
    from engine.clock import system_clock
    from engine.config.loading import load_config
    from engine.steps.importing import pulling

    now = system_clock()
    app = assemble(load_config(config_file, os.environ), system_clock)
    try:
        for result in pulling.pull(app, None, now):
            if result.error:
                say(f"  [source.{result.source}] {result.error} {result.hint}".rstrip())
        reach.tell(app, now)
    finally:
        app.database.close()
