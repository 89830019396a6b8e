"""A request the owner passes on: somebody asked on paper, on the phone or at the counter (law.md B7).

One person and one request at a time, each with its own evidence: old lists are never asked for their consent, because
a single such mail is unlawful already (and so no import can do this).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from engine.errors import ConfigError, NothingFound, UsageError
from engine.steps.consent import asking
from engine.steps.consent.asking import QUEUED, SignUp, Visitor
from engine.steps.shop import Premises
from engine.steps.subscribing import find_one


@dataclass(frozen=True, slots=True)
class Passed:
    """What a request that was passed on came to: to which address, and "queued" or why no mail goes out."""

    email: str
    outcome: str

    @property
    def queued(self) -> bool:
        """Say whether the one mail that asks for confirmation is on its way."""
        return self.outcome == QUEUED


def pass_on(shop: Premises, who: str, wording: str, evidence: str, now: datetime) -> Passed:
    """Queue the mail that asks somebody to confirm; only the click in it makes a consent."""
    if not evidence.strip():
        raise UsageError(
            "Without evidence of the request no mail may be sent.",
            '--evidence says how it was asked for: "form no. 17", "call on 21 November, 14:05, Ms M.".',
        )
    if not shop.config.web.public_url and not shop.config.rehearsal:
        raise ConfigError(
            "The link in the mail needs the address of your pages.", 'Set [web] public_url = "https://…".'
        )
    email = who if "@" in who else _email_of(shop, who)
    ask = SignUp(email, wording, evidence=evidence)
    return Passed(email, asking.enter(shop, ask, Visitor(), now))


def _email_of(shop: Premises, who: str) -> str:
    with shop.database.read() as session:
        found = find_one(session, who)
    if not found:
        raise NothingFound(f'Nobody is known as "{who}".', "WHO is a customer number, an address, or a name in quotes.")
    if not found[0].email:
        raise UsageError(f"{found[0].name} has no e-mail address.", "Give the address itself.")
    return found[0].email
