"""Why one customer would or would not get a mail: the gates' own trail, and the next occasion where there is none now.

Like foreseeing, it runs planning and the gates in a transaction that is rolled back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlmodel import Session

from engine.campaigns.loading import find_campaign
from engine.campaigns.model import Campaign
from engine.domain.calendar import local_day
from engine.domain.permission import Permitted
from engine.domain.scanning import first_chance
from engine.domain.states import AT_REST
from engine.domain.words import Basis, DayRange, Decision, Reason, State, Trail
from engine.errors import NothingFound
from engine.providers.contract import PAGES_LAPSE
from engine.steps import confirming, gating, planning
from engine.steps.dating import place_of
from engine.steps.foresight.reaching import permit_anyhow, targets_of
from engine.steps.shop import Shop
from engine.steps.subscribing import policy_of
from engine.store import facts, holds, installation, messages, occasions, people, reports
from engine.store.consents import permission_facts
from engine.store.messages import MessageRow
from engine.store.people import Person
from engine.store.reports import Entry
from engine.triggers.contract import Scope, timings

HORIZON = 400


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the rules say of one customer and one campaign at one instant."""

    customer: str
    name: str
    email: str
    campaign: str
    at: datetime
    decision: str
    reason: Reason | None
    basis: Basis | None
    trail: tuple[Trail, ...]
    next_due: date | None = None


def explain(app: Shop, who: str, campaign: str | None, now: datetime) -> list[Explanation]:
    """Explain every customer meant by `who`, for one campaign or for all."""
    wanted = app.campaigns if campaign is None else (find_campaign(app.campaigns, campaign),)
    with app.database.read() as session:
        found = people.find(session, who)
    if not found:
        raise NothingFound(f'There is no customer "{who}".', "Give the shop's number, an address, or a name.")
    return [_explain(app, person, one, now) for person in found for one in wanted]


def as_document(found: Explanation) -> dict[str, object]:
    """Return the explanation with exactly the keys of the public interface."""
    return {
        "customer": found.customer,
        "campaign": found.campaign,
        "at": found.at,
        "decision": found.decision,
        "reason": found.reason,
        "basis": found.basis,
        "trail": [{"check": line.check, "result": line.result, "detail": line.detail} for line in found.trail],
    }


def _explain(app: Shop, person: Person, campaign: Campaign, now: datetime) -> Explanation:
    said = Explanation(
        customer=person.customer_id or person.uid,
        name=person.name,
        email=person.email or "",
        campaign=campaign.id,
        at=now,
        decision="skip",
        reason=Reason.NO_OCCASION,
        basis=None,
        trail=(),
    )
    with app.database.pretend() as session:
        installation.assume_pages(session, PAGES_LAPSE)
        planning.plan_campaign(session, app, campaign, now, among=_at_one_address(session, person))
        row = _current(session, app, person, campaign)
        if row is not None:
            decision = _decision(session, app, row, max(now, row.send_after))
            if row.send_after > now and row.state is not State.HELD:
                decision = _later(decision, row)
            return _decided(said, decision)
        return _without_occasion(session, app, person, campaign, said)


def _at_one_address(session: Session, person: Person) -> tuple[int, ...]:
    """Return the customer with everybody at the same address: which of them gets the mail depends on them all."""
    others = people.at_addresses(session, {person.address_id}) if person.address_id is not None else []
    return (person.id, *(one.id for one in others if one.address_id == person.address_id and one.id != person.id))


def _decision(session: Session, app: Shop, row: MessageRow, now: datetime) -> Decision:
    """Let the gates decide on a message in its turn among those due at its address; one that is held waits."""
    if row.state is State.HELD:
        return confirming.waits(row.reason, holds.detail(session, row.id))
    rows = [row, *facts.siblings(session, [row], now)]
    return next(decision for one, decision in gating.gate(session, app, rows, now) if one.id == row.id)


def _current(session: Session, app: Shop, person: Person, campaign: Campaign) -> MessageRow | None:
    """Return the message that is under way for this customer, the next one first."""
    mine = reports.of_customer(session, person.id, campaign.id, rehearsal=app.rehearsal)
    rows = messages.by_ids(session, [entry.number for entry in mine if entry.state in AT_REST])
    return rows[0] if rows else None


