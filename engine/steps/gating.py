"""Step 3, the gates: what the store knows of each message becomes facts, and the gates decide.

The same code runs when a message is claimed, again inside the transaction that releases it, and, rolled back, for
`plan` and `explain`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from sqlmodel import Session

from engine.campaigns.loading import Campaign
from engine.domain.calendar import local_day
from engine.domain.existing_customer import About
from engine.domain.gates import Facts, Rules, decide
from engine.domain.grammar import EVERY_DAY, Window
from engine.domain.permission import NOTHING_SAID, PermissionFacts, Policy, is_advertising, permit
from engine.domain.words import Decision, Reason, Trail
from engine.providers.contract import page_fault
from engine.steps import planning
from engine.steps.dating import place_of
from engine.steps.shop import Shop
from engine.steps.subscribing import policy_of
from engine.steps.watching import readying
from engine.store import facts, imports, installation, pauses
from engine.store.consents import permission_facts
from engine.store.facts import Happened, Known, Person, Written
from engine.store.messages import MessageRow


@dataclass(frozen=True, slots=True)
class Inspected:
    """One message with what the gates said. `carried` are the messages it makes unnecessary at its address."""

    row: MessageRow
    campaign: Campaign | None
    person: Person
    zone: ZoneInfo
    permission: PermissionFacts
    decision: Decision
    carried: tuple[MessageRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Inspection:
    """A group of messages as the gates saw it."""

    messages: list[Inspected]
    known: Known


def gate(session: Session, app: Shop, rows: Sequence[MessageRow], now: datetime) -> list[tuple[MessageRow, Decision]]:
    """Say of each message what would become of it now."""
    return [(one.row, one.decision) for one in inspect(session, app, rows, now).messages]


def inspect(session: Session, app: Shop, rows: Sequence[MessageRow], now: datetime) -> Inspection:
    """Read everything about a group and let the gates decide; one mail per address and campaign is left."""
    if not rows:
        return Inspection([], Known({}, {}, {}, {}))
    own = {row.id for row in rows}
    campaigns = {campaign.id: campaign for campaign in app.campaigns}
    mine = facts.people_of(session, rows)
    siblings = facts.siblings(session, rows, now, mine)
    everyone = [_as_filed(row, campaigns.get(row.campaign)) for row in (*rows, *siblings)]
    today = local_day(now, app.config.shop.zone)
    there = mine | facts.people_of(session, siblings) if siblings else mine
    known = facts.load(session, everyone, now, today, rehearsal=rows[0].rehearsal, people=there)
    group = _Group.read(session, app, known, everyone, now)
    people = [known.people[row.id] for row in everyone]
    subjects = [
        (row.customer_id, person.address_id, person.service_item_id)
        for row, person in zip(everyone, people, strict=True)
    ]
    allowed = permission_facts(session, app.keyring, subjects, now, group.policy)
    seen = sorted(zip(everyone, allowed, strict=True), key=lambda one: (one[0].id not in own, *_order(one[0])))
    led = _one_by_one(group, seen)
    return Inspection([one for one in led if one.row.id in own], known)


def _as_filed(row: MessageRow, campaign: Campaign | None) -> MessageRow:
    """Return the message as today's file has it: until its bytes are frozen, words and legal kind belong together."""
    if campaign is None or row.first_call_at is not None:
        return row
    return row._replace(kind=campaign.kind, on_doubt=campaign.on_doubt)


def _order(row: MessageRow) -> tuple[datetime, int]:
    return row.send_after, row.id


def _one_by_one(group: _Group, rows: Sequence[tuple[MessageRow, PermissionFacts]]) -> list[Inspected]:
    """Decide in order: whoever may go counts as written to for those after it.

    The first mail of a campaign to an address carries the others: they are skipped, and their items go with it.
    """
    leads: dict[tuple[str, int | None], MessageRow] = {}
    carried: dict[int, list[MessageRow]] = defaultdict(list)
    result: list[Inspected] = []
    for row, permission in rows:
        one = group.inspected(row, permission)
        place = (row.campaign, one.person.address_id)
        if one.decision.action == "send":
            leads[place] = row
            group.count(one)
        elif one.decision.reason is Reason.SAME_ADDRESS and place in leads:
            carried[leads[place].id].append(row)
            one = replace(one, decision=_carried(one.decision, leads[place]))
        result.append(one)
    if not carried:
        return result
    return [replace(one, carried=tuple(carried.get(one.row.id, ()))) for one in result]


