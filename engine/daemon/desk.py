"""What the daemon does for people who asked for something: it sends their mails, and forgets who never confirmed."""

from __future__ import annotations

from datetime import datetime

import structlog

from engine.app import App
from engine.daemon.gate import Gate
from engine.steps import asking, replying
from engine.steps.claiming import Stopping
from engine.store import replies

log = structlog.get_logger(__name__)


def reply(app: App, gate: Gate, now: datetime, stop: Stopping) -> None:
    """Send the mails somebody asked for on a page; they wait for no campaign."""
    if gate.waits(app, now):
        return
    came_to = replying.send_replies(app, app.clock, stop=stop)
    if told := {state: count for state, count in came_to.items() if state in replies.STATES}:
        log.info("replied", **told)


def purge(app: App, now: datetime) -> None:
    """Erase the requests that nobody confirmed."""
    if erased := asking.purge(app, now):
        log.info("requests erased", count=erased)
