"""The double without its door: what it takes, what it knows of keys, and what a look-up sees."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from engine.clock import Clock, system_clock
from tests.doubles.book import Book, Line
from tests.doubles.brevo import Brevo
from tests.doubles.modes import MANNERS, Act
from tests.doubles.personality import (
    PLAIN,
    Member,
    Personality,
    Reply,
    Request,
    Shelf,
    Taken,
    Use,
    bomb,
    refused,
    reply,
)
from tests.doubles.postmark import Postmark
from tests.doubles.resend import Resend

PERSONALITIES = {kind.name: kind for kind in (Brevo, Resend, Postmark)}


class Desk:
    """One account at one provider. `forgetful` books repeats of a key as well, to show who relies on what."""

    def __init__(
        self, book: Path, personality: str, *, clock: Clock = system_clock, forgetful: bool = False, sync: bool = True
    ) -> None:
        self.personality: Personality = PERSONALITIES[personality]()
        self.ttl = self.personality.ttl.total_seconds() if self.personality.ttl else 0.0
        self.token = ""
        self.lag = 0.0
        self.clock = clock
        self.forgetful = forgetful
        self.book = Book(book, sync=sync)
        self._shelf = Shelf()
        # Ids count calls begun since this start; what was booked before this start had another beginning.
        self._begun, self._given = f"{self.book.calls}", 0
        self._keys: dict[str, Use] = {}
        for line in self.book.lines:
            self._remember(line)
        self.book.lines = []

    def begin(self, request: Request, act: Act) -> Taken | Reply:
        """Read a call and hold its key; the answer at once if it is refused whole or a repeat."""
        if denied := self.personality.denied(request, self.token):
            return denied
        key, sha = self.personality.key(request), hashlib.sha256(request.body).hexdigest()
        if repeat := self._repeat(key, sha):
            return repeat
        members = self.personality.members(request)
        if isinstance(members, Reply):
            return members
        taken = self._taken(request, members, act)
        taken.key, taken.sha = key, sha
        if taken.mails and key:
            self._keys[key] = Use(self.now.timestamp(), sha)
        return taken

    def number(self, taken: Taken) -> list[Line]:
        """Give a call's mails their numbers just before they are booked (in the order they are booked)."""
        now = self.now.timestamp()
        for mail in taken.mails:
            mail |= {"at": round(now, 6), "key": taken.key, "sha": taken.sha}
        if taken.key and taken.mails and self.personality.name == "resend":
            taken.mails[0]["answer"] = taken.reply.body.decode()
        return self.book.number(taken.mails)

    def finish(self, taken: Taken) -> Reply:
        """Note that a call is booked: it can be looked up, and its key answers repeats."""
        for mail in taken.mails:
            self._remember(mail)
        return taken.reply

    def drop(self, taken: Taken) -> Reply:
        """Let go of a call that could not be booked: it was never accepted."""
        self._keys.pop(taken.key, None)
        return self.personality.no("500", self.now, "") or reply(500, {})

    def look_up(self, request: Request, act: Act) -> Reply:
        """Answer a question, truly or not."""
        if denied := self.personality.denied(request, self.token):
            return denied
        self._shelf.until = self.now.timestamp() - self.lag
        lies: dict[str, Callable[[Request], list[Line]]] = {"others": self._strangers, "absent": lambda _: []}
        shelf = self._shelf.lying(lies[act.name](request)) if act.name in lies else self._shelf
        return self.personality.look_up(request, shelf)

    def no(self, act: Act) -> Reply:
        """Return the answer that takes nothing, or hides that something was taken."""
        if act.outcome in MANNERS:
            return self.personality.no("500", self.now, "") or reply(500, {})
        if act.outcome == "bomb":
            return bomb()
        own = self.personality.no(act.outcome, self.now, act.wish() if act.outcome == "throttle" else act.value or "1")
        return own or PLAIN.get(act.outcome) or reply(200, {})

    @property
    def now(self) -> datetime:
        """Return the present by the double's clock."""
        return self.clock()

    def _repeat(self, key: str, sha: str) -> Reply | None:
        use = self._keys.get(key) if key else None
        if use is None or self.forgetful or self.now.timestamp() - use.at >= self.ttl:
            return None
        return self.personality.repeated(use, sha)

    def _taken(self, request: Request, members: list[Member], act: Act) -> Taken:
        for position, member in enumerate(members):
            if refused(member, act, position):
                member.problem = member.problem or (None, "")
        ids = [self._new_id() for _ in members]
        answer, taken = self.personality.answer(request, members, ids, self.now)
        return Taken(answer, [_line(members[index], ids[index]) for index in taken])

    def _new_id(self) -> str:
        self._given += 1
        return self.personality.new_id(f"{self._begun}|{self._given}")

    def _remember(self, line: Line) -> None:
        self._shelf.put(line)
        if line["key"] and line["position"] == 0:
            told = Reply(200, line["answer"].encode()) if "answer" in line else Reply(200, b"{}")
            self._keys[line["key"]] = Use(line["at"], line["sha"], told)

    def _strangers(self, request: Request) -> list[Line]:
        """Return mails of somebody else that an honest look-up would not have listed."""
        asked = [value for value in request.query.values() if "@" in value]
        to = asked[0] if asked else "somebody@elsewhere.example"
        common: dict[str, Any] = {"to": to, "subject": "Alles Gute!", "at": self.now.timestamp() - self.lag - 1}
        mids = ("00000000-0000-4000-8000-000000000001", "")
        return [
            common | {"n": 10**9 + n, "id": f"stranger-{n}", "mid": mid, "tags": [], "sender": "else@where.example"}
            for n, mid in enumerate(mids)
        ]


def _line(member: Member, number: str) -> Line:
    return {
        "id": number,
        "mid": member.mid,
        "to": member.to,
        "subject": member.subject,
        "sender": member.sender,
        "tags": member.tags,
    }


def document(data: bytes) -> dict[str, Any]:
    """Return a control request's JSON object."""
    found = json.loads(data or b"{}")
    assert isinstance(found, dict)
    return found
