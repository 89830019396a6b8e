"""Whom we may write to at all: the same answer that sending gives, for everybody."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from engine.app import Premises
from engine.domain.permission import Permitted, permit
from engine.steps import subscribing
from engine.steps.foresight import reaching, recounting
from engine.steps.foresight.reaching import Target
from engine.store.consents import permission_facts
from engine.store.database import Database
from tests.people import NOW, add_consent, add_customer, add_service_item
from tests.steps.premises import open_shop

BIRTHDAY = Target("birthday", "Geburtstag", "birthday")
CONTRACT = Target("service", "Wartung", "contract_appointment", frozenset({"heating"}))


@pytest.fixture
def shop(tmp_path: Path, database: Database) -> Premises:
    """Give a shop with six customers, once on each database."""
    shop = open_shop(tmp_path, database)
    with database.write() as session:
        people = [add_customer(session, f"{n}", f"k{n}@example.com" if n else None) for n in range(6)]
        for one in people[1:4]:
            add_consent(session, one)
        add_consent(session, people[4], state="requested", proven=False)
        add_service_item(session, people[5], "T-1", NOW.date(), contract_ref="W-1")
        add_service_item(session, people[4], "T-2", NOW.date(), contract_ref="W-2", contract_until=date(2026, 1, 1))
        add_service_item(session, people[3], "B-1", NOW.date(), contract_ref="W-3", item_type="boiler")
    subscribing.object_from_any_channel(shop, "3", "called", NOW)
    return shop


def test_everybody_is_counted_once_with_a_basis_or_a_reason(shop: Premises) -> None:
    birthday, service = reaching.reach(shop, [BIRTHDAY, CONTRACT], NOW)
    assert (birthday.customers, birthday.permitted) == (6, {"consent": 2})
    assert birthday.refused == {"no_address": 1, "objection": 1, "not_confirmed": 1, "no_consent": 1}
    assert service.permitted == {"contract": 1}
    assert service.refused == {"no_address": 1, "no_contract": 3, "contract_over": 1}


def test_the_count_is_what_the_rule_says_of_each(shop: Premises, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaching, "_CHUNK", 2)
    counted = reaching.reach(shop, [BIRTHDAY], NOW)[0]
    with shop.database.read() as session:
        rows = [(n, n - 1 or None, None) for n in range(1, 7)]
        facts = permission_facts(session, shop.keyring, rows, NOW)
    policy = subscribing.policy_of(shop.config)
    said = [permit("birthday", one, policy, NOW) for one in facts]
    assert counted.permitted.total() == sum(isinstance(one, Permitted) for one in said)


def test_any_contract_that_runs_carries_the_customer(shop: Premises) -> None:
    with shop.database.write() as session:
        add_service_item(session, add_customer(session, "9", "k9@example.com"), "X", NOW.date(), contract_ref="nein")
        ten = add_customer(session, "10", "k10@example.com")
        add_service_item(session, ten, "Y", NOW.date(), contract_ref="W-9", contract_until=date(2026, 1, 1))
        add_service_item(session, ten, "Z", NOW.date(), contract_ref="W-10")
    assert reaching.reach(shop, [CONTRACT], NOW)[0].permitted == {"contract": 2}


def test_without_campaigns_the_kinds_of_the_wordings_are_asked_for(shop: Premises) -> None:
    names = [one.kind for one in reaching.targets_of((), subscribing.policy_of(shop.config))]
    assert names[:2] == ["contract_appointment", "birthday"]


def test_a_persons_history_names_every_event_and_what_follows(shop: Premises) -> None:
    history = recounting.recount(shop, "3", NOW)[0]
    assert [one.state for one in history.events] == ["confirmed", "objected"]
    assert {one.reason.value for one in history.suppressions} == {"objection"}
    assert not isinstance(history.kinds["birthday"], Permitted)
    assert isinstance(history.kinds["contract_appointment"], Permitted)


def test_an_address_nobody_has_can_have_a_history(shop: Premises) -> None:
    subscribing.object_from_any_channel(shop, "stranger@example.com", "reply", NOW)
    history = recounting.recount(shop, "stranger@example.com", NOW)[0]
    assert (history.email, history.events) == ("stranger@example.com", ())
    assert [one.reason.value for one in history.suppressions] == ["objection"]
