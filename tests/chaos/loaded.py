"""Everything the program imports while it works, imported before it starts, at our pace. Nothing is opened here."""

from __future__ import annotations

import gc
import importlib
import pkgutil

import typer.main

import engine
from tests.chaos import pace

pace.apply()
for _found in pkgutil.walk_packages(engine.__path__, "engine."):
    if ".migrations." not in _found.name and not _found.name.endswith("__main__"):
        importlib.import_module(_found.name)
for _name in ("psycopg", "sqlalchemy.dialects.postgresql.psycopg", "sqlalchemy.dialects.sqlite.pysqlite"):
    importlib.import_module(_name)
DOOR = typer.main.get_command(importlib.import_module("engine.cli").build())
"""The whole command line."""
gc.freeze()
