"""The duties beside planning and sending: each is one step, asked of a daemon's shop at the present instant."""

from __future__ import annotations

from datetime import datetime

import structlog

from engine.app import App
from engine.daemon.gate import Gate
from engine.steps import passing
from engine.steps.claiming import Stopping
from engine.steps.consent import asking, replying
from engine.steps.privacy import retaining
from engine.steps.watching import alarming, auditing, checkpointing
from engine.store import replies

log = structlog.get_logger(__name__)


def pull(app: App, _gate: Gate, now: datetime) -> None:
    """Pull the sources that have changed."""
    for pulled in passing.pull_changed(app, now):
        if pulled.error:
            log.error("source refused", source=pulled.source, error=pulled.error, hint=pulled.hint)
        elif pulled.report:
            log.info("pulled", source=pulled.source, created=pulled.report.created, updated=pulled.report.updated)


def reply(app: App, gate: Gate, now: datetime, stop: Stopping) -> None:
    """Send the mails somebody asked for on a page; they wait for no campaign."""
    if gate.waits(app, now):
        return
    came_to = replying.send_replies(app, app.clock, stop=stop)
    if told := {state: count for state, count in came_to.items() if state in replies.STATES}:
        log.info("replied", **told)


def attest(app: App, gate: Gate, now: datetime) -> None:
    """Write outside the store how far the consent log has come."""
    if not gate.look(app, now).waits:
        checkpointing.checkpoint(app, now)


def purge(app: App, gate: Gate, now: datetime) -> None:
    """Erase the requests nobody confirmed, and what was kept as long as it may be."""
    if gate.look(app, now).waits:
        return
    if erased := asking.purge(app, now):
        log.info("requests erased", count=erased)
    retaining.purge_daily(app, now)


def audit(app: App, _gate: Gate, now: datetime) -> None:
    """Ask the store, once a night, whether every promise was kept."""
    auditing.audit_nightly(app, now)


def notice(app: App, _gate: Gate, now: datetime) -> None:
    """Tell the owner what needs looking after."""
    for topic in alarming.tell_owner(app, now):
        log.warning("owner told", topic=topic)


def checkpoint(app: App, _gate: Gate, _now: datetime) -> None:
    """Bring the store's write-ahead log back into its file."""
    app.database.checkpoint()
