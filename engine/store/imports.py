"""What was imported when, from where and with which result; and the number that tells planning to look again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlmodel import Session

from engine.store.tables import ConsentEvent, ImportRun
from engine.store.upsert import chunks

_EVENT: sa.Table = ConsentEvent.__table__  # type: ignore[attr-defined]
_RUN: sa.Table = ImportRun.__table__  # type: ignore[attr-defined]

RUNNING = "running"
"""The detail of a run that has begun to write and has not ended: whoever finds one knows it was cut short."""

_LOOK = "look"
"""The one row per source that is no run but keeps what the last look at its file found, under a name of its own."""


@dataclass(frozen=True, slots=True)
class Run:
    """One import that was begun. `mark` recognises the file's content; `good` says it came to a regular end."""

    id: int
    what: str
    source: str
    file: str
    mark: str
    at: datetime
    good: bool
    read: int
    refused: int
    detail: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows came to what."""

    read: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0


class Seen(NamedTuple):
    """What a look at a source's file found, and whether that was dealt with: imported, refused or known already."""

    found: str
    handled: bool


def begin(session: Session, what: str, source: str, file: str, now: datetime) -> int:
    """Note that an import begins to write; it is not good until it has ended."""
    values = {"what": what, "source": source, "file": file, "at": now, "good": False, "detail": RUNNING, "mark": ""}
    statement = sa.insert(_RUN).values(**values, **asdict(Counts())).returning(_RUN.c.id)
    return int(session.connection().execute(statement).scalar_one())


def end(session: Session, run: int, counts: Counts, *, mark: str = "") -> None:
    """Note that an import came to its regular end."""
    values = {"good": True, "detail": "", "mark": mark, **asdict(counts)}
    session.connection().execute(sa.update(_RUN).where(_RUN.c.id == run).values(**values))


def fail(session: Session, what: str, source: str, file: str, now: datetime, because: tuple[str, str]) -> None:
    """Note a file that was refused whole; `because` is its mark and the reason."""
    mark, detail = because
    values = {"what": what, "source": source, "file": file, "at": now, "good": False, "detail": detail, "mark": mark}
    session.connection().execute(sa.insert(_RUN).values(**values, **asdict(Counts())))


def confirm(session: Session, run: Run, now: datetime) -> None:
    """Note that a source brought the content of an earlier run again: nothing to write, but the data is fresh."""
    values = {"what": run.what, "source": run.source, "file": run.file, "mark": run.mark, "good": True, "at": now}
    counts = asdict(Counts(read=run.read, unchanged=run.read - run.refused, refused=run.refused))
    session.connection().execute(sa.insert(_RUN).values(**values, **counts, detail="same content"))


def cut_short(session: Session, what: str) -> list[int]:
    """Return the runs of this kind that began to write and never ended: the process died, the disk was full."""
    query = sa.select(_RUN.c.id).where(_RUN.c.what == what, _RUN.c.detail == RUNNING)
    return list(session.connection().execute(query).scalars())


def give_up(session: Session, runs: list[int]) -> None:
    """Note that what these runs left behind has been mended."""
    statement = sa.update(_RUN).where(_RUN.c.id.in_(runs)).values(detail="cut short")
    session.connection().execute(statement)


def last(session: Session, source: str, *, good: bool | None = None) -> Run | None:
    """Return the latest run of a configured source, or its latest good one."""
    query = sa.select(_RUN).where(_RUN.c.source == source).order_by(_RUN.c.id.desc()).limit(1)
    if good is not None:
        query = query.where(_RUN.c.good == good)
    row = session.connection().execute(query).mappings().first()
    return Run(**{name: row[name] for name in Run.__slots__}) if row else None


def worth_another_try(session: Session, run: Run, now: datetime) -> bool:
    """Say whether rows a run refused may be sound by now: a day has passed, or somebody they refer to has come in."""
    if not run.refused:
        return False
    newcomers = sa.and_(_RUN.c.id > run.id, _RUN.c.created > 0, _RUN.c.what.in_(("customers", "service-items")))
    query = sa.select(_RUN.c.id).where(newcomers).limit(1)
    return run.at.date() < now.date() or session.connection().execute(query).first() is not None


def last_look(session: Session, source: str) -> Seen | None:
    """Return what the last look at a source's file found."""
    row = session.connection().execute(sa.select(_RUN.c.mark, _RUN.c.detail).where(_looks_at(source))).first()
    return Seen(row.mark, row.detail == "handled") if row else None


def note_look(session: Session, source: str, seen: Seen, now: datetime) -> None:
    """Keep what a look at a source's file found."""
    values = {"mark": seen.found, "detail": "handled" if seen.handled else "looked", "at": now}
    changed = session.connection().execute(sa.update(_RUN).where(_looks_at(source)).values(**values))
    if not changed.rowcount:
        rest = {"what": _LOOK, "source": f"{_LOOK} {source}", "file": "", "good": False, **asdict(Counts())}
        session.connection().execute(sa.insert(_RUN).values(**values, **rest))


def _looks_at(source: str) -> sa.ColumnElement[bool]:
    return sa.and_(_RUN.c.what == _LOOK, _RUN.c.source == f"{_LOOK} {source}")


def last_good(session: Session, what: str) -> datetime | None:
    """Return when data of this kind was last imported whole: lapsed and service mails wait while it is too old."""
    query = sa.select(sa.func.max(_RUN.c.at)).where(_RUN.c.what == what, _RUN.c.good.is_(True))
    found: datetime | None = session.connection().execute(query).scalar_one_or_none()
    return found


def known_events(session: Session, fingerprints: Sequence[str]) -> set[str]:
    """Return which of these consent events are recorded already."""
    column = _EVENT.c.fingerprint
    return {
        found
        for part in chunks(fingerprints)
        for found in session.connection().execute(sa.select(column).where(column.in_(part))).scalars()
    }
