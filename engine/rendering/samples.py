"""Invented customers that every mail is tried on at load: one with full data, and some with gaps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from engine.domain.words import Basis
from engine.rendering.context import (
    Because,
    CustomerView,
    ItemView,
    Links,
    MailContext,
    OccasionView,
    PurchaseView,
    VisitView,
)


@dataclass(frozen=True, slots=True)
class Sample:
    """A context, and what is missing in it (nothing: the mail must work)."""

    gaps: str
    context: MailContext


_TODAY = date(2026, 11, 23)
_DUE, _LAST = date(2026, 12, 23), date(2025, 12, 23)
_ITEM = ItemView(
    service_item_id="A-17",
    name="Gastherme Vaillant",
    item_type="heating",
    due_on=_DUE,
    last_service_on=_LAST,
    next_service_on=_DUE,
    booked_for=date(2026, 12, 21),
    contract_ref="V-2024-031",
)


def full(trigger: str, language: str) -> MailContext:
    """Return a context in which nothing is missing."""
    name = ("Anna", "Müller", "Frau") if language == "de" else ("Anna", "Miller", "Ms")
    context = MailContext(
        customer=CustomerView(
            *name,
            company="Beispiel GmbH",
            email="anna@example.com",
            language=language,
            birthday=_TODAY,
            customer_since=date(2019, 3, 1),
            tags=("vip",),
        ),
        occasion=OccasionView(_TODAY),
        today=_TODAY,
        links=Links("https://shop.example/u/sample", "https://shop.example/p/sample"),
        because=Because(Basis.CONSENT, date(2026, 1, 5)),
    )
    if trigger == "service_due":
        visit = VisitView(_LAST, _DUE, "https://shop.example/report/17")
        items = (_ITEM, replace(_ITEM, service_item_id="A-18", name="Wasserfilter"))
        return replace(context, item=_ITEM, items=items, visit=visit)
    if trigger in ("purchase", "lapsed"):
        purchase = PurchaseView(
            "R-2042", _TODAY, Decimal("1249.90"), "EUR", ("bikes.trekking",), ("Trekkingrad", "Korb")
        )
        bought = date(2026, 3, 14) if trigger == "lapsed" else _TODAY
        return replace(context, purchase=replace(purchase, purchased_on=bought))
    return context


def on(trigger: str, language: str, today: date) -> MailContext:
    """Return the invented customer with an occasion today, for a look at the mail."""
    known = full(trigger, language)
    moved = today - _TODAY
    item = replace(_ITEM, due_on=today + (_DUE - _TODAY), last_service_on=_LAST + moved, booked_for=None)
    return replace(
        known,
        today=today,
        occasion=OccasionView(today),
        customer=replace(known.customer, birthday=today),
        purchase=_moved(known.purchase, moved),
        item=item if known.item else None,
        items=tuple(replace(item, name=one.name) for one in known.items),
    )


def _moved(purchase: PurchaseView | None, by: timedelta) -> PurchaseView | None:
    if purchase is None or purchase.purchased_on is None:
        return purchase
    return replace(purchase, purchased_on=purchase.purchased_on + by)


def samples(trigger: str, language: str) -> list[Sample]:
    """Return the contexts a mail is tried on."""
    whole = full(trigger, language)
    named = whole.customer
    found = [
        Sample("", whole),
        Sample("", replace(whole, customer=replace(named, address_form="du"), occasion=OccasionView(_TODAY, 2))),
        Sample("a first name", replace(whole, customer=replace(named, first_name=""))),
        Sample("a name and further details", replace(whole, customer=CustomerView(email=named.email))),
    ]
    if whole.item is not None:
        bare = ItemView(service_item_id="A-17", due_on=_ITEM.due_on)
        found.append(Sample("a recorded visit", replace(whole, visit=None)))
        found.append(Sample("a name for the item", replace(whole, item=bare, items=(bare,), visit=None)))
    if whole.purchase is not None:
        found.append(Sample("items on the receipt", replace(whole, purchase=PurchaseView("R-1", _TODAY))))
    return found
