"""A campaign said back in words, so that its author can see that it means what was meant (`check -v`)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from engine.campaigns.model import AnyTrigger, Audience, Campaign, Start, Step
from engine.domain.existing_customer import ABOUT_THE_PURCHASE
from engine.domain.permission import is_advertising
from engine.domain.words import OnDoubt
from engine.language import Language
from engine.triggers import Birthday, Lapsed, PurchaseTrigger, ServiceDue

Line = tuple[str, str]
"""A heading, and what is said under it."""


def describe(campaign: Campaign, language: str) -> list[Line]:
    """Return everything a campaign file means, heading by heading."""
    return list(_Words(language).lines(campaign))


class _Words:
    """Says campaigns in one language."""

    def __init__(self, code: str) -> None:
        self._code = code
        self._language = Language(code)
        self._say = self._language.gettext

    def lines(self, campaign: Campaign) -> Iterator[Line]:
        say = self._say
        yield say("What it is"), self._kind(campaign)
        yield say("Occasion"), self._occasion(campaign.trigger)
        yield say("Meant for"), self._audience(campaign.audience)
        yield say("Starting"), self._start(campaign.start)
        for step in campaign.steps if len(campaign.steps) > 1 else ():
            yield say("Mail %(number)s", number=step.index + 1), self._step(step)
        yield say("Sent"), self._sending(campaign)
        if campaign.limit.at_most:
            yield say("Limit"), campaign.limit.at_most.words(self._code)
        if campaign.stop:
            yield say("Stops on"), ", ".join(say(_STOPS[word]) for word in sorted(campaign.stop))
        if campaign.on_doubt is OnDoubt.RESEND:
            yield say("In doubt"), say("a mail that may have been sent is sent again")

    def _kind(self, campaign: Campaign) -> str:
        say, kind = self._say, campaign.kind
        if not is_advertising(kind):
            return say("%(kind)s: owed by contract, must not advertise", kind=kind)
        if not campaign.advertises and kind in ABOUT_THE_PURCHASE:
            return say("%(kind)s: advertising for what was bought", kind=kind)
        if not campaign.advertises:
            return say("%(kind)s: advertising, only with consent", kind=kind)
        categories = ", ".join(campaign.advertises)
        return say("%(kind)s: advertising for %(categories)s", kind=kind, categories=categories)

    def _occasion(self, trigger: AnyTrigger) -> str:
        if isinstance(trigger, Birthday):
            return self._birthday(trigger)
        if isinstance(trigger, Lapsed):
            return self._lapsed(trigger)
        if isinstance(trigger, ServiceDue):
            return self._service(trigger)
        return self._purchase(trigger)

    def _birthday(self, trigger: Birthday) -> str:
        say = self._say
        leap = say("28 February") if trigger.leap_day == "Feb 28" else say("1 March")
        told = say("people born on 29 February: %(day)s in common years", day=leap)
        return f"{say('the birthday')}: {trigger.when.words(self._code)}; {told}"

    def _lapsed(self, trigger: Lapsed) -> str:
        say = self._say
        told = say("no purchase for %(span)s", span=trigger.after.words(self._code))
        if trigger.not_before:
            told += ", " + say("at the earliest after %(span)s", span=trigger.not_before.words(self._code))
        if trigger.min_purchases:
            told += ", " + self._purchases(trigger.min_purchases)
        return told

    def _service(self, trigger: ServiceDue) -> str:
        say = self._say
        told = say("a service is due")
        if trigger.item_types:
            told += f" ({', '.join(trigger.item_types)})"
        return f"{told}; {say(_CONTRACTS[trigger.contract or 'any'])}"

    def _purchase(self, trigger: PurchaseTrigger) -> str:
        say = self._say
        told = f"{say('the first purchase') if trigger.first_only else say('a purchase')}: "
        told += trigger.when.words(self._code)
        if trigger.categories:
            told += "; " + say("categories: %(words)s", words=", ".join(trigger.categories))
        return told

    def _purchases(self, number: int) -> str:
        return self._language.ngettext("from %(number)s purchase on", "from %(number)s purchases on", number)

    def _audience(self, audience: Audience) -> str:
        say = self._say
        told = [
            (say("with one of the tags %(tags)s"), audience.tags_any),
            (say("with all the tags %(tags)s"), audience.tags_all),
            (say("without the tags %(tags)s"), audience.tags_none),
        ]
        parts = [sentence % {"tags": ", ".join(tags)} for sentence, tags in told if tags]
        if audience.min_purchases:
            parts.append(self._purchases(audience.min_purchases))
        return say("customers %(conditions)s", conditions=", ".join(parts)) if parts else say("everybody it happens to")

    def _start(self, start: Start) -> str:
        say = self._say
        told = self._day(start.from_) if start.from_ else say("the day it is first seen switched on")
        if start.backlog.amount:
            told += ", " + say("with occasions up to %(span)s older", span=start.backlog.words(self._code))
        if start.per_day:
            told += ", " + say("at most %(number)s a day", number=start.per_day)
        return told

    def _step(self, step: Step) -> str:
        say = self._say
        if step.wait:
            return f"{step.id}: " + say("%(span)s after the mail before", span=step.wait.words(self._code))
        if step.when:
            return f"{step.id}: {step.when.words(self._code)}"
        return f"{step.id}: " + say("on the day")

    def _sending(self, campaign: Campaign) -> str:
        send = campaign.send
        late = self._say("at most %(span)s late", span=send.max_late.words(self._code))
        return f"{send.days.words(self._code)}, {send.between.words(self._code)}; {late}"

    def _day(self, day: date) -> str:
        return f"{day:%d.%m.%Y}" if self._code == "de" else f"{day.day} {day:%B %Y}"


_STOPS = {
    "purchase": "a purchase",
    "visit": "a visit",
    "booked": "a booked visit",
    "objection": "an objection",
}
_CONTRACTS = {
    "with": "customers with a contract",
    "without": "customers without a contract",
    "any": "with or without a contract",
}
