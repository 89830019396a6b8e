"""Accounts: a call remembers, as a keyed mark, at which account of the provider it was made.

What was planned and nobody has looked at yet is marked for each campaign by itself, no longer for the store as a whole.
And the store numbers the notes of its sender, so that a backup is known by its number whatever the clock said.
"""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import UTCDateTime

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the mark, which earlier calls have not, and the number of the last note.

    A campaign takes over what nobody has looked at in the whole store.
    """
    op.add_column("provider_call", sa.Column("account", sa.String(), nullable=False, server_default=""))
    op.add_column("campaign_state", sa.Column("unchecked_from", UTCDateTime(), nullable=True))
    op.add_column("campaign_state", sa.Column("unchecked_times", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE campaign_state SET unchecked_from = (SELECT unchecked_from FROM installation)")
    op.drop_column("installation", "unchecked_from")
    op.add_column("installation", sa.Column("ordinal", sa.BigInteger(), nullable=False, server_default="0"))
