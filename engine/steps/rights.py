"""What the person may ask of the shop (Art. 15 GDPR): everything that is kept about an address, as one document."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from engine.steps.shop import Premises


def export_document(shop: Premises, email: str, now: datetime) -> dict[str, Any] | None:
    """Return everything that is kept about whoever is at an address; None where nothing is."""
    raise NotImplementedError
