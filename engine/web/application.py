"""The public pages put together: routes, what goes wrong, and the door in front of all of it.

    app = build(lambda: daemon.app, daemon.app.clock)

There is no login, no cookie and no script. Nothing here decides anything: each page calls a step.
"""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from engine import __version__
from engine.clock import Clock
from engine.errors import StoreError
from engine.steps.consent import asking as asking_step
from engine.steps.shop import Premises
from engine.store import installation
from engine.web.door import Door
from engine.web.hearing import Hearing
from engine.web.leaving import Leaving
from engine.web.limiting import Limits
from engine.web.own_data import OwnData
from engine.web.rooms import Asking, Rooms
from engine.web.showing import STYLE, Showing
from engine.web.signing_up import SigningUp

_WAIT_FOR_STORE = 5


def build(
    shop: Callable[[], Premises],
    clock: Clock,
    *,
    asking: Asking = asking_step,
    limits: Limits | None = None,
    counting: Clock | None = None,
) -> FastAPI:
    """Return the application; `shop` is asked at each request, so that a reload shows at once.

    `counting` is the clock by which requests are counted, where the shop's own would ask a database server each time.
    """
    counted = limits or Limits()
    showing = Showing(lambda: shop().config)
    rooms = Rooms(shop, clock, showing, counted, asking)
    app = FastAPI(
        title="Treuepost", version=__version__, docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False
    )
    for part in (Leaving(rooms), SigningUp(rooms), OwnData(rooms), Hearing(rooms)):
        app.include_router(part.router)
    _add_plain_routes(app, rooms)
    _say_what_is_wrong(app, showing)
    app.add_middleware(
        Door, config=lambda: shop().config, clock=counting or clock, limits=counted, refuse=showing.refuse
    )
    return app


def _add_plain_routes(app: FastAPI, rooms: Rooms) -> None:
    def health() -> Response:
        """Say that pages are shown and the store can be read."""
        with rooms.shop().database.read() as session:
            installation.find(session)
        return JSONResponse({"status": "ok"})

    def style() -> Response:
        """Return the one style sheet; its address changes with it."""
        return Response(STYLE, media_type="text/css", headers={"cache-control": "public, max-age=31536000, immutable"})

    app.add_api_route("/health", health, methods=["GET"])
    app.add_api_route("/style.css", style, methods=["GET"])


def _say_what_is_wrong(app: FastAPI, showing: Showing) -> None:
    """Answer every fault with a page that gives nothing away."""

    async def refused(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        return showing.refuse(request, status)

    async def invalid(request: Request, error: Exception) -> Response:
        """Name the fields that are wrong, and never what stood in them."""
        assert isinstance(error, RequestValidationError)  # noqa: S101  (it is registered for nothing else)
        if any(one["type"] == "json_invalid" for one in error.errors()):
            return showing.refuse(request, 400)
        known = {"email", "wording", "action", "checked_by_default", "form_url", "form_hash", "evidence"}
        fields = sorted({str(one["loc"][-1]) for one in error.errors()} & known) or ["body"]
        return JSONResponse({"error": "invalid", "fields": fields}, 422)

    async def busy(request: Request, _error: Exception) -> Response:
        return showing.refuse(request, 503, _WAIT_FOR_STORE)

    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(StoreError, busy)
    app.add_exception_handler(Exception, refused)
