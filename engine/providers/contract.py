"""What a provider is: it takes calls and says of each mail what came of it. It never raises for a provider's fault."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from engine.config.loading import Config
from engine.domain.words import Call, Email, Finding, Result


@dataclass(frozen=True, slots=True)
class Recovery:
    """How a doubt about this provider can be ended.

    `replays`: for how long after a call was first made the identical call may be made again with its key and cannot
    mail anybody twice (the key's life less a margin). `settles`: how long after a call its mails can be looked up by
    our own id. None: it offers no such way. `repeats_answer`: a repeat brings the first call's own answer, so that a
    "no" then is a "no" for good.
    """

    replays: timedelta | None = None
    settles: timedelta | None = None
    repeats_answer: bool = False


class Provider(Protocol):
    """A voice. One file in this folder each, and one line in the registry."""

    @property
    def name(self) -> str:
        """Return the word that stands for it in the config and in the log."""

    @property
    def rehearsal(self) -> bool:
        """Say whether it only pretends: nobody is mailed."""

    @property
    def senders(self) -> int:
        """Return how many calls may run at once, each in a thread of its own."""

    @property
    def batch(self) -> int:
        """Return how many mails a call may carry, each with its own subject and body."""

    @property
    def recovery(self) -> Recovery:
        """Return how a doubt can be ended."""

    def send(self, call: Call) -> list[Result]:
        """Make this call once and return one result per mail, in the same order.

        A batch that is refused whole, because of one of its mails, is `NotSent` and `whole` for every one of them: none
        left, and which one it was shows only when each is tried alone.
        """

    def look_up(self, emails: Sequence[Email], since: datetime) -> list[Finding]:
        """Ask for each mail, by our own id, whether it was accepted; `since` is when its call was first made."""

    def close(self) -> None:
        """Let go of connections."""


PAGES_LAPSE = timedelta(minutes=5)
"""For so long after the public pages last answered they count as there."""


def page_fault(config: Config, seen: datetime | None, now: datetime) -> str:
    """Say why nobody could unsubscribe from a mail that left now, and how to mend that; "" where they could.

    Advertising leaves through a real provider only while its unsubscribe page answers at an https address (RFC 8058
    wants https; mails wait and go on by themselves, law: § 7 (2) Nr. 3 UWG). A provider on the same machine is a test:
    it mails nobody.
    """
    if config.rehearsal or config.provider.on_loopback:
        return ""
    if not config.web.public_url.startswith("https://"):
        return "set [web] public_url to the https address of the public pages (docs/pages.md)"
    if seen is None:
        return "the public pages have never answered: let `treuepost run` serve them (docs/pages.md)"
    if abs(now - seen) > PAGES_LAPSE:
        return f"the public pages have not answered since {seen:%Y-%m-%d %H:%M} UTC: `treuepost run` serves them"
    return ""
