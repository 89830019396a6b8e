"""The sender processes beside a daemon: replaced when they die, waited with when they die at once, stopped with it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from engine.daemon import children
from engine.daemon.children import Children
from tests.end_to_end.command import until


def die(_config: Path) -> None:
    """Die at once."""
    os.kill(os.getpid(), signal.SIGKILL)


def obey(config: Path) -> None:
    """Write down what is asked, until SIGTERM."""
    asked = {signal.SIGHUP, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, asked)
    config.with_name("ready").touch()
    while (number := signal.sigwait(asked)) != signal.SIGTERM:
        config.with_name(signal.Signals(number).name).touch()


def be_deaf(config: Path) -> None:
    """Listen to nothing but SIGTERM."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    config.with_name("ready").touch()
    signal.sigwait({signal.SIGTERM})


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Hold the stopwatch the children are tended by."""
    shown = [1000.0]
    monkeypatch.setattr(children, "stopwatch", lambda: shown[0])
    return shown


def _process(crew: Children) -> object:
    return crew._places[0].process


def _bury(crew: Children) -> None:
    process = crew._places[0].process
    assert process is not None
    process.join(60)
    crew.tend()


def test_one_that_dies_at_once_is_waited_with_longer_each_time(tmp_path: Path, watch: list[float]) -> None:
    crew = Children(1, die, tmp_path / "config.toml")
    crew.tend()
    for wait in (1, 2, 4):
        _bury(crew)
        assert _process(crew) is None
        watch[0] += wait - 0.5
        crew.tend()
        assert _process(crew) is None
        watch[0] += 0.5
        crew.tend()
        assert _process(crew) is not None
    crew.wait()


def test_one_that_has_worked_for_a_while_is_replaced_soon(tmp_path: Path, watch: list[float]) -> None:
    crew = Children(1, die, tmp_path / "config.toml")
    crew._places[0].wait = 60.0
    crew.tend()
    watch[0] += 61
    _bury(crew)
    watch[0] += 1
    crew.tend()
    assert _process(crew) is not None
    crew.wait()


def test_what_the_daemon_is_asked_reaches_them(tmp_path: Path) -> None:
    crew = Children(1, obey, tmp_path / "config.toml")
    crew.tend()
    until((tmp_path / "ready").exists, seconds=60, what="the sender")
    crew.reload()
    until((tmp_path / "SIGHUP").exists, seconds=60, what="the reload to arrive")
    process = crew._places[0].process
    crew.stop()
    crew.wait()
    assert process is not None
    assert process.exitcode == 0


def test_one_that_does_not_listen_yet_is_not_ended_by_a_reload(tmp_path: Path) -> None:
    crew = Children(1, be_deaf, tmp_path / "config.toml")
    crew.tend()
    until((tmp_path / "ready").exists, seconds=60, what="the sender")
    process = crew._places[0].process
    crew.reload()
    crew.stop()
    crew.wait()
    assert process is not None
    assert process.exitcode == 0
    assert signal.SIGHUP not in signal.pthread_sigmask(signal.SIG_BLOCK, set())


def test_without_children_nothing_is_to_be_done() -> None:
    crew = Children(0)
    crew.tend()
    crew.reload()
    crew.stop()
    crew.wait()
    assert crew._places == []
