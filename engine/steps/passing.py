"""One pass over everything: what `tick` does once, and the daemon does piece by piece. Each piece is safe to repeat."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from engine.domain.guard import Suspicion
from engine.domain.words import State
from engine.steps import confirming, guarding, planning, recovering, sending
from engine.steps.consent import asking, registering, replying
from engine.steps.guarding import Guard
from engine.steps.importing import pulling
from engine.steps.importing.pulling import PullResult
from engine.steps.planning import PlanReport
from engine.steps.sending import SendReport
from engine.steps.shop import Shop
from engine.steps.watching import checkpointing, readying
from engine.store import claims
from engine.store.replies import SENT

PATIENCE = 50.0
"""Seconds a single pass waits for the mails' turns: cron calls every minute."""


@dataclass(frozen=True, slots=True)
class PassReport:
    """What one pass came to. `pulled` counts sources; `waiting` are messages that are due and could not go.

    `held` were planned just now and wait for the owner's word. `guarded` is why nothing was planned and sent at all,
    `not_ready` what the shop lacks before a real mail may leave.
    """

    pulled: int
    refused_sources: tuple[str, ...]
    planned: int
    moved: int
    held: int
    recovered: int
    sent: int
    skipped: int
    expired: int
    failed: int
    replied: int
    waiting: int
    provider_stopped: str
    credentials_refused: bool
    guarded: Suspicion | None
    not_ready: tuple[str, ...] = ()


def start(app: Shop, now: datetime, *, joins: bool = False) -> int:
    """Do what every start of a sender does: put every recorded "no" back, settle what a dead process left.

    The texts people can agree to are kept as they stand now.
    A store that may be a restored or a second one is left as it is.
    """
    found = guarding.begin(app, now, joins=joins)
    registering.register_all(app, now)
    return 0 if found.waits else recovering.recover(app, now)


def plan(app: Shop, now: datetime) -> tuple[PlanReport, int]:
    """Plan, and hold what needs the owner's word before anybody can claim it; return the report and how many wait."""
    report = planning.plan(app, now, unchecked=True)
    return report, confirming.confirm(app, now)


def pull_changed(app: Shop, now: datetime) -> list[PullResult]:
    """Import every source whose file has changed and has stopped changing."""
    return [result for name in pulling.changed_sources(app, now) for result in pulling.pull(app, name, now)]


def one_pass(app: Shop, *, imagined: bool = False) -> PassReport:
    """Pull what has changed, plan, recover what a dead process left, send what is due.

    At an imagined instant the pass is not noted as the latest one: the real clock would seem to be set back.
    """
    now = app.clock()
    recovered = start(app, now)
    pulled = pull_changed(app, now)
    found = guarding.look(app, now)
    if found.waits:
        return _report(app, pulled, recovered, (PlanReport(), 0), SendReport({}), found)
    if not imagined:
        guarding.keep(app, now, found)
        checkpointing.checkpoint(app, now)
    planned = plan(app, now)
    replied = replying.send_replies(app, app.clock)[SENT]
    sent = sending.send_due(app, app.clock, patience=PATIENCE)
    asking.purge(app, now)
    if not imagined:
        guarding.keep(app, app.clock(), guarding.look(app, app.clock()))
    return replace(_report(app, pulled, recovered, planned, sent, found), replied=replied)


def _report(
    app: Shop,
    pulled: list[PullResult],
    recovered: int,
    planned: tuple[PlanReport, int],
    sent: SendReport,
    found: Guard,
) -> PassReport:
    counts = sent.counts
    with app.database.read() as session:
        waiting = claims.count_due(session, app.clock())
    return PassReport(
        pulled=sum(result.report is not None for result in pulled),
        refused_sources=tuple(f"{result.source}: {result.error}" for result in pulled if result.error),
        planned=planned[0].planned,
        moved=planned[0].moved,
        held=planned[1],
        recovered=recovered,
        sent=counts.get(State.SENT, 0),
        skipped=counts.get(State.SKIPPED, 0),
        expired=counts.get(State.EXPIRED, 0),
        failed=counts.get(State.FAILED, 0) + counts.get(State.REJECTED, 0),
        replied=0,
        waiting=waiting,
        provider_stopped=sent.stop.detail if sent.stop else "",
        credentials_refused=sent.credentials_refused,
        guarded=found.suspicion if found.waits else None,
        not_ready=tuple(lack.key for lack in readying.look(app, app.clock())),
    )


def counted(report: SendReport) -> dict[str, int]:
    """Return what came of sending, without zeros."""
    return {state: count for state, count in report.counts.items() if count and state != "claimed"}
