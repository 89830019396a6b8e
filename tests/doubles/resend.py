"""Resend: `POST /emails` and `/emails/batch`, an `Idempotency-Key` that replays the stored answer for 24 hours."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from tests.doubles.book import Line
from tests.doubles.personality import (
    Member,
    Personality,
    Reply,
    Request,
    Shelf,
    Use,
    mailbox,
    reply,
    retry_after,
    stamp,
)

_LIMITS = {"ratelimit_limit": "10", "ratelimit_remaining": "9", "ratelimit_reset": "1"}
_FIELDS = ("from", "to", "subject")


def problem(status: int, name: str, message: str, **headers: str) -> Reply:
    """Return an error as Resend writes it."""
    return reply(status, {"statusCode": status, "name": name, "message": message}, **(_LIMITS | headers))


class Resend(Personality):
    """A batch is strict: one bad mail fails all, unless `x-batch-validation: permissive` is asked for."""

    name = "resend"
    ttl = timedelta(hours=24)

    def denied(self, request: Request, token: str) -> Reply | None:
        given = request.headers.get("authorization", "")
        if not given.startswith("Bearer "):
            return problem(401, "missing_api_key", "Missing API Key")
        right = token in {"", given.removeprefix("Bearer ")}
        return None if right else problem(403, "invalid_api_key", "API key is invalid")

    def is_call(self, request: Request) -> bool:
        return request.method == "POST" and request.path in {"/emails", "/emails/batch"}

    def key(self, request: Request) -> str:
        return request.headers.get("idempotency-key", "")

    def repeated(self, use: Use, sha: str) -> Reply:
        if use.sha != sha:
            return problem(409, "invalid_idempotent_request", "This key has been used with another payload")
        if use.answer is None:
            return problem(409, "concurrent_idempotent_requests", "Another request with this key is in progress")
        return use.answer

    def members(self, request: Request) -> list[Member] | Reply:
        if not 0 <= len(self.key(request)) <= 256:
            return problem(400, "invalid_idempotency_key", "The key must be between 1-256 chars")
        document = request.document
        many = request.path == "/emails/batch"
        if not isinstance(document, list if many else dict):
            return problem(422, "invalid_parameter", "The body has the wrong shape")
        mails: list[dict[str, Any]] = document if isinstance(document, list) else [document]
        if not 1 <= len(mails) <= 100:
            return problem(422, "invalid_parameter", "A batch has 1 to 100 emails")
        return [self._member(mail) for mail in mails]

    def _member(self, mail: dict[str, Any]) -> Member:
        to = mail.get("to", "")
        tags = {tag["name"]: tag["value"] for tag in mail.get("tags", [])}
        found = Member(
            to=mailbox(to[0] if isinstance(to, list) and to else str(to)),
            mid=tags.get("mid", ""),
            subject=mail.get("subject", ""),
            sender=mail.get("from", ""),
            tags=[f"{name}={value}" for name, value in tags.items()],
        )
        if missing := [name for name in _FIELDS if not mail.get(name)]:
            found.problem = ("missing_required_field", f"Missing `{missing[0]}` field.")
        elif "@" not in found.to:
            found.problem = ("validation_error", "Invalid `to` field.")
        elif not all(re.fullmatch(r"[A-Za-z0-9_-]{1,256}", part) for tag in tags.items() for part in tag):
            found.problem = ("validation_error", "Tags should only contain ASCII letters, numbers, _ or -.")
        return found

    def answer(
        self,
        request: Request,
        members: list[Member],
        ids: list[str],
        now: datetime,  # noqa: ARG002  (every API is asked alike)
    ) -> tuple[Reply, list[int]]:
        bad = [(index, member.problem) for index, member in enumerate(members) if member.problem]
        many = request.path == "/emails/batch"
        permissive = request.headers.get("x-batch-validation", "strict") == "permissive"
        if bad and not (many and permissive):
            index, (name, message) = bad[0]
            return problem(422, name or "validation_error", f"[{index}] {message or 'Invalid `to` field.'}"), []
        taken = [index for index, member in enumerate(members) if not member.problem]
        if not many:
            return reply(200, {"id": ids[0]}, **_LIMITS), taken
        document: dict[str, Any] = {"data": [{"id": ids[index]} for index in taken]}
        if permissive:
            document["errors"] = [
                {"index": index, "message": message or "Invalid `to` field."} for index, (_, message) in bad
            ]
        return reply(200, document, **_LIMITS), taken

    def spoilt(self, given: Reply, how: str) -> Reply:
        document = given.document
        if "data" not in document:
            return reply(given.status, {} if how != "too_many" else {"data": [document, {"id": "x"}]})
        data = document["data"]
        wrong = {"missing_ids": [*data[:-1], {}], "too_few": data[:-1], "too_many": [*data, {"id": "x"}]}
        return reply(given.status, document | {"data": wrong[how]})

    def no(self, outcome: str, now: datetime, wish: str) -> Reply | None:
        if outcome == "throttle":
            given = problem(429, "rate_limit_exceeded", "Too many requests")
            return Reply(429, given.body, given.headers | retry_after(wish, now))
        if outcome == "503":
            given = problem(503, "service_unavailable", "later")
            return Reply(503, given.body, given.headers | retry_after(wish, now))
        return _NOS.get(outcome)

    def look_up(self, request: Request, shelf: Shelf) -> Reply:
        if request.path == "/emails":
            return self._list(request.query, shelf)
        if match := re.fullmatch(r"/emails/([\w-]+)", request.path):
            found = shelf.by_id(match[1])
            return reply(200, _listed(found[0]) | {"object": "email"}) if found else _NOS["absent"]
        return _NOS["absent"]

    def _list(self, query: dict[str, str], shelf: Shelf) -> Reply:
        size = int(query.get("limit", "20"))
        if not 1 <= size <= 100:
            return problem(422, "validation_error", "limit must be between 1 and 100")
        lines = shelf.all()
        if after := query.get("after"):
            places = [index for index, line in enumerate(lines) if line["id"] == after]
            lines = lines[places[0] + 1 :] if places else []
        data = [_listed(line) for line in lines[:size]]
        return reply(200, {"object": "list", "has_more": len(lines) > size, "data": data}, **_LIMITS)


def _listed(line: Line) -> dict[str, Any]:
    tags = [dict(zip(("name", "value"), tag.split("=", 1), strict=True)) for tag in line["tags"]]
    return {
        "id": line["id"],
        "message_id": f"<{line['id']}@email.example>",
        "to": [line["to"]],
        "from": line["sender"],
        "created_at": stamp(line["at"]),
        "subject": line["subject"],
        "bcc": [],
        "cc": [],
        "reply_to": [],
        "last_event": "delivered",
        "tags": tags,
    }


_NOS = {
    "absent": problem(404, "not_found", "Email not found"),
    "500": problem(500, "internal_server_error", "something broke"),
    "503_bare": problem(503, "service_unavailable", "later"),
    "unauthorized": problem(401, "restricted_api_key", "This key may only send"),
    "forbidden": problem(403, "suspended_api_key", "This key is suspended"),
    "no_credits": problem(429, "monthly_quota_exceeded", "You have reached your monthly email quota"),
    "quota": problem(429, "daily_quota_exceeded", "You have reached your daily email quota"),
    "bad_sender": problem(403, "validation_error", "The domain is not verified"),
    "conflict": problem(409, "concurrent_idempotent_requests", "Another request with this key is in progress"),
}
