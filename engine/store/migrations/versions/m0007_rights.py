"""Rights: the ledger of erasures, and the one narrow way in which a history may be shortened."""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import UTCDateTime

revision = "0007"
down_revision = "0006"

_KEPT = ("id", "message", "at", "before", "after", "actor", "reason", "fence")
_PERMITTED = "EXISTS (SELECT 1 FROM purge_permit WHERE purge_permit.message = OLD.message)"


def upgrade() -> None:
    """Create the tables, add the columns and let the guard of message_event know the permit."""
    op.create_table(
        "erasure",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mark", sa.String(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=True),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("finished_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("mark"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_erasure_customer", "erasure", ["customer_id"])
    op.create_table(
        "purge_permit",
        sa.Column("message", sa.Integer(), nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("message"),
    )
    op.add_column("enrolment", sa.Column("purged_at", UTCDateTime(), nullable=True))
    op.add_column("provider_call", sa.Column("purged_at", UTCDateTime(), nullable=True))
    for statement in _guards(op.get_bind().dialect.name):
        op.execute(sa.text(statement))


def _guards(dialect: str) -> list[str]:
    """Return what lets a history lose its details, or go with its message, under a permit; nothing else may change."""
    same = " AND ".join(f'NEW."{name}" = OLD."{name}"' for name in _KEPT)
    if dialect == "sqlite":
        refuse = "BEGIN SELECT RAISE(ABORT, 'message_event is append-only'); END"
        return [
            "DROP TRIGGER message_event_no_update",
            "DROP TRIGGER message_event_no_delete",
            "CREATE TRIGGER message_event_no_update BEFORE UPDATE ON message_event "
            f"WHEN NOT (NEW.detail = '' AND {same} AND {_PERMITTED}) {refuse}",
            f"CREATE TRIGGER message_event_no_delete BEFORE DELETE ON message_event WHEN NOT {_PERMITTED} {refuse}",
        ]
    return [
        "CREATE OR REPLACE FUNCTION message_event_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP = 'DELETE' THEN IF {_PERMITTED} THEN RETURN OLD; END IF; END IF; "
        f"IF TG_OP = 'UPDATE' THEN IF NEW.detail = '' AND {same} AND {_PERMITTED} THEN RETURN NEW; END IF; END IF; "
        "RAISE EXCEPTION 'message_event is append-only'; END $$"
    ]
