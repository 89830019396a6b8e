"""DOOR: a worker. It claims, sends and recovers beside a daemon that plans, pulls and watches the store.

On another machine it is a command of its own (`treuepost worker`, PostgreSQL); on the daemon's machine it is one of
its sender processes (`treuepost run --workers N`), on SQLite too.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from multiprocessing import parent_process
from pathlib import Path
from types import FrameType

import structlog

from engine.app import assemble
from engine.clock import system_clock
from engine.config.loading import load_config
from engine.daemon import logging_setup
from engine.daemon.running import RECOVER_SECONDS, RELOAD_SECONDS, REPLY_SECONDS, SEND_SECONDS, Daemon
from engine.errors import TreuepostError
from engine.interpreter import settle
from engine.store import ownership

log = structlog.get_logger(__name__)


class Worker(Daemon):
    """One of many that send. It never checkpoints: with SQLite that is the daemon's alone."""

    checkpoints = False
    serves = False
    joins = True

    def _station(self) -> AbstractContextManager[ownership.Sender]:
        return ownership.one_of_many(self.app.database, self.app.clock)

    def _duties(self) -> tuple[tuple[str, int, Callable[[datetime], object]], ...]:
        return (
            ("send", SEND_SECONDS, self._send),
            ("reply", REPLY_SECONDS, self._reply),
            ("recover", RECOVER_SECONDS, self._recover),
            ("reload", RELOAD_SECONDS, self._reload_changed),
        )


class Child(Worker):
    """A worker that a daemon has started: it ends with it."""

    def _look_around(self, sender: ownership.Sender) -> None:
        super()._look_around(sender)
        parent = parent_process()
        if parent is not None and not parent.is_alive() and not self.stopping.is_set():
            log.warning("the daemon is gone", note="what is in flight is finished")
            self._stop()

    def _listen(self) -> None:
        super()._listen()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})  # blocked by the daemon from our very start

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stop()  # however often: the daemon and its supervisor both ask, and neither means "at once"


def send_beside_parent(config: Path) -> None:
    """Be one of a daemon's sender processes until it says stop, or is gone."""
    os.environ.pop("NOTIFY_SOCKET", None)  # the daemon speaks to systemd
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal asks everybody at once; the daemon passes it on
    logging_setup.set_up()
    settle()
    try:
        app = assemble(load_config(config, os.environ), system_clock)
        try:
            Child(app).run()
        finally:
            app.database.close()
    except TreuepostError as error:
        log.error("sender ends", error=error.message, hint=error.hint)  # noqa: TRY400  (a sentence says all)
        sys.exit(error.exit_code)
