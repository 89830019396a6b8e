"""/my-data and /d: seeing what the shop knows of oneself, by a link to the address on file and no other way."""

from __future__ import annotations

from fastapi import APIRouter, Request
from markupsafe import Markup
from starlette.responses import HTMLResponse, JSONResponse, Response

from engine.errors import UsageError
from engine.rendering.dossier import Page
from engine.web.rooms import Form, Rooms, described, first
from engine.web.showing import spoken_by, visitor_at

_LONGEST_EMAIL = 320


class OwnData:
    """Asking for the link, and following it."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self.router = APIRouter(default_response_class=HTMLResponse)
        add, form = self.router.add_api_route, described(email="^.{3,60}$")
        for path in ("/my-data", "/meine-daten"):
            name = path[1:]
            add(path, self.show_form, methods=["GET"], operation_id=f"show_{name}")
            add(path, self.take_form, methods=["POST"], operation_id=f"take_{name}", openapi_extra=form)
        add("/d/{token}", self.look, methods=["GET"])
        add("/d/{token}", self.open, methods=["POST"], openapi_extra=described(show="^(page|file)$"))

    def show_form(self, request: Request) -> Response:
        """Ask for the address."""
        return self._rooms.showing.page(request, "my_data")

    def take_form(self, request: Request, form: Form) -> Response:
        """Send the link, if there is anybody to send it to; the answer does not tell."""
        rooms, email = self._rooms, first(form, "email").strip()
        if wait := rooms.limits.wait("address", email.casefold(), rooms.clock()):
            return rooms.showing.refuse(request, 429, int(wait) + 1)
        if not 3 <= len(email) <= _LONGEST_EMAIL:
            return rooms.showing.page(request, "my_data", 400, fault="email")
        try:
            rooms.asking.ask_for_data(rooms.shop(), email, visitor_at(request, rooms.config), rooms.clock())
        except UsageError:
            return rooms.showing.page(request, "my_data", 400, fault="email")
        return rooms.showing.page(request, "asked", about="data")

    def look(self, request: Request, token: str) -> Response:
        """Show the button that opens the data. Changes nothing."""
        rooms = self._rooms
        found = rooms.asking.data_pending(rooms.shop(), token, rooms.clock())
        if found is None:
            return rooms.showing.refuse(request, 404)
        return rooms.showing.page(request, "open_data", found=found, token=token)

    def open(self, request: Request, token: str, form: Form) -> Response:
        """Show the data, or hand them over as a file; the link is used up by it."""
        rooms, wish = self._rooms, first(form, "show")
        found = rooms.asking.data_pending(rooms.shop(), token, rooms.clock())
        if found is None:
            return rooms.showing.refuse(request, 404)
        if wish not in {"page", "file"} or found.used or found.expired:
            status = 200 if found.used or found.expired else 400
            return rooms.showing.page(request, "open_data", status, found=found, token=token)
        document = rooms.asking.open_data(rooms.shop(), token, visitor_at(request, rooms.config), rooms.clock())
        if document is None:
            return rooms.showing.refuse(request, 404)
        if wish == "file":
            named = {"content-disposition": 'attachment; filename="meine-daten.json"'}
            return JSONResponse(document, headers=named)
        page = Page(spoken_by(request, rooms.config), rooms.config.shop.zone)
        return rooms.showing.page(request, "data", document=Markup(page.body(document)))  # noqa: S704 -- escaped there
