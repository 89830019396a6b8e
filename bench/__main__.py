"""Run one benchmark by name, or all of them: every module of this folder that has a `main`."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import bench
from engine.interpreter import settle


def main(arguments: list[str]) -> int:
    """Run what is asked for; a name may be followed by options of its own."""
    names = [module.name for module in pkgutil.iter_modules(bench.__path__) if not module.name.startswith("_")]
    runnable = {name: run for name in names if (run := getattr(importlib.import_module(f"bench.{name}"), "main", None))}
    wanted, options = (arguments[:1], arguments[1:]) if arguments else (list(runnable), [])
    settle()
    for name in wanted:
        if name not in runnable:
            print(f"There is no benchmark {name!r}; there are {', '.join(runnable)}.", file=sys.stderr)
            return 2
        print(f"== {name}")
        runnable[name](options)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
