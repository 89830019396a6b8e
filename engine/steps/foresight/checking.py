"""What only the store can say about right campaigns: whom they may reach, and whether one has lost its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from engine.campaigns.model import Campaign
from engine.config.sections import Config
from engine.domain import registers
from engine.domain.words import Basis, Reason
from engine.errors import Finding
from engine.language import Language
from engine.steps.consent import registering
from engine.steps.foresight.reaching import Reach, reach, targets_of
from engine.steps.shop import Premises
from engine.steps.subscribing import policy_of
from engine.store import scans, service_items, wordings
from engine.store.wordings import KeptWording
from engine.toml.faults import Say
from engine.toml.source import shown_path


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the store says about the campaigns: their reach, in the same order, and what deserves a warning."""

    reach: tuple[Reach, ...]
    findings: tuple[Finding, ...]


def look_out(shop: Premises, campaigns: Sequence[Campaign], now: datetime) -> Outlook:
    """Ask the store whom each campaign may write to today, and whether a campaign was renamed."""
    say = Language(shop.config.shop.language).gettext
    reached = reach(shop, targets_of(campaigns, policy_of(shop.config)), now) if campaigns else []
    with shop.database.read() as session:
        seen = scans.seen(session, rehearsal=shop.config.rehearsal)
        empty = service_items.empty_references(session)
    judged = list(zip(campaigns, reached, strict=True))
    nobody = [_nobody(campaign, found, shop.config, say) for campaign, found in judged]
    unlike = [_unlike(campaign, found, say) for campaign, found in judged]
    rest = [_no_notice(shop.config, judged, say), _no_contracts(shop.config, empty, say)]
    findings = [*nobody, *unlike, *rest, *_renamed(campaigns, seen, say), *_reworded(shop, say)]
    return Outlook(tuple(reached), tuple(finding for finding in findings if finding))


def _nobody(campaign: Campaign, found: Reach, config: Config, say: Say) -> Finding | None:
    """Say of a campaign that may write to nobody what is missing most."""
    if not campaign.enabled or not found.customers or found.permitted.total():
        return None
    message = say("of %(count)s customers, nobody may get this today", count=found.customers)
    help_ = say("`treuepost reach %(campaign)s` says what is missing", campaign=campaign.id)
    if campaign.kind in {"birthday", "seasonal_greeting"}:
        named = (name for name, wording in config.wording.items() if campaign.kind in wording.kinds)
        text = say("the text for it: treuepost wording print %(wording)s", wording=next(named, "geburtstag"))
        help_ = say("greetings need a consent of their own; a purchase is never enough") + f" · {text} · {help_}"
    return Finding(campaign.file, 0, 0, "L201", message, help_, "warning")


def _unlike(campaign: Campaign, found: Reach, say: Say) -> Finding | None:
    """Say of a campaign that it advertises what is not similar to what its customers bought, with an example."""
    count = found.refused[Reason.CATEGORY_NOT_SIMILAR]
    if not campaign.enabled or not count:
        return None
    unlike, _, bought = found.examples[Reason.CATEGORY_NOT_SIMILAR].partition(" (")[0].partition(" <> ")
    message = say(
        '"%(advertised)s" does not count as similar to "%(bought)s" with you (customers: %(count)s)',
        advertised=unlike,
        bought=bought,
        count=count,
    )
    help_ = say("[legal.similarity] in config.toml: whether it is, you decide; in doubt your lawyer")
    return Finding(campaign.file, 0, 0, "L204", message, help_, "warning")


def _no_notice(config: Config, judged: Sequence[tuple[Campaign, Reach]], say: Say) -> Finding | None:
    """Say how many have bought, if no purchase at all carries the hint that one may object."""
    running = [found for campaign, found in judged if campaign.enabled]
    count = max((found.refused[Reason.NOTICE_MISSING] for found in running), default=0)
    if not count or any(found.permitted[Basis.EXISTING_CUSTOMER] for found in running):
        return None
    message = say("%(count)s customers have bought, but for no order is the hint on record", count=count)
    help_ = say(
        "it cannot be made up for. From tomorrow on: treuepost wording print %(notice)s, then enter shown_from",
        notice=next(iter(config.notice), "auftragsschein"),
    )
    return Finding(shown_path(config.file), 0, 0, "L205", message, help_, "warning")


def _no_contracts(config: Config, empty: Mapping[str, int], say: Say) -> Finding | None:
    """Say of words like "ja" in place of a contract's number that nobody could show them."""
    if not empty:
        return None
    words = ", ".join(f'"{word}"' for word in empty)
    message = say("%(words)s is no contract number (service items: %(count)s)", words=words, count=sum(empty.values()))
    help_ = say("it takes something one can show: the number or the date of the contract")
    return Finding(shown_path(config.file), 0, 0, "L206", message, help_, "warning")


def _reworded(shop: Premises, say: Say) -> list[Finding]:
    """Say of a text that was edited under its ID that those who agreed before keep what they agreed to."""
    message = say("this text, or what belongs to it, differs from what was kept under the same ID")
    help_ = say("earlier consents keep the text they were given to; a new ID makes the difference plain")
    with shop.database.read() as session:
        kept = {name: wordings.current(session, name) for name in shop.config.wording}
    now = {name: registering.content_of(shop.config, name) for name, version in kept.items() if version is not None}
    changed = [name for name, content in now.items() if content is not None and _differs(kept[name], content)]
    return [
        Finding(shown_path(shop.config.file), 0, 0, "L504", f"[wording.{name}]: {message}", help_, "warning")
        for name in changed
    ]


def _differs(kept: KeptWording | None, content: Mapping[str, object]) -> bool:
    return kept is not None and registers.version(content)[0] != kept.sha256


def _renamed(campaigns: Sequence[Campaign], seen: set[str], say: Say) -> list[Finding]:
    """Say of a new id, while one that was known is gone, that it would write to everybody again."""
    present = {campaign.id: campaign for campaign in campaigns}
    gone = sorted(seen - present.keys())
    new = [campaign for name, campaign in present.items() if name not in seen and campaign.enabled]
    if not gone or not new:
        return []
    message = say("this id is new, and %(gone)s is gone: was it renamed?", gone=", ".join(f'"{name}"' for name in gone))
    help_ = say("under a new id everybody would be written to again; put the old one back")
    return [Finding(campaign.file, 0, 0, "E114", message, help_, "warning") for campaign in new]
