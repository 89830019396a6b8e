"""Brevo: `POST /smtp/email`, one mail or up to 1,000 versions, a key in the body that a repeat runs into."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tests.doubles.book import Line
from tests.doubles.personality import Member, Personality, Reply, Request, Shelf, Use, later, reply, retry_after, stamp

_LIMITS = {"x_sib_ratelimit_limit": "1000", "x_sib_ratelimit_remaining": "999", "x_sib_ratelimit_reset": "1"}
_NAMES = {
    "request": "requests",
    "hard_bounce": "hardBounces",
    "soft_bounce": "softBounces",
    "click": "clicks",
}


def problem(status: int, code: str, message: str, **headers: str) -> Reply:
    """Return an error as Brevo writes it."""
    return reply(status, {"code": code, "message": message}, **(_LIMITS | headers))


class Brevo(Personality):
    """The whole call is taken or refused; the key lives 30 minutes and covers all versions."""

    name = "brevo"
    ttl = timedelta(minutes=30)

    def __init__(self) -> None:
        self.blocked: list[dict[str, Any]] = []

    def denied(self, request: Request, token: str) -> Reply | None:
        given = request.headers.get("api-key", "")
        return None if given and token in {"", given} else problem(401, "unauthorized", "Key not found")

    def is_call(self, request: Request) -> bool:
        return request.method == "POST" and request.path == "/smtp/email"

    def key(self, request: Request) -> str:
        document = request.document
        headers = document.get("headers") if isinstance(document, dict) else None
        return str(headers.get("idempotencyKey", "")) if isinstance(headers, dict) else ""

    def repeated(self, use: Use, sha: str) -> Reply:  # noqa: ARG002  (every API is asked alike)
        return problem(400, "duplicate_parameter", "The idempotency key was used before")

    def members(self, request: Request) -> list[Member] | Reply:
        document = request.document
        if not isinstance(document, dict):
            return problem(400, "bad_request", "Input must be a valid JSON object")
        if refusal := self._fault(document):
            return refusal
        versions = document.get("messageVersions", [document])
        return [self._member(document, version) for version in versions]

    def _fault(self, document: dict[str, Any]) -> Reply | None:
        key = document.get("headers", {}).get("idempotencyKey")
        if key is not None and not _is_uuid(key):
            return problem(400, "invalid_parameter", "idempotencyKey must be a valid UUID")
        versions = document.get("messageVersions")
        if versions is not None and not 1 <= len(versions) <= 1000:
            return problem(400, "out_of_range", "messageVersions must have 1 to 1000 entries")
        missing = [name for name in ("sender", "subject", "htmlContent") if not document.get(name)]
        if missing or (versions is None and not document.get("to")):
            return problem(400, "missing_parameter", f"{(*missing, 'to')[0]} is missing")
        return None

    def _member(self, document: dict[str, Any], version: dict[str, Any]) -> Member:
        headers = document.get("headers", {}) | version.get("headers", {})
        to = (version.get("to") or [{}])[0].get("email", "")
        found = Member(
            to=to,
            mid=str(headers.get("X-Mailin-custom", "")),
            subject=version.get("subject") or document["subject"],
            sender=document["sender"].get("email", ""),
            tags=[*document.get("tags", []), *([headers["X-Mailin-Tag"]] if "X-Mailin-Tag" in headers else [])],
        )
        if not re.fullmatch(r"[^@\s]+@[^@\s]+", to):
            found.problem = ("invalid_parameter", "email is not valid in to")
        return found

    def answer(
        self,
        request: Request,
        members: list[Member],
        ids: list[str],
        now: datetime,  # noqa: ARG002  (every API is asked alike)
    ) -> tuple[Reply, list[int]]:
        for member in members:
            if member.problem:
                code, message = member.problem
                return problem(400, code or "invalid_parameter", message or "email is not valid in to"), []
        many = "messageVersions" in request.document
        return reply(201, {"messageIds": ids} if many else {"messageId": ids[0]}, **_LIMITS), list(range(len(ids)))

    def new_id(self, number: str) -> str:
        return f"<{super().new_id(number)}@relay.example>"

    def spoilt(self, given: Reply, how: str) -> Reply:
        document = given.document
        if "messageIds" not in document:
            return reply(given.status, {} if how != "too_many" else {"messageIds": [document["messageId"], "<x@y>"]})
        ids = document["messageIds"]
        wrong = {"missing_ids": [*ids[:-1], None], "too_few": ids[:-1], "too_many": [*ids, "<x@relay.example>"]}
        return reply(given.status, {"messageIds": wrong[how]})

    def no(self, outcome: str, now: datetime, wish: str) -> Reply | None:
        if outcome == "throttle":
            given = problem(429, "too_many_requests", "Slow down", x_sib_ratelimit_reset="11")
            return Reply(429, given.body, given.headers | retry_after(wish, now))
        if outcome == "503":
            given = problem(503, "unavailable", "later")
            return Reply(503, given.body, given.headers | retry_after(wish, now))
        return _NOS.get(outcome)

    def look_up(self, request: Request, shelf: Shelf) -> Reply:
        if request.path == "/smtp/emails":
            return self._emails(request.query, shelf)
        if request.path == "/smtp/statistics/events":
            return self._events(request.query, shelf)
        if request.path == "/smtp/blockedContacts":
            return self._blocked(request.query)
        if match := re.fullmatch(r"/smtp/emails/([\w-]+)", request.path):
            found = [line for line in shelf.all() if _uuid(line) == match[1]]
            return self._whole(found[0]) if found else problem(404, "document_not_found", "Email not found")
        return problem(404, "document_not_found", "No such path")

    def _emails(self, query: dict[str, str], shelf: Shelf) -> Reply:
        if not {"email", "messageId", "templateId"} & set(query):
            return problem(400, "missing_parameter", "email, messageId or templateId is needed")
        lines = _asked(query, shelf)
        begin, size = int(query.get("offset", "0")), int(query.get("limit", "500"))
        found = [_listed(line) for line in lines[begin : begin + size]]
        return reply(200, {"count": len(lines), "transactionalEmails": found} if lines else {"count": 0}, **_LIMITS)

    def _blocked(self, query: dict[str, str]) -> Reply:
        begin, size = int(query.get("offset", "0")), int(query.get("limit", "50"))
        if not 0 <= size <= 100:
            return problem(400, "out_of_range", "Limit exceeds max value")
        entries = self.blocked if query.get("sort") == "asc" else self.blocked[::-1]
        return reply(200, {"count": len(entries), "contacts": entries[begin : begin + size]}, **_LIMITS)

    def _events(self, query: dict[str, str], shelf: Shelf) -> Reply:
        lines = _asked(query, shelf)
        if wanted := query.get("tags", ""):
            names = set(re.findall(r'[^\[\]",\s]+', wanted))
            lines = [line for line in lines if names & {*line["tags"], line["mid"]}]
        begin, size = int(query.get("offset", "0")), int(query.get("limit", "2500"))
        rows = [_event(line, name) for line in lines for name in ("delivered", "requests")]
        rows = [row for row in rows if query.get("event", row["event"]) == row["event"]]
        return reply(200, {"events": rows[begin : begin + size]} if rows else {}, **_LIMITS)

    def _whole(self, line: Line) -> Reply:
        events = [{"name": "sent", "time": stamp(line["at"])}, {"name": "delivered", "time": stamp(line["at"])}]
        document = {"email": line["to"], "subject": line["subject"], "date": stamp(line["at"]), "events": events}
        return reply(200, document | {"body": "", "attachmentCount": 0}, **_LIMITS)


def _asked(query: dict[str, str], shelf: Shelf) -> list[Line]:
    if "messageId" in query:
        lines = shelf.by_id(query["messageId"])
    else:
        lines = shelf.by_recipient(query["email"]) if "email" in query else shelf.all()
    lines = [line for line in lines if str(query.get("email", line["to"])).lower() == line["to"].lower()]
    return later(lines, query, "startDate", "endDate")


def _listed(line: Line) -> dict[str, Any]:
    return {
        "email": line["to"],
        "subject": line["subject"],
        "messageId": line["id"],
        "uuid": _uuid(line),
        "date": stamp(line["at"]),
        "from": line["sender"],
        "tags": line["tags"],
    }


def _event(line: Line, name: str) -> dict[str, Any]:
    return {
        "email": line["to"],
        "date": stamp(line["at"]),
        "messageId": line["id"],
        "event": _NAMES.get(name, name),
        "subject": line["subject"],
        "tag": (line["tags"] or [""])[0],
        "from": line["sender"],
    }


def _uuid(line: Line) -> str:
    return f"uuid-{line['n']}"


def _is_uuid(text: object) -> bool:
    try:
        UUID(str(text))
    except ValueError:
        return False
    return True


_NOS = {
    "500": problem(500, "internal", "something broke"),
    "503_bare": problem(503, "unavailable", "later"),
    "unauthorized": problem(401, "unauthorized", "Key not found"),
    "no_credits": problem(402, "not_enough_credits", "You have not enough credits"),
    "quota": problem(402, "not_enough_credits", "You have not enough credits"),
    "forbidden": problem(403, "permission_denied", "Your account is under validation"),
    "bad_sender": problem(400, "invalid_parameter", "The sender you used is not valid. Validate your sender"),
    "conflict": problem(409, "conflict", "busy"),
}
