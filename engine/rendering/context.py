"""What a template may know: a closed set of names over plain data, and nothing that could do anything.

The names and their fields are a public interface (docs/campaigns.md). A field that is empty is absent: a template has
to say what stands in its place (`{{ customer.first_name or "du" }}`), else the mail is refused.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from functools import lru_cache

from engine.domain.words import Basis


@dataclass(frozen=True, slots=True)
class CustomerView:
    """The person written to. `birthday` is the one this mail is about (no year of birth ever reaches a template)."""

    first_name: str = ""
    last_name: str = ""
    salutation: str = ""
    company: str = ""
    email: str = ""
    language: str = ""
    address_form: str = ""
    birthday: date | None = None
    customer_since: date | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OccasionView:
    """Why we write: the day the mail was due, and how many days later it goes out."""

    due: date
    days_late: int = 0


@dataclass(frozen=True, slots=True)
class PurchaseView:
    """The purchase the mail is about (or, for somebody who stayed away, their last one)."""

    purchase_id: str = ""
    purchased_on: date | None = None
    amount: Decimal | None = None
    currency: str = ""
    categories: tuple[str, ...] = ()
    items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ItemView:
    """A thing at the customer's that needs service."""

    service_item_id: str = ""
    name: str = ""
    item_type: str = ""
    due_on: date | None = None
    last_service_on: date | None = None
    next_service_on: date | None = None
    booked_for: date | None = None
    contract_ref: str = ""


@dataclass(frozen=True, slots=True)
class VisitView:
    """The last recorded service of the item."""

    done_on: date | None = None
    next_service_on: date | None = None
    report_url: str = ""


@dataclass(frozen=True, slots=True)
class Links:
    """The links of this one mail. They carry tokens, never an address."""

    unsubscribe: str = ""
    preferences: str = ""


@dataclass(frozen=True, slots=True)
class Because:
    """What the footer says about why this mail comes: the basis, the day of consent, what was bought."""

    basis: Basis | None = None
    since: date | None = None
    product: str = ""


@dataclass(frozen=True, slots=True)
class MailContext:
    """Everything one mail is made from, besides the shop and the campaign, which the renderer knows."""

    customer: CustomerView
    occasion: OccasionView
    today: date
    purchase: PurchaseView | None = None
    item: ItemView | None = None
    items: tuple[ItemView, ...] = ()
    visit: VisitView | None = None
    links: Links = Links()
    because: Because = Because()


SHOP_FIELDS = ("name", "address", "phone", "email", "url", "privacy", "language", "address_form", "currency", "country")
CAMPAIGN_FIELDS = ("id", "name", "kind")


def _named(view: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(view))  # every view is a dataclass


FIELDS: dict[str, tuple[str, ...]] = {
    "greeting": (),
    "customer": _named(CustomerView),
    "shop": SHOP_FIELDS,
    "campaign": CAMPAIGN_FIELDS,
    "occasion": _named(OccasionView),
    "purchase": _named(PurchaseView),
    "item": _named(ItemView),
    "items": (),
    "visit": _named(VisitView),
    "links": _named(Links),
    "today": (),
}
"""The closed context: each name and its fields (none: the name itself is the value)."""

LISTS = frozenset({"items", "purchase.items", "purchase.categories", "customer.tags"})
"""The only things a template can loop over."""

NOT_YET = frozenset({"coupon"})
"""Names that are reserved for a later version."""

ONLY_IN: dict[str, frozenset[str]] = {
    "purchase": frozenset({"purchase", "lapsed"}),
    "item": frozenset({"service_due"}),
    "items": frozenset({"service_due"}),
    "visit": frozenset({"service_due"}),
}
"""Names that exist only in campaigns with one of these triggers."""


class Amount(Decimal):
    """A sum of money that knows its currency, so that `money` cannot print the wrong one."""

    currency: str

    @classmethod
    def of(cls, value: Decimal, currency: str) -> Amount:
        """Return `value` as a sum in `currency`."""
        amount = cls(value)
        amount.currency = currency
        return amount


class Record:
    """One name of the context. It has no methods a template could call; its fields are read when they are asked for."""

    __slots__ = ("fields", "name", "values", "view")

    def __init__(self, name: str, view: object = None, values: dict[str, object] | None = None) -> None:
        self.name = name
        self.view = view
        self.fields = _FIELD_SETS.get(name, _NONE)
        self.values = values or {}

    def field(self, name: str) -> object:
        """Return a field, cleaned, or None where it is absent or no field at all; remember it for the next time."""
        found = self.values.get(name)
        if found is None and self.view is not None and name in self.fields:
            found = _present(getattr(self.view, name))
            if found is not None:
                self.values[name] = found
        return found

    def __repr__(self) -> str:
        return f"<{self.name}>"


_NONE: frozenset[str] = frozenset()
_FIELD_SETS = {name: frozenset(known) for name, known in FIELDS.items()}


Plain = str | int | date | Decimal | tuple["Plain", ...] | Record
"""Every kind of value a template can meet."""

_INVISIBLE = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\u200b")
LONGEST_VALUE = 2000


def clean(text: str) -> str:
    """Return text that fits on one line and turns nothing around: no control characters, no overriding marks."""
    if text.isprintable() and len(text) <= LONGEST_VALUE:
        return text
    kept = (
        " " if unicodedata.category(sign) in ("Cc", "Zl", "Zp") else sign
        for sign in text[:LONGEST_VALUE]
        if sign not in _INVISIBLE and unicodedata.category(sign) not in ("Cs", "Co")
    )
    return " ".join("".join(kept).split())


def _present(value: object) -> object:
    if isinstance(value, str):
        return clean(value) or None
    if isinstance(value, tuple):
        return _cleaned(value) or None
    return value


@lru_cache(maxsize=1024)
def _cleaned(entries: tuple[object, ...]) -> tuple[object, ...]:
    return tuple(clean(entry) if isinstance(entry, str) else entry for entry in entries)


def constants(view: object, names: tuple[str, ...]) -> dict[str, object]:
    """Return the present fields of something that is the same in every mail."""
    values = {name: getattr(view, name) for name in names}
    return {name: clean(value) for name, value in values.items() if value}


def item_records(views: tuple[ItemView, ...]) -> tuple[Record, ...]:
    """Return the things that are due, each as a template may see it."""
    return tuple(Record("item", view) for view in views)


def purchase_record(view: PurchaseView, shop_currency: str) -> Record:
    """Return a purchase whose amount knows its currency."""
    if view.amount is None:
        return Record("purchase", view)
    return Record("purchase", view, {"amount": Amount.of(view.amount, view.currency or shop_currency)})
