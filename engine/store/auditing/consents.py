"""The consent log is as it was written: nothing changed, removed, inserted or moved, and its end is the end."""

from __future__ import annotations

from collections.abc import Iterator

from sqlmodel import Session

from engine.store import consent_check
from engine.store.auditing.contract import Ground, Violation


def broken_chain(session: Session, ground: Ground) -> Iterator[Violation]:
    """Find the places at which the consent log is not what it was, or not what its checkpoints have seen."""
    for fault in consent_check.walk(session, ground.checkpoints).faults:
        yield Violation("chain", "", fault.told)
