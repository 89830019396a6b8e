"""Step 4, the words: what is known of a message becomes the closed context of its template, and that a mail."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from email.utils import format_datetime
from functools import lru_cache

from babel.numbers import get_currency_precision

from engine.campaigns.model import Campaign
from engine.domain.calendar import birthday_in, local_day
from engine.domain.existing_customer import evidence_of
from engine.domain.words import Basis, Email
from engine.errors import NothingFound
from engine.rendering import mail
from engine.rendering.context import (
    Because,
    CustomerView,
    ItemView,
    MailContext,
    OccasionView,
    PurchaseView,
    VisitView,
)
from engine.rendering.mail import Envelope
from engine.rendering.renderer import Rendered
from engine.steps.gating import Inspected, words_of
from engine.steps.shop import Shop
from engine.store.facts import Known, Person, Row
from engine.triggers.birthday import LEAP_DAYS, Birthday


def compose(app: Shop, one: Inspected, known: Known, now: datetime) -> tuple[Rendered, Email]:
    """Render one mail and put it into its envelope; raise where template or data do not allow it."""
    context = context_of(app, one, known, now)
    campaign = one.campaign
    step = campaign.step(one.row.step) if campaign else None
    if campaign is None or step is None:
        raise NothingFound(f'campaign "{one.row.campaign}" has no step "{one.row.step}" any more')
    rendered = app.renderer.render(campaign, step, context)
    envelope = Envelope(
        message_id=one.row.message_id,
        campaign=one.row.campaign,
        kind=one.row.kind,
        to=one.person.email or "",
        name=f"{one.person.first_name} {one.person.last_name}".strip(),
        unsubscribe=context.links.unsubscribe,
        date=_date_line(now),
    )
    return rendered, mail.compose(app.config, rendered, envelope)


@lru_cache(maxsize=8)
def _date_line(now: datetime) -> str:
    """Return the instant as a mail's head gives it; a group shares it."""
    return format_datetime(now)


def context_of(app: Shop, one: Inspected, known: Known, now: datetime) -> MailContext:
    """Return everything one mail is made from."""
    person, row = one.person, one.row
    today = local_day(now, one.zone)
    item = known.items.get(person.service_item_id or 0)
    return MailContext(
        customer=_customer(person, one.campaign),
        occasion=OccasionView(row.due, max(0, (today - row.due).days)),
        today=today,
        purchase=_purchase(known.purchases.get(person.purchase_id or 0), one),
        item=_item(item) if item is not None else None,
        items=_items(one, known),
        visit=_visit(known.visits.get(person.service_item_id or 0)),
        links=mail.links(app.config, app.keyring, row.message_id),
        because=_because(one),
    )


def _customer(person: Person, campaign: Campaign | None) -> CustomerView:
    return CustomerView(
        first_name=person.first_name,
        last_name=person.last_name,
        salutation=person.salutation,
        company=person.company,
        email=person.email or "",
        language=person.language,
        address_form=person.address_form,
        birthday=_birthday(person, campaign),
        customer_since=person.customer_since,
        tags=words_of(person.tags),
    )


def _birthday(person: Person, campaign: Campaign | None) -> date | None:
    """Return the birthday this mail is about; the occasion of a birthday is its year."""
    if campaign is None or not isinstance(campaign.trigger, Birthday) or person.birth_md is None:
        return None
    return birthday_in(int(person.occasion), person.birth_md, LEAP_DAYS[campaign.trigger.leap_day])


def _purchase(row: Row | None, one: Inspected) -> PurchaseView | None:
    if row is None:
        return None
    return PurchaseView(
        purchase_id=row.purchase_id,
        purchased_on=local_day(row.purchased_at, one.zone),
        amount=_amount(row.amount_minor, row.currency),
        currency=row.currency,
        categories=words_of(row.categories),
        items=words_of(row.items),
    )


def _amount(minor: int | None, currency: str) -> Decimal | None:
    return None if minor is None else Decimal(minor).scaleb(-get_currency_precision(currency or "EUR"))


def _item(row: Row) -> ItemView:
    return ItemView(
        service_item_id=row.service_item_id,
        name=row.name,
        item_type=row.item_type,
        due_on=row.due_on,
        last_service_on=row.last_service_on,
        next_service_on=row.next_service_on,
        booked_for=row.booked_for,
        contract_ref=row.contract_ref,
    )


def _items(one: Inspected, known: Known) -> tuple[ItemView, ...]:
    """Return the thing this mail is about and those of the messages it carries, the first due first."""
    if not known.items:
        return ()
    numbers = {known.people[number].service_item_id for number in (one.row.id, *(row.id for row in one.carried))}
    rows = [known.items[number] for number in numbers if number is not None and number in known.items]
    return tuple(_item(row) for row in sorted(rows, key=lambda row: (row.due_on or date.max, row.id)))


def _visit(row: Row | None) -> VisitView | None:
    return None if row is None else VisitView(row.done_on, row.next_service_on, row.report_url)


def _because(one: Inspected) -> Because:
    """Return what the footer says: the basis, for a consent its day, for a purchase what was bought."""
    decision = one.decision
    if decision.basis is Basis.EXISTING_CUSTOMER:
        return Because(decision.basis, product=_bought(one))
    if decision.basis is not Basis.CONSENT:
        return Because(decision.basis)
    at = next((event.at for event in one.permission.events if decision.evidence == f"consent:{event.id}"), None)
    return Because(decision.basis, local_day(at, one.zone) if at else None)


def _bought(one: Inspected) -> str:
    """Return the kind of goods the mail relies on, as people read it: `heizung.wartung` is "Heizung (Wartung)"."""
    relied = {number for number, _notice in evidence_of(one.decision.evidence)}
    sales = [sale for sale in one.permission.buyer.sales if sale.purchase_id in relied]
    return ", ".join(dict.fromkeys(_spoken(category) for sale in sales for category in sale.categories))


def _spoken(category: str) -> str:
    wide, *narrow = (word.replace("_", " ").capitalize() for word in category.split("."))
    return f"{wide} ({', '.join(narrow)})" if narrow else wide
