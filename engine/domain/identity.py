"""The names things keep for ever: the same after a restart, a second scan and a restored backup."""

from __future__ import annotations

from uuid import UUID, uuid5


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
