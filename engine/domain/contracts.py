"""What a contract must be to carry a mail (Art. 6(1)(b) GDPR): something one can show, and that runs today."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from engine.domain.words import Reason

NO_REFERENCE = frozenset(
    {"ja", "nein", "yes", "no", "j", "n", "y", "x", "-", "?", "0", "true", "false", "wahr", "falsch"}
)
"""What people write into the column instead of a contract's number: nothing that could be shown."""


def is_reference(ref: str) -> bool:
    """Say whether this can be a contract's number or date; whether there is such a contract only its owner knows."""
    return ref.strip().casefold() not in NO_REFERENCE | {""}


@dataclass(frozen=True, slots=True)
class Contract:
    """The contract behind a service item; without a day the side is open."""

    ref: str
    first: date | None = None
    last: date | None = None

    def what_lacks(self, today: date) -> tuple[Reason, str] | None:
        """Return why this contract carries no mail today, or None where it does."""
        if not is_reference(self.ref):
            return Reason.NO_CONTRACT, "no contract_ref"
        if self.first is not None and today < self.first:
            return Reason.NO_CONTRACT, f"contract {self.ref} begins on {self.first}"
        if self.last is not None and today > self.last:
            return Reason.CONTRACT_OVER, f"contract {self.ref} ended on {self.last}"
        return None
