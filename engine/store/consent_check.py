"""Walks the consent log from its first event to its last and finds whatever was changed behind the program's back.

Found are a changed event, one that was removed, inserted or moved, a wrong end, personal data that is not what was
committed to, and a log that is not the one the checkpoints outside the store have seen. What was erased is no fault.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain import chain
from engine.store import consent_log, tuples
from engine.store.checkpoints import Checkpoint
from engine.store.consent_log import CHAINED, EVENT, PII, body_of
from engine.store.upsert import is_sqlite

_AT_ONCE = 2000
_LAST = "last"
_HASH = re.compile("[0-9a-f]{64}")
_PROOF = [*(EVENT.c[name] for name in ("seq", "prev_hash", "hash", "pii_commit")), PII.c.salt, PII.c.content]


def _page(*columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    rows = sa.select(*_PROOF, *columns).join(PII, PII.c.event_id == EVENT.c.id, isouter=True)
    return rows.where(EVENT.c.seq > sa.bindparam(_LAST, type_=sa.Integer)).order_by(EVENT.c.seq).limit(_AT_ONCE)


def _as_json(name: str) -> sa.ColumnElement[Any]:
    """Return a column's value as it goes into SQLite's own JSON; what is not as we write it stays, and does not fit."""
    column: sa.ColumnElement[Any] = sa.type_coerce(EVENT.c[name], sa.String)
    if name == "proven":
        true, false = (sa.func.json(word) for word in ("true", "false"))
        return sa.case((sa.text("proven IS 1"), true), (sa.text("proven IS 0"), false), else_=column)
    if name not in _TIMES:
        return column
    written = sa.func.replace(sa.func.replace(column, " ", "T"), ".000000", "") + "Z"
    return sa.case((sa.func.substr(column, 11, 1) == " ", written), else_=column)


_TIMES = frozenset({"at", "recorded_at", "requested_at"})
_PLAIN = _page(*(EVENT.c[name] for name in CHAINED))
_PLAIN_SQLITE = tuples.Parametrised(_PLAIN)
_WRITTEN_SQLITE = tuples.Parametrised(
    _page(sa.func.json_object(*(part for name in CHAINED for part in (name, _as_json(name)))))
)
"""SQLite writes the body itself, in a fifth of the time it takes to fetch the values and to write them here."""
_Event = tuple[int, str, str, Any, Any, Any, str]
"""An event's number, the hash before it and its own, its commitment, salt and personal content, and its body."""

GONE = "is missing"
GONE_TO = "and all up to %(last)s are missing"
MOVED = "does not follow the one before it: an event was removed, inserted or moved"
CHANGED = "was changed after it was recorded"
OTHER = "is not the one that stood there at the checkpoint of %(at)s"
OTHER_PERSON = "has other personal data than was recorded with it"
OTHER_END = "is where the log ends, or goes on, but its end was noted as event %(size)s"
CUT = "is missing: the log had %(size)s events"
CUT_SINCE = "is missing: the log had %(size)s events at the checkpoint of %(at)s"


@dataclass(frozen=True, slots=True)
class Fault:
    """One place where the log is not what it was: the number of the event, and what is wrong with it, in words."""

    seq: int
    what: str
    values: Mapping[str, object] = field(default_factory=dict)

    @property
    def told(self) -> str:
        """Return what is wrong as one sentence."""
        return f"event {self.seq} " + self.what % self.values


@dataclass(slots=True)
class Walk:
    """What a walk over the log has seen so far: how many events, the last hash, and what cannot be as it is."""

    checkpoints: Mapping[int, Checkpoint]
    size: int = 0
    hash: str = chain.GENESIS
    erased: int = 0
    faults: list[Fault] = field(default_factory=list)


def walk(session: Session, checkpoints: Mapping[int, Checkpoint] | None = None) -> Walk:
    """Check every event there is, and then the end; what is appended meanwhile belongs to it."""
    seen = Walk(checkpoints or {})
    while True:
        before = seen.size
        for page in _pages(session, seen):
            _check_page(seen, page)
        end = consent_log.head(session)
        if end.size <= seen.size or seen.size == before:
            break
    _check_end(seen, end)
    seen.faults.sort(key=lambda fault: fault.seq)
    return seen


