"""What `init` and `demo` end with: the sources pulled, and who may be written to today."""

from __future__ import annotations

import os
from pathlib import Path

from engine.cli.output import show_error
from engine.errors import TreuepostError


def tell(config_file: Path) -> None:
    """Pull the configured sources and print the reach; a source that cannot be read yet is said, not fatal."""
    from engine.app import assemble
    from engine.clock import system_clock
    from engine.config import load_config
    from engine.steps import passing

    app = assemble(load_config(config_file, os.environ), system_clock)
    try:
        passing.pull_changed(app, system_clock())
    except TreuepostError as error:
        show_error(error)
    finally:
        app.database.close()
