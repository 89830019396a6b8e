"""A mail to an existing customer on its way: planned, explained, released on its purchase, and audited."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from engine.app import App
from engine.domain.existing_customer import SalesRules
from engine.domain.words import Basis, Reason
from engine.steps import subscribing
from engine.steps.foresight import explaining, foreseeing, reaching
from engine.store.consents import permission_facts
from engine.store.lawful_tables import LegalHold, NoticeVersion
from engine.store.tables import Address, Customer, Purchase
from tests.conftest import CONFIG, MakeApp
from tests.people import NOW, add_consent, add_customer, add_purchase
from tests.providers.conftest import Served
from tests.steps.sending_shop import BIRTHDAY, BODIES, real_config, rows, tick
from tests.steps.soundness import assert_sound, violations

DAY = timedelta(days=1)
THANKS = """
id = "thanks"
kind = "thank_you"

[trigger]
on = "purchase"
when = "2 days after"

[start]
from = 2026-11-01

[message]
subject = "Danke"
body = "{{ greeting }}, danke."
"""
WINBACK = (
    THANKS.replace('"thanks"', '"winback"')
    .replace('"thank_you"', '"winback"')
    .replace("[trigger]", 'advertises = ["bikes.service"]\n[trigger]', 1)
)
LAWFUL = """
[notice.kasse]
file = "wording.txt"
contact = "jederzeit"
shown_from = 2026-01-01
proof = "wording.txt"
declared_by = "Petra Sommer"

