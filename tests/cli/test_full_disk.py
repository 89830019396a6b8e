"""No room on the disk: a sentence, exit code 5, and nothing lost."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.typed import AT, lay_out, lines, typed


def _limit(size: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("size", [1024, 20_000, 40_000])
def test_a_disk_without_room_is_said_and_nothing_is_lost(tmp_path: Path, size: int) -> None:
    home = lay_out(tmp_path / "laden")
    command = [sys.executable, "-m", "engine", "--config", str(home / "config.toml"), "tick", "--at", AT]
    ended = subprocess.run(command, preexec_fn=_limit(size), capture_output=True, text=True, check=False)
    assert ended.returncode == 5, ended.stderr
    assert "fault in Treuepost" not in ended.stderr
    assert typed(home, "tick", "--at", AT).exit_code == 0
    assert [row["customer"] for row in lines(home, "log", "state:sent", "--rehearsal")] == ["1"]
