"""What the daemon says about a shop that may not send yet: once at each start, and whenever it changes."""

from __future__ import annotations

from datetime import datetime

import structlog

from engine.app import App
from engine.steps.watching import readying

log = structlog.get_logger(__name__)


class Readiness:
    """Remembers what was lacking, so that it is said once."""

    def __init__(self) -> None:
        self._lacked: frozenset[str] = frozenset()

    def look(self, app: App, now: datetime) -> None:
        """Say what is lacking where that is new, and once when nothing is any more."""
        found = readying.look(app, now)
        lacked = frozenset(lack.key for lack in found)
        if lacked and lacked != self._lacked:
            lines = [one.line for one in readying.told(app.config, found)]
            log.warning("not ready to send", provider=app.provider.name, say="\n".join(lines))
        if self._lacked and not lacked:
            log.info("ready to send", provider=app.provider.name)
        self._lacked = lacked
