"""Mails and servers for the providers' tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.domain.words import Call, Email
from tests.brevo_double import BrevoDouble, serving

MAIL = Email(
    message_id="0f8a7c1e-9a55-5d7b-8a44-5a1b1c2d3e4f",
    campaign="birthday",
    sender="post@radhaus-sommer.example.com",
    sender_name="Radhaus Sommer",
    reply_to="laden@radhaus-sommer.example.com",
    to="anna@example.com",
    to_name="Anna Müller",
    subject="Alles Gute, Änne!",
    html="<p>Grüße {{ nicht }} ersetzen</p>",
    text="Grüße\n.\nvon uns\n",
    headers={
        "List-Unsubscribe": "<https://shop.example/u/abc>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    },
)


def one(email: Email) -> Call:
    """Return a call with one mail."""
    return Call(email.message_id, (email,))


@dataclass(frozen=True)
class Served:
    """A running double and where it answers."""

    url: str
    double: BrevoDouble


@pytest.fixture
def brevo(tmp_path: Path) -> Iterator[Served]:
    """Run a double of Brevo with a book of its own."""
    double = BrevoDouble(tmp_path / "book.jsonl", delay=0.02)
    with serving(double) as url:
        yield Served(url, double)
