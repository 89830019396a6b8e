"""What bears on permission besides what people said: cases, restriction, age, purchases, and when a consent was used.

Read for many at once, and only as far as it can matter: without a registered notice nobody's purchases are looked at,
and the last use of a consent is asked for only where the consent itself is old.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain.existing_customer import NOBODY, Buyer, Sale
from engine.domain.permission import ConsentFact, Policy
from engine.domain.words import Basis, State
from engine.store.lawful_tables import LegalHold
from engine.store.lookups import Lookup, Question
from engine.store.messages import TABLE as _MESSAGE
from engine.store.tables import Customer, CustomerAddress, Purchase

_CUSTOMER: sa.Table = Customer.__table__  # type: ignore[attr-defined]
_PURCHASE: sa.Table = Purchase.__table__  # type: ignore[attr-defined]
_HOLD: sa.Table = LegalHold.__table__  # type: ignore[attr-defined]
_KNOWN: sa.Table = CustomerAddress.__table__  # type: ignore[attr-defined]


class Standing(NamedTuple):
    """What a customer's own row says: `last` is the latest concluded purchase, `bought` how many there are."""

    id: int
    uid: str
    restricted_at: datetime | None
    parents_agreed_at: datetime | None
    birth_year: int | None
    birth_md: int | None
    bought: int
    last: str | None

    def buyer(self, sales: Sequence[Sale]) -> Buyer:
        """Return this customer as somebody who buys."""
        if not self.bought and not sales and self.birth_year is None:
            return NOBODY
        return Buyer(tuple(sales), self.bought, self.last or "", (self.birth_year, self.birth_md))


UNKNOWN = Standing(0, "", None, None, None, None, 0, None)

_COLUMNS = ("id", "uid", "restricted_at", "parents_agreed_at", "birth_year", "birth_md", "purchase_count")
_STANDING = Lookup(
    sa.select(*(_CUSTOMER.c[name] for name in (*_COLUMNS, "last_purchase_id"))),
    _CUSTOMER.c.id,
)
_SALES = Lookup(
    sa.select(
        *(_PURCHASE.c[name] for name in ("customer_id", "purchase_id", "status", "purchased_at", "categories")),
        *(_PURCHASE.c[name] for name in ("email_from_sale", "notice", "notice_version", "notice_shown_at")),
        _PURCHASE.c.amount_minor,
    ).where(_PURCHASE.c.notice != sa.literal_column("''")),
    _PURCHASE.c.customer_id,
)
"""A literal, not a bound value: only so does SQLite see that the partial index applies."""
_USED = Lookup(
    sa.select(_MESSAGE.c.address_id, _MESSAGE.c.sent_at).where(
        _MESSAGE.c.state == State.SENT,
        _MESSAGE.c.basis == Basis.CONSENT,
        _MESSAGE.c.rehearsal == sa.false(),
        _MESSAGE.c.sent_at.is_not(None),
    ),
    _MESSAGE.c.address_id,
)


def of_customers(session: Session, customers: Collection[int]) -> dict[int, Standing]:
    """Return what these customers' rows say."""
    return {row[0]: Standing._make(row) for row in _STANDING.rows(session, sorted(customers))}


def sales_of(session: Session, customers: Collection[int]) -> Mapping[int, list[Sale]]:
    """Return the purchases that have a notice on record, by customer."""
    found: dict[int, list[Sale]] = defaultdict(list)
    for customer, number, status, at, categories, *declared, amount in _SALES.rows(session, sorted(customers)):
        from_sale, notice, version, shown_at = declared
        words = tuple(word for word in categories.split(";") if word)
        sale = Sale(number, status, at, words, bool(from_sale), notice, version, shown_at, is_free=amount == 0)
        found[customer].append(sale)
    return found


def last_used(
    session: Session, events: Mapping[int, Sequence[ConsentFact]], now: datetime | None, policy: Policy | None
) -> dict[int, datetime]:
    """Return when each address was last sent a mail on a consent; only where a consent is so old that it matters."""
    old = [
        number
        for number, said in events.items()
        if any(one.proven and (policy is None or now is None or policy.is_stale(one.at, now)) for one in said)
    ]
    found: dict[int, datetime] = {}
    for address, at in _USED.rows(session, sorted(old)) if old else ():
        if (now is None or at <= now) and (address not in found or found[address] < at):
            found[address] = at
    return found


@dataclass(frozen=True, slots=True)
class Cases:
    """The cases that stand: whose data is kept, by customer, by address and by the address's hash."""

    customers: Mapping[int, str] = field(default_factory=dict)
    mailboxes: Mapping[int, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)

    def find(self, customer: int, mailbox: int, marks: Collection[str]) -> str:
        """Return the case that keeps a mail back; nothing where none does."""
        named = [self.keys[mark] for mark in marks if mark in self.keys] if self.keys else []
        return self.customers.get(customer) or self.mailboxes.get(mailbox) or next(iter(named), "")


_CASES = Question(
    sa.select(_HOLD.c.customer_id, _KNOWN.c.address_id, _HOLD.c.address_key, _HOLD.c.case_ref)
    .join(_KNOWN, _KNOWN.c.customer_id == _HOLD.c.customer_id, isouter=True)
    .where(_HOLD.c.lifted_at.is_(None))
)


def cases(session: Session) -> Cases:
    """Return the cases that stand; there are few. A customer's case holds every address the customer ever had."""
    rows = _CASES.rows(session)
    if not rows:
        return _NO_CASES
    return Cases(
        {customer: case for customer, _, _, case in rows if customer is not None},
        {mailbox: case for _, mailbox, _, case in rows if mailbox is not None},
        {key: case for _, _, key, case in rows if key},
    )


_NO_CASES = Cases()
