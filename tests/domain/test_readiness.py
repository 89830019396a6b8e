"""What a shop must have before a real mail may leave, thing by thing."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.readiness import EEA, RULES, Standing, examined, form_lacks, lacking
from tests.test_language import catalogue

TODAY = date(2026, 11, 27)
COMPLETE = Standing(
    name="Radhaus Sommer",
    address="Lindenallee 4, 80331 München",
    legal_form="GmbH",
    represented_by="Petra Sommer",
    register_entry="Amtsgericht München, HRB 12345",
    email="laden@radhaus.shop",
    phone="+49 89 1234567",
    url="https://radhaus.shop",
    privacy="https://radhaus.shop/datenschutz",
    public_url="https://post.radhaus.shop",
    sender="Radhaus <post@radhaus.shop>",
    dpa_signed_at=date(2026, 10, 1),
    country="FR",
)


def _keys(**changes: object) -> list[str]:
    return [lack.key for lack in lacking(replace(COMPLETE, **changes), TODAY)]  # type: ignore[arg-type]


def test_p1_a_complete_shop_lacks_nothing() -> None:
    assert _keys() == []


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"name": " "}, "shop.name"),
        ({"address": ""}, "shop.address"),
        ({"email": ""}, "shop.email"),
        ({"phone": "", "url": ""}, "shop.phone"),
        ({"register_entry": ""}, "shop.register_entry"),
        ({"represented_by": ""}, "shop.represented_by"),
        ({"examples": ("shop.name",)}, "shop.name"),
        ({"sender": ""}, "provider.from"),
        ({"dpa_signed_at": None}, "provider.dpa_signed_at"),
        ({"dpa_signed_at": date(2026, 11, 28)}, "provider.dpa_signed_at"),
        ({"country": ""}, "provider.country"),
        ({"country": "US"}, "provider.transfer"),
        ({"country": "CH", "transfer": " "}, "provider.transfer"),
        ({"public_url": ""}, "web.public_url"),
        ({"public_url": "http://post.radhaus.shop"}, "web.public_url"),
        ({"privacy": ""}, "shop.privacy"),
        ({"keys_hold": False}, "secret.key"),
        ({"list_unread": True}, "provider.use"),
    ],
)
def test_p1_each_thing_that_is_missing_is_named_by_its_key(changes: dict[str, object], key: str) -> None:
    assert _keys(**changes) == [key]


@pytest.mark.parametrize(
    "changes",
    [
        {"country": "US", "transfer": "EU-US Data Privacy Framework"},
        {"country": "NO"},
        {"dpa_signed_at": TODAY},
        {"phone": ""},
        {"legal_form": "", "register_entry": "", "represented_by": ""},
    ],
)
def test_p1_what_the_law_does_not_ask_is_not_asked(changes: dict[str, object]) -> None:
    assert _keys(**changes) == []


@pytest.mark.parametrize(
    ("form", "lacks"),
    [
        ("", []),
        ("Einzelunternehmen", []),
        ("e.K.", ["register_entry"]),
        ("OHG", ["register_entry"]),
        ("GbR", []),
        ("GmbH", ["register_entry", "represented_by"]),
        ("UG (haftungsbeschränkt)", ["register_entry", "represented_by"]),
        ("GmbH & Co. KG", ["register_entry", "represented_by"]),
        ("e.V.", ["register_entry", "represented_by"]),
    ],
)
def test_i1_each_legal_form_must_name_what_the_law_asks_of_it(form: str, lacks: list[str]) -> None:
    assert form_lacks(form, represented_by="", register_entry=" ") == lacks
    assert form_lacks(form, represented_by="Petra Sommer", register_entry="HRB 1") == []


def test_every_look_says_what_it_is_about_in_both_languages() -> None:
    bare = Standing(examples=("shop.name",), keys_hold=False, list_unread=True, legal_form="GmbH")
    said = [look.text for look in examined(bare, TODAY)]
    for changes in ({}, {"dpa_signed_at": date(2030, 1, 1)}, {"country": "US"}):
        lacks = lacking(replace(bare, **changes), TODAY)  # type: ignore[arg-type]
        said += [text for lack in lacks for text in (lack.text, lack.remedy)]
    assert [text for text in said if text not in catalogue()] == []
    assert {look.topic for look in examined(bare, TODAY) if look.lacks} == {topic for topic, *_ in RULES}


@given(st.sets(st.sampled_from([field.name for field in fields(Standing)])))
def test_p1_taking_things_away_never_makes_a_shop_readier(names: set[str]) -> None:
    empty = Standing(examples=("shop.name",), keys_hold=False, list_unread=True)
    poorer = replace(COMPLETE, **{name: getattr(empty, name) for name in names})
    harmless = {"url", "phone", "legal_form", "transfer", "register_entry", "represented_by"}
    if names - harmless:
        assert lacking(poorer, TODAY)
    assert lacking(COMPLETE, TODAY) == ()


def test_the_union_and_the_three_beside_it_need_no_further_basis() -> None:
    assert len(EEA) == 30
    assert not {"US", "GB", "CH", "UK"} & EEA
