"""Once: calls with their frozen members, who is at work, what providers tell later, and where the store lies."""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import UTCDateTime

from engine.store.migrations.versions.m0003_guards import EDGES

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the tables and add the columns."""
    _provider_call()
    _provider_breaker()
    _worker()
    _delivery_event()
    with op.batch_alter_table("attempt") as attempt:
        attempt.add_column(sa.Column("call_id", sa.Integer(), nullable=True))
        attempt.add_column(sa.Column("position", sa.Integer(), nullable=False, server_default="0"))
        attempt.create_foreign_key("fk_attempt_call", "provider_call", ["call_id"], ["id"])
        attempt.create_index("ix_attempt_call", ["call_id", "position"])
    op.add_column("message", sa.Column("lease_until", UTCDateTime(), nullable=True))
    op.add_column("message", sa.Column("check_at", UTCDateTime(), nullable=True))
    op.add_column("message", sa.Column("look_ups", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("budget", sa.Column("free_at", UTCDateTime(), nullable=True))
    op.add_column("consent_event", sa.Column("after_attempt", sa.Integer(), nullable=True))
    op.add_column("suppression", sa.Column("after_attempt", sa.Integer(), nullable=True))
    op.add_column("installation", sa.Column("place", sa.String(), nullable=False, server_default=""))
    op.add_column("installation", sa.Column("adopted", sa.String(), nullable=False, server_default=""))
    op.add_column("installation", sa.Column("lost_until", UTCDateTime(), nullable=True))
    op.add_column("installation", sa.Column("unchecked_from", UTCDateTime(), nullable=True))
    _quicker_guard()


def _quicker_guard() -> None:
    """Let SQLite look a way up in one text: the list of all ways, built anew for each row, cost a third of a change."""
    if op.get_bind().dialect.name != "sqlite":
        return
    edges = "|".join(["", *EDGES.split(), ""])
    op.execute(sa.text("DROP TRIGGER message_edges"))
    op.execute(
        sa.text(
            "CREATE TRIGGER message_edges BEFORE UPDATE OF state ON message WHEN OLD.state <> NEW.state "
            f"AND instr('{edges}', '|' || OLD.state || '>' || NEW.state || '|') = 0 "
            "BEGIN SELECT RAISE(ABORT, 'a message may not go that way'); END"
        )
    )


def _provider_call() -> None:
    op.create_table(
        "provider_call",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("members", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("first_at", UTCDateTime(), nullable=False),
        sa.Column("last_at", UTCDateTime(), nullable=False),
        sa.Column("made", sa.Integer(), nullable=False),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )


def _provider_breaker() -> None:
    op.create_table(
        "provider_breaker",
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("openings", sa.Integer(), nullable=False),
        sa.Column("until", UTCDateTime(), nullable=True),
        sa.Column("probe_until", UTCDateTime(), nullable=True),
        sa.Column("detail", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("provider"),
    )


def _worker() -> None:
    op.create_table(
        "worker",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started_at", UTCDateTime(), nullable=False),
        sa.Column("seen_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
        sqlite_autoincrement=True,
    )


def _delivery_event() -> None:
    op.create_table(
        "delivery_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("message", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("received_at", UTCDateTime(), nullable=False),
        sa.Column("provider_id", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["message"], ["message.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("provider", "event_id"),
    )
    op.create_index("ix_delivery_event_message", "delivery_event", ["message"])
