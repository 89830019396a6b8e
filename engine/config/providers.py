"""The providers by name and what the config must say for each: the one list; the voices themselves are elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

USUAL_BATCH = 100
USUAL_STREAM = "broadcast"
"""The message stream that advertising goes through at Postmark."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a provider needs, and how many mails one call to it may carry at most.

    `home` is its own address on the internet, empty where the owner must name one; `schemes` how an address begins.
    `blocks` says that it keeps a list of blocked addresses that can be asked for.
    """

    schemes: tuple[str, ...] = ("http", "https", "smtp", "smtps")
    home: str = ""
    server: bool = False
    key: bool = False
    most: int = 1
    blocks: bool = False


_WEB = ("http", "https")
PROVIDERS = {
    "outbox": Needs(),
    "smtp": Needs(("smtp", "smtps"), server=True),
    "brevo": Needs(_WEB, "https://api.brevo.com/v3", key=True, most=1000, blocks=True),
    "resend": Needs(_WEB, "https://api.resend.com", key=True, most=100),
    "postmark": Needs(_WEB, "https://api.postmarkapp.com", key=True, most=500),
}
"""`[provider] use` -> what it needs."""