[legal.similarity]
rad = ["bikes.road_bikes", "bikes.service"]
"""
BOUGHT = {
    "categories": ";bikes.road_bikes;", "email_from_sale": True, "notice": "kasse", "notice_version": "f00d",
    "notice_shown_at": NOW - 2 * DAY,
}  # fmt: skip
EVIDENCE = "purchase:P-1;notice:kasse"


def build(make_app: MakeApp, config: str = CONFIG, campaigns: dict[str, str] | None = None, **bought: object) -> App:
    app = make_app(config=config + LAWFUL, campaigns=campaigns or {"thanks": THANKS})
    with app.database.write() as session:
        anna = add_customer(session, "1", "anna@example.com", first_name="Anna")
        session.add(NoticeVersion(sha256="f00d", name="kasse", content="{}", seen_at=NOW))
        add_purchase(session, anna, "P-1", NOW - 2 * DAY, **(BOUGHT | bought))
    return app


def decided(app: App) -> tuple[str, Reason | None, Basis | None]:
    (line,) = foreseeing.foresee(app, NOW).lines
    return line.decision, line.reason, line.basis


def test_a_mail_to_an_existing_customer_goes_with_its_evidence_and_the_audit_is_content(
    make_app: MakeApp, brevo: Served
) -> None:
    app = build(make_app, real_config(brevo))
    tick(app)
    (row,) = rows(app)
    assert (row.state, row.basis, row.evidence) == ("sent", Basis.EXISTING_CUSTOMER, EVIDENCE)
    (body,) = rows(app, BODIES)
    words = " ".join(body.text.split())
    assert "weil Sie bei uns gekauft haben: Bikes (Road bikes)" in words
    assert "Sie können der Nutzung Ihrer Adresse für Werbung jederzeit widersprechen" in words
    assert_sound(app)


@pytest.mark.parametrize(
    "broken",
    [{"email_from_sale": False}, {"notice": "other"}, {"notice_version": "beef"}, {"purchased_at": NOW + DAY}],
)
def test_the_audit_finds_a_mail_whose_purchase_does_not_carry_it(
    make_app: MakeApp, brevo: Served, broken: dict[str, object]
) -> None:
    app = build(make_app, real_config(brevo))
    tick(app)
    table = Purchase.__table__  # type: ignore[attr-defined]
    with app.database.write() as session:
        session.connection().execute(sa.update(table).values(**broken))
    assert {one.check for one in violations(app)} == {"evidence"}


def test_thanks_advertise_what_was_bought_and_a_winback_what_it_says(make_app: MakeApp) -> None:
    app = build(make_app, campaigns={"winback": WINBACK})
    assert decided(app) == ("send", None, Basis.EXISTING_CUSTOMER)
    said = explaining.explain(app, "1", "winback", NOW)[0]
    assert ("permission", "ok", f"existing_customer: {EVIDENCE}") in [
        (line.check, line.result, line.detail) for line in said.trail
    ]


@pytest.mark.parametrize(
    ("bought", "reason"),
    [
        ({"notice": "", "notice_version": ""}, Reason.NOTICE_MISSING),
        ({"email_from_sale": None}, Reason.ADDRESS_NOT_FROM_SALE),
        ({"categories": ";helmets;"}, Reason.CATEGORY_NOT_SIMILAR),
    ],
)
def test_d11_explain_names_the_purchase_that_came_nearest(
    make_app: MakeApp, bought: dict[str, object], reason: Reason
) -> None:
    app = build(make_app, campaigns={"winback": WINBACK}, **bought)
    assert decided(app) == ("skip", reason, None)
    said = explaining.explain(app, "1", "winback", NOW)[0]
    assert said.reason is reason
    assert any("purchase:P-1" in line.detail for line in said.trail if line.check == "permission")


def test_an_objection_stops_it_at_once(make_app: MakeApp) -> None:
    app = build(make_app)
    subscribing.object_from_any_channel(app, "1", "called", NOW)
    assert decided(app) == ("skip", Reason.OBJECTION, None)


def test_c5_no_figure_of_purchases_finds_somebody_who_objected(make_app: MakeApp) -> None:
    lapsed = WINBACK.replace('"purchase"\nwhen = "2 days after"', '"lapsed"\nafter = "2 days"')
    app = build(
        make_app, campaigns={"winback": lapsed.replace("[trigger]", "[audience]\nmin_purchases = 1\n[trigger]", 1)}
    )

    def reached() -> tuple[dict[str, int], dict[str, int]]:
        targets = reaching.targets_of(app.campaigns, subscribing.policy_of(app.config))
        (found,) = reaching.reach(app, targets, NOW)
        return dict(found.permitted), dict(found.refused)

    assert decided(app) == ("send", None, Basis.EXISTING_CUSTOMER)
    assert reached() == ({"existing_customer": 1}, {})
    subscribing.object_from_any_channel(app, "1", "called", NOW)
    assert decided(app) == ("skip", Reason.OBJECTION, None)
    assert reached() == ({}, {"objection": 1})


@pytest.mark.parametrize("jurisdiction", ["DE", "AT"])
@pytest.mark.parametrize("country", ["", "DE", "AT", "US"])
def test_a8_wherever_somebody_lives_the_strict_conditions_hold(
    make_app: MakeApp, country: str, jurisdiction: str
) -> None:
    app = build(make_app, CONFIG + f'\n[legal]\njurisdiction = "{jurisdiction}"\n')
    bought, customer = Purchase.__table__, Customer.__table__  # type: ignore[attr-defined]
    with app.database.write() as session:
        session.connection().execute(sa.update(customer).values(country=country))
    assert decided(app) == ("send", None, Basis.EXISTING_CUSTOMER)
    for change, reason in (
        ({"notice_version": ""}, Reason.NOTICE_MISSING),
        ({"email_from_sale": False}, Reason.ADDRESS_NOT_FROM_SALE),
    ):
        with app.database.write() as session:
            session.connection().execute(sa.update(bought).values(**change))
        assert decided(app)[:2] == ("skip", reason)
    subscribing.object_from_any_channel(app, "1", "called", NOW)
    assert decided(app)[:2] == ("skip", Reason.OBJECTION)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"restricted_at": NOW - DAY}, Reason.RESTRICTED),
        ({"birth_year": 2010}, Reason.MINOR),
        ({"birth_year": 2009, "birth_md": 101}, Reason.MINOR),
    ],
)
def test_g5_m1_what_the_customers_row_says_counts(make_app: MakeApp, change: dict[str, object], reason: Reason) -> None:
    app = build(make_app)
    table = Customer.__table__  # type: ignore[attr-defined]
    with app.database.write() as session:
        session.connection().execute(sa.update(table).values(**change))
    assert decided(app) == ("skip", reason, None)


def test_a_pause_and_a_case_keep_the_mail_back(make_app: MakeApp) -> None:
    app = build(make_app)
    address, hold = Address.__table__, LegalHold.__table__  # type: ignore[attr-defined]
    with app.database.write() as session:
        session.connection().execute(sa.update(address).values(paused_until=NOW + DAY))
    assert decided(app) == ("skip", Reason.PAUSED_BY_PERSON, None)
    with app.database.write() as session:
        session.connection().execute(sa.update(address).values(paused_until=NOW))
    assert decided(app)[0] == "send"
    with app.database.write() as session:
        session.add(LegalHold(customer_id=1, case_ref="1 O 2/26", operator="Petra", at=NOW))
    assert decided(app) == ("skip", Reason.LEGAL_HOLD, None)
    with app.database.write() as session:
        session.connection().execute(sa.update(hold).values(lifted_at=NOW))
    assert decided(app)[0] == "send"


def test_a_case_about_an_address_alone_keeps_mail_back_too(make_app: MakeApp) -> None:
    from engine.store import suppressions

    app = build(make_app)
    key = suppressions.address_hashes(app.keyring, "anna@example.com").exact
    with app.database.write() as session:
        session.add(LegalHold(address_key=key, case_ref="1 O 2/26", operator="Petra", at=NOW))
    assert decided(app) == ("skip", Reason.LEGAL_HOLD, None)


def test_reach_counts_thanks_for_any_purchase_with_a_notice(make_app: MakeApp) -> None:
    app = build(make_app)
    targets = reaching.targets_of(app.campaigns, subscribing.policy_of(app.config))
    assert reaching.reach(app, targets, NOW)[0].permitted == {"existing_customer": 1}


def test_a_notice_that_is_not_registered_carries_nothing(make_app: MakeApp) -> None:
    app = build(make_app, notice="unknown")
    assert decided(app) == ("skip", Reason.NOTICE_MISSING, None)
    assert date(2026, 1, 1) == subscribing.policy_of(app.config).sales.notices["kasse"].first


@pytest.mark.parametrize("real", [True, False])
def test_b15_a_mail_that_was_sent_on_it_keeps_an_old_consent_and_a_rehearsal_does_not(
    make_app: MakeApp, brevo: Served, real: bool
) -> None:
    a_year_ago, greeting = NOW - 365 * DAY, BIRTHDAY.replace("2026-11-01", "2025-11-01")
    config = real_config(brevo) if real else CONFIG
    app = make_app(config=config, campaigns={"birthday": greeting}, now=a_year_ago)
    with app.database.write() as session:
        anna = add_customer(session, "1", "anna@example.com", birthday=NOW.date().replace(year=1980))
        add_consent(session, anna, at=NOW - 800 * DAY)
    tick(app, a_year_ago)
    tick(app, NOW)
    assert [(row.state.value, row.reason) for row in rows(app)] == [
        ("sent", None), ("sent", None) if real else ("skipped", Reason.STALE_CONSENT),
    ]  # fmt: skip


def test_without_a_registered_notice_nobodys_purchases_are_read(make_app: MakeApp) -> None:
    app = build(make_app)
    policy = subscribing.policy_of(app.config)
    for registered, expected in ((policy, 1), (replace(policy, sales=SalesRules()), 0)):
        with app.database.read() as session:
            (facts,) = permission_facts(session, app.keyring, [(1, 1, None)], NOW, registered)
        assert (len(facts.buyer.sales), facts.buyer.concluded) == (expected, 1)


def test_b16_a_renewal_is_released_and_audited_on_another_kinds_consent(make_app: MakeApp, brevo: Served) -> None:
    renewal = BIRTHDAY.replace('kind = "birthday"', 'kind = "consent_refresh"')
    app = make_app(config=real_config(brevo), campaigns={"birthday": renewal})
    with app.database.write() as session:
        anna = add_customer(session, "1", "anna@example.com", birthday=NOW.date().replace(year=1980))
        add_consent(session, anna, kinds="winback")
        add_customer(session, "2", "ben@example.com", birthday=NOW.date().replace(year=1980))
    tick(app)
    assert [(row.state.value, row.reason) for row in rows(app)] == [("sent", None), ("skipped", Reason.NO_CONSENT)]
    assert_sound(app)
