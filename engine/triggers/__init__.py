"""QUESTIONS: one file per trigger. This is the registry: a campaign's `[trigger]` table is one of these, by `on`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from engine.triggers.birthday import Birthday
from engine.triggers.lapsed import Lapsed
from engine.triggers.purchase import PurchaseTrigger
from engine.triggers.service_due import ServiceDue

Trigger = Annotated[Birthday | Lapsed | ServiceDue | PurchaseTrigger, Field(discriminator="on")]

__all__ = ["Birthday", "Lapsed", "PurchaseTrigger", "ServiceDue", "Trigger"]
