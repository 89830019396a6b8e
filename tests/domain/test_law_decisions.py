"""The decision table of the law (law.md §3), row by row and column by column, and the order of its questions (§4a).

Names carry the numbers of the requirements they show.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain import existing_customer
from engine.domain.contracts import Contract
from engine.domain.existing_customer import About, Buyer, Sale, SalesRules, Shown, evidence_of, is_similar
from engine.domain.grammar import Span
from engine.domain.permission import (
    KINDS,
    Block,
    ConsentFact,
    PermissionFacts,
    Permitted,
    Policy,
    Refused,
    is_advertising,
    permit,
)
from engine.domain.words import Basis, Reason

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
DAY = timedelta(days=1)
ADVERTISING = sorted(kind for kind in KINDS if is_advertising(kind))
CONSENT_ONLY = {"birthday", "seasonal_greeting", "abandoned_cart"}
BY_PURCHASE = sorted(set(ADVERTISING) - CONSENT_ONLY)
WORDINGS = {"wide": frozenset(ADVERTISING), "narrow": frozenset({"newsletter"})}
RULES = SalesRules(
    notices={"auftrag": Shown(date(2026, 1, 1))},
    similarity={"heizung": ("heizung.geraet", "heizung.wartung", "heizung.ersatzteil"), "bad": ("bad.umbau",)},
    special_categories=("apotheke",),
)
POLICY = Policy(ZoneInfo("Europe/Berlin"), WORDINGS, {"narrow": frozenset({"apotheke"})}, sales=RULES)
SALE = Sale(
    "A-17", "concluded", NOW - 90 * DAY, ("heizung.geraet",), email_from_sale=True, notice="auftrag", version="f00d",
    shown_at=NOW - 90 * DAY,
)  # fmt: skip
BUYER = Buyer((SALE,), 1, "A-17")
SERVICE = About(("heizung.wartung",))
EVIDENCE = "purchase:A-17;notice:auftrag"
CONTRACT = Contract("W-2026-17")
ANNA = PermissionFacts(email="anna@example.com", contract=CONTRACT)
YES = ConsentFact(7, "confirmed", NOW - 60 * DAY, frozenset(ADVERTISING), "wide", proven=True)
NO = ConsentFact(8, "objected", NOW - DAY)
CHILD = (2012, 101)
HARD_BOUNCE, ERASED, COMPLAINT, LEGAL = (
    Block(Reason.HARD_BOUNCE, "all", NOW - DAY),
    Block(Reason.ERASED, "advertising", NOW - DAY),
    Block(Reason.COMPLAINT, "advertising", NOW - 2 * DAY),
    Block(Reason.LEGAL_BLOCK, "all", NOW - DAY),
)

C = replace(ANNA, events=(YES,))
E = replace(ANNA, buyer=BUYER)
BOTH = replace(C, buyer=BUYER)
COLUMNS = {
    "C": C,
    "E": E,
    "N": ANNA,
    "U": replace(ANNA, events=(replace(YES, proven=False),)),
    "O": replace(BOTH, events=(YES, NO)),
    "complaint": replace(BOTH, blocks=(COMPLAINT,)),
    "X": replace(BOTH, blocks=(ERASED,)),
    "S": replace(BOTH, blocks=(HARD_BOUNCE,)),
    "M": replace(BOTH, buyer=replace(BUYER, born=CHILD)),
    "legal": replace(BOTH, blocks=(LEGAL,)),
    "restricted": replace(BOTH, restricted_at=NOW - DAY),
    "held": replace(BOTH, held="AZ 1 O 2/26"),
    "paused": replace(BOTH, paused_until=NOW + DAY),
}
NEVER = {
    "U": Reason.UNPROVEN,
    "O": Reason.OBJECTION,
    "complaint": Reason.COMPLAINT,
    "X": Reason.ERASED,
    "S": Reason.HARD_BOUNCE,
    "M": Reason.MINOR,
    "legal": Reason.LEGAL_BLOCK,
    "restricted": Reason.RESTRICTED,
    "held": Reason.LEGAL_HOLD,
    "paused": Reason.PAUSED_BY_PERSON,
}
WHATEVER_THE_KIND = {"S", "legal", "restricted", "held"}


def refused(kind: str, facts: PermissionFacts, about: About = SERVICE, policy: Policy = POLICY) -> Reason:
    said = permit(kind, facts, policy, NOW, about)
    assert isinstance(said, Refused), said
    return said.reason


def with_sale(**changes: object) -> PermissionFacts:
    return replace(ANNA, buyer=Buyer((replace(SALE, **changes),), 0, ""))  # type: ignore[arg-type]


# -- the table -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("kind", ADVERTISING)
def test_section_3_every_advertising_row_and_column(kind: str, column: str) -> None:
    said = permit(kind, COLUMNS[column], POLICY, NOW, SERVICE)
    if column == "C":
        assert said == Permitted(Basis.CONSENT, "consent:7")
    elif column == "E" and kind in BY_PURCHASE:
        assert said == Permitted(Basis.EXISTING_CUSTOMER, EVIDENCE)
    elif column == "E":
        assert refused(kind, COLUMNS[column]) is Reason.KIND_NEEDS_CONSENT
    elif column == "N":
        assert refused(kind, COLUMNS[column]) is (Reason.NO_CONSENT if kind in CONSENT_ONLY else Reason.NO_PURCHASE)
    else:
        assert refused(kind, COLUMNS[column]) is NEVER[column]


@pytest.mark.parametrize("column", COLUMNS)
def test_section_3_and_a3_contract_mail_goes_by_its_contract_alone(column: str) -> None:
    said = permit("contract_appointment", COLUMNS[column], POLICY, NOW)
    if column in WHATEVER_THE_KIND:
        assert isinstance(said, Refused)
        assert said.reason is NEVER[column]
    else:
        assert said == Permitted(Basis.CONTRACT, "contract:W-2026-17")
        assert refused("contract_appointment", replace(COLUMNS[column], contract=None)) is Reason.NO_CONTRACT


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("kind", sorted(set(KINDS) - set(ADVERTISING) - {"contract_appointment"}))
def test_section_3_and_a3_what_is_owed_without_a_cause_on_record_is_not_sent(kind: str, column: str) -> None:
    reason = refused(kind, COLUMNS[column])
    assert reason is (NEVER[column] if column in WHATEVER_THE_KIND else Reason.NO_CONTRACT)


def test_section_4a_the_order_of_the_questions_is_pinned() -> None:
    """Begin with everything against the mail and mend one thing at a time, in the order of the law."""
    wrong = {
        "email": "müller@example.com", "blocks": (COMPLAINT, HARD_BOUNCE, LEGAL), "held": "AZ 1", "restricted_at": NOW,
        "events": (replace(YES, at=NOW - 900 * DAY, wording="narrow"), NO), "paused_until": NOW + DAY,
        "buyer": Buyer((replace(SALE, status="cancelled", email_from_sale=False, version="", at=NOW - 800 * DAY),), 0,
                       "", CHILD),
    }  # fmt: skip
    sale = wrong["buyer"].sales[0]  # type: ignore[attr-defined]
    apothecary = About(("apotheke.salbe",))
    old = {"notices": {"auftrag": Shown(date(2020, 1, 1))}}
    policy = replace(POLICY, special_wordings={}, sales=replace(RULES, **old))  # type: ignore[arg-type]
    mended: list[tuple[Reason, dict[str, object], About]] = [
        (Reason.UNSENDABLE_ADDRESS, {}, apothecary),
        (Reason.LEGAL_BLOCK, {"email": "anna@example.com"}, apothecary),
        (Reason.HARD_BOUNCE, {"blocks": (COMPLAINT, HARD_BOUNCE)}, apothecary),
        (Reason.LEGAL_HOLD, {"blocks": (COMPLAINT,)}, apothecary),
        (Reason.RESTRICTED, {"held": ""}, apothecary),
        (Reason.OBJECTION, {"restricted_at": None}, apothecary),
        (Reason.COMPLAINT, {"events": (wrong["events"][0],)}, apothecary),  # type: ignore[index]
        (Reason.PAUSED_BY_PERSON, {"blocks": ()}, apothecary),
        (Reason.MINOR, {"paused_until": None}, apothecary),
        (Reason.SPECIAL_CATEGORY, {"parents_agreed_at": NOW - DAY}, apothecary),
        (Reason.STALE_CONSENT, {}, SERVICE),
        (Reason.MINOR, {"events": ()}, apothecary),
        (Reason.SPECIAL_CATEGORY, {"buyer": Buyer((sale,))}, apothecary),
        (Reason.PURCHASE_NOT_CONCLUDED, {}, SERVICE),
        (Reason.ADDRESS_NOT_FROM_SALE, {"buyer": Buyer((sale := replace(sale, status="concluded"),))}, SERVICE),
        (Reason.NOTICE_MISSING, {"buyer": Buyer((sale := replace(sale, email_from_sale=True),))}, SERVICE),
        (Reason.STALE_CUSTOMER, {"buyer": Buyer((sale := replace(sale, version="f00d", shown_at=sale.at),))}, SERVICE),
        (Reason.CATEGORY_NOT_SIMILAR, {"buyer": BUYER}, About(("bad.umbau",))),
    ]
    present = replace(ANNA, **wrong)  # type: ignore[arg-type]
    for expected, change, about in mended:
        present = replace(present, **change)  # type: ignore[arg-type]
        assert refused("newsletter", present, about, policy) is expected
    assert permit("newsletter", present, policy, NOW, SERVICE) == Permitted(Basis.EXISTING_CUSTOMER, EVIDENCE)
    assert refused("birthday", present, SERVICE, policy) is Reason.KIND_NEEDS_CONSENT


# -- D: § 7(3) UWG -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"status": "open"}, Reason.PURCHASE_NOT_CONCLUDED),
        ({"status": "cancelled"}, Reason.PURCHASE_NOT_CONCLUDED),
        ({"status": "returned"}, Reason.PURCHASE_NOT_CONCLUDED),
        ({"status": "revoked"}, Reason.PURCHASE_NOT_CONCLUDED),
        ({"at": NOW + DAY}, Reason.PURCHASE_NOT_CONCLUDED),
        ({"is_free": True}, Reason.PURCHASE_NOT_CONCLUDED),
        ({"email_from_sale": False}, Reason.ADDRESS_NOT_FROM_SALE),
        ({"version": ""}, Reason.NOTICE_MISSING),
        ({"notice": "unknown"}, Reason.NOTICE_MISSING),
        ({"shown_at": None}, Reason.NOTICE_MISSING),
        ({"shown_at": SALE.at + timedelta(seconds=1)}, Reason.NOTICE_MISSING),
        ({"at": datetime(2025, 12, 31, 22, 59, tzinfo=UTC), "shown_at": NOW - 900 * DAY}, Reason.NOTICE_MISSING),
        ({"categories": ("apotheke.salbe", "heizung.geraet")}, Reason.SPECIAL_CATEGORY),
        ({"categories": ("bad.umbau",)}, Reason.CATEGORY_NOT_SIMILAR),
        ({"categories": ()}, Reason.CATEGORY_NOT_SIMILAR),
    ],
)
def test_d1_d2_d6_what_is_not_on_record_of_a_purchase_is_not_so(changes: dict[str, object], expected: Reason) -> None:
    assert refused("winback", with_sale(**changes)) is expected


def test_d1_the_notice_counts_from_the_first_local_day_on() -> None:
    first = datetime(2025, 12, 31, 23, 0, tzinfo=UTC)  # midnight in Berlin
    assert isinstance(permit("winback", with_sale(at=first, shown_at=first), POLICY, NOW, SERVICE), Permitted)


def test_d2_a_free_account_is_a_sale_only_where_the_owner_reads_the_law_so() -> None:
    wider = replace(POLICY, sales=replace(RULES, strict_sale=False))
    assert isinstance(permit("winback", with_sale(is_free=True), wider, NOW, SERVICE), Permitted)


def test_d3_all_advertised_categories_must_be_similar_to_a_purchase() -> None:
    both = About(("heizung.wartung", "bad.umbau"))
    said = permit("winback", E, POLICY, NOW, both)
    assert said == Refused(Reason.CATEGORY_NOT_SIMILAR, f"bad.umbau <> heizung.geraet ({EVIDENCE})")
    bath = replace(SALE, purchase_id="B-2", categories=("bad.umbau",), at=SALE.at - DAY, shown_at=SALE.at - DAY)
    together = permit("winback", replace(ANNA, buyer=Buyer((SALE, bath))), POLICY, NOW, both)
    assert together == Permitted(Basis.EXISTING_CUSTOMER, f"{EVIDENCE};purchase:B-2;notice:auftrag")


@pytest.mark.parametrize(
    ("advertised", "bought", "expected"),
    [
        ("heizung.wartung", "heizung.geraet", True),
        ("heizung.wartung.gas", "heizung.geraet.therme", True),
        ("heizung.wartung", "heizung.wartung", True),
        ("garten", "garten", True),
        ("garten.rasen", "garten", True),
        ("garten", "garten.rasen", False),
        ("heizung", "heizung.geraet", False),
        ("heizungsbau", "heizung", False),
        ("bad.umbau", "heizung.geraet", False),
        ("puzzle", "speakers", False),
    ],
)
def test_d3_what_is_similar_is_the_owners_word_and_every_thing_is_like_itself(
    advertised: str, bought: str, expected: bool
) -> None:
    assert is_similar(advertised, [bought], RULES.similarity) is expected


def test_d3_everything_is_similar_only_in_a_single_assortment() -> None:
    plain = replace(POLICY, sales=replace(RULES, special_categories=()))
    assert refused("coupon", E, About(("*",)), plain) is Reason.ADVERTISES_EVERYTHING
    single = replace(plain, sales=replace(plain.sales, single_assortment=True))
    assert permit("coupon", E, single, NOW, About(("*",))) == Permitted(Basis.EXISTING_CUSTOMER, EVIDENCE)


@pytest.mark.parametrize("kind", sorted(existing_customer.KINDS))
def test_d3_only_a_mail_about_its_own_purchase_may_leave_open_what_it_advertises(kind: str) -> None:
    about = About((), "A-17", ("heizung.geraet",))
    if kind in {"thank_you", "feedback_request", "review_request", "feedback_result"}:
        assert permit(kind, E, POLICY, NOW, about) == Permitted(Basis.EXISTING_CUSTOMER, EVIDENCE)
        assert refused(kind, E, About((), "A-18", ("bad.umbau",))) is Reason.CATEGORY_NOT_SIMILAR
        assert refused(kind, E, About((), "A-18")) is Reason.ADVERTISES_MISSING
    else:
        assert refused(kind, E, about) is Reason.ADVERTISES_MISSING


@pytest.mark.parametrize("kind", ["third_party_offer", "partner_offer", "NEWSLETTER", "newsletter ", ""])
def test_d4_there_is_no_kind_for_what_others_sell(kind: str) -> None:
    assert refused(kind, BOTH) is Reason.UNKNOWN_KIND
    assert not any("partner" in known or "third" in known for known in KINDS)


def test_d5_and_c6_an_objection_is_fatal_even_where_a_consent_has_lifted_it() -> None:
    lifted = replace(BOTH, events=(replace(NO, at=NOW - 800 * DAY), replace(YES, at=NOW - 790 * DAY)))
    assert refused("winback", lifted) is Reason.STALE_CONSENT
    without = replace(lifted, events=lifted.events[1:])
    assert permit("winback", without, POLICY, NOW, SERVICE) == Permitted(Basis.EXISTING_CUSTOMER, EVIDENCE)
    used = replace(lifted, consent_used_at=NOW - DAY)
    assert permit("winback", used, POLICY, NOW, SERVICE) == Permitted(Basis.CONSENT, "consent:7")


def test_c6_a_new_purchase_does_not_lift_an_objection() -> None:
    later = replace(SALE, at=NOW - timedelta(hours=1), shown_at=NOW - timedelta(hours=1))
    assert refused("winback", replace(ANNA, events=(NO,), buyer=Buyer((later,), 1, "A-17"))) is Reason.OBJECTION


def test_d8_a_greeting_is_not_carried_by_a_purchase() -> None:
    for kind in CONSENT_ONLY:
        assert refused(kind, E) is Reason.KIND_NEEDS_CONSENT


def test_d9_the_last_purchase_may_not_be_too_long_ago() -> None:
    edge = datetime(2024, 11, 23, 0, 0, tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)
    policy = replace(POLICY, sales=replace(RULES, notices={"auftrag": Shown(date(2020, 1, 1))}))
    fresh, stale = with_sale(at=edge, shown_at=edge), with_sale(at=edge - DAY, shown_at=edge - DAY)
    assert isinstance(permit("winback", fresh, policy, NOW, SERVICE), Permitted)
    assert refused("winback", stale, SERVICE, policy) is Reason.STALE_CUSTOMER
    shorter = replace(policy, sales=replace(policy.sales, stale_customer=Span.parse("12 months")))
    assert refused("winback", fresh, SERVICE, shorter) is Reason.STALE_CUSTOMER


def test_d10_m1_ages_are_counted_in_local_days() -> None:
    for years, expected in ((18, None), (17, Reason.MINOR)):
        young = replace(E, buyer=replace(BUYER, born=(2026 - years, 1123)))
        said = permit("winback", young, POLICY, NOW, SERVICE)
        assert (said.reason if isinstance(said, Refused) else None) is expected
    tomorrow = replace(E, buyer=replace(BUYER, born=(2008, 1124)))
    assert refused("winback", tomorrow) is Reason.MINOR
    only_the_year = replace(E, buyer=replace(BUYER, born=(2008, None)))
    assert refused("winback", only_the_year) is Reason.MINOR


def test_m1_from_16_on_ones_own_consent_counts_and_before_only_with_the_parents() -> None:
    sixteen = replace(C, buyer=Buyer(born=(2010, 1123)))
    assert permit("newsletter", sixteen, POLICY, NOW) == Permitted(Basis.CONSENT, "consent:7")
    child = replace(C, buyer=Buyer(born=(2010, 1124)))
    assert refused("newsletter", child) is Reason.MINOR
    assert isinstance(permit("newsletter", replace(child, parents_agreed_at=NOW - DAY), POLICY, NOW), Permitted)
    assert refused("newsletter", replace(child, parents_agreed_at=NOW + DAY)) is Reason.MINOR


@pytest.mark.parametrize("about", [About(("apotheke.salbe",)), About(("*",)), About(bought=("apotheke",))])
def test_m3_special_categories_need_a_wording_that_names_them(about: About) -> None:
    assert refused("newsletter", C, about) is Reason.SPECIAL_CATEGORY
    assert refused("newsletter", E, about) is Reason.SPECIAL_CATEGORY
    named = replace(C, events=(replace(YES, wording="narrow"),))
    assert permit("newsletter", named, POLICY, NOW, about) == Permitted(Basis.CONSENT, "consent:7")


def test_d11_the_nearest_miss_is_named_with_the_ids_of_purchase_and_notice() -> None:
    older = replace(SALE, purchase_id="A-9", at=SALE.at - DAY, status="cancelled")
    said = permit("winback", replace(ANNA, buyer=Buyer((older, replace(SALE, version="")))), POLICY, NOW, SERVICE)
    assert said == Refused(Reason.NOTICE_MISSING, EVIDENCE)
    without = replace(ANNA, buyer=Buyer((older,), 3, "L-1"))
    assert permit("winback", without, POLICY, NOW, SERVICE) == Refused(Reason.NOTICE_MISSING, "purchase:L-1")


@given(st.text(min_size=1), st.text(min_size=1))
def test_e8_evidence_can_be_read_back_whatever_the_ids_are(purchase: str, notice: str) -> None:
    sale = replace(SALE, purchase_id=purchase, notice=notice)
    assert evidence_of(f"{sale.evidence};{EVIDENCE}") == [(purchase, notice), ("A-17", "auftrag")]
    assert evidence_of("consent:7") == evidence_of("") == evidence_of("purchase:;notice:") == []


# -- B: consent --------------------------------------------------------------------------------------------------------


def test_b15_a_consent_that_is_not_used_lapses_and_use_keeps_it() -> None:
    old = replace(C, events=(replace(YES, at=NOW - 740 * DAY),))
    assert refused("newsletter", old) is Reason.STALE_CONSENT
    assert isinstance(permit("newsletter", replace(old, consent_used_at=NOW - 700 * DAY), POLICY, NOW), Permitted)
    assert refused("newsletter", replace(old, consent_used_at=NOW - 735 * DAY)) is Reason.STALE_CONSENT
    longer = replace(POLICY, stale_consent=Span.parse("3 years"))
    assert isinstance(permit("newsletter", old, longer, NOW), Permitted)


def test_b16_a_renewal_goes_only_to_whom_something_may_be_mailed_now() -> None:
    narrow = replace(YES, kinds=frozenset({"newsletter"}))
    one_kind = replace(ANNA, events=(narrow,))
    assert permit("consent_refresh", one_kind, POLICY, NOW) == Permitted(Basis.CONSENT, "consent:7")
    assert permit("consent_refresh", E, POLICY, NOW) == Permitted(Basis.EXISTING_CUSTOMER, EVIDENCE)
    gone = replace(NO, state="withdrawn", kinds=frozenset({"newsletter"}))
    for nobody in (
        ANNA,
        COLUMNS["U"],
        replace(ANNA, events=(narrow, gone)),
        replace(ANNA, events=(narrow, replace(NO, state="withdrawn", kinds=frozenset({"consent_refresh"})))),
        replace(ANNA, events=(replace(narrow, at=NOW - 800 * DAY),)),
    ):
        assert isinstance(permit("consent_refresh", nobody, POLICY, NOW), Refused)


def test_b3_a_consent_for_another_kind_is_no_consent_and_a_notice_is_nearer_than_that() -> None:
    other = replace(ANNA, events=(replace(YES, kinds=frozenset({"newsletter"})),))
    assert refused("winback", other) is Reason.CONSENT_NOT_FOR_KIND
    assert refused("winback", replace(other, buyer=BUYER), About()) is Reason.ADVERTISES_MISSING
    assert refused("winback", replace(other, buyer=Buyer((), 2, "L-1"))) is Reason.CONSENT_NOT_FOR_KIND


def test_a_pause_is_for_advertising_and_ends_by_itself() -> None:
    paused = COLUMNS["paused"]
    assert isinstance(permit("newsletter", replace(paused, paused_until=NOW), POLICY, NOW), Permitted)


# -- whatever the facts ------------------------------------------------------------------------------------------------

instants = st.integers(-1000, 30).map(lambda days: NOW + days * DAY)
categories = st.lists(
    st.sampled_from(["heizung.geraet", "heizung.wartung", "bad.umbau", "apotheke.salbe", "garten"]), max_size=2
).map(tuple)
sales = st.builds(
    Sale,
    purchase_id=st.sampled_from(["A-1", "A-2", "A-3"]),
    status=st.sampled_from(["concluded", "concluded", "cancelled", "open"]),
    at=instants,
    categories=categories,
    email_from_sale=st.booleans(),
    notice=st.sampled_from(["auftrag", "unknown"]),
    version=st.sampled_from(["f00d", ""]),
    shown_at=st.one_of(st.none(), instants),
)
events = st.builds(
    ConsentFact,
    id=st.integers(1, 50),
    state=st.sampled_from(["confirmed", "requested", "withdrawn", "objected", "claimed"]),
    at=instants,
    kinds=st.frozensets(st.sampled_from(ADVERTISING), max_size=3),
    wording=st.sampled_from(["wide", "narrow", "lost"]),
    proven=st.booleans(),
)
people = st.builds(
    PermissionFacts,
    email=st.just("anna@example.com"),
    events=st.lists(events, max_size=4).map(tuple),
    contract=st.sampled_from([None, CONTRACT]),
    paused_until=st.one_of(st.none(), instants),
    parents_agreed_at=st.one_of(st.none(), instants),
    consent_used_at=st.one_of(st.none(), instants),
    buyer=st.builds(
        Buyer,
        sales=st.lists(sales, max_size=3).map(tuple),
        concluded=st.integers(0, 3),
        last=st.just("L-1"),
        born=st.sampled_from([(None, None), (2012, 101), (2009, 101), (1980, 101)]),
    ),
)
mails = st.builds(About, advertises=categories, purchase=st.just("A-1"), bought=categories)
kinds = st.sampled_from(sorted(KINDS))
SUPPRESSIONS = [
    Block(reason, scope, NOW - 2000 * DAY)
    for reason, scope in [
        (Reason.LEGAL_BLOCK, "all"), (Reason.HARD_BOUNCE, "all"), (Reason.SUPPRESSED, "all"),
    ]
]  # fmt: skip


@given(people, kinds, mails, st.sampled_from(SUPPRESSIONS))
def test_f6_no_facts_whatever_let_a_suppressed_person_through(
    facts: PermissionFacts, kind: str, about: About, block: Block
) -> None:
    assert isinstance(permit(kind, replace(facts, blocks=(block,)), POLICY, NOW, about), Refused)


@given(people, st.sampled_from(ADVERTISING), mails, st.sampled_from([COMPLAINT, ERASED]))
def test_c3_no_advertising_reaches_anybody_after_the_last_no(
    facts: PermissionFacts, kind: str, about: About, block: Block
) -> None:
    last = replace(block, at=NOW + 40 * DAY)
    assert isinstance(permit(kind, replace(facts, blocks=(last,)), POLICY, NOW, about), Refused)


NOES: list[dict[str, object]] = [
    {"restricted_at": NOW}, {"held": "AZ"}, {"keys_hold": False}, {"email": None}, {"paused_until": NOW + DAY},
    {"blocks": (COMPLAINT,)}, {"blocks": (ERASED,)}, {"blocks": (HARD_BOUNCE,)}, {"blocks": (LEGAL,)},
]  # fmt: skip


@given(people, kinds, mails, st.sampled_from(NOES))
def test_f2_one_more_no_never_permits_what_was_refused(
    facts: PermissionFacts, kind: str, about: About, no: dict[str, object]
) -> None:
    before = permit(kind, facts, POLICY, NOW, about)
    after = permit(kind, replace(facts, **no), POLICY, NOW, about)  # type: ignore[arg-type]
    assert isinstance(before, Permitted) or isinstance(after, Refused)


@given(people, kinds, mails, st.sampled_from(["objected", "withdrawn"]), instants)
def test_f2_one_more_event_of_refusal_never_permits_what_was_refused(
    facts: PermissionFacts, kind: str, about: About, state: str, at: datetime
) -> None:
    said = replace(facts, events=(*facts.events, ConsentFact(99, state, at)))
    if isinstance(permit(kind, facts, POLICY, NOW, about), Refused):
        assert isinstance(permit(kind, said, POLICY, NOW, about), Refused)


@given(people, mails, st.sampled_from(ADVERTISING))
def test_d_whoever_is_mailed_for_a_purchase_has_one_that_meets_every_condition(
    facts: PermissionFacts, about: About, kind: str
) -> None:
    said = permit(kind, facts, POLICY, NOW, about)
    if not isinstance(said, Permitted) or said.basis is not Basis.EXISTING_CUSTOMER:
        return
    assert kind not in CONSENT_ONLY
    assert not any(event.state == "objected" for event in facts.events)
    assert facts.buyer.born in {(None, None), (1980, 101)}
    for number, notice in evidence_of(said.evidence):
        assert any(
            sale.purchase_id == number
            and sale.notice == notice == "auftrag"
            and sale.status == "concluded"
            and sale.email_from_sale
            and sale.version
            and sale.shown_at is not None
            and sale.shown_at <= sale.at <= NOW
            for sale in facts.buyer.sales
        )


@given(people, kinds, mails)
def test_more_to_advertise_is_never_easier(facts: PermissionFacts, kind: str, about: About) -> None:
    wider = [replace(about, advertises=about.advertises + more) for more in ((), ("bad.umbau",), ("bad.umbau", "*"))]
    said = [isinstance(permit(kind, facts, POLICY, NOW, one), Permitted) for one in wider if one.advertises]
    assert all(later <= earlier for earlier, later in pairwise(said))


@given(people, kinds)
def test_the_order_in_which_purchases_were_brought_does_not_matter(facts: PermissionFacts, kind: str) -> None:
    turned = replace(facts, buyer=replace(facts.buyer, sales=facts.buyer.sales[::-1]))
    one, other = (permit(kind, each, POLICY, NOW, SERVICE) for each in (facts, turned))
    assert isinstance(one, Permitted) == isinstance(other, Permitted)
