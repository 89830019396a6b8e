"""Keeps nothing longer than it may be kept: once a day by itself, and when the owner asks (law H; Art. 5(1)(e) GDPR).

Each kind of data goes in short transactions of its own, so that a purge can be broken off anywhere. Whoever's data is
kept for a case, or restricted, is left out of all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import structlog
from sqlmodel import Session

from engine.domain.calendar import day_start, local_day
from engine.domain.grammar import Span
from engine.domain.retention import gone_before
from engine.providers import outbox
from engine.steps.privacy import forgetting
from engine.steps.shop import Premises
from engine.store import addresses, consent_log, evidence, legal_holds, privacy_events, purging, scrubbing, troubles
from engine.store.evidence import Terms
from engine.store.legal_holds import Kept
from engine.store.privacy_events import Deed
from engine.store.purging import Cut, Mail

TOPIC = "purge"
_DAEMON = "daemon"

log = structlog.get_logger(__name__)

Work = Callable[[Session, Kept], int]


@dataclass(frozen=True, slots=True)
class Purged:
    """How much of each kind went, or would go. `kept` people were left out: a case stands, or a restriction."""

    refusals: int
    bodies: int
    news: int
    mails: int
    consents: int
    addresses: int
    occasions: int
    remains: int
    erasures: int
    kept: int

    @property
    def total(self) -> int:
        """Return how many things went in all."""
        return sum(int(count) for count in asdict(self).values()) - self.kept


@dataclass(frozen=True, slots=True)
class _Cuts:
    """The instants before which each kind of data is too old."""

    refusals: datetime
    bodies: datetime
    terms: Terms


def purge(shop: Premises, now: datetime, operator: str, *, dry_run: bool = False) -> Purged:
    """Delete what was kept as long as it may be; with `dry_run` only say how much that would be."""
    cuts, zone = _cuts(shop, now), shop.config.shop.zone
    discard = _kept_files if dry_run else lambda ids: outbox.discard(shop.home, ids)
    works: dict[str, Work] = {
        "refusals": lambda session, kept: len(purging.refusals(session, Cut(cuts.refusals, now), kept, zone)),
        "bodies": lambda session, kept: _drop(purging.old_bodies(session, cuts.bodies, kept), discard),
        "news": lambda session, kept: purging.news(session, cuts.bodies, kept),
        "mails": lambda session, kept: _drop(purging.mails(session, Cut(cuts.terms.evidence, now), kept), discard),
        "occasions": lambda session, _: evidence.old_occasions(session, cuts.terms.evidence),
        "remains": lambda session, _: evidence.remains(session, cuts.terms.evidence),
        "addresses": lambda session, kept: _forget_addresses(session, cuts.terms.evidence, kept),
    }
    counts = {name: _until_done(shop, work, dry_run=dry_run) for name, work in works.items()}
    counts["consents"] = _once(shop, lambda session, kept: _forget_consents(session, cuts.terms, kept), dry_run=dry_run)
    counts["erasures"] = _finish_erasures(shop, now, dry_run=dry_run)
    with shop.database.read() as session:
        left_out = len(legal_holds.kept(session, shop.keyring).customers)
    done = Purged(**counts, kept=left_out)
    if not dry_run:
        _note(shop, done, now, operator)
    return done


def _cuts(shop: Premises, now: datetime) -> _Cuts:
    zone, privacy = shop.config.shop.zone, shop.config.privacy
    today = local_day(now, zone)
    return _Cuts(
        refusals=_before(now, privacy.refusals, zone),
        bodies=_before(now, privacy.bodies, zone),
        terms=Terms(
            evidence=day_start(gone_before(today, privacy.evidence_years), zone),
            used=_before(now, shop.config.legal.stale_consent, zone),
        ),
    )


def _before(now: datetime, span: Span, zone: ZoneInfo) -> datetime:
    """Return the instant this long ago; spans of days count local days."""
    return now - span.hours if span.is_hours else day_start(span.before(local_day(now, zone)), zone)


def _kept_files(_ids: Sequence[str]) -> int:
    return 0


def _drop(found: list[Mail], discard: Callable[[Sequence[str]], int]) -> int:
    discard([mail.message_id for mail in found])
    return len(found)


def _forget_addresses(session: Session, before: datetime, kept: Kept) -> int:
    addresses.lock(session, evidence.left_addresses(session, before, kept))
    numbers = evidence.left_addresses(session, before, kept)  # somebody may have signed up there meanwhile
    consent_log.forget(session, numbers)
    evidence.forget_addresses(session, numbers)
    return len(numbers)


def _forget_consents(session: Session, terms: Terms, kept: Kept) -> int:
    return consent_log.forget(session, evidence.unused_consents(session, terms, kept))


def _until_done(shop: Premises, work: Work, *, dry_run: bool) -> int:
    """Work in short transactions until nothing is left; a dry run does it all in one that is never committed."""
    total = 0
    if dry_run:
        with shop.database.pretend() as session:
            kept = legal_holds.kept(session, shop.keyring)
            while count := work(session, kept):
                total += count
        return total
    while count := _once(shop, work, dry_run=False):
        total += count
    return total


def _once(shop: Premises, work: Work, *, dry_run: bool) -> int:
    with shop.database.pretend() if dry_run else shop.database.write() as session:
        return work(session, legal_holds.kept(session, shop.keyring))


def _finish_erasures(shop: Premises, now: datetime, *, dry_run: bool) -> int:
    mended = _once(shop, lambda session, _: forgetting.mend(session, now), dry_run=dry_run)
    if not dry_run:
        return mended + forgetting.finish(shop, now)[0]
    with shop.database.pretend() as session:
        return mended + len(forgetting.settle(session, _kept_files))


def _note(shop: Premises, done: Purged, now: datetime, operator: str) -> None:
    told = " ".join(f"{name}={count}" for name, count in asdict(done).items() if count)
    with shop.database.write() as session:
        privacy_events.note(session, Deed(now, operator, "purge", "", told))
    if done.total:
        shop.database.overwrite([table.name for table in scrubbing.TOUCHED])


def purge_daily(shop: Premises, now: datetime) -> Purged | None:
    """Purge once a local day; None where that was done already."""
    today = local_day(now, shop.config.shop.zone)
    with shop.database.read() as session:
        if troubles.was_told(session, TOPIC, today):
            return None
    done = purge(shop, now, _DAEMON)
    with shop.database.write() as session:
        troubles.note_told(session, TOPIC, today, now)
    if done.total:
        log.info("purged", **{name: count for name, count in asdict(done).items() if count})
    return done
