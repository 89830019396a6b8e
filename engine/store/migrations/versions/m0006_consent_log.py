"""Consent log: a gapless hash chain over every event, and personal data beside it that can be erased.

Events that were stored before are chained in the order in which they were written; nothing of their evidence is lost.
"""

import secrets
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import UTCDateTime

from engine.domain import chain
from engine.store.migrations.versions.m0003_guards import _append_only

revision = "0006"
down_revision = "0005"

_CHUNK = 1000
_DETAILS = chain.canonical({"migrated": True})
_EVENT = sa.table(
    "consent_event",
    *(sa.column(name, sa.Integer()) for name in ("id", "seq", "address_id", "customer_id", "after_attempt")),
    *(sa.column(name, UTCDateTime()) for name in ("at", "recorded_at", "requested_at")),
    *(sa.column(name, sa.String()) for name in ("fingerprint", "state", "kinds", "wording", "source", "proof")),
    *(sa.column(name, sa.String()) for name in ("actor", "prev_hash", "hash", "details", "pii_commit")),
    sa.column("proven", sa.Boolean()),
)
_PII = sa.table("consent_pii", sa.column("event_id"), sa.column("salt"), sa.column("content"))
_HEAD = sa.table("chain_head", sa.column("id"), sa.column("size"), sa.column("hash"))


def upgrade() -> None:
    """Add the chain, put the earlier events into it, move what is personal out of it."""
    dialect = op.get_bind().dialect.name
    _unguard(dialect)
    op.add_column("consent_event", sa.Column("seq", sa.Integer(), nullable=False, server_default="0"))
    for name in ("prev_hash", "hash", "details", "pii_commit"):
        op.add_column("consent_event", sa.Column(name, sa.String(), nullable=False, server_default=""))
    _tables()
    _chain()
    op.drop_column("consent_event", "source")
    op.drop_column("consent_event", "proof")
    op.create_index("ix_consent_event_seq", "consent_event", ["seq"], unique=True)
    for statement in (*_append_only("consent_event", dialect), *_never_updated("consent_pii", dialect)):
        op.execute(sa.text(statement))


def _unguard(dialect: str) -> None:
    if dialect == "sqlite":
        op.execute(sa.text("DROP TRIGGER consent_event_no_update"))
        op.execute(sa.text("DROP TRIGGER consent_event_no_delete"))
        return
    op.execute(sa.text("DROP TRIGGER consent_event_append_only ON consent_event"))
    op.execute(sa.text("DROP TRIGGER consent_event_no_truncate ON consent_event"))
    op.execute(sa.text("DROP FUNCTION consent_event_append_only()"))


def _never_updated(table: str, dialect: str) -> list[str]:
    """Return the guard of rows that may be erased, and never changed."""
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is never changed'); END"
        ]
    return [
        f"CREATE FUNCTION {table}_no_update() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN RAISE EXCEPTION '{table} is never changed'; END $$",
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_no_update()",
    ]


def _tables() -> None:
    op.create_table(
        "consent_pii",
        sa.Column("event_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("salt", sa.String(), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["consent_event.id"]),
        sa.PrimaryKeyConstraint("event_id"),
    )
    op.create_table(
        "chain_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _chain() -> None:
    connection = op.get_bind()
    number, head = 0, chain.GENESIS
    for rows in _parts(connection):
        changes, erasable = [], []
        for row in rows:
            kept = {name: chain.text(row[name]) for name in ("source", "proof") if row[name]}
            salt = secrets.token_bytes(32).hex()
            content = chain.canonical(kept)
            commit = chain.commitment(salt, content) if kept else ""
            before, number = head, number + 1
            head = chain.link(before, _body(row, number, commit))
            changes.append({"old_id": row["id"], "new_seq": number, "before": before, "after": head, "pii": commit})
            if kept:
                erasable.append({"event_id": row["id"], "salt": salt, "content": content})
        connection.execute(_written(), changes)
        if erasable:
            connection.execute(sa.insert(_PII), erasable)
    if number:
        connection.execute(sa.insert(_HEAD), [{"id": 1, "size": number, "hash": head}])


def _written() -> sa.Update:
    return (
        sa.update(_EVENT)
        .where(_EVENT.c.id == sa.bindparam("old_id"))
        .values(
            seq=sa.bindparam("new_seq"),
            prev_hash=sa.bindparam("before"),
            hash=sa.bindparam("after"),
            pii_commit=sa.bindparam("pii"),
            details=_DETAILS,
        )
    )


def _parts(connection: sa.Connection) -> Iterator[list[dict[str, Any]]]:
    last = -1
    while True:
        page = sa.select(_EVENT).where(_EVENT.c.id > last).order_by(_EVENT.c.id).limit(_CHUNK)
        rows = [dict(row) for row in connection.execute(page).mappings()]
        if not rows:
            return
        yield rows
        last = rows[-1]["id"]


def _body(row: dict[str, Any], number: int, commit: str) -> str:
    times = {name: chain.instant(row[name]) for name in ("at", "recorded_at", "requested_at")}
    same = ("id", "fingerprint", "address_id", "customer_id", "state", "kinds", "wording", "proven", "actor")
    content = {name: row[name] for name in (*same, "after_attempt")}
    return chain.canonical({**content, **times, "seq": number, "details": _DETAILS, "pii_commit": commit})
