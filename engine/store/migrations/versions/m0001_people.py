"""People: who they are, what they bought and own, and what they allowed."""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import UTCDateTime

from engine.store.columns import Day

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables, in the order in which they refer to each other."""
    _address()
    _import_run()
    _installation()
    _customer()
    _suppression()
    _consent_event()
    _customer_address()
    _purchase()
    _service_item()
    _visit()


def _address() -> None:
    op.create_table(
        "address",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("exact", sa.String(), nullable=False),
        sa.Column("canonical", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("exact"),
    )
    op.create_index(op.f("ix_address_canonical"), "address", ["canonical"], unique=False)


def _import_run() -> None:
    op.create_table(
        "import_run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("file", sa.String(), nullable=False),
        sa.Column("mark", sa.String(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("good", sa.Boolean(), nullable=False),
        sa.Column("read", sa.Integer(), nullable=False),
        sa.Column("created", sa.Integer(), nullable=False),
        sa.Column("updated", sa.Integer(), nullable=False),
        sa.Column("unchanged", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_import_run_what"), "import_run", ["what"], unique=False)


def _installation() -> None:
    op.create_table(
        "installation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("canary", sa.String(), nullable=False),
        sa.Column("data_version", sa.Integer(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("real_since", Day(), nullable=True),
        sa.Column("last_tick_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )


def _customer_first() -> tuple[sa.schema.SchemaItem, ...]:
    return (
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=True),
        sa.Column("address_id", sa.Integer(), nullable=True),
        sa.Column("first_name", sa.String(), nullable=False),
        sa.Column("last_name", sa.String(), nullable=False),
        sa.Column("salutation", sa.String(), nullable=False),
        sa.Column("company", sa.String(), nullable=False),
        sa.Column("birth_md", sa.Integer(), nullable=True),
        sa.Column("birth_year", sa.Integer(), nullable=True),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("address_form", sa.String(), nullable=False),
        sa.Column("timezone", sa.String(), nullable=False),
        sa.Column("country", sa.String(), nullable=False),
        sa.Column("customer_since", Day(), nullable=True),
        sa.Column("tags", sa.String(), nullable=False),
        sa.Column("last_purchase_on", Day(), nullable=True),
        sa.Column("last_purchase_id", sa.String(), nullable=True),
    )


def _customer_second() -> tuple[sa.schema.SchemaItem, ...]:
    return (
        sa.Column("purchase_count", sa.Integer(), nullable=False),
        sa.Column("usual_days", sa.Integer(), nullable=True),
        sa.Column("not_in_source", sa.Boolean(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["address_id"], ["address.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("customer_id"),
        sa.UniqueConstraint("uid"),
    )


def _customer() -> None:
    op.create_table("customer", *_customer_first(), *_customer_second())
    op.create_index(op.f("ix_customer_address_id"), "customer", ["address_id"], unique=False)
    op.create_index(
        "ix_customer_birthday",
        "customer",
        ["birth_md", "uid", "birth_year", "timezone", "address_id"],
        unique=False,
        sqlite_where=sa.text("birth_md IS NOT NULL"),
        postgresql_where=sa.text("birth_md IS NOT NULL"),
    )
    op.create_index(
        "ix_customer_last_purchase",
        "customer",
        ["last_purchase_on", "uid", "last_purchase_id", "timezone", "address_id"],
        unique=False,
        sqlite_where=sa.text("last_purchase_on IS NOT NULL"),
        postgresql_where=sa.text("last_purchase_on IS NOT NULL"),
    )
    op.create_index(op.f("ix_customer_timezone"), "customer", ["timezone"], unique=False)
    op.create_index(
        "ix_customer_usual",
        "customer",
        ["usual_days", "last_purchase_on"],
        unique=False,
        sqlite_where=sa.text("usual_days IS NOT NULL"),
        postgresql_where=sa.text("usual_days IS NOT NULL"),
    )


def _suppression() -> None:
    op.create_table(
        "suppression",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("exact_hash", sa.String(), nullable=False),
        sa.Column("canonical_hash", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("address_id", sa.Integer(), nullable=True),
        sa.Column("removed_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["address_id"], ["address.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("exact_hash", "reason", "scope", "at"),
    )
    op.create_index("ix_suppression_canonical", "suppression", ["canonical_hash"], unique=False)


def _consent_event() -> None:
    op.create_table(
        "consent_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("address_id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("recorded_at", UTCDateTime(), nullable=False),
        sa.Column("kinds", sa.String(), nullable=False),
        sa.Column("wording", sa.String(), nullable=False),
        sa.Column("requested_at", UTCDateTime(), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("proof", sa.String(), nullable=False),
        sa.Column("proven", sa.Boolean(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["address_id"], ["address.id"]),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("fingerprint"),
    )
    op.create_index("ix_consent_event_address", "consent_event", ["address_id", "at"], unique=False)
    op.create_index(op.f("ix_consent_event_customer_id"), "consent_event", ["customer_id"], unique=False)


def _customer_address() -> None:
    op.create_table(
        "customer_address",
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("address_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["address_id"], ["address.id"]),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.PrimaryKeyConstraint("customer_id", "address_id"),
    )
    op.create_index(op.f("ix_customer_address_address_id"), "customer_address", ["address_id"], unique=False)


def _purchase() -> None:
    op.create_table(
        "purchase",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("purchase_id", sa.String(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("purchased_at", UTCDateTime(), nullable=False),
        sa.Column("local_on", Day(), nullable=True),
        sa.Column("amount_minor", sa.Integer(), nullable=True),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("categories", sa.String(), nullable=False),
        sa.Column("items", sa.String(), nullable=False),
        sa.Column("email_from_sale", sa.Boolean(), nullable=True),
        sa.Column("notice", sa.String(), nullable=False),
        sa.Column("notice_shown_at", UTCDateTime(), nullable=True),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("purchase_id"),
    )
    op.create_index("ix_purchase_customer", "purchase", ["customer_id", "local_on"], unique=False)
    op.create_index(
        "ix_purchase_day",
        "purchase",
        ["local_on"],
        unique=False,
        sqlite_where=sa.text("status = 'concluded'"),
        postgresql_where=sa.text("status = 'concluded'"),
    )
    op.create_index(
        "ix_purchase_instant",
        "purchase",
        ["purchased_at"],
        unique=False,
        sqlite_where=sa.text("status = 'concluded'"),
        postgresql_where=sa.text("status = 'concluded'"),
    )


def _service_item() -> None:
    op.create_table(
        "service_item",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("service_item_id", sa.String(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("item_type", sa.String(), nullable=False),
        sa.Column("last_service_on", Day(), nullable=True),
        sa.Column("interval", sa.String(), nullable=False),
        sa.Column("next_service_on", Day(), nullable=True),
        sa.Column("booked_for", Day(), nullable=True),
        sa.Column("contract_ref", sa.String(), nullable=False),
        sa.Column("contract_from", Day(), nullable=True),
        sa.Column("contract_until", Day(), nullable=True),
        sa.Column("due_on", Day(), nullable=True),
        sa.Column("cycle_due_on", Day(), nullable=True),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("service_item_id"),
    )
    op.create_index(op.f("ix_service_item_customer_id"), "service_item", ["customer_id"], unique=False)
    op.create_index(
        "ix_service_item_due",
        "service_item",
        ["due_on"],
        unique=False,
        sqlite_where=sa.text("due_on IS NOT NULL"),
        postgresql_where=sa.text("due_on IS NOT NULL"),
    )


def _visit() -> None:
    op.create_table(
        "visit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("visit_id", sa.String(), nullable=False),
        sa.Column("service_item_id", sa.Integer(), nullable=False),
        sa.Column("done_on", Day(), nullable=True),
        sa.Column("next_service_on", Day(), nullable=True),
        sa.Column("report_url", sa.String(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["service_item_id"], ["service_item.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("visit_id"),
    )
    op.create_index(op.f("ix_visit_service_item_id"), "visit", ["service_item_id"], unique=False)
