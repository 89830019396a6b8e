"""An address a provider no longer writes to, as a value that is the same for every provider."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from engine.domain.words import Reason


@dataclass(frozen=True, slots=True)
class Blocked:
    """One entry of a provider's block list; `at` is None where it does not say."""

    email: str
    reason: Reason
    at: datetime | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class BlockedPage:
    """A part of the list, and how many entries the provider says there are."""

    entries: tuple[Blocked, ...]
    total: int
