"""Runs `treuepost` as its owner does: a command, its output, its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from engine.cli import build

ROOT = Path(__file__).parents[2]
_pause = threading.Event()


def environment(**more: str) -> dict[str, str]:
    """Return an environment that knows nothing of the machine's own settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TREUEPOST_")}
    kept["TREUEPOST_WEB__LISTEN"] = "127.0.0.1:0"  # many daemons at once, each at a door of its own
    return kept | {"NO_COLOR": "1", "PYTHONPATH": str(ROOT), "COLUMNS": "160"} | more


def treuepost(home: Path, *words: str, code: int | None = 0, **env: str) -> subprocess.CompletedProcess[str]:
    """Run one command in the shop's folder and hold it to its exit code."""
    command = [sys.executable, "-m", "engine", "--config", str(home / "config.toml"), *words]
    done = subprocess.run(
        command, cwd=home, env=environment(**env), capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300
    )
    assert code is None or done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def json_lines(home: Path, *words: str, **env: str) -> list[dict[str, Any]]:
    """Run a command with --json and return its lines."""
    return [json.loads(line) for line in treuepost(home, *words, "--json", **env).stdout.splitlines()]


def within(home: Path, *words: str, codes: tuple[int, ...] = (0,)) -> str:
    """Run one command within this process, where a story has hundreds of them, and return what it prints."""
    done = CliRunner(env=environment(TREUEPOST_PROVIDER__API_KEY="key")).invoke(
        build(), ["--config", str(home / "config.toml"), *words]
    )
    assert done.exit_code in codes, f"{words}: {done.exit_code}\n{done.output}\n{done.exception!r}"
    return done.stdout


def lines_within(home: Path, *words: str) -> list[dict[str, Any]]:
    """Run one command with --json within this process and return its lines."""
    return [json.loads(line) for line in within(home, *words, "--json").splitlines()]


def start(home: Path, *words: str, log: Path, **env: str) -> subprocess.Popen[bytes]:
    """Start a command that goes on running; what it says goes to `log`."""
    command = [sys.executable, "-m", "engine", "--config", str(home / "config.toml"), *words]
    with log.open("ab") as out:
        return subprocess.Popen(command, cwd=home, env=environment(**env), stdout=out, stderr=out)


def until(true: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Wait until something is true; fail with its name when it never becomes so."""
    for _ in range(int(seconds / 0.02)):
        if true():
            return
        _pause.wait(0.02)
    raise AssertionError(f"waited {seconds} s in vain for {what}")
