"""One pass over everything: what `tick` does once, and the daemon does piece by piece. Each piece is safe to repeat."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from engine.domain.words import State
from engine.steps import planning, recovering, sending, suppressing
from engine.steps.importing import pulling
from engine.steps.importing.pulling import PullResult
from engine.steps.sending import SendReport
from engine.steps.shop import Shop
from engine.store import claims, installation


@dataclass(frozen=True, slots=True)
class PassReport:
    """What one pass came to. `pulled` counts sources; `waiting` are messages that are due and could not go."""

    pulled: int
    refused_sources: tuple[str, ...]
    planned: int
    moved: int
    recovered: int
    sent: int
    skipped: int
    expired: int
    failed: int
    waiting: int
    provider_stopped: str
    credentials_refused: bool


def start(app: Shop, now: datetime) -> int:
    """Do what every start of a sender does: put every recorded "no" back, settle what a dead process left."""
    suppressing.replay(app.database, suppressing.ledger_of(app).log)
    return recovering.recover(app, now)


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
    planned = planning.plan(app, now)
    sent = sending.send_due(app, app.clock)
    with app.database.write() as session:
        if not imagined:
            installation.note_tick(session, now)
        waiting = claims.count_due(session, now)
    return _report(pulled, planned, recovered, sent, waiting)


def _report(
    pulled: list[PullResult], planned: planning.PlanReport, recovered: int, sent: SendReport, waiting: int
) -> PassReport:
    counts = sent.counts
    return PassReport(
        pulled=sum(result.report is not None for result in pulled),
        refused_sources=tuple(f"{result.source}: {result.error}" for result in pulled if result.error),
        planned=planned.planned,
        moved=planned.moved,
        recovered=recovered,
        sent=counts.get(State.SENT, 0),
        skipped=counts.get(State.SKIPPED, 0),
        expired=counts.get(State.EXPIRED, 0),
        failed=counts.get(State.FAILED, 0) + counts.get(State.REJECTED, 0),
        waiting=waiting,
        provider_stopped=sent.stop.detail if sent.stop else "",
        credentials_refused=sent.credentials_refused,
    )


def counted(report: SendReport) -> dict[str, int]:
    """Return what came of sending, without zeros."""
    return {state: count for state, count in report.counts.items() if count and state != "claimed"}
