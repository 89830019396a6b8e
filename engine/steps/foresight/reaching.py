"""The truth about a customer list: whom may we write to at all, on which basis, and what is missing for the others.

It asks the very function that sending asks, for every customer, a few hundred at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlmodel import Session

from engine.campaigns.model import Campaign
from engine.domain.contracts import Contract
from engine.domain.existing_customer import ABOUT_THE_PURCHASE, About
from engine.domain.permission import PermissionFacts, Permitted, Policy, Refused, is_advertising, permit
from engine.steps.shop import Premises
from engine.steps.subscribing import policy_of
from engine.store import people
from engine.store.consents import permission_facts

_CHUNK = 500

Contracts = Sequence[tuple[str, Contract]]


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked for: a campaign with what it advertises, or a kind of mail; `item_types` narrows the contracts."""

    name: str
    title: str
    kind: str
    item_types: frozenset[str] = frozenset()
    advertises: tuple[str, ...] = ()


@dataclass(slots=True)
class Reach:
    """How many customers may be written to, by basis, and why the others may not, with one example of each reason."""

    target: Target
    customers: int = 0
    permitted: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def count(self, said: Permitted | Refused) -> None:
        """Add one customer."""
        self.customers += 1
        if isinstance(said, Permitted):
            self.permitted[said.basis.value] += 1
        else:
            self.refused[said.reason.value] += 1
            self.examples.setdefault(said.reason.value, said.detail)


def targets_of(campaigns: Sequence[Campaign], policy: Policy) -> list[Target]:
    """Return what to ask for: each campaign, or, without any, contract mail and each kind that a wording names."""
    if campaigns:
        return [_target(campaign) for campaign in campaigns]
    kinds = sorted(frozenset[str]().union(*policy.wordings.values()))
    return [Target(kind, kind, kind) for kind in ["contract_appointment", *kinds]]


def _target(campaign: Campaign) -> Target:
    item_types = frozenset(getattr(campaign.trigger, "item_types", ()))
    return Target(campaign.id, campaign.name or campaign.id, campaign.kind, item_types, campaign.advertises)


def reach(shop: Premises, targets: Sequence[Target], now: datetime) -> list[Reach]:
    """Ask for every customer and every target whether a mail might go now."""
    found = [Reach(target) for target in targets]
    policy = policy_of(shop.config)
    with shop.database.read() as session:
        for rows in people.everybody(session, _CHUNK):
            subjects = [(number, address, None) for number, address in rows]
            facts = permission_facts(session, shop.keyring, subjects, now, policy)
            contracts = _contracts(session, targets, [number for number, _ in rows])
            for (number, _), each in zip(rows, facts, strict=True):
                for one in found:
                    one.count(permit_anyhow(one.target, each, contracts.get(number, ()), policy, now))
    return found


def _contracts(session: Session, targets: Sequence[Target], customers: Sequence[int]) -> Mapping[int, Contracts]:
    if all(is_advertising(target.kind) for target in targets):
        return {}
    return people.contracts_of(session, customers)


def permit_anyhow(
    target: Target, facts: PermissionFacts, contracts: Contracts, policy: Policy, now: datetime
) -> Permitted | Refused:
    """Decide for a customer, whatever the occasion: any contract or purchase may carry the mail.

    Where none does, the last one's miss is named.
    """
    if is_advertising(target.kind):
        return _permit_advertising(target, facts, policy, now)
    said: Permitted | Refused = permit(target.kind, facts, policy, now)
    for item_type, contract in contracts:
        if target.item_types and item_type not in target.item_types:
            continue
        said = permit(target.kind, replace(facts, contract=contract), policy, now)
        if isinstance(said, Permitted):
            return said
    return said


def _permit_advertising(target: Target, facts: PermissionFacts, policy: Policy, now: datetime) -> Permitted | Refused:
    """Decide on advertising; a mail about a purchase can be about any that has a notice."""
    said = permit(target.kind, facts, policy, now, About(target.advertises))
    if isinstance(said, Permitted) or target.advertises or target.kind not in ABOUT_THE_PURCHASE:
        return said
    for sale in facts.buyer.sales:
        said = permit(target.kind, facts, policy, now, About((), sale.purchase_id, sale.categories))
        if isinstance(said, Permitted):
            return said
    return said