def _pages(session: Session, seen: Walk) -> Iterator[Sequence[_Event]]:
    read = _from_sqlite if is_sqlite(session) else _from_postgres
    while rows := read(session, seen.size):
        yield rows


def _from_postgres(session: Session, last: int) -> Sequence[_Event]:
    rows = session.connection().execute(_PLAIN, {_LAST: last}).all()
    return [(*row[: len(_PROOF)], body_of(row[len(_PROOF) :])) for row in rows]


def _from_sqlite(session: Session, last: int) -> Sequence[_Event]:
    try:
        rows = _WRITTEN_SQLITE.ask(session, {_LAST: last})
    except sqlite3.OperationalError:
        rows = _unreadable(session, last)
    return [row for row in rows if type(row[0]) is int]


def _unreadable(session: Session, last: int) -> list[tuple[Any, ...]]:
    """Read rows that hold what is no text any more: they are told apart, not stumbled over."""
    driver = tuples.driver(session)
    before = driver.text_factory
    driver.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    try:
        rows = _PLAIN_SQLITE.ask(session, {_LAST: last})
    finally:
        driver.text_factory = before
    return [(*row[: len(_PROOF)], _body(row[len(_PROOF) :])) for row in rows]


def _body(values: Sequence[Any]) -> str:
    read = [_read(name, value) for name, value in zip(CHAINED, values, strict=True)]
    try:
        return body_of(read)
    except KeyError:  # a value of a kind no event has
        return ""


def _read(name: str, value: Any) -> Any:
    if name == "proven":
        return value == 1
    if name not in _TIMES or not isinstance(value, str):
        return value
    return f"{value.replace(' ', 'T').replace('.000000', '')}Z"


def _check_page(seen: Walk, page: Sequence[_Event]) -> None:
    for number, before, after, commit, salt, content, body in page:
        if number != seen.size + 1 or before != seen.hash or chain.link(before, body) != after:
            seen.faults.append(_fault(seen, number, before))
        if commit or salt is not None:
            _check_personal(seen, number, commit, salt, content)
        seen.size, seen.hash = number, after
        if seen.faults and not _HASH.fullmatch(after):
            seen.hash = ""
        if number in seen.checkpoints and seen.checkpoints[number].hash != after:
            seen.faults.append(Fault(number, OTHER, {"at": _day(seen.checkpoints[number].at)}))


def _fault(seen: Walk, number: int, before: str) -> Fault:
    """Return what is wrong with an event."""
    wanted = seen.size + 1
    if number != wanted:
        return Fault(wanted, GONE_TO, {"last": number - 1}) if number - wanted > 1 else Fault(wanted, GONE)
    return Fault(number, CHANGED if before == seen.hash else MOVED)


def _check_personal(seen: Walk, number: int, commit: Any, salt: str | None, content: str | None) -> None:
    if salt is None or content is None:
        seen.erased += 1
    elif not _fits(commit, salt, content):
        seen.faults.append(Fault(number, OTHER_PERSON))


def _fits(commit: Any, salt: str, content: str) -> bool:
    try:
        return salt == salt.lower() and chain.commitment(salt, content) == commit
    except (ValueError, TypeError, AttributeError):  # the salt is none
        return False


def _check_end(seen: Walk, end: consent_log.Head) -> None:
    if end.size > seen.size:
        seen.faults.append(Fault(seen.size + 1, CUT, {"size": end.size}))
    elif (end.size, end.hash) != (seen.size, seen.hash):
        seen.faults.append(Fault(min(seen.size, end.size + 1), OTHER_END, {"size": end.size}))
    known = max(seen.checkpoints, default=0)
    if known > max(seen.size, end.size):
        told = {"size": known, "at": _day(seen.checkpoints[known].at)}
        seen.faults.append(Fault(seen.size + 1, CUT_SINCE, told))


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}Z"