def _carried(decision: Decision, lead: MessageRow) -> Decision:
    told = Trail("same_address", "no", f"{Reason.SAME_ADDRESS.value}: {lead.message_id}")
    trail = tuple(told if line.check == told.check else line for line in decision.trail)
    return replace(decision, action="skip", until=None, trail=trail)


@dataclass(frozen=True, slots=True)
class _Group:
    """One look at one group: what several of its messages share is read once."""

    app: Shop
    known: Known
    now: datetime
    zone: ZoneInfo
    campaigns: Mapping[str, Campaign]
    policy: Policy
    rules: Mapping[tuple[str, str], Rules]
    standing: Mapping[int, date | None]
    happened: Mapping[int, frozenset[str]]

    @classmethod
    def read(cls, session: Session, app: Shop, known: Known, rows: Sequence[MessageRow], now: datetime) -> _Group:
        """Read what the messages' campaigns say, and whether the occasions still stand."""
        campaigns = {campaign.id: campaign for campaign in app.campaigns}
        by_campaign: dict[str, list[MessageRow]] = defaultdict(list)
        for row in rows:
            by_campaign[row.campaign].append(row)
        standing: dict[int, date | None] = {}
        for name, mine in by_campaign.items():
            if name in campaigns:
                standing |= planning.standing(session, app, campaigns[name], mine)
            else:
                standing |= {row.id: row.due for row in mine}
        return cls(
            app=app,
            known=known,
            now=now,
            zone=app.config.shop.zone,
            campaigns=campaigns,
            policy=policy_of(app.config),
            rules=_rules(session, app, campaigns, {(row.campaign, row.kind) for row in rows}, now),
            standing=standing,
            happened=_happened(session, app, campaigns, rows, known),
        )

    def inspected(self, row: MessageRow, permission: PermissionFacts) -> Inspected:
        """Return what the gates say of one message."""
        person, campaign = self.known.people[row.id], self.campaigns.get(row.campaign)
        zone = place_of(person.timezone, self.zone)
        found = self._facts(row, person, zone, permission)
        return Inspected(row, campaign, person, zone, permission, decide(found, self.now))

    def count(self, one: Inspected) -> None:
        """Let a mail that may go count for the caps of those after it: once, also where its call is to be repeated."""
        if one.person.address_id is not None:
            mails = self.known.written.setdefault(one.person.address_id, [])
            if not any(mail.message == one.row.id for mail in mails):
                mails.append(Written(one.row.id, one.row.campaign, one.row.kind, self.now))

    def _facts(self, row: MessageRow, person: Person, zone: ZoneInfo, permission: PermissionFacts) -> Facts:
        written = self.known.written.get(person.address_id or 0, ())
        own = [mail for mail in written if mail.campaign == row.campaign and mail.message != row.id]
        return Facts(
            rules=self.rules[row.campaign, row.kind],
            zone=zone,
            due=row.due,
            standing=self.standing.get(row.id),
            expires_at=row.expires_at,
            permission=permit(row.kind, permission, self.policy, self.now, self._about(row, person)),
            email=person.email,
            data_changed=self._data_changed(row, person),
            not_in_source=person.not_in_source,
            tags=frozenset(words_of(person.tags)) if person.tags else _NOTHING,
            happened=self.happened.get(row.id, _NOTHING),
            overtaken=row.id in self.known.overtaken,
            carried_by=self._carried_by(own, zone) if own else "",
            names_a_thing=person.service_item_id is not None,
            written=tuple([mail.at for mail in written if mail.message != row.id and is_advertising(mail.kind)])
            if written
            else (),
            written_by_campaign=tuple([mail.at for mail in own]),
        )

    def _about(self, row: MessageRow, person: Person) -> About:
        """Return what the mail advertises, and the purchase that is its occasion."""
        campaign = self.campaigns.get(row.campaign)
        bought = self.known.purchases.get(person.purchase_id or 0)
        advertises = campaign.advertises if campaign else ()
        if bought is None:
            return About(advertises) if advertises else NOTHING_SAID
        return About(advertises, bought.purchase_id, words_of(bought.categories))

    def _carried_by(self, own: Sequence[Written], zone: ZoneInfo) -> str:
        """Return the campaign's mail to this address that goes today, or has gone."""
        today = local_day(self.now, zone)
        return next((f"message {mail.message}" for mail in own if local_day(mail.at, zone) == today), "")

    def _data_changed(self, row: MessageRow, person: Person) -> bool:
        """Say whether a mail that was frozen would go to another address, or in another language, today."""
        if row.first_call_at is None:
            return False
        campaign = self.campaigns.get(row.campaign)
        step = campaign.step(row.step) if campaign else None
        if row.address_id != person.address_id:
            return True
        if campaign is None or step is None:
            return False
        return self.app.renderer.language_for(campaign, step, person.language) != row.language


