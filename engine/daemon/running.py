"""DOOR: the daemon. APScheduler wakes the ticks; each tick is one of the steps with the present instant.

The scheduler never defines an occasion: it only says "look again". A tick that raises is logged and the daemon lives
on. The main thread watches what no tick can: the clock, the store's file, the signals, systemd's watchdog.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from functools import partial
from types import FrameType

import structlog
from apscheduler.schedulers.background import BackgroundScheduler

from engine.app import App
from engine.clock import stopwatch, system_clock
from engine.daemon import keeping, reloading, systemd
from engine.daemon.children import Children
from engine.daemon.gate import JUMP, Gate
from engine.daemon.leaping import Leap
from engine.daemon.pages import Pages
from engine.daemon.readiness import Readiness
from engine.errors import AlreadyRunning, StoreBusy, StoreError, TreuepostError
from engine.steps import passing, recovering, sending
from engine.steps.claiming import EitherOf
from engine.steps.sending import SendReport
from engine.store import ownership, workers
from engine.store.budgets import Stop

PULL_SECONDS = 60
PLAN_SECONDS = 60
SEND_SECONDS = 5
REPLY_SECONDS = 3
RECOVER_SECONDS = 60
RELOAD_SECONDS = 5
CHECKPOINT_SECONDS = 30
NOTICE_SECONDS = 3600
ATTEST_SECONDS = 60
PAGES_SECONDS = 30
WATCH_SECONDS = 2
GRACE_SECONDS = 20
BY_NO_CLOCK = frozenset({"reload", "checkpoint"})

log = structlog.get_logger(__name__)


class Daemon:
    """One running Treuepost: the ticks, the signals and the stop; with `children`, sender processes beside it."""

    checkpoints = True
    serves = True
    """Whether the public pages are its business: one process has the port."""
    joins = False
    """Whether it works beside a daemon elsewhere, and so relies on that one's knowing which store this is."""

    def __init__(self, app: App, children: Children | None = None) -> None:
        self.app = app
        self.stopping = threading.Event()
        self._halt = threading.Event()
        self._unreached = False
        self._renewed = threading.Event()
        self._children = children or Children(0)
        self._wake = threading.Event()
        self._rest = threading.Condition()
        self._at_work: set[str] = set()
        self._reload_wanted = False
        self._fault: StoreError | None = None
        self._told: Stop | None = None
        self._gate = Gate(joins=self.joins)
        self._leap = Leap()
        self._readiness = Readiness()
        self._watch = reloading.Watch(app)
        self._pages = Pages(lambda: self.app)
        self._file = _identity(app)
        self._scheduler = BackgroundScheduler(
            timezone="UTC",
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )

    def run(self) -> None:
        """Work until a signal says stop; what is in flight is finished and recorded."""
        with self._station() as sender:
            passing.start(self.app, self.app.clock(), joins=self.joins)
            self._listen()
            if self.serves:
                self._pages.open()
            self._schedule()
            systemd.notify("READY=1")
            log.info("ready", provider=self.app.provider.name, campaigns=len(self.app.campaigns))
            try:
                self._children.tend()
                self._watch_over(sender)
            finally:  # whatever has ended the watch: the proof of life stays until nothing is in flight
                left = self._wind_up()
            if left and not self._fault:
                os._exit(0)  # its transaction is rolled back, and the next start does it again
        if self._fault:
            raise self._fault

    def _station(self) -> AbstractContextManager[ownership.Sender]:
        """Return the place this process works at: only one daemon per store."""
        return ownership.sole_sender(self.app.database, self.app.clock)

    def _duties(self) -> tuple[tuple[str, int, Callable[[datetime], object]], ...]:
        """Return what is done, how often (in seconds), and by what."""
        return (
            ("pages", PAGES_SECONDS, self._pages.look),
            ("pull", PULL_SECONDS, self._kept(keeping.pull)),
            ("plan", PLAN_SECONDS, self._plan),
            ("send", SEND_SECONDS, self._send),
            ("reply", REPLY_SECONDS, self._reply),
            ("recover", RECOVER_SECONDS, self._recover),
            ("reload", RELOAD_SECONDS, self._reload_changed),
            ("checkpoint", CHECKPOINT_SECONDS, self._kept(keeping.checkpoint)),
            ("notice", NOTICE_SECONDS, self._kept(keeping.notice)),
            ("audit", NOTICE_SECONDS, self._kept(keeping.audit)),
            ("consent_checkpoint", ATTEST_SECONDS, self._kept(keeping.attest)),
            ("purge", NOTICE_SECONDS, self._kept(keeping.purge)),
        )

    def _wind_up(self) -> list[str]:
        """Let everybody finish what is in flight, and close the doors; return the ticks that would take longer."""
        self._stop()
        systemd.notify("STOPPING=1")
        log.info("stopping", finishing="what is in flight")
        self._children.stop()
        left = self._finish()
        self._children.wait()
        self._pages.close()
        self.app.provider.close()
        if self.checkpoints:
            with suppress(StoreBusy):  # the next start does it
                self.app.database.checkpoint()
        log.info("stopped", unfinished=left)
        return left

    def _finish(self) -> list[str]:
        """Wait for every call in flight; give other ticks a moment, and return those that would take longer."""
        self._scheduler.shutdown(wait=False)
        with self._rest:
            self._rest.wait_for(lambda: not self._at_work & {"send", "reply"})
            self._rest.wait_for(lambda: not self._at_work, timeout=GRACE_SECONDS)
            return sorted(self._at_work)

    def _schedule(self) -> None:
        for name, seconds, work in self._duties():
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
            now = self.app.clock()
            if name in BY_NO_CLOCK or not self._leap.waits(now):
                work(now)
        except Exception as error:  # noqa: BLE001  (a fault in one tick must not stop the others)
            _complain(name, error)
        finally:
            with self._rest:
                self._at_work.discard(name)
                self._rest.notify_all()

    def _plan(self, now: datetime) -> None:
        self._readiness.look(self.app, now)
        if self._gate.waits(self.app, now):
            return
        report, held = passing.plan(self.app, now)
        if held:
            log.warning("mails wait for the owner's word", messages=held, see="treuepost messages list")
            self._scheduler.modify_job("notice", next_run_time=system_clock())
        if report.planned or report.moved:
            log.info("planned", messages=report.planned, moved=report.moved)
            self._scheduler.modify_job("send", next_run_time=system_clock())

    def _send(self, now: datetime) -> None:
        """Send what is due; when campaigns have changed meanwhile, end and begin again with the new ones."""
        again, halted = not self._gate.waits(self.app, now), self._halted()
        while again and not halted.is_set():
            self._renewed.clear()
            self._tell(sending.send_due(self.app, self.app.clock, stop=EitherOf(halted, self._renewed)))
            again = self._renewed.is_set()

    def _kept(self, work: Callable[[App, Gate, datetime], None]) -> Callable[[datetime], object]:
        """Return a duty that asks for this daemon's shop as it is then."""
        return lambda now: work(self.app, self._gate, now)

    def _reply(self, now: datetime) -> None:
        keeping.reply(self.app, self._gate, now, self._halted())

    def _halted(self) -> EitherOf:
        return EitherOf(self._halt, self._leap.during(self.app.clock))

    def _tell(self, report: SendReport) -> None:
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
        recovered = 0 if self._gate.look(self.app, now).waits else recovering.recover(self.app, now)
        if recovered:
            log.info("recovered", messages=recovered)
        workers.note_seen(self.app.database, ownership.owner_name(), now)
        workers.tidy(self.app.database)

    def _reload_changed(self, _now: datetime) -> None:
        self._take(self._watch.look(self.app))

    def _take(self, app: App) -> None:
        """Go on with what was read again; a run under way ends and begins anew."""
        if app is not self.app:
            self.app = app
            self._renewed.set()

    # -- the main thread -------------------------------------------------------------------------------------------

    def _watch_over(self, sender: ownership.Sender) -> None:
        """Watch the clock, the store and the signals until the daemon is to stop."""
        offset = _offset()
        while not self.stopping.is_set():
            self._wake.wait(WATCH_SECONDS)
            self._wake.clear()
            if self._reload_wanted:
                self._reload()
            offset = self._check_clock(offset)
            self._look_around(sender)
            systemd.notify("WATCHDOG=1")

    def _look_around(self, sender: ownership.Sender) -> None:
        self._check_store()
        self._check_proof(sender)
        if not self.stopping.is_set():
            self._children.tend()

    def _check_clock(self, before: float) -> float:
        """Notice a clock that was set: the scheduler counts in wall time and would sleep through a step back."""
        offset = _offset()
        if abs(offset - before) > JUMP.total_seconds():
            log.warning("the clock was set", seconds=round(offset - before, 1), note="nothing is sent twice")
            self._wake_ticks()
        return offset

    def _check_store(self) -> None:
        if _identity(self.app) != self._file:
            self._give_up(
                f"The store {self.app.database.path} was deleted or replaced while the daemon was running.",
                "Nothing more is sent. Put the right file back, then start the daemon again.",
            )

    def _check_proof(self, sender: ownership.Sender) -> None:
        """Claim nothing once the proof that we live is gone; go on under a new name when all calls are recorded."""
        if sender.holds() or self.stopping.is_set():
            return
        if not self._halt.is_set():
            self._halt.set()
            log.warning("proof of life lost", name=sender.name, note="nothing is claimed until it is renewed")
        if ownership.SENDING.acquire(blocking=False):
            try:
                self._renew(sender)
            finally:
                ownership.SENDING.release()
        if self.stopping.is_set():
            self._halt.set()

    def _renew(self, sender: ownership.Sender) -> None:
        """Renew the proof; whatever the store throws, it is tried again at the next look."""
        try:
            sender.renew()
        except AlreadyRunning as error:
            self._give_up(error.message, error.hint)
        except Exception as error:  # whoever left here would let the proof go with calls in flight
            if not self._unreached:
                plain = isinstance(error, StoreError)
                log.warning("store not reached", error=str(error), exc_info=None if plain else error)
            self._unreached = True
        else:
            self._halt, self._unreached = threading.Event(), False
            log.info("goes on", name=sender.name)

    def _give_up(self, message: str, hint: str) -> None:
        self._fault = StoreError(message, hint)
        log.error("store lost", error=message)
        self._stop()

    def _stop(self) -> None:
        self.stopping.set()
        self._halt.set()
        self._wake.set()

    def _wake_ticks(self) -> None:
        for job in self._scheduler.get_jobs():
            job.modify(next_run_time=system_clock())

    def _reload(self) -> None:
        self._reload_wanted = False
        systemd.notify_reloading()
        self._take(self._watch.reload_all(self.app))
        self._children.reload()
        systemd.notify("READY=1")

    def _listen(self) -> None:
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGINT, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_reload)

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        if self.stopping.is_set():
            os._exit(1)  # asked a second time: at once; what was in flight is recovered at the next start
        self._stop()

    def _on_reload(self, _number: int, _frame: FrameType | None) -> None:
        self._reload_wanted = True
        self._wake.set()


def _complain(tick: str, error: Exception) -> None:
    """Log a fault: a sentence where it says all, with its traceback where it is ours."""
    plain = isinstance(error, TreuepostError)
    log.error("tick failed", tick=tick, error=str(error), exc_info=None if plain else error)


def _offset() -> float:
    """Return how far the machine's clock stands from the monotonic one: it changes only when the clock is set."""
    return system_clock().timestamp() - stopwatch()


def _identity(app: App) -> tuple[int, int] | None:
    """Return which file the store is, by device and number; None where it is gone or not a file."""
    try:
        found = app.database.path.stat() if app.database.path else None
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if found else None
