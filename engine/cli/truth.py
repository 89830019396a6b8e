"""What `init` ends with: the sources pulled, and who may be written to today."""

from __future__ import annotations

import os
from pathlib import Path

from engine.cli.output import say


def tell(config_file: Path) -> None:
    """Pull the configured sources and print the reach; a source that cannot be read yet is said, not fatal."""
    from engine.app import assemble
    from engine.cli import reach
    from engine.clock import system_clock
    from engine.config import load_config
    from engine.steps import pulling

    now = system_clock()
    app = assemble(load_config(config_file, os.environ), system_clock)
    try:
        for result in pulling.pull(app, None, now):
            if result.error:
                say(f"  [source.{result.source}] {result.error} {result.hint}".rstrip())
        reach.tell(app, now)
    finally:
        app.database.close()
