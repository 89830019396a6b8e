"""What is personal about consent events, apart from the events themselves."""

from __future__ import annotations

from collections.abc import Collection

from sqlmodel import Session


def forget(session: Session, address_ids: Collection[int]) -> int:  # noqa: ARG001
    """Erase what is personal about everything these addresses have said; return how many events had any."""
    return 0
