"""Asks the store whether the promises were kept, with the rules as today's files have them; once a night by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import structlog

from engine.campaigns.loading import Campaign
from engine.config.loading import Config
from engine.domain.calendar import local_day
from engine.language import Language
from engine.providers.contract import Provider
from engine.steps.shop import Shop
from engine.steps.watching import alarming, checkpointing
from engine.steps.watching.alarming import Trouble
from engine.store import audit, troubles
from engine.store.audit import Check
from engine.store.auditing.contract import EVER, Ground, Hours, Violation
from engine.store.database import Database

TOPIC = "audit"
AT_HOUR = 3
"""The local hour from which the nightly audit may run: nobody is written to, and it disturbs nobody."""
_SHOWN = 20

log = structlog.get_logger(__name__)


def ground_of(
    config: Config, campaigns: Iterable[Campaign], provider: Provider, rules_since: datetime | None = None
) -> Ground:
    """Return the rules that stand in files; those of config.toml count from `rules_since` on."""
    return Ground(
        zone=config.shop.zone,
        quiet=config.rules.quiet_hours,
        at_most=tuple(config.rules.at_most),
        hours={one.hash: Hours(one.send.between, one.send.days, one.limit.at_most) for one in campaigns},
        replays={provider.name: provider.recovery.replays},
        rules_since=rules_since or EVER,
        home=config.home,
    )


def edited_at(config: Config) -> datetime:
    """Return when config.toml was last changed: older mails left under rules nobody knows any more."""
    return datetime.fromtimestamp(config.file.stat().st_mtime, UTC)


def audit_store(
    database: Database, ground: Ground, tell: Callable[[Check, int], None] | None = None
) -> list[Violation]:
    """Ask everything and return what was found. Reads only, beside whatever is at work."""
    with database.read() as session:
        known = checkpointing.known(session, database, ground.home) if ground.home else {}
        return audit.findings(session, replace(ground, checkpoints=known), tell)


def audit_nightly(app: Shop, now: datetime) -> list[Violation] | None:
    """Audit once a night, log and tell the owner what was found; None where it is not night or was done already."""
    zone = app.config.shop.zone
    today = local_day(now, zone)
    with app.database.read() as session:
        done = troubles.was_told(session, TOPIC, today)
    if done or not _is_night(now, zone):
        return None
    ground = ground_of(app.config, app.campaigns, app.provider, edited_at(app.config))
    found = audit_store(app.database, ground)
    for one in found[:_SHOWN]:
        log.error("promise broken", check=one.check, message=one.message_id, what=one.what)
    log.info("audited", checks=len(audit.CHECKS), found=len(found))
    if found and app.config.owner.email and not alarming.tell(app, _trouble(app, found), now):
        return found  # told in the next hour
    with app.database.write() as session:
        troubles.note_told(session, TOPIC, today, now)
    return found


def _is_night(now: datetime, zone: ZoneInfo) -> bool:
    return AT_HOUR <= now.astimezone(zone).hour < AT_HOUR + 4


def _trouble(app: Shop, found: list[Violation]) -> Trouble:
    _ = Language(app.config.shop.language).gettext
    meanings = {check.name: check.meaning for check in audit.CHECKS}
    lines = [f"{one.message_id[:8]:<8}  {one.what}\n          {_(meanings[one.check])}" for one in found[:_SHOWN]]
    return Trouble(
        TOPIC,
        _("Treuepost: the nightly audit found %(count)s faults", count=len(found)),
        _(
            "A promise was not kept, or somebody wrote into the store by hand:\n\n%(lines)s\n\n"
            "`treuepost audit` shows them all.",
            lines="\n".join(lines),
        ),
    )
