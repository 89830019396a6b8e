"""Is this store the one we know, or an old copy of it, or a second one? Pure: what both sides remember goes in.

A store that is put back from a backup has forgotten whom it wrote to; a store that was copied writes a second time what
the first one writes. Beside the store lies a sidecar file that a backup of the store does not hold: what the two say of
each other tells them apart. Only a store that may have really mailed is ever suspected; a backup from before the first
mail does not know of it, but its sidecar does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

NOTED_EVERY = timedelta(minutes=1)
"""How often a sender notes that it is at work: so much later than the last note a mail may still have left."""

AT_WORK = timedelta(minutes=2)
"""How long after its last note a sender may still be sending: one that waits for its owner's word notes nothing."""

VOUCHED_FOR = timedelta(minutes=5)
"""How fresh the sole sender's note must be for a worker to rely on it."""

CLOCK_SET = timedelta(minutes=10)
"""A last note that lies further ahead was made by a clock that was wrong; a smaller lead is waited for."""

FROM_BACKUP = "backup"
"""The place that stands in a copy made by `db backup`: whoever opens it knows what it is."""

MOVED_AWAY = "moved away"
"""The place that stands in a store once `db move` has taken everything in it elsewhere."""


ARRIVING = "arriving"
"""The place that stands in the target of `db move` until the old store is retired: two would mail everybody twice."""


class Suspicion(StrEnum):
    """Why a store may not send before its owner has said which one it is."""

    RESTORED = "restored"
    ELSEWHERE = "elsewhere"
    ALONE = "alone"
    COPY = "copy"
    UNVOUCHED = "unvouched"
    REPLACED = "replaced"


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ALWAYS = frozenset({Suspicion.COPY, Suspicion.UNVOUCHED, Suspicion.REPLACED})
"""What is known without the store's own mails."""


class Answer(StrEnum):
    """What the owner can say of a store."""

    MOVED = "moved"
    RESTORED = "restored"
    COPY = "copy"


@dataclass(frozen=True, slots=True)
class Memory:
    """What a store, or the sidecar beside it, remembers: who it is, when it last worked, and where it lay.

    `place` is empty where none was ever noted. `adopted` is the owner's last answer; a sidecar has none. `mailed` is
    the sidecar's alone: whether a real provider was at work, so that mails may have left; None where it does not say.
    `ordinal` is the number of the last note: it only grows, whatever the clock did. A sidecar may not have it.
    """

    uuid: str
    last_tick: datetime | None
    place: str
    adopted: str = ""
    mailed: bool | None = None
    ordinal: int | None = None


def suspect(store: Memory, seen: Memory | None, here: str, *, joins: bool, now: datetime) -> Suspicion | None:
    """Return what is wrong with a store that lies `here`; None where it is the one we know.

    `seen` is the sidecar. `joins` says that a worker opens a shared store: it may have no sidecar, or one from long
    ago, so it relies on the sole sender, and only while that one's note is fresh.
    """
    if store.adopted == Answer.COPY:
        return Suspicion.COPY
    mine = _own(store, seen)
    if store.place == FROM_BACKUP or (mine is not None and _is_later(mine, store)):
        return Suspicion.RESTORED
    return _vouched(store, here, now) if joins else _known(store, seen, here)


def _known(store: Memory, seen: Memory | None, here: str) -> Suspicion | None:
    """Return what keeps the sole sender from knowing the store by its place and its sidecar."""
    mine = _own(store, seen)
    if mine is None and seen is not None and seen.mailed is not False:
        return Suspicion.REPLACED
    if not store.place:  # written before places were noted, or new
        return None
    if store.place != here:
        return Suspicion.ELSEWHERE
    return Suspicion.ALONE if mine is None else None


def _vouched(store: Memory, here: str, now: datetime) -> Suspicion | None:
    """Return what keeps a worker from relying on the sole sender: it works elsewhere, or has not noted lately."""
    if store.place not in {"", here}:
        return Suspicion.ELSEWHERE
    return None if store.place and _is_fresh(store.last_tick, now) else Suspicion.UNVOUCHED


def counts(found: Suspicion, store: Memory, seen: Memory | None, *, mailed: bool) -> bool:
    """Say whether a suspicion stands: a store that has `mailed` nobody may still be an older state of one that did.

    Who cannot tell, asks: a sidecar without the mark, and a copy made by `db backup` that comes without a sidecar.
    """
    if mailed or found in _ALWAYS or store.place in {MOVED_AWAY, ARRIVING}:
        return True
    mine = _own(store, seen)
    return found is Suspicion.RESTORED and (mine is None or mine.mailed is not False)


def known_until(store: Memory, seen: Memory | None) -> datetime | None:
    """Return until when mails may have left that the store knows nothing of; None where nothing is known of it."""
    mine = _own(store, seen)
    if mine is None or mine.last_tick is None:
        return None
    if store.place == FROM_BACKUP or _is_later(mine, store):
        return mine.last_tick + NOTED_EVERY
    return None


def lost_until(store: Memory, seen: Memory | None, said: datetime | None, now: datetime) -> datetime:
    """Return the end of what a restored store has lost: the latest instant anybody knows of, else `now`."""
    known = [instant for instant in (known_until(store, seen), said) if instant is not None]
    return min(max(known, default=now), now)


def most_mails(since: datetime, until: datetime, per_minute: int) -> int:
    """Return how many mails may have left at most between two instants at this rate."""
    minutes = -((since - until) // timedelta(minutes=1))  # rounded up
    return max(0, minutes + 1) * per_minute


def _own(store: Memory, seen: Memory | None) -> Memory | None:
    """Return the sidecar where it is this store's own."""
    return seen if seen is not None and seen.uuid == store.uuid else None


def numbered(now: datetime, seen: Memory | None = None) -> int:
    """Return the least number of a note that is made `now`: beyond what a sidecar has seen, growing with the time."""
    seen_last = seen.ordinal if seen is not None and seen.ordinal is not None else 0
    return max((now - _EPOCH) // timedelta(microseconds=1), seen_last + 1)


def _is_later(seen: Memory, stored: Memory) -> bool:
    if seen.ordinal is not None:
        return seen.ordinal > (stored.ordinal or 0)
    return seen.last_tick is not None and (stored.last_tick is None or seen.last_tick > stored.last_tick)


def _is_fresh(last: datetime | None, now: datetime) -> bool:
    return last is not None and abs(now - last) <= VOUCHED_FOR
