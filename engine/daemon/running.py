"""DOOR: the daemon. APScheduler wakes the ticks; each tick is one of the steps with the present instant.

The scheduler never defines an occasion: it only says "look again". A tick that raises is logged and the daemon lives
on. The main thread watches what no tick can: the clock, the store's file, the signals, systemd's watchdog.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from types import FrameType

import structlog
from apscheduler.schedulers.background import BackgroundScheduler

from engine.app import App
from engine.clock import stopwatch
from engine.daemon import reloading, systemd
from engine.errors import StoreError, TreuepostError
from engine.steps import alarming, passing, planning, recovering, sending
from engine.store import installation, ownership
from engine.store.budgets import Stop

PULL_SECONDS = 60
PLAN_SECONDS = 60
SEND_SECONDS = 5
RECOVER_SECONDS = 60
RELOAD_SECONDS = 5
CHECKPOINT_SECONDS = 300
NOTICE_SECONDS = 3600
WATCH_SECONDS = 2
GRACE_SECONDS = 20
JUMP = timedelta(seconds=5)
SHORT_WAIT = timedelta(minutes=10)
NOTED_EVERY = timedelta(minutes=1)

log = structlog.get_logger(__name__)


class Daemon:
    """One running Treuepost: the ticks, the signals and the stop."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.stopping = threading.Event()
        self._wake = threading.Event()
        self._rest = threading.Condition()
        self._at_work: set[str] = set()
        self._reload_wanted = False
        self._fault: StoreError | None = None
        self._told: Stop | None = None
        self._watch = reloading.Watch(app)
        self._file = _identity(app)
        self._scheduler = BackgroundScheduler(
            timezone="UTC",
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )

    def run(self) -> None:
        """Work until a signal says stop; what is in flight is finished and recorded."""
        with ownership.sole_sender(self.app.database) as sender:
            passing.start(self.app, self.app.clock())
            self._listen()
            self._schedule()
            systemd.notify("READY=1")
            log.info("ready", provider=self.app.provider.name, campaigns=len(self.app.campaigns))
            self._watch_over(sender)
            systemd.notify("STOPPING=1")
            log.info("stopping", finishing="what is in flight")
            left = self._finish()
            self.app.provider.close()
            self.app.database.checkpoint()
            log.info("stopped", unfinished=left)
            if left and not self._fault:
                os._exit(0)  # its transaction is rolled back, and the next start does it again
        if self._fault:
            raise self._fault

    def _finish(self) -> list[str]:
        """Wait for every call in flight; give other ticks a moment, and return those that would take longer."""
        self._scheduler.shutdown(wait=False)
        with self._rest:
            self._rest.wait_for(lambda: "send" not in self._at_work)
            self._rest.wait_for(lambda: not self._at_work, timeout=GRACE_SECONDS)
            return sorted(self._at_work)

    def _schedule(self) -> None:
        for name, seconds, work in (
            ("pull", PULL_SECONDS, self._pull),
            ("plan", PLAN_SECONDS, self._plan),
            ("send", SEND_SECONDS, self._send),
            ("recover", RECOVER_SECONDS, self._recover),
            ("reload", RELOAD_SECONDS, self._reload_changed),
            ("checkpoint", CHECKPOINT_SECONDS, self._checkpoint),
            ("notice", NOTICE_SECONDS, self._notice),
        ):
            self._scheduler.add_job(partial(self._tick, name, work), "interval", seconds=seconds, id=name)
        self._scheduler.start()
        self._wake_ticks()

    def _tick(self, name: str, work: Callable[[datetime], object]) -> None:
        """Do one tick's work; whatever it raises is logged and the daemon lives on."""
        with self._rest:  # whoever stops waits for those who are at work: nobody begins after that
            if self.stopping.is_set():
                return
            self._at_work.add(name)
        try:
            work(self.app.clock())
        except Exception as error:  # noqa: BLE001  (a fault in one tick must not stop the others)
            _complain(name, error)
        finally:
            with self._rest:
                self._at_work.discard(name)
                self._rest.notify_all()

    def _pull(self, now: datetime) -> None:
        for pulled in passing.pull_changed(self.app, now):
            if pulled.error:
                log.error("source refused", source=pulled.source, error=pulled.error, hint=pulled.hint)
            elif pulled.report:
                log.info("pulled", source=pulled.source, created=pulled.report.created, updated=pulled.report.updated)

    def _plan(self, now: datetime) -> None:
        if self._waits(now):
            return
        report = planning.plan(self.app, now)
        if report.planned or report.moved:
            log.info("planned", messages=report.planned, moved=report.moved)
            self._scheduler.modify_job("send", next_run_time=now)

    def _send(self, now: datetime) -> None:
        if self._waits(now):
            return
        report = sending.send_due(self.app, self.app.clock, stop=self.stopping)
        if came_to := passing.counted(report):
            log.info("sent", **came_to)
        if report.stop and report.stop != self._told:
            say = "provider refuses the credentials" if report.credentials_refused else "provider stopped"
            hint = "mend the cause, then: treuepost resume --all"
            log.error(
                say, provider=self.app.provider.name, error=report.stop.detail, until=report.stop.until, hint=hint
            )
        self._told = report.stop

    def _recover(self, now: datetime) -> None:
        recovered = recovering.recover(self.app, now)
        if recovered:
            log.info("recovered", messages=recovered)

    def _checkpoint(self, _now: datetime) -> None:
        self.app.database.checkpoint()

    def _notice(self, now: datetime) -> None:
        for topic in alarming.tell_owner(self.app, now):
            log.warning("owner told", topic=topic)

    def _reload_changed(self, _now: datetime) -> None:
        self.app = self._watch.look(self.app)

    def _waits(self, now: datetime) -> bool:
        """Say whether the clock stands shortly before an instant already worked at: then waiting loses nothing."""
        with self.app.database.read() as session:
            standing = installation.find(session)
        last = standing.last_tick_at if standing else None
        if last is None or now - last > NOTED_EVERY:
            with self.app.database.write() as session:
                installation.note_tick(session, now)
        return last is not None and JUMP < last - now <= SHORT_WAIT

    # -- the main thread -------------------------------------------------------------------------------------------

    def _watch_over(self, sender: ownership.Sender) -> None:
        """Watch the clock, the store and the signals until the daemon is to stop."""
        offset = _offset(self.app)
        while not self.stopping.is_set():
            self._wake.wait(WATCH_SECONDS)
            self._wake.clear()
            if self._reload_wanted:
                self._reload()
            offset = self._check_clock(offset)
            self._check_store(sender)
            systemd.notify("WATCHDOG=1")

    def _check_clock(self, before: float) -> float:
        """Notice a clock that was set: the scheduler counts in wall time and would sleep through a step back."""
        offset = _offset(self.app)
        if abs(offset - before) > JUMP.total_seconds():
            log.warning("the clock was set", seconds=round(offset - before, 1), note="nothing is sent twice")
            self._wake_ticks()
        return offset

    def _check_store(self, sender: ownership.Sender) -> None:
        if _identity(self.app) != self._file:
            self._fault = StoreError(
                f"The store {self.app.database.path} was deleted or replaced while the daemon was running.",
                "Nothing more is sent. Put the right file back, then start the daemon again.",
            )
        elif not sender.holds():
            self._fault = StoreError(
                "The database server has ended the connection that says who sends.",
                "Nothing more is sent: another process may send from this store now. Start the daemon again.",
            )
        if self._fault:
            log.error("store lost", error=self._fault.message)
            self.stopping.set()

    def _wake_ticks(self) -> None:
        for job in self._scheduler.get_jobs():
            job.modify(next_run_time=self.app.clock())

    def _reload(self) -> None:
        self._reload_wanted = False
        systemd.notify_reloading()
        self.app = self._watch.reload_all(self.app)
        systemd.notify("READY=1")

    def _listen(self) -> None:
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGINT, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_reload)

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        if self.stopping.is_set():
            os._exit(1)  # asked a second time: at once; what was in flight is recovered at the next start
        self.stopping.set()
        self._wake.set()

    def _on_reload(self, _number: int, _frame: FrameType | None) -> None:
        self._reload_wanted = True
        self._wake.set()


def _complain(tick: str, error: Exception) -> None:
    """Log a fault: a sentence where it says all, with its traceback where it is ours."""
    plain = isinstance(error, TreuepostError)
    log.error("tick failed", tick=tick, error=str(error), exc_info=None if plain else error)


def _offset(app: App) -> float:
    """Return how far the wall clock stands from the monotonic one: it changes only when the clock is set."""
    return app.clock().timestamp() - stopwatch()


def _identity(app: App) -> tuple[int, int] | None:
    """Return which file the store is, by device and number; None where it is gone or not a file."""
    try:
        found = app.database.path.stat() if app.database.path else None
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if found else None
