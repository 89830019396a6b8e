"""Writes down outside the store how far the consent log has come: once a day, and after every 1,000 events.

The chain finds a changed event by itself. That its end was cut off, or that all of it was written anew, only shows
against what somebody else has kept: a file beside the store, and the owner's own mailbox.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlmodel import Session

from engine.domain.calendar import local_day
from engine.errors import UsageError
from engine.steps.shop import Premises
from engine.store import checkpoints, consent_check, consent_log, installation
from engine.store.checkpoints import Checkpoint, CheckpointLog
from engine.store.consent_check import Fault
from engine.store.database import Database

EVERY = 1000
"""Events after which there is a checkpoint even on the same day."""


def checkpoint(app: Premises, now: datetime) -> Checkpoint | None:
    """Write a checkpoint where one is due and return it. Not for a store under suspicion: it may be an older one."""
    log = CheckpointLog.beside(app.database, app.home)
    with app.database.read() as session:
        end = consent_log.head(session)
    last = latest(app)
    had = last.size if last else 0
    if end.size <= had:
        return None
    zone = app.config.shop.zone
    if last and local_day(last.at, zone) >= local_day(now, zone) and end.size // EVERY == had // EVERY:
        return None
    made = Checkpoint(app.installation, end.size, end.hash, now)
    log.append(made)
    return made


def kept(app: Premises) -> list[Checkpoint]:
    """Return the checkpoints of this store, as they lie beside it."""
    return CheckpointLog.beside(app.database, app.home).read(app.installation)


def latest(app: Premises) -> Checkpoint | None:
    """Return the last checkpoint of this store."""
    lines = kept(app)
    return lines[-1] if lines else None


def note_restored(app: Premises, now: datetime) -> None:
    """Note that an older backup was put back, with its owner's word: later checkpoints are of a log that is lost."""
    last = latest(app)
    with app.database.read() as session:
        end = consent_log.head(session)
    if last and (last.size, last.hash) != end:
        log = CheckpointLog.beside(app.database, app.home)
        log.append(Checkpoint(app.installation, end.size, end.hash, now, restored=True))


def known(session: Session, database: Database, home: Path) -> Mapping[int, Checkpoint]:
    """Return what the checkpoints beside a store say, by the number of events there were."""
    standing = installation.find(session)
    if standing is None:
        return {}
    return checkpoints.standing(CheckpointLog.beside(database, home).read(standing.uuid))


@dataclass(frozen=True, slots=True)
class Verified:
    """What a look over the whole consent log has found."""

    events: int
    head: str
    erased: int
    checkpoints: int
    restored: tuple[Checkpoint, ...]
    faults: tuple[Fault, ...]


def verify(database: Database, home: Path, elsewhere: Path | None = None) -> Verified:
    """Check the consent log against itself and against what was kept outside: beside the store, or in the file named.

    Raises UsageError where the file named has no checkpoint of this store.
    """
    log = CheckpointLog(elsewhere) if elsewhere else CheckpointLog.beside(database, home)
    with database.read() as session:
        standing = installation.find(session)
        lines = log.read(standing.uuid) if standing else []
        if elsewhere and not lines:
            raise UsageError(
                f"{elsewhere} has no checkpoint of this store.",
                "Its lines look like those of consent-checkpoints.log beside the store, or of the mails to the owner.",
            )
        wanted = checkpoints.standing(lines)
        seen = consent_check.walk(session, wanted)
    restored = tuple(one for one in lines if one.restored)
    return Verified(seen.size, seen.hash, seen.erased, len(wanted), restored, tuple(seen.faults))
