"""The rows that keep an erasure an erasure: its ledger, and the permit without which no history can be shortened."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel


def _key() -> Any:
    return Field(default=None, primary_key=True)


class Erasure(SQLModel, table=True):
    """One erasure, as `erasures.log` has it too: `mark` is its line's; nothing in it names anybody (Art. 5(2) GDPR).

    `finished_at` is missing while something had to be kept for a mail in doubt.
    """

    __table_args__ = (sa.Index("ix_erasure_customer", "customer_id"), {"sqlite_autoincrement": True})
    id: int | None = _key()
    mark: str = Field(unique=True)
    customer_id: int | None = Field(default=None, foreign_key="customer.id")
    at: datetime
    finished_at: datetime | None = None


class PurgePermit(SQLModel, table=True):
    """A message whose history may be shortened by the transaction that wrote this row, and takes it away again.

    The table is empty between transactions: `message_event` refuses every change without a row here.
    """

    __tablename__ = "purge_permit"
    message: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
