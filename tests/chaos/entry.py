"""What a process of the harness runs: `treuepost` with its imports already done.

The processes are forked from a server that has imported everything and opened nothing (multiprocessing's forkserver):
a start costs hundredths of a second instead of two seconds, so that a kill finds the program at work. From here on it
is the program's own code, command line and all.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_DIE_WITH_PARENT = 1


def run(words: list[str], environment: dict[str, str], folder: str, log: str) -> None:
    """Be `treuepost WORDS…` in `folder`; what it says is appended to `log`."""
    from tests.chaos import loaded

    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(out, stream)
    sys.argv = ["treuepost", *words]
    loaded.DOOR(args=words, prog_name="treuepost")