def _later(decision: Decision, row: MessageRow) -> Decision:
    """Say that the mail is planned, and for when; what the gates would say then stays in the trail."""
    line = Trail("due", "wait", f"planned for {row.due}, not before {row.send_after:%Y-%m-%dT%H:%MZ}")
    if decision.action != "send":
        return replace(decision, trail=(line, *decision.trail))
    return replace(decision, action="wait", reason=Reason.NOT_DUE, trail=(line, *decision.trail))


def _decided(said: Explanation, decision: Decision) -> Explanation:
    trail = tuple(_proved(line, decision) for line in decision.trail)
    return replace(said, decision=decision.in_short, reason=decision.reason, basis=decision.basis, trail=trail)


def _proved(line: Trail, decision: Decision) -> Trail:
    """Name the basis and what proves it beside the permission."""
    if line.check != "permission" or line.result != "ok" or decision.basis is None:
        return line
    return replace(line, detail=f"{decision.basis.value}: {decision.evidence}")


def _without_occasion(
    session: Session, app: Shop, person: Person, campaign: Campaign, said: Explanation
) -> Explanation:
    """Say what became of the last mail, when the next occasion is, and what the gates would say then."""
    past = reports.of_customer(session, person.id, campaign.id, rehearsal=app.rehearsal)
    history = tuple(_past(entry) for entry in past[:1])
    due = _next_due(session, app, person, campaign, said.at)
    if due is None:
        nothing = Trail("due", "no", f"none within {HORIZON} days")
        return replace(said, trail=(*history, nothing, _permission(session, app, person, campaign, said.at)))
    ahead = Trail("due", "wait", f"next due {due}")
    then = _trail_on(session, app, person, campaign, due)
    trail = (*history, ahead, *(then or (_permission(session, app, person, campaign, said.at),)))
    return replace(said, decision="hold", reason=Reason.NOT_DUE, trail=trail, next_due=due)


def _past(entry: Entry) -> Trail:
    when = entry.sent_at or entry.planned_at
    detail = f"{entry.state} {when:%Y-%m-%d}" + (f": {entry.reason}" if entry.reason else "")
    return Trail("log", "ok", f"{detail} (occasion {entry.occasion}, message {entry.message_id})")


def _next_due(session: Session, app: Shop, person: Person, campaign: Campaign, now: datetime) -> date | None:
    """Ask the trigger for the customer's next day, over the next 400."""
    zone = place_of("", app.config.shop.zone)
    first = local_day(now, zone) + timedelta(days=1)
    scope = Scope(customers=(person.id,), audience=campaign.audience, place=zone)
    trigger = campaign.trigger.for_kind(campaign.kind)
    select = trigger.occasions(DayRange(first, first + timedelta(days=HORIZON)), timings(campaign.steps), scope)
    return min((due.due for due in occasions.ask(session, select)), default=None)


def _trail_on(session: Session, app: Shop, person: Person, campaign: Campaign, due: date) -> tuple[Trail, ...]:
    """Plan the day of the next occasion too, and return what the gates would say on it."""
    zone = app.config.shop.zone
    then = first_chance(due, zone, campaign.send.between, campaign.send.days)
    planning.plan_campaign(session, app, campaign, then, among=_at_one_address(session, person))
    row = _current(session, app, person, campaign)
    return _decision(session, app, row, then).trail if row else ()


def _permission(session: Session, app: Shop, person: Person, campaign: Campaign, now: datetime) -> Trail:
    """Say what permission would say without an occasion: the same as `reach`."""
    policy = policy_of(app.config)
    (known,) = permission_facts(session, app.keyring, [(person.id, person.address_id, None)], now, policy)
    contracts = people.contracts_of(session, [person.id]).get(person.id, ())
    said = permit_anyhow(targets_of([campaign], policy)[0], known, contracts, policy, now)
    if isinstance(said, Permitted):
        return Trail("permission", "ok", f"{said.basis.value}: {said.evidence}")
    return Trail("permission", "no", f"{said.reason.value}: {said.detail}")
