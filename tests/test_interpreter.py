"""How CPython treats a process of ours."""

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
    print(gc.get_threshold(), sys.getswitchinterval())
"""


def test_the_command_line_looks_for_garbage_rarely_and_lets_threads_take_turns_often() -> None:
    ran = subprocess.run([sys.executable, "-c", _ASKS], capture_output=True, text=True, check=True)
    assert "(50000, 20, 20) 0.001" in ran.stdout
