"""Lawful: what people were shown and agreed to, what they asked for, and what their rights have come to."""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import UTCDateTime

from engine.store.migrations.versions.m0003_guards import _append_only

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the tables and add the columns."""
    _wording()
    _notice_version()
    _reply()
    _privacy_event()
    _legal_hold()
    _refusal_count()
    op.add_column("address", sa.Column("paused_until", UTCDateTime(), nullable=True))
    op.add_column("customer", sa.Column("restricted_at", UTCDateTime(), nullable=True))
    op.add_column("customer", sa.Column("parents_agreed_at", UTCDateTime(), nullable=True))
    op.add_column("customer", sa.Column("erased_at", UTCDateTime(), nullable=True))
    op.add_column("purchase", sa.Column("notice_version", sa.String(), nullable=False, server_default=""))
    op.add_column("installation", sa.Column("pages_seen_at", UTCDateTime(), nullable=True))
    marked = sa.text("notice <> ''")
    op.create_index("ix_purchase_notice", "purchase", ["customer_id"], sqlite_where=marked, postgresql_where=marked)
    op.execute(sa.text("UPDATE message SET reason = 'consent_not_for_kind' WHERE reason = 'kind_not_consented'"))


def _wording() -> None:
    op.create_table(
        "wording",
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("seen_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("sha256"),
    )
    op.create_index("ix_wording_name", "wording", ["name", "seen_at"])
    _guard("wording")


def _notice_version() -> None:
    op.create_table(
        "notice_version",
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("seen_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("sha256"),
    )
    op.create_index("ix_notice_version_name", "notice_version", ["name", "seen_at"])
    _guard("notice_version")


def _reply() -> None:
    op.create_table(
        "reply",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("address_key", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("wording", sa.String(), nullable=False),
        sa.Column("wording_version", sa.String(), nullable=False),
        sa.Column("evidence", sa.String(), nullable=False),
        sa.Column("token_sha256", sa.String(), nullable=False),
        sa.Column("asked_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("called_at", UTCDateTime(), nullable=True),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.Column("used_at", UTCDateTime(), nullable=True),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("provider_id", sa.String(), nullable=False),
        sa.Column("body_sha256", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("message_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_reply_token", "reply", ["token_sha256"])
    op.create_index("ix_reply_address", "reply", ["address_key", "asked_at"])
    waiting = sa.text("state IN ('waiting', 'sending')")
    op.create_index("ix_reply_open", "reply", ["asked_at"], sqlite_where=waiting, postgresql_where=waiting)


def _privacy_event() -> None:
    op.create_table(
        "privacy_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("operator", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_privacy_event_subject", "privacy_event", ["subject"])
    _guard("privacy_event")


def _legal_hold() -> None:
    op.create_table(
        "legal_hold",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=True),
        sa.Column("address_key", sa.String(), nullable=False),
        sa.Column("case_ref", sa.String(), nullable=False),
        sa.Column("operator", sa.String(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("lifted_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_legal_hold_customer", "legal_hold", ["customer_id"])


def _refusal_count() -> None:
    op.create_table(
        "refusal_count",
        sa.Column("month", sa.String(), nullable=False),
        sa.Column("campaign", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("month", "campaign", "state", "reason"),
    )


def _guard(table: str) -> None:
    for statement in _append_only(table, op.get_bind().dialect.name):
        op.execute(sa.text(statement))
