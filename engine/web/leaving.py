"""/u and /p: to be left alone, altogether or in part. Looking never acts (RFC 8058 § 1); one POST does (§ 3.2)."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from engine.steps.consent import choosing
from engine.steps.consent.choosing import Choices
from engine.tokens import read_unsubscribe_token
from engine.web.rooms import Form, Rooms, described, first
from engine.web.showing import months_later
from engine.web.topics import TOPICS

_PAUSES = ("1", "3", "6")
_ONE_CLICK = described(**{"List-Unsubscribe": "^One-Click$"})
_CHOICES = described(form="^choices$", keep="^[a-z_]{1,30}$", pause="^(keep|0|1|3|6)$")


class Leaving:
    """The pages behind the two links in every mail."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self.router = APIRouter(default_response_class=HTMLResponse)
        add = self.router.add_api_route
        add("/u/{token}", self.look, methods=["GET"])
        add("/u/{token}", self.stop, methods=["POST"], openapi_extra=_ONE_CLICK)
        add("/p/{token}", self.look_at_choices, methods=["GET"])
        add("/p/{token}", self.choose, methods=["POST"], openapi_extra=_CHOICES)

    def look(self, request: Request, token: str) -> Response:
        """Show what one click would end. Changes nothing."""
        return self._ask(request, token, 200)

    def stop(self, request: Request, token: str, form: Form) -> Response:
        """Take the "no": from a mailbox provider's button as from the page's own, once or again."""
        if "One-Click" not in form.get("List-Unsubscribe", []):
            return self._ask(request, token, 400, fault="button")
        message = self._message(token)
        rooms = self._rooms
        via = "page" if first(form, "from") == "page" else "one-click"
        found = choosing.unsubscribe(rooms.shop(), message, rooms.clock(), via) if message else None
        if found is None:
            return rooms.showing.refuse(request, 404)
        return self._show(request, "unsubscribed", token, found)

    def look_at_choices(self, request: Request, token: str) -> Response:
        """Show the topics and the pause. Changes nothing."""
        return self._choices(request, token, 200)

    def choose(self, request: Request, token: str, form: Form) -> Response:
        """Switch off what is not kept, and set or end the pause."""
        message, rooms = self._message(token), self._rooms
        if first(form, "form") != "choices":
            return self._choices(request, token, 400, fault="button")
        now = rooms.clock()
        found = choosing.choices(rooms.shop(), message, now) if message else None
        if found is None or message is None:
            return rooms.showing.refuse(request, 404)
        kept = form.get("keep", [])
        off = {kind for topic in found.topics if topic.is_on and topic.id not in kept for kind in topic.kinds}
        until = _until(first(form, "pause"), found, now)
        saved = choosing.choose(rooms.shop(), message, off, until, now) or found
        return self._show(request, "choices", token, saved, saved=True)

    def _ask(self, request: Request, token: str, status: int, fault: str = "") -> Response:
        found = self._find(token)
        if found is None:
            return self._rooms.showing.refuse(request, 404)
        return self._show(request, "unsubscribe", token, found, status=status, fault=fault)

    def _choices(self, request: Request, token: str, status: int, fault: str = "") -> Response:
        found = self._find(token)
        if found is None:
            return self._rooms.showing.refuse(request, 404)
        return self._show(request, "choices", token, found, status=status, fault=fault, saved=False)

    def _show(
        self, request: Request, page: str, token: str, found: Choices, *, status: int = 200, **matter: object
    ) -> Response:
        wordings = self._rooms.config.wording
        facts = {"token": token, "found": found, "topics": TOPICS, "sign_up": next(iter(wordings), "")}
        showing = self._rooms.showing
        return showing.page(request, page, status, language=found.language, **facts, **matter)

    def _find(self, token: str) -> Choices | None:
        message = self._message(token)
        return choosing.choices(self._rooms.shop(), message, self._rooms.clock()) if message else None

    def _message(self, token: str) -> str | None:
        return read_unsubscribe_token(self._rooms.shop().keyring, token)


def _until(asked: str, found: Choices, now: datetime) -> datetime | None:
    """Return the end of the pause that was asked for; what is none of the choices leaves it as it is."""
    if asked in _PAUSES:
        return months_later(now, int(asked))
    return None if asked == "0" else found.paused_until
