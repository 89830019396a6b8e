"""How often a process looks for circular garbage."""

from __future__ import annotations

import subprocess
import sys

_ASKS = """
import gc, sys
from engine import cli
sys.argv = ["treuepost", "--version"]
try:
    cli.main()
except SystemExit:
    print(gc.get_threshold())
"""


def test_the_command_line_looks_for_circular_garbage_rarely() -> None:
    ran = subprocess.run([sys.executable, "-c", _ASKS], capture_output=True, text=True, check=True)
    assert "(50000, 20, 20)" in ran.stdout
