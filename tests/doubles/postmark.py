"""Postmark: `POST /email` and `/email/batch`, no key at all, look-up by our own metadata."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from tests.doubles.book import Line
from tests.doubles.personality import (
    Member,
    Personality,
    Reply,
    Request,
    Shelf,
    Use,
    later,
    mailbox,
    reply,
    retry_after,
    stamp,
)


def problem(status: int, code: int, message: str) -> Reply:
    """Return an error as Postmark writes it."""
    return reply(status, {"ErrorCode": code, "Message": message})


class Postmark(Personality):
    """Every item of a batch has a result of its own, and the answer is 200 even if all of them failed."""

    name = "postmark"

    def denied(self, request: Request, token: str) -> Reply | None:
        given = request.headers.get("x-postmark-server-token", "")
        if not given or token not in {"", given}:
            return problem(401, 10, "The server token you provided is invalid.")
        kinds = (request.headers.get(name, "") for name in ("accept", "content-type"))
        wanted = all("application/json" in kind for kind in kinds) or request.method == "GET"
        return None if wanted else problem(415, 409, "The Accept and Content-Type headers must be application/json")

    def is_call(self, request: Request) -> bool:
        return request.method == "POST" and request.path in {"/email", "/email/batch"}

    def key(self, request: Request) -> str:  # noqa: ARG002  (every API is asked alike)
        return ""

    def repeated(self, use: Use, sha: str) -> Reply:  # noqa: ARG002  (every API is asked alike)
        raise AssertionError("there is no key")

    def members(self, request: Request) -> list[Member] | Reply:
        document = request.document
        many = request.path == "/email/batch"
        if not isinstance(document, list if many else dict):
            return problem(422, 402, "Received invalid JSON input.")
        mails: list[dict[str, Any]] = document if isinstance(document, list) else [document]
        if len(mails) > 500:
            return problem(422, 410, "A batch has at most 500 messages.")
        return [self._member(mail) for mail in mails]

    def _member(self, mail: dict[str, Any]) -> Member:
        found = Member(
            to=mailbox(mail.get("To", "")),
            mid=str(mail.get("Metadata", {}).get("mid", "")),
            subject=mail.get("Subject", ""),
            sender=mail.get("From", ""),
            tags=[mail["Tag"]] if mail.get("Tag") else [],
        )
        if not re.fullmatch(r"[^@\s]+@[^@\s]+", found.to):
            found.problem = (300, f"Error parsing 'To': Illegal email address '{found.to}'.")
        elif not mail.get("From"):
            found.problem = (300, "Zero From addresses specified.")
        elif not (mail.get("HtmlBody") or mail.get("TextBody")):
            found.problem = (300, "Provide either email TextBody or HtmlBody or both.")
        return found

    def answer(self, request: Request, members: list[Member], ids: list[str], now: datetime) -> tuple[Reply, list[int]]:
        at = now.isoformat()
        results = [_result(member, number, at) for member, number in zip(members, ids, strict=True)]
        taken = [index for index, member in enumerate(members) if not member.problem]
        if request.path == "/email/batch":
            return reply(200, results), taken
        return reply(200 if taken else 422, results[0]), taken

    def spoilt(self, given: Reply, how: str) -> Reply:
        document = given.document
        if not isinstance(document, list):
            nameless = {name: value for name, value in document.items() if name != "MessageID"}
            return reply(200, nameless if how == "missing_ids" else [document] * (2 if how == "too_many" else 0))
        last = {name: value for name, value in document[-1].items() if name != "MessageID"}
        wrong = {"missing_ids": [*document[:-1], last], "too_few": document[:-1], "too_many": [*document, document[-1]]}
        return reply(200, wrong[how])

    def no(self, outcome: str, now: datetime, wish: str) -> Reply | None:
        if outcome in {"throttle", "503"}:
            given = problem(429 if outcome == "throttle" else 503, 100, "Try again later.")
            return Reply(given.status, given.body, given.headers | retry_after(wish, now))
        return _NOS.get(outcome)

    def look_up(self, request: Request, shelf: Shelf) -> Reply:
        if request.path == "/messages/outbound":
            return self._search(request.query, shelf)
        if match := re.fullmatch(r"/messages/outbound/([\w-]+)/details", request.path):
            found = shelf.by_id(match[1])
            absent = problem(422, 701, "This message was not found or cannot be accessed.")
            return reply(200, _listed(found[0]) | {"MessageEvents": []}) if found else absent
        return problem(404, 404, "No such path.")

    def _search(self, query: dict[str, str], shelf: Shelf) -> Reply:
        if not {"count", "offset"} <= set(query):
            return problem(422, 600, "The 'count' and 'offset' parameters are required.")
        size, begin = int(query["count"]), int(query["offset"])
        if size > 500 or size + begin > 10_000:
            return problem(422, 600, "'count' is at most 500, with 'offset' at most 10000.")
        lines = shelf.by_mid(query["metadata_mid"]) if "metadata_mid" in query else shelf.all()
        lines = [line for line in lines if str(query.get("recipient", line["to"])).lower() == line["to"].lower()]
        lines = [line for line in lines if "tag" not in query or query["tag"] in line["tags"]]
        lines = later(lines, query, "fromdate", "todate")
        found = [_listed(line) for line in lines[begin : begin + size]]
        return reply(200, {"TotalCount": len(lines), "Messages": found})


def _result(member: Member, number: str, at: str) -> dict[str, Any]:
    if member.problem:
        code, message = member.problem
        return {"ErrorCode": code or 406, "Message": message or _INACTIVE.format(to=member.to)}
    told = {"To": member.to, "SubmittedAt": at, "MessageID": number}
    return told | {"ErrorCode": 0, "Message": "OK"}


def _listed(line: Line) -> dict[str, Any]:
    return {
        "Tag": (line["tags"] or [""])[0],
        "MessageID": line["id"],
        "To": [{"Email": line["to"], "Name": None}],
        "Cc": [],
        "Bcc": [],
        "Recipients": [line["to"]],
        "ReceivedAt": stamp(line["at"]),
        "From": line["sender"],
        "Subject": line["subject"],
        "Attachments": [],
        "Status": "Sent",
        "TrackOpens": False,
        "TrackLinks": "None",
        "Metadata": {"mid": line["mid"]} if line["mid"] else {},
        "MessageStream": "broadcast",
        "Sandboxed": False,
    }


_INACTIVE = "You tried to send to a recipient that has been marked as inactive. Found inactive addresses: {to}."
_NOS = {
    "500": problem(500, 0, "Internal server error"),
    "503_bare": problem(503, 100, "Maintenance"),
    "unauthorized": problem(401, 10, "The server token you provided is invalid."),
    "forbidden": problem(422, 413, "Your account is not allowed to send."),
    "no_credits": problem(422, 405, "Not allowed to send: you ran out of credits."),
    "quota": problem(422, 405, "Not allowed to send: you ran out of credits."),
    "bad_sender": problem(422, 400, "The 'From' address you supplied is not a Sender Signature on your account."),
    "conflict": problem(409, 409, "busy"),
}
