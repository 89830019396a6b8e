"""/sign-up, /c and the interface for a shop's own form: asking to be written to, and confirming it.

Every answer is the same whether the address is known or not, and only the POST behind the link in the mail agrees.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, StringConstraints
from starlette.responses import HTMLResponse, JSONResponse, Response

from engine.config.sections import Wording
from engine.errors import UsageError
from engine.steps.consent.asking import SignUp
from engine.web.rooms import Form, Rooms, described, first
from engine.web.showing import visitor_at

_LONGEST_EMAIL = 320
_Text = Annotated[str, StringConstraints(max_length=500)]


class Asked(BaseModel):
    """A request from a shop's own form. `action` is what the person did; a box that was ticked beforehand is none."""

    model_config = ConfigDict(extra="forbid", strict=True)
    email: Annotated[str, StringConstraints(min_length=3, max_length=_LONGEST_EMAIL)]
    wording: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    action: Literal["click"]
    checked_by_default: Literal[False] = False
    form_url: _Text = ""
    form_hash: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64})?$")] = ""
    evidence: _Text = ""


class SigningUp:
    """The way to a "yes"."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self.router = APIRouter(default_response_class=HTMLResponse)
        form = described(email="^.{3,60}$", agree="^yes$", version="^[0-9a-f]{64}$")
        for path in ("/sign-up/{wording}", "/anmelden/{wording}"):
            name = path.split("/")[1]
            add = self.router.add_api_route
            add(path, self.show_form, methods=["GET"], operation_id=f"show_form_{name}")
            add(path, self.take_form, methods=["POST"], operation_id=f"take_form_{name}", openapi_extra=form)
        self.router.add_api_route("/c/{token}", self.look, methods=["GET"])
        self.router.add_api_route(
            "/c/{token}", self.confirm, methods=["POST"], openapi_extra=described(confirm="^yes$")
        )
        self.router.add_api_route(
            "/api/sign-up", self.take_json, methods=["POST"], status_code=202, response_class=JSONResponse
        )

    def show_form(self, request: Request, wording: str) -> Response:
        """Show the text one would agree to, beside a box nobody has ticked."""
        known = self._wording(wording)
        if known is None:
            return self._rooms.showing.refuse(request, 404)
        return HTMLResponse(self._form(request, wording, known))

    def take_form(self, request: Request, wording: str, form: Form) -> Response:
        """Take the request, if the box was ticked and the text is still the one that was shown."""
        known = self._wording(wording)
        if known is None:
            return self._rooms.showing.refuse(request, 404)
        email = first(form, "email").strip()
        if first(form, "version") != _mark(known[1]):
            return HTMLResponse(self._form(request, wording, known, fault="version"), 400)
        if first(form, "agree") != "yes":
            return HTMLResponse(self._form(request, wording, known, fault="agree"), 400)
        wait = self._rooms.limits.wait("address", email.casefold(), self._rooms.clock())
        if wait:
            return self._rooms.showing.refuse(request, 429, int(wait) + 1)
        shown = sha256(self._form(request, wording, known).encode()).hexdigest()
        ask = SignUp(email, wording, str(request.url.replace(query="")), shown)
        if not self._sign_up(request, ask, known[0].language):
            return HTMLResponse(self._form(request, wording, known, fault="email"), 400)
        return self._rooms.showing.page(request, "asked", language=known[0].language, about="sign-up")

    def take_json(self, request: Request, asked: Asked) -> Response:
        """Take the request from a shop's own form; the shop shows the wording there, unticked."""
        known = self._wording(asked.wording)
        if known is None:
            return JSONResponse({"error": "invalid", "fields": ["wording"]}, 422)
        if wait := self._rooms.limits.wait("address", asked.email.strip().casefold(), self._rooms.clock()):
            return self._rooms.showing.refuse(request, 429, int(wait) + 1)
        ask = SignUp(asked.email.strip(), asked.wording, asked.form_url, asked.form_hash, asked.evidence)
        if not self._sign_up(request, ask, known[0].language):
            return JSONResponse({"error": "invalid", "fields": ["email"]}, 422)
        return JSONResponse({"status": "asked"}, 202)

    def look(self, request: Request, token: str) -> Response:
        """Show what the link would confirm. Changes nothing."""
        rooms = self._rooms
        found = rooms.asking.pending(rooms.shop(), token, rooms.clock())
        if found is None:
            return rooms.showing.refuse(request, 404)
        page = "confirmed" if found.used else "confirm"
        return rooms.showing.page(request, page, language=self._language(found.wording), found=found, token=token)

    def confirm(self, request: Request, token: str, form: Form) -> Response:
        """Confirm the request: the person's own click, in the mailbox that was named."""
        rooms = self._rooms
        if first(form, "confirm") != "yes":
            found = rooms.asking.pending(rooms.shop(), token, rooms.clock())
        else:
            visitor = visitor_at(request, rooms.config)
            found = rooms.asking.confirm(rooms.shop(), token, visitor, rooms.clock())
        if found is None:
            return rooms.showing.refuse(request, 404)
        acted = first(form, "confirm") == "yes" and not found.expired
        page, status = ("confirmed", 200) if acted else ("confirm", 200 if found.expired else 400)
        language = self._language(found.wording)
        return rooms.showing.page(request, page, status, language=language, found=found, token=token)

    def _sign_up(self, request: Request, ask: SignUp, language: str) -> bool:
        """Hand the request on; return False where what was typed is no address."""
        rooms = self._rooms
        if not 3 <= len(ask.email) <= _LONGEST_EMAIL:
            return False
        try:
            rooms.asking.sign_up(rooms.shop(), ask, visitor_at(request, rooms.config, language), rooms.clock())
        except UsageError:
            return False
        return True

    def _form(self, request: Request, name: str, known: tuple[Wording, str], fault: str = "") -> str:
        wording, text = known
        matter = {"name": name, "wording": wording, "text": text, "version": _mark(text), "fault": fault}
        return self._rooms.showing.text(request, "sign_up", language=wording.language, **matter)

    def _wording(self, name: str) -> tuple[Wording, str] | None:
        """Return a wording with its text; None where there is none that could be shown."""
        config = self._rooms.config
        wording = config.wording.get(name)
        if wording is None:
            return None
        try:
            text = (config.home / wording.file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return None
        return (wording, text) if text else None

    def _language(self, wording: str) -> str:
        known = self._rooms.config.wording.get(wording)
        return known.language if known else ""


def _mark(text: str) -> str:
    return sha256(text.encode()).hexdigest()
