"""Whose rights are meant: one customer, or an address nobody but its owner has (law G; Art. 4(1) GDPR)."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from sqlmodel import Session

from engine.domain.addresses import canonical, exact
from engine.errors import NothingFound, UsageError
from engine.keys import Keyring
from engine.steps.shop import Premises
from engine.steps.subscribing import find_one
from engine.store import addresses, legal_holds, people, suppressions
from engine.store.legal_holds import Held
from engine.store.people import Person


@dataclass(frozen=True, slots=True)
class Subject:
    """A customer with every address they ever had, or a bare address; `emails` by the number of the address."""

    number: int | None
    uid: str | None
    customer_id: str | None
    name: str
    emails: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, session: Session, person: Person) -> Subject:
        """Return a customer with all their addresses."""
        emails = addresses.emails_of(session, sorted(people.addresses_of(session, [person.id])))
        return cls(person.id, person.uid, person.customer_id, person.name, emails)

    @property
    def addresses(self) -> tuple[int, ...]:
        """Return the numbers of the addresses."""
        return tuple(sorted(self.emails))

    def emails_at(self, numbers: Collection[int]) -> list[str]:
        """Return the spelling of those addresses among these numbers."""
        return [email for number, email in sorted(self.emails.items()) if number in numbers]

    def without_names(self, text: str) -> str:
        """Return a text in which nothing names this person, for what is kept after an erasure."""
        words = {*self.emails.values(), self.name, *self.name.split(), self.customer_id or ""}
        for word in sorted((one for one in words if len(one) > 1), key=len, reverse=True):
            text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", "***", text, flags=re.IGNORECASE)
        return text

    def key(self, keyring: Keyring) -> str:
        """Return the keyed hash under which what is done with their data is noted."""
        if self.uid:
            return suppressions.person_hashes(keyring, self.uid).exact
        return suppressions.address_hashes(keyring, next(iter(self.emails.values()))).exact

    def marks(self, keyring: Keyring) -> tuple[str, ...]:
        """Return every hash under which something may be noted of them."""
        found = suppressions.person_marks(keyring, self.uid) if self.uid else ()
        return found + self.address_marks(keyring)

    def address_marks(self, keyring: Keyring) -> tuple[str, ...]:
        """Return every hash of their addresses."""
        return tuple(
            mark
            for email in self.emails.values()
            for mark in suppressions.address_marks(keyring, exact(email), canonical(email))
        )


def whom(session: Session, who: str) -> Subject:
    """Return the one person somebody means; several at one address are refused: each has rights of their own."""
    found = find_one(session, who)
    if len(found) > 1:
        numbers = ", ".join(one.customer_id or "–" for one in found)
        raise UsageError(f'"{who}" is the address of {len(found)} customers.', f"Name one by number: {numbers}.")
    if found:
        return Subject.of(session, found[0])
    number = addresses.find(session, [exact(who)]).get(exact(who)) if "@" in who else None
    if number is None:
        raise NothingFound(f'Nobody is known as "{who}".', "WHO is a customer number, an address, or a name in quotes.")
    return Subject(None, None, None, "", addresses.emails_of(session, [number]))


def find(shop: Premises, who: str) -> Subject:
    """Return the one person somebody means, in a view of its own."""
    with shop.database.read() as session:
        return whom(session, who)


def holds_of(session: Session, keyring: Keyring, subject: Subject) -> list[Held]:
    """Return the cases for which this person's data is kept."""
    return legal_holds.standing(session, subject.number, subject.address_marks(keyring))


def refuse_held(session: Session, keyring: Keyring, subject: Subject) -> None:
    """Refuse to touch the data of somebody it is kept of for a case."""
    held = holds_of(session, keyring, subject)
    if held:
        cases = ", ".join(one.case_ref for one in held)
        raise UsageError(
            f"The data is kept for a case ({cases}): nothing of it is erased while that stands.",
            "When the case is over: treuepost privacy hold WHO --lift.",
        )