@lru_cache(maxsize=1024)
def words_of(cell: str) -> tuple[str, ...]:
    """Return a list as the store keeps it, `;a;b;`, as words."""
    return tuple(word for word in cell.split(";") if word)


def _rules(
    session: Session, app: Shop, campaigns: Mapping[str, Campaign], wanted: set[tuple[str, str]], now: datetime
) -> dict[tuple[str, str], Rules]:
    paused = pauses.paused(session)
    stale = {what: _stale(session, app, what, now) for what in _needs(campaigns, wanted)}
    common = app.config.rules
    not_ready = ", ".join(lack.key for lack in readying.lacks(session, app, now))
    fault = _page_fault(session, app, now)
    found: dict[tuple[str, str], Rules] = {}
    for name, kind in wanted:
        campaign = campaigns.get(name)
        found[name, kind] = Rules(
            between=campaign.send.between if campaign else _ALL_DAY,
            days=campaign.send.days if campaign else EVERY_DAY,
            quiet=common.quiet_hours,
            is_on=campaign is not None and campaign.enabled,
            paused=pauses.stops(paused, name, kind),
            brake=", ".join(pauses.brakes(paused)),
            advertising=is_advertising(kind),
            may_advertise=not fault,
            page_fault=fault,
            not_ready=not_ready,
            stop=campaign.stop if campaign else frozenset(),
            never_tags=frozenset(common.never_tags),
            limit=campaign.limit.at_most if campaign else None,
            at_most=tuple(common.at_most),
            stale=next((stale[what] for what in sorted(campaign.trigger.needs) if stale[what]), "") if campaign else "",
        )
    return found


def _page_fault(session: Session, app: Shop, now: datetime) -> str:
    """Say why nobody could unsubscribe now; the store is asked only where that decides it."""
    if not page_fault(app.config, None, now):
        return ""
    return page_fault(app.config, installation.pages_seen(session, now), now)


def _needs(campaigns: Mapping[str, Campaign], wanted: set[tuple[str, str]]) -> set[str]:
    """Return the imports whose age matters to these campaigns."""
    return {what for name, _ in wanted if name in campaigns for what in campaigns[name].trigger.needs}


def _stale(session: Session, app: Shop, what: str, now: datetime) -> str:
    """Say since when this data is too old to rely on; nothing while it is fresh, or no age was set."""
    span = app.config.rules.data_fresh
    if span is None:
        return ""
    at = imports.last_good(session, what)
    if at is None:
        return f"{what} were never imported"
    zone = app.config.shop.zone
    old = at + span.hours < now if span.is_hours else span.after(local_day(at, zone)) < local_day(now, zone)
    return f"{what} were last imported on {local_day(at, zone)}" if old else ""


def _happened(
    session: Session, app: Shop, campaigns: Mapping[str, Campaign], rows: Sequence[MessageRow], known: Known
) -> dict[int, frozenset[str]]:
    """Return what of each campaign's [stop] has come to pass since the occasion."""
    mine = [row for row in rows if row.campaign in campaigns and campaigns[row.campaign].stop]
    if not mine:
        return {}
    customers = {row.customer_id for row in mine}
    lately = facts.happened(session, customers)
    items = facts.items_of(session, customers)
    return {row.id: _stopped_by(row, known, lately, items[row.customer_id], app.config.shop.zone) for row in mine}


def _stopped_by(row: MessageRow, known: Known, lately: Happened, items: list[int], zone: ZoneInfo) -> frozenset[str]:
    person = known.people[row.id]
    subject = known.purchases.get(person.purchase_id or 0)
    since = subject.purchased_at if subject is not None else person.enrolled_at
    day = local_day(person.enrolled_at, zone)
    things = [person.service_item_id] if person.service_item_id else items
    came = {
        "purchase": _later(lately.purchases.get(row.customer_id), since),
        "objection": _later(lately.objections.get(row.customer_id), person.enrolled_at),
        "visit": any(lately.visits.get(item, date.min) >= day for item in things),
        "booked": any(lately.bookings.get(item, date.min) >= day for item in things),
    }
    return frozenset(name for name, true in came.items() if true)


def _later(instant: datetime | None, since: datetime) -> bool:
    return instant is not None and instant > since


_ALL_DAY = Window.parse("00:00-24:00")
_NOTHING: frozenset[str] = frozenset()
