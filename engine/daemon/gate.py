"""What each tick that plans or sends asks first: whether this is the store we know, and how the clock stands."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from engine.app import App
from engine.domain.guard import CLOCK_SET, Suspicion
from engine.steps import guarding, passing
from engine.steps.guarding import Guard
from engine.steps.privacy import forgetting
from engine.steps.watching import telling

JUMP = timedelta(seconds=5)

log = structlog.get_logger(__name__)


class Gate:
    """Remembers what was said, so that it is said once. `joins` as in `guarding.look`."""

    def __init__(self, *, joins: bool = False) -> None:
        self._joins = joins
        self._suspected: Suspicion | None = None
        self._lost_until: datetime | None = None
        self._latest = 0
        self._saying = threading.Lock()

    def waits(self, app: App, now: datetime) -> bool:
        """Say whether nothing may be planned and sent now: the store waits for its owner's word, or the clock does.

        Shortly before an instant that was already worked at, waiting loses nothing. The sole sender notes that it is at
        work; a worker never does.
        """
        found = self.look(app, now)
        if found.waits:
            return True
        if not self._joins:
            guarding.keep(app, now, found)
        return found.stored is not None and JUMP < found.stored - now <= CLOCK_SET

    def look(self, app: App, now: datetime) -> Guard:
        """Look which store this is; say it once when it waits for the owner's word, and once when it does no longer."""
        found = self._relied_on(app, now) if self._joins else guarding.look(app, now)
        suspicion = found.suspicion if found.waits else None
        with self._saying:  # whoever comes meanwhile waits: nothing is sent before every "no" is known
            if (self._suspected and not suspicion) or found.lost_until != self._lost_until:
                self._recall(app, now)
            before, self._suspected, self._lost_until = self._suspected, suspicion, found.lost_until
        if suspicion and suspicion != before:
            tell = log.warning if suspicion is Suspicion.UNVOUCHED else log.error
            tell("store guarded", suspicion=suspicion.value, say="\n".join(telling.guarded(found, app.config)))
        if before and not suspicion:
            log.info("store vouched for" if before is Suspicion.UNVOUCHED else "store adopted", was=before.value)
        return found

    def _relied_on(self, app: App, now: datetime) -> Guard:
        """Look as a worker, which has no sidecar to go by: what it has seen of the notes it remembers itself."""
        latest = self._latest  # before the look: meanwhile another thread may see a later one
        found = guarding.look(app, now, joins=True)
        if found.ordinal < latest and found.suspicion is None:
            return replace(found, suspicion=Suspicion.UNVOUCHED)
        self._latest = max(self._latest, found.ordinal)
        return found

    def _recall(self, app: App, now: datetime) -> None:
        """Do what a start does: the word was perhaps given on another machine, where other logs lie than beside us."""
        passing.start(app, now, joins=self._joins)
        forgetting.replay(app, now)
