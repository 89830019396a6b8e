"""What one person has allowed and forbidden so far, and what follows from it now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from engine.domain.addresses import canonical, exact
from engine.domain.permission import Permitted, Refused
from engine.errors import NothingFound
from engine.steps.foresight.reaching import Target, permit_anyhow
from engine.steps.shop import Premises
from engine.steps.subscribing import policy_of
from engine.store import addresses, consents, people, suppressions
from engine.store.consents import ConsentEntry, permission_facts
from engine.store.people import Person
from engine.store.suppressions import Listed


@dataclass(frozen=True, slots=True)
class History:
    """One person's (or one bare address's) consents, suppressions, and what may be sent now, by kind."""

    name: str
    customer_id: str | None
    email: str | None
    events: tuple[ConsentEntry, ...]
    suppressions: tuple[Listed, ...]
    kinds: dict[str, Permitted | Refused]


def recount(shop: Premises, who: str, now: datetime) -> list[History]:
    """Tell the history of whom somebody means: everybody on a mailbox, or an address that no customer has."""
    with shop.database.read() as session:
        found = people.find(session, who)
        if found:
            return [_of_person(session, shop, one, now) for one in found]
        return [_of_address(session, shop, who, now)]


def _of_person(session: Session, shop: Premises, person: Person, now: datetime) -> History:
    mailboxes = people.addresses_of(session, [person.id])
    marks = set(suppressions.person_marks(shop.keyring, person.uid))
    for email in addresses.emails_of(session, sorted(mailboxes)).values():
        marks.update(suppressions.address_marks(shop.keyring, exact(email), canonical(email)))
    return History(
        name=person.name,
        customer_id=person.customer_id,
        email=person.email,
        events=tuple(consents.timeline(session, mailboxes)),
        suppressions=tuple(suppressions.standing(session, marks)),
        kinds=_allowed(session, shop, (person.id, person.address_id), now),
    )


def _of_address(session: Session, shop: Premises, who: str, now: datetime) -> History:
    number = addresses.find(session, [exact(who)]).get(exact(who))
    marks = suppressions.address_marks(shop.keyring, exact(who), canonical(who))
    standing = tuple(suppressions.standing(session, marks))
    if "@" not in who or (number is None and not standing):
        raise NothingFound(f'Nobody is known as "{who}".', "WHO is a customer number, an address, or a name in quotes.")
    return History(
        name="",
        customer_id=None,
        email=who.strip(),
        events=tuple(consents.timeline(session, [number])) if number else (),
        suppressions=standing,
        kinds=_allowed(session, shop, (0, number), now) if number else {},
    )


def _allowed(
    session: Session, shop: Premises, subject: tuple[int, int | None], now: datetime
) -> dict[str, Permitted | Refused]:
    customer, mailbox = subject
    policy = policy_of(shop.config)
    kinds = [*sorted(frozenset[str]().union(*policy.wordings.values())), "contract_appointment"]
    facts = permission_facts(session, shop.keyring, [(customer, mailbox, None)], now, policy)[0]
    contracts = people.contracts_of(session, [customer]).get(customer, ())
    return {kind: permit_anyhow(Target(kind, kind, kind), facts, contracts, policy, now) for kind in kinds}
