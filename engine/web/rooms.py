"""What every page needs at hand, and how a posted form is read: as text, whatever was sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Protocol

from fastapi import Depends, Request

from engine.clock import Clock
from engine.config.loading import Config
from engine.steps.consent.asking import Pending, SignUp, Visitor
from engine.steps.shop import Premises
from engine.web.limiting import Limits
from engine.web.showing import Showing

_MOST_FIELDS = 60


class Asking(Protocol):
    """What `steps.consent.asking` offers the pages."""

    def sign_up(self, shop: Premises, ask: SignUp, visitor: Visitor, now: datetime) -> None: ...  # noqa: D102
    def pending(self, shop: Premises, token: str, now: datetime) -> Pending | None: ...  # noqa: D102
    def confirm(self, shop: Premises, token: str, visitor: Visitor, now: datetime) -> Pending | None: ...  # noqa: D102
    def ask_for_data(self, shop: Premises, email: str, visitor: Visitor, now: datetime) -> None: ...  # noqa: D102
    def data_pending(self, shop: Premises, token: str, now: datetime) -> Pending | None: ...  # noqa: D102
    def open_data(  # noqa: D102
        self, shop: Premises, token: str, visitor: Visitor, now: datetime
    ) -> dict[str, Any] | None: ...


@dataclass(frozen=True, slots=True)
class Rooms:
    """The shop as it is right now (a reload changes it), the clock, and what shows, counts and asks."""

    shop: Callable[[], Premises]
    clock: Clock
    showing: Showing
    limits: Limits
    asking: Asking

    @property
    def config(self) -> Config:
        """Return the config as it is right now."""
        return self.shop().config


async def _read_form(request: Request) -> dict[str, list[str]]:
    """Read a form of either encoding; what is no form has no fields. Query parameters never count."""
    fields: dict[str, list[str]] = {}
    try:
        form = await request.form(max_files=2, max_fields=_MOST_FIELDS)
    except Exception:  # noqa: BLE001  (a parser's complaint about a stranger's bytes: there was no form)
        return fields
    try:
        for name, value in form.multi_items():
            if isinstance(value, str):
                fields.setdefault(name, []).append(value)
    finally:
        await form.close()
    return fields


Form = Annotated[dict[str, list[str]], Depends(_read_form)]
"""The fields of a posted form: each name with its values."""


def described(**fields: str) -> dict[str, Any]:
    """Describe a form for the interface's description: each field with its pattern."""
    shape = {
        "type": "object",
        "required": list(fields),
        "properties": {name: {"type": "string", "pattern": pattern} for name, pattern in fields.items()},
    }
    kinds = ("application/x-www-form-urlencoded", "multipart/form-data")
    return {"requestBody": {"content": {kind: {"schema": shape} for kind in kinds}}}


def first(form: dict[str, list[str]], name: str) -> str:
    """Return a field's first value; empty without one."""
    return form.get(name, [""])[0]
