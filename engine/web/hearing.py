"""/webhooks: what the provider tells later. Its raw bytes go to the step that asks for proof before reading them."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from engine.providers.incoming import Forged, Unreadable
from engine.providers.listening import READERS
from engine.steps import receiving
from engine.web.rooms import Rooms


class Hearing:
    """The door for the configured provider, and for no other."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self.router = APIRouter(default_response_class=JSONResponse)
        self.router.add_api_route("/webhooks/{provider}", self.hear, methods=["POST"])

    async def hear(self, request: Request, provider: str) -> Response:
        """Take one request; when it is answered with 200, all of it is on disk and in force."""
        config = self._rooms.config.provider
        if provider != config.use or provider not in READERS:
            return self._rooms.showing.refuse(request, 404)
        raw = await request.body()
        headers = dict(request.headers.items())
        return await run_in_threadpool(self._take, request, provider, headers, raw)

    def _take(self, request: Request, provider: str, headers: dict[str, str], raw: bytes) -> Response:
        rooms = self._rooms
        secret = rooms.config.provider.webhook_secret
        proof = secret.get_secret_value() if secret else ""
        try:
            found = receiving.receive(rooms.shop(), provider, headers, raw, rooms.clock(), secret=proof)
        except Forged:
            return rooms.showing.refuse(request, 401)
        except Unreadable:
            return rooms.showing.refuse(request, 400)
        return JSONResponse({"kept": found.kept, "repeated": found.repeated})
