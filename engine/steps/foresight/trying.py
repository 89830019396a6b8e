"""A mail made from a real customer's data and sent to somebody else: for a look, never for the customer.

The occasion is planned in a transaction that is rolled back, under an id of its own: the mail is in nobody's log,
counts for no cap, and its unsubscribe link unsubscribes nobody.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

from sqlmodel import Session

from engine.campaigns.loading import find_campaign
from engine.campaigns.model import Campaign
from engine.domain.calendar import local_day
from engine.domain.words import Call, DayRange, Email, Result
from engine.errors import NothingFound, UsageError
from engine.steps import composing, gating
from engine.steps.shop import Shop
from engine.steps.watching import readying
from engine.store import enrolments, messages, occasions, people
from engine.store.enrolments import Due, NewMessage, Plan
from engine.store.people import Person
from engine.triggers.contract import Scope, timings

MARK = "[TEST]"
_AROUND = timedelta(days=400)
_FOR_OTHERS = ("List-Unsubscribe", "List-Unsubscribe-Post")


def send_test(app: Shop, campaign_id: str, who: str, to: str, now: datetime) -> tuple[Email, Result]:
    """Send `to` what this customer would get of this campaign; return the mail and what came of it."""
    readying.require(app, now)
    email = compose_as(app, campaign_id, who, now)
    headers = {name: value for name, value in email.headers.items() if name not in _FOR_OTHERS}
    test = replace(email, to=to, to_name="", subject=f"{MARK} {email.subject}", headers=headers)
    (result,) = app.provider.send(Call(test.message_id, (test,)))
    app.provider.close()
    return test, result


def compose_as(app: Shop, campaign_id: str, who: str, now: datetime) -> Email:
    """Return the mail this customer would get of this campaign, for the occasion nearest to now."""
    campaign = find_campaign(app.campaigns, campaign_id)
    with app.database.pretend() as session:
        person = _person(session, who)
        due = _nearest(session, app, campaign, person, now)
        row = _planned(session, app, campaign, due, now)
        inspection = gating.inspect(session, app, [row], now)
        (one,) = inspection.messages
        return composing.compose(app, replace(one, carried=()), inspection.known, now)[1]


def _person(session: Session, who: str) -> Person:
    found = people.find(session, who)
    if not found:
        raise NothingFound(f'There is no customer "{who}".', "Give the shop's number, an address, or a name.")
    if len(found) > 1:
        numbers = ", ".join(person.customer_id or person.uid for person in found)
        raise UsageError(f'"{who}" is more than one customer.', f"Give one of these numbers: {numbers}.")
    return found[0]


def _nearest(session: Session, app: Shop, campaign: Campaign, person: Person, now: datetime) -> Due:
    """Return the customer's occasion that is nearest to today, past or coming."""
    zone = app.config.shop.zone
    today = local_day(now, zone)
    scope = Scope(customers=(person.id,), place=zone)
    days = DayRange(today - _AROUND, today + _AROUND)
    select = campaign.trigger.for_kind(campaign.kind).occasions(days, timings(campaign.steps), scope)
    found = occasions.ask(session, select)
    if not found:
        raise NothingFound(
            f'{person.name} has no occasion for "{campaign.id}" within 400 days.', "Choose another customer with --as."
        )
    return min(found, key=lambda due: (abs(due.due - today), due.occasion))


def _planned(session: Session, app: Shop, campaign: Campaign, due: Due, now: datetime) -> messages.MessageRow:
    """Plan the occasion under an id nobody knows."""
    name = str(uuid4())
    step = campaign.steps[due.step_index].id
    plan = Plan(f"test {name}", app.rehearsal, campaign.kind, campaign.on_doubt, campaign.hash, now)
    new = NewMessage(due, name, step, due.due, now, now + timedelta(days=1))
    enrolments.plan_messages(session, plan, [new])
    (row,) = messages.find(session, messages.TABLE.c.message_id == name)
    return row._replace(campaign=campaign.id)
