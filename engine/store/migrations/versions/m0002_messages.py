"""Messages: occasions, the way of every mail, and what the senders share."""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import UTCDateTime

from engine.store.columns import Day

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables, in the order in which they refer to each other."""
    _budget()
    _campaign_state()
    _owner_notice()
    _pause()
    _provider_stop()
    _scan()
    _enrolment()
    _message()
    _attempt()
    _message_body()
    _message_event()


def _budget() -> None:
    op.create_table(
        "budget",
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("window", sa.String(), nullable=False),
        sa.Column("taken", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "window"),
    )


def _campaign_state() -> None:
    op.create_table(
        "campaign_state",
        sa.Column("campaign", sa.String(), nullable=False),
        sa.Column("rehearsal", sa.Boolean(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("enabled_on", Day(), nullable=True),
        sa.Column("trigger_hash", sa.String(), nullable=False),
        sa.Column("edited_on", Day(), nullable=True),
        sa.Column("seen_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("campaign", "rehearsal"),
    )


def _owner_notice() -> None:
    op.create_table(
        "owner_notice",
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("on", Day(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("topic", "on"),
    )


def _pause() -> None:
    op.create_table(
        "pause",
        sa.Column("campaign", sa.String(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("campaign"),
    )


def _provider_stop() -> None:
    op.create_table(
        "provider_stop",
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("until", UTCDateTime(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("credentials", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("provider"),
    )


def _scan() -> None:
    op.create_table(
        "scan",
        sa.Column("campaign", sa.String(), nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("rehearsal", sa.Boolean(), nullable=False),
        sa.Column("last_day", Day(), nullable=True),
        sa.Column("window_day", Day(), nullable=True),
        sa.Column("data_version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("campaign", "zone", "rehearsal"),
    )


def _enrolment() -> None:
    op.create_table(
        "enrolment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("campaign", sa.String(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("customer_uid", sa.String(), nullable=False),
        sa.Column("occasion", sa.String(), nullable=False),
        sa.Column("rehearsal", sa.Boolean(), nullable=False),
        sa.Column("purchase_id", sa.Integer(), nullable=True),
        sa.Column("service_item_id", sa.Integer(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.ForeignKeyConstraint(["purchase_id"], ["purchase.id"]),
        sa.ForeignKeyConstraint(["service_item_id"], ["service_item.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("campaign", "customer_uid", "occasion", "rehearsal"),
    )
    op.create_index(op.f("ix_enrolment_customer_id"), "enrolment", ["customer_id"], unique=False)


def _message_way() -> tuple[sa.schema.SchemaItem, ...]:
    return (
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("enrolment_id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("address_id", sa.Integer(), nullable=True),
        sa.Column("campaign", sa.String(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("step_index", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("on_doubt", sa.String(length=32), nullable=False),
        sa.Column("rehearsal", sa.Boolean(), nullable=False),
    )


def _message_decision() -> tuple[sa.schema.SchemaItem, ...]:
    return (
        sa.Column("due", Day(), nullable=True),
        sa.Column("send_after", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("planned_at", UTCDateTime(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=True),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("basis", sa.String(length=32), nullable=True),
        sa.Column("evidence", sa.String(), nullable=False),
        sa.Column("carried_by", sa.Integer(), nullable=True),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("campaign_hash", sa.String(), nullable=False),
    )


def _message_sending() -> tuple[sa.schema.SchemaItem, ...]:
    return (
        sa.Column("template_hash", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("first_call_at", UTCDateTime(), nullable=True),
        sa.Column("sent_at", UTCDateTime(), nullable=True),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("provider_id", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["address_id"], ["address.id"]),
        sa.ForeignKeyConstraint(["carried_by"], ["message.id"]),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.ForeignKeyConstraint(["enrolment_id"], ["enrolment.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("enrolment_id", "step"),
        sa.UniqueConstraint("message_id"),
    )


def _message() -> None:
    op.create_table("message", *_message_way(), *_message_decision(), *_message_sending())
    op.create_index("ix_message_address", "message", ["address_id", "sent_at"], unique=False)
    op.create_index("ix_message_campaign", "message", ["campaign", "planned_at"], unique=False)
    op.create_index(op.f("ix_message_customer_id"), "message", ["customer_id"], unique=False)
    op.create_index(
        "ix_message_open",
        "message",
        ["state"],
        unique=False,
        sqlite_where=sa.text("state IN ('claimed', 'sending', 'in_doubt', 'held')"),
        postgresql_where=sa.text("state IN ('claimed', 'sending', 'in_doubt', 'held')"),
    )
    op.create_index(
        "ix_message_queue",
        "message",
        ["send_after", "id"],
        unique=False,
        sqlite_where=sa.text("state IN ('planned', 'retrying')"),
        postgresql_where=sa.text("state IN ('planned', 'retrying')"),
    )


def _attempt() -> None:
    op.create_table(
        "attempt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("message", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("started_at", UTCDateTime(), nullable=False),
        sa.Column("finished_at", UTCDateTime(), nullable=True),
        sa.Column("result", sa.String(), nullable=False),
        sa.Column("provider_id", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["message"], ["message.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("message", "fence"),
    )
    op.create_index(op.f("ix_attempt_message"), "attempt", ["message"], unique=False)


def _message_body() -> None:
    op.create_table(
        "message_body",
        sa.Column("message", sa.Integer(), nullable=False),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("sender_name", sa.String(), nullable=False),
        sa.Column("reply_to", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("recipient_name", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("html", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("headers", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("frozen_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["message"], ["message.id"]),
        sa.PrimaryKeyConstraint("message"),
    )


def _message_event() -> None:
    op.create_table(
        "message_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("message", sa.Integer(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("before", sa.String(), nullable=False),
        sa.Column("after", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["message"], ["message.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_message_event_message"), "message_event", ["message"], unique=False)
