"""Accounts: a call remembers, as a keyed mark, at which account of the provider it was made."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the mark; calls that were made before have none."""
    op.add_column("provider_call", sa.Column("account", sa.String(), nullable=False, server_default=""))
