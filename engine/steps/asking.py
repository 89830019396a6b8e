"""What somebody asks for on a page: to be written to (double opt-in), or for their own data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engine.steps.shop import Premises


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who stands at the door: the network address as far as `[privacy] network` keeps it, browser and language."""

    network: str = ""
    user_agent: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class SignUp:
    """One request for mail, as the form had it; `form_hash` is the SHA-256 of the page that was shown."""

    email: str
    wording: str
    form_url: str = ""
    form_hash: str = ""
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Pending:
    """What a page behind a link shows."""

    email_masked: str
    wording: str
    text: str
    title: str
    expired: bool
    used: bool


def sign_up(shop: Premises, ask: SignUp, visitor: Visitor, now: datetime) -> None:
    """Take a request for mail."""
    raise NotImplementedError


def pending(shop: Premises, token: str, now: datetime) -> Pending | None:
    """Return what a confirmation link is about."""
    raise NotImplementedError


def confirm(shop: Premises, token: str, visitor: Visitor, now: datetime) -> Pending | None:
    """Confirm a request."""
    raise NotImplementedError


def ask_for_data(shop: Premises, email: str, visitor: Visitor, now: datetime) -> None:
    """Take a request for one's own data."""
    raise NotImplementedError


def data_pending(shop: Premises, token: str, now: datetime) -> Pending | None:
    """Return what a link to one's own data is about."""
    raise NotImplementedError


def open_data(shop: Premises, token: str, visitor: Visitor, now: datetime) -> dict[str, Any] | None:
    """Return the person's own data, once."""
    raise NotImplementedError
