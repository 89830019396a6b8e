"""What of the consent log can be forgotten: the personal side of an event, never the event itself."""

from __future__ import annotations

from collections.abc import Collection

from sqlmodel import Session


def forget(session: Session, address_ids: Collection[int]) -> int:  # noqa: ARG001  (nothing is kept apart yet)
    """Delete the personal details of these addresses' events, with their salts; return how many events lost theirs."""
    return 0
