"""The names things keep for ever: the same after a restart, a second scan and a restored backup."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid5

_CALLS = UUID("9b1d6f3a-5f0e-5d7c-9a43-7a7e7f0c2b11")


def customer_uid(installation: UUID, customer_id: str | None, exact_address: str | None) -> UUID:
    """Return a customer's uid: from the shop's own id, else from the exact address."""
    if customer_id:
        return uuid5(installation, f"customer|{customer_id}")
    if not exact_address:
        raise ValueError("a customer needs a customer_id or an address")
    return uuid5(installation, f"address|{exact_address}")


def message_id(
    installation: UUID,
    campaign: str,
    uid: UUID,
    occasion: str,
    step: str,
    *,
    rehearsal: bool,
) -> UUID:
    """Return the id of the one message for this occasion and step.

    It is the idempotency key, the Message-ID and the provider's metadata, so that a provider can recognise a repeat.
    """
    return uuid5(installation, f"{campaign}|{uid}|{occasion}|{step}|{int(rehearsal)}")


def call_key(members: Sequence[tuple[str, int]]) -> str:
    """Return the key of one call to a provider: the same for the same mails (message id, fence) in the same order.

    A message's first call alone goes by the message's own id, so that a provider recognises it after a restored backup.
    A later call, made because the one before provably sent nothing, has a key of its own: a provider may have burnt the
    first.
    """
    if len(members) == 1 and members[0][1] == 1:
        return members[0][0]
    return str(uuid5(_CALLS, "|".join(f"{message}:{fence}" for message, fence in members)))


def reply_key(message_id: str, called_at: datetime) -> str:
    """Return the key of one try to send a reply, by the instant at which its intent was written.

    It is tried again only where provably nothing left, and then a provider may have burnt the key. Attempts do not
    tell the tries apart: the account's fault burns none.
    """
    return str(uuid5(_CALLS, f"{message_id}:{called_at.isoformat()}"))
