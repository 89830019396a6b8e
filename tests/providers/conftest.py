"""Mails and servers for the providers' tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pytest

from engine.domain.words import Accepted, Call, Email, NotSent, Refused, Result
from engine.providers.verdicts import Row, Told, row_for
from tests.brevo_double import BrevoDouble, serving
from tests.doubles import http as doubles

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


def several(count: int, **changes: Any) -> Call:
    """Return a call with so many mails to different people; its key is nobody's own id."""
    namespace = UUID(MAIL.message_id)
    emails = tuple(
        replace(
            MAIL,
            message_id=str(uuid5(namespace, str(place))),
            to=f"kunde{place}@example.com",
            subject=f"Alles Gute, Nr. {place}!",
            **changes,
        )
        for place in range(count)
    )
    return Call(str(uuid5(namespace, f"call {count}")), emails)


def spoilt(call: Call, place: int, to: str) -> Call:
    """Return a call in which one mail goes to another address."""
    emails = list(call.emails)
    emails[place] = replace(emails[place], to=to)
    return replace(call, emails=tuple(emails))


@dataclass(frozen=True)
class Desk:
    """A running double of a provider's whole API, and where it answers."""

    url: str
    double: doubles.Double


@pytest.fixture
def open_desk(tmp_path: Path) -> Iterator[Callable[[str], Desk]]:
    """Open doubles by the API's name, each with a book of its own."""
    with ExitStack() as stack:

        def opened(personality: str) -> Desk:
            double = doubles.Double(tmp_path / f"{personality}.jsonl", personality, delay=0.02)
            return Desk(stack.enter_context(doubles.serving(double)), double)

        yield opened


def meaning(result: Result) -> str:
    """Return in a word what an answer was taken for."""
    match result:
        case Accepted():
            return "accepted"
        case Refused():
            return "dead" if result.hard_bounce else "refused"
        case NotSent():
            return "credentials" if result.credentials else "account" if result.account else "not sent"
    return "doubt"


def unused(table: Sequence[Row], answers: Iterable[Told]) -> list[Row]:
    """Return the rows of a table that none of these answers falls under."""
    used = [row_for(table, answer) for answer in answers]
    return [row for row in table if row not in used]


def described(path: Path, *paths: str) -> Any:
    """Read a published description, only the paths that are used: a whole one takes seconds."""
    import yaml
    from openapi_core import Config, OpenAPI

    if (path, paths) not in _READ:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        whole = json.loads(json.dumps(yaml.load(path.read_text(encoding="utf-8"), loader), default=str))  # noqa: S506
        whole["paths"] = {name: whole["paths"][name] for name in paths}
        whole["servers"] = [{"url": "https://api.example"}]
        _READ[path, paths] = OpenAPI.from_dict(whole, config=Config(spec_validator_cls=None))
    return _READ[path, paths]


_READ: dict[tuple[Path, tuple[str, ...]], Any] = {}


def asked(entry: dict[str, Any]) -> Any:
    """Return a request the double has seen, for a description to judge."""
    from openapi_core.testing import MockRequest

    return MockRequest(
        "https://api.example",
        entry["method"].lower(),
        entry["path"],
        args=entry["query"],
        headers=entry["headers"],
        data=entry["raw"] or None,
        content_type=entry["headers"].get("content-type", ""),
    )


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
