# ruff: noqa: ARG002  (it stands in for a step, whose arguments it has)
"""A shop with mails under way and its pages, asked in the process or over a real connection."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import httpx2 as httpx
import sqlalchemy as sa
import uvicorn
from fastapi import FastAPI
from sqlmodel import SQLModel

from engine.clock import stopped_at
from engine.errors import UsageError
from engine.steps.consent.asking import Pending, SignUp, Visitor
from engine.store import messages
from engine.tokens import unsubscribe_token
from engine.web.application import build
from engine.web.limiting import Limits
from tests.people import NOW

if TYPE_CHECKING:
    from engine.app import App

HOST = "post.radhaus-sommer.example.com"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@dataclass
class Asked:
    """Stands in for the step that sends confirmation mails: remembers what it was asked."""

    known: dict[str, Pending] = field(default_factory=dict)
    sign_ups: list[tuple[SignUp, Visitor]] = field(default_factory=list)
    confirmed: list[str] = field(default_factory=list)
    data_asked: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)

    def sign_up(self, shop: Any, ask: SignUp, visitor: Visitor, now: datetime) -> None:
        _require_address(ask.email)
        self.sign_ups.append((ask, visitor))

    def pending(self, shop: Any, token: str, now: datetime) -> Pending | None:
        return self.known.get(token)

    def confirm(self, shop: Any, token: str, visitor: Visitor, now: datetime) -> Pending | None:
        if token in self.known:
            self.confirmed.append(token)
        return self.known.get(token)

    def ask_for_data(self, shop: Any, email: str, visitor: Visitor, now: datetime) -> None:
        _require_address(email)
        self.data_asked.append(email)

    def data_pending(self, shop: Any, token: str, now: datetime) -> Pending | None:
        return self.known.get(token)

    def open_data(self, shop: Any, token: str, visitor: Visitor, now: datetime) -> dict[str, Any] | None:
        self.opened.append(token)
        return {"name": "<b>Anna</b>", "purchases": [{"amount": "49,00 €"}], "segment": None}


def _require_address(email: str) -> None:
    if not re.fullmatch(r"[^\s@]+@[^\s@]+\.[^\s@]+", email):
        raise UsageError("no address")


def pages_of(app: App, asked: Asked | None = None, limits: Limits | None = None, now: datetime = NOW) -> FastAPI:
    """Return the shop's pages."""
    return build(lambda: app, stopped_at(now), asking=asked or Asked(), limits=limits)


def visitor(pages: FastAPI, **headers: str) -> Any:
    """Return a client in the process, whom no fault of the server goes unnoticed."""
    from starlette.testclient import TestClient

    return TestClient(pages, base_url=f"http://{HOST}", headers=headers, follow_redirects=False)


@contextmanager
def served(pages: FastAPI) -> Iterator[httpx.Client]:
    """Serve the pages on loopback and lend a client for them."""
    door = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(pages, log_config=None, access_log=False, lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]}, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    try:
        url = f"http://127.0.0.1:{door.getsockname()[1]}"
        with httpx.Client(base_url=url, timeout=20, trust_env=False) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(20)


def token_of(app: App, place: int = 0) -> str:
    """Return the token in the links of the shop's first (or another) mail."""
    with app.database.read() as session:
        ids = session.connection().execute(sa.select(messages.TABLE.c.message_id).order_by(messages.TABLE.c.id))
        return unsubscribe_token(app.keyring, list(ids.scalars())[place])


def dump(app: App) -> dict[str, list[Any]]:
    """Return every row of every table: what is the same twice has not changed."""
    with app.database.read() as session:
        return {
            table.name: [
                tuple(row)
                for row in session.connection().execute(sa.select(table).order_by(*table.primary_key.columns))
            ]
            for table in SQLModel.metadata.sorted_tables
        }
