"""The consent log as a chain: events are appended one after the other under its head, personal data beside them.

The number of an event is its place in the chain and has no gaps: it is counted in a row that whoever appends holds
until the commit, not by the database, whose own counters leave gaps that would look like removed events.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain import chain
from engine.domain.chain import Value
from engine.store.lookups import Lookup
from engine.store.tables import ChainHead, ConsentEvent, ConsentPii
from engine.store.upsert import append, chunks, insert_new, is_sqlite

EVENT: sa.Table = ConsentEvent.__table__  # type: ignore[attr-defined]
PII: sa.Table = ConsentPii.__table__  # type: ignore[attr-defined]
_HEAD: sa.Table = ChainHead.__table__  # type: ignore[attr-defined]
_ROW = 1

CHAINED = tuple(sorted(column.name for column in EVENT.columns if column.name not in {"prev_hash", "hash"}))
"""The columns an event's hash is made of, in the order in which they are written."""
FRAME = chain.frame(CHAINED)

_SALT_BYTES = 32
_KNOWN = Lookup(sa.select(EVENT.c.fingerprint), EVENT.c.fingerprint)


class Head(NamedTuple):
    """Where the chain ends: how many events there are, and the hash of the last one."""

    size: int = 0
    hash: str = chain.GENESIS


@dataclass(frozen=True, slots=True)
class Said:
    """One event to be appended: its row's columns, and what is personal about it."""

    columns: Mapping[str, Any]
    details: Mapping[str, Value] = field(default_factory=dict)
    personal: Mapping[str, str] = field(default_factory=dict)


def head(session: Session) -> Head:
    """Return where the chain ends."""
    row = session.connection().execute(sa.select(_HEAD.c.size, _HEAD.c.hash).where(_HEAD.c.id == _ROW)).first()
    return Head(*row) if row else Head()


def extend(session: Session, events: Sequence[Said]) -> int:
    """Append the events whose fingerprints are not there yet, in their order; return how many.

    The caller holds the addresses already: they come before the head, so that two never wait for each other.
    """
    if not events:
        return 0
    end = _hold(session)
    fresh = _fresh(session, events)
    rows, erasable = _chained(fresh, end, _last_id(session))
    append(session, EVENT, rows)
    append(session, PII, erasable)
    if rows:
        moved = sa.update(_HEAD).where(_HEAD.c.id == _ROW).values(size=rows[-1]["seq"], hash=rows[-1]["hash"])
        session.connection().execute(moved)
    return len(rows)


def forget(session: Session, address_ids: Collection[int]) -> int:
    """Erase what is personal about everything these addresses have said, with its salts; the chain still holds."""
    count = 0
    for part in chunks(sorted(address_ids)):
        mine = sa.select(EVENT.c.id).where(EVENT.c.address_id.in_(part))
        count += session.connection().execute(sa.delete(PII).where(PII.c.event_id.in_(mine))).rowcount
    return count


def _hold(session: Session) -> Head:
    """Return the head and keep it from everybody else until the transaction ends; SQLite's writers are alone anyway."""
    insert_new(session, _HEAD, [{"id": _ROW, "size": 0, "hash": chain.GENESIS}], ["id"])
    query = sa.select(_HEAD.c.size, _HEAD.c.hash).where(_HEAD.c.id == _ROW)
    return Head(*session.connection().execute(query if is_sqlite(session) else query.with_for_update()).one())


def _fresh(session: Session, events: Sequence[Said]) -> list[Said]:
    once = {event.columns["fingerprint"]: event for event in reversed(events)}
    known = {found for (found,) in _KNOWN.rows(session, list(once))}
    return [event for fingerprint, event in reversed(once.items()) if fingerprint not in known]


def _last_id(session: Session) -> int:
    return session.connection().execute(sa.select(sa.func.max(EVENT.c.id))).scalar() or 0


def _chained(fresh: Iterable[Said], end: Head, last_id: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the events' rows, each with its place and hashes, and the rows of what is personal about them."""
    rows: list[dict[str, Any]] = []
    erasable: list[dict[str, Any]] = []
    before, size = end.hash, end.size
    for number, said in enumerate(fresh, 1):
        row = {name: _normal(value) for name, value in said.columns.items()}
        row |= {"id": last_id + number, "seq": size + number, "details": chain.canonical(said.details)}
        row["pii_commit"] = ""
        if personal := {name: value for name, value in said.personal.items() if value}:
            salt, content = secrets.token_bytes(_SALT_BYTES).hex(), chain.canonical(personal)
            row["pii_commit"] = chain.commitment(salt, content)
            erasable.append({"event_id": row["id"], "salt": salt, "content": content})
        row |= {"prev_hash": before, "hash": chain.link(before, body_of(row[name] for name in CHAINED))}
        before = row["hash"]
        rows.append(row)
    return rows, erasable


def _normal(value: Any) -> Any:
    return chain.text(value) if isinstance(value, str) else value


def body_of(values: Iterable[Any]) -> str:
    """Return what an event's hash is made of, from the values of `CHAINED`."""
    return FRAME % tuple([chain.written(_value(value)) for value in values])


def _value(value: Any) -> Value:
    return chain.instant(value) if isinstance(value, datetime) else value
