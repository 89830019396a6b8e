"""Accounts: a call remembers, as a keyed mark, at which account of the provider it was made.

And the store numbers the notes of its sender, so that a backup is known by its number whatever the clock said.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the mark, which earlier calls have not, and the number of the last note."""
    op.add_column("provider_call", sa.Column("account", sa.String(), nullable=False, server_default=""))
    op.add_column("installation", sa.Column("ordinal", sa.BigInteger(), nullable=False, server_default="0"))
