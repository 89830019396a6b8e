"""The decision of law, as far as this version goes: who may be written to, and why the others may not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.contracts import Contract
from engine.domain.permission import (
    KINDS,
    Block,
    ConsentFact,
    ConsentState,
    LegalClass,
    PermissionFacts,
    Permitted,
    Policy,
    Refused,
    is_advertising,
    is_sendable,
    permit,
    withdrawal_scope,
)
from engine.domain.words import Basis, Reason

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
DAY = timedelta(days=1)
POLICY = Policy(
    ZoneInfo("Europe/Berlin"),
    {"wide": frozenset({"birthday", "winback", "thank_you", "service_reminder"}), "narrow": frozenset({"birthday"})},
)
ALL_KINDS = frozenset({"birthday", "winback", "thank_you", "service_reminder"})


def yes(at: datetime = NOW - 10 * DAY, number: int = 7, **changes: object) -> ConsentFact:
    fact = ConsentFact(number, "confirmed", at, ALL_KINDS, wording="wide", proven=True)
    return replace(fact, **changes)  # type: ignore[arg-type]


def no(
    state: str, at: datetime, number: int = 8, kinds: frozenset[str] = frozenset(), *, own: bool = True
) -> ConsentFact:
    return ConsentFact(number, state, at, kinds, own=own)


def facts(*events: ConsentFact, blocks: tuple[Block, ...] = (), **columns: object) -> PermissionFacts:
    return PermissionFacts(email="anna@example.com", events=events, blocks=blocks, **columns)  # type: ignore[arg-type]


def reason(kind: str, given_facts: PermissionFacts, now: datetime = NOW) -> Reason:
    said = permit(kind, given_facts, POLICY, now)
    assert isinstance(said, Refused)
    return said.reason


def block(why: Reason, scope: str = "advertising", at: datetime = NOW - DAY) -> Block:
    return Block(why, scope, at)


def test_every_kind_of_the_law_is_known_with_its_class() -> None:
    assert {kind for kind in KINDS if is_advertising(kind)} == {
        "newsletter", "product_recommendation", "winback", "coupon", "birthday", "seasonal_greeting",
        "service_reminder", "thank_you", "feedback_request", "review_request", "feedback_result", "vip_offer",
        "loyalty_promo", "consent_refresh", "abandoned_cart",
    }  # fmt: skip
    assert {kind for kind, law in KINDS.items() if law is LegalClass.TRANSACTIONAL} == {
        "order_confirmation", "invoice", "shipping", "contract_appointment", "loyalty_statement", "recall",
        "security_notice", "dsr_response", "doi_request",
    }  # fmt: skip


def test_an_unknown_kind_counts_as_advertising_and_is_refused() -> None:
    assert is_advertising("chain_letter")
    assert reason("chain_letter", facts(yes())) is Reason.UNKNOWN_KIND


# The decision table: C confirmed consent, N nothing, U unproven, O objection, X erased, S hard bounce. The contract is
# there in every column, so that a contract mail fails only where the table says so.
CONTRACT = Contract("W-2026-17", date(2026, 1, 1), date(2026, 12, 31))
COLUMNS = {
    "C": facts(yes(), contract=CONTRACT),
    "N": facts(contract=CONTRACT),
    "U": facts(yes(proven=False), contract=CONTRACT),
    "O": facts(yes(), no("objected", NOW - DAY), contract=CONTRACT),
    "complaint": facts(yes(), blocks=(block(Reason.COMPLAINT),), contract=CONTRACT),
    "X": facts(yes(), blocks=(block(Reason.ERASED),), contract=CONTRACT),
    "S": facts(yes(), blocks=(block(Reason.HARD_BOUNCE, "all"),), contract=CONTRACT),
    "legal": facts(yes(), blocks=(block(Reason.LEGAL_BLOCK, "all"),), contract=CONTRACT),
    "manual": facts(yes(), blocks=(block(Reason.SUPPRESSED, "all"),), contract=CONTRACT),
}
REFUSALS = {
    "N": Reason.NO_CONSENT,
    "U": Reason.UNPROVEN,
    "O": Reason.OBJECTION,
    "complaint": Reason.COMPLAINT,
    "X": Reason.ERASED,
    "S": Reason.HARD_BOUNCE,
    "legal": Reason.LEGAL_BLOCK,
    "manual": Reason.SUPPRESSED,
}
FOR_EVERY_KIND = {"S", "legal", "manual"}


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("kind", ["birthday", "winback", "thank_you", "service_reminder"])
def test_advertising_goes_only_with_a_confirmed_consent_and_no_later_no(kind: str, column: str) -> None:
    said = permit(kind, COLUMNS[column], POLICY, NOW)
    if column == "C":
        assert said == Permitted(Basis.CONSENT, "consent:7")
    else:
        assert isinstance(said, Refused)
        assert said.reason is REFUSALS[column]


@pytest.mark.parametrize("column", COLUMNS)
def test_contract_mail_goes_even_after_an_objection_but_not_to_a_dead_mailbox(column: str) -> None:
    said = permit("contract_appointment", COLUMNS[column], POLICY, NOW)
    if column in FOR_EVERY_KIND:
        assert isinstance(said, Refused)
        assert said.reason is REFUSALS[column]
    else:
        assert said == Permitted(Basis.CONTRACT, "contract:W-2026-17")


def test_an_objection_stops_advertising_even_where_a_contract_stands() -> None:
    assert reason("service_reminder", COLUMNS["O"]) is Reason.OBJECTION


@pytest.mark.parametrize(
    ("contract", "expected"),
    [
        (None, Reason.NO_CONTRACT),
        (Contract(""), Reason.NO_CONTRACT),
        (Contract(" ja "), Reason.NO_CONTRACT),
        (Contract("Nein"), Reason.NO_CONTRACT),
        (Contract("W-1", date(2026, 11, 24)), Reason.NO_CONTRACT),
        (Contract("W-1", None, date(2026, 11, 22)), Reason.CONTRACT_OVER),
    ],
)
def test_contract_mail_needs_a_contract_one_can_show_and_that_runs(contract: Contract | None, expected: Reason) -> None:
    assert reason("contract_appointment", facts(yes(), contract=contract)) is expected


def test_a_contract_runs_through_its_first_and_last_local_day() -> None:
    only_today = Contract("W-1", date(2026, 11, 23), date(2026, 11, 23))
    last_minute = datetime(2026, 11, 23, 22, 59, tzinfo=UTC)  # 23:59 in Berlin
    assert isinstance(permit("contract_appointment", facts(contract=only_today), POLICY, last_minute), Permitted)
    assert reason("contract_appointment", facts(contract=only_today), last_minute + timedelta(minutes=1)) is (
        Reason.CONTRACT_OVER
    )


@pytest.mark.parametrize("kind", [k for k in KINDS if not is_advertising(k) and k != "contract_appointment"])
def test_other_transactional_kinds_have_no_cause_in_this_version(kind: str) -> None:
    assert reason(kind, facts(yes(), contract=CONTRACT)) is Reason.NO_CONTRACT


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], Reason.NO_CONSENT),
        ([no("requested", NOW - DAY, kinds=ALL_KINDS)], Reason.NOT_CONFIRMED),
        ([no("claimed", NOW - DAY)], Reason.UNPROVEN),
        ([yes(proven=False)], Reason.UNPROVEN),
        ([yes(wording="lost")], Reason.UNPROVEN),
        ([yes(kinds=frozenset({"winback"}))], Reason.CONSENT_NOT_FOR_KIND),
        ([yes(kinds=frozenset())], Reason.CONSENT_NOT_FOR_KIND),
        ([yes(at=NOW + DAY)], Reason.NO_CONSENT),
        ([yes(own=False)], Reason.NO_CONSENT),
        ([no("withdrawn", NOW - DAY)], Reason.WITHDRAWN),
        ([yes(), no("withdrawn", NOW - DAY)], Reason.WITHDRAWN),
        ([yes(), no("withdrawn", NOW - DAY, kinds=frozenset({"birthday"}))], Reason.WITHDRAWN),
        ([yes(), no("withdrawn", NOW - DAY, own=False)], Reason.WITHDRAWN),
        ([yes(), no("objected", NOW - DAY), no("withdrawn", NOW)], Reason.OBJECTION),
    ],
)
def test_a_refusal_names_what_is_missing(events: list[ConsentFact], expected: Reason) -> None:
    assert reason("birthday", facts(*events)) is expected


def test_a_consent_counts_only_for_kinds_that_the_event_and_the_wording_both_name() -> None:
    assert reason("winback", facts(yes(wording="narrow"))) is Reason.CONSENT_NOT_FOR_KIND
    assert isinstance(permit("birthday", facts(yes(wording="narrow")), POLICY, NOW), Permitted)


def test_a_withdrawal_of_one_kind_leaves_the_others() -> None:
    events = facts(yes(), no("withdrawn", NOW - DAY, kinds=frozenset({"birthday"})))
    assert isinstance(permit("winback", events, POLICY, NOW), Permitted)


def test_only_a_later_proven_consent_to_this_kind_lifts_an_objection() -> None:
    objected = no("objected", NOW - 5 * DAY)
    assert isinstance(permit("birthday", facts(objected, yes(NOW - DAY)), POLICY, NOW), Permitted)
    assert reason("winback", facts(objected, yes(NOW - DAY, wording="narrow"))) is Reason.OBJECTION
    assert reason("birthday", facts(objected, yes(NOW - DAY, proven=False))) is Reason.OBJECTION
    assert reason("birthday", facts(objected, yes(NOW - 5 * DAY, number=99))) is Reason.OBJECTION


def test_a_no_counts_whatever_its_date_says() -> None:
    later = facts(yes(), no("objected", NOW + DAY))
    assert reason("birthday", later, NOW) is Reason.OBJECTION


def test_a_later_request_or_claim_takes_nothing_back() -> None:
    events = facts(yes(), no("requested", NOW, kinds=ALL_KINDS), no("claimed", NOW))
    assert permit("birthday", events, POLICY, NOW) == Permitted(Basis.CONSENT, "consent:7")


@pytest.mark.parametrize(
    ("email", "expected"),
    [(None, Reason.NO_ADDRESS), ("", Reason.NO_ADDRESS), ("müller@gmx.de", Reason.UNSENDABLE_ADDRESS)],
)
def test_without_a_sendable_address_nothing_goes(email: str | None, expected: Reason) -> None:
    assert reason("contract_appointment", replace(COLUMNS["C"], email=email)) is expected


def test_an_umlaut_domain_is_sendable_and_a_broken_address_is_not() -> None:
    assert is_sendable("info@bäckerei.de")
    assert not any(is_sendable(text) for text in ["@gmx.de", "anna", "anna@", "an na@gmx.de", "a\n@gmx.de"])


@pytest.mark.parametrize("kind", ["birthday", "contract_appointment"])
def test_with_a_key_that_does_not_fit_nothing_goes(kind: str) -> None:
    assert reason(kind, replace(COLUMNS["C"], keys_hold=False)) is Reason.KEY_BROKEN


def test_a_fault_in_the_rules_is_a_refusal() -> None:
    naive = facts(yes(at=datetime(2026, 1, 1)))  # noqa: DTZ001  the fault: it cannot be compared
    assert reason("birthday", naive) is Reason.PERMISSION_FAILED


def test_of_many_reasons_the_gravest_is_named() -> None:
    legal, bounce, manual = (
        block(Reason.LEGAL_BLOCK, "all"),
        block(Reason.HARD_BOUNCE, "all"),
        block(Reason.SUPPRESSED, "all"),
    )
    no_more = (no("objected", NOW - DAY), no("withdrawn", NOW - DAY))
    every = {"events": (yes(proven=False), *no_more), "blocks": (manual, bounce, legal), "keys_hold": False}
    mended: list[tuple[Reason, dict[str, object]]] = [
        (Reason.KEY_BROKEN, {"email": None}),
        (Reason.NO_ADDRESS, {"keys_hold": True}),
        (Reason.UNSENDABLE_ADDRESS, {"email": "müller@gmx.de"}),
        (Reason.LEGAL_BLOCK, {"email": "anna@example.com"}),
        (Reason.HARD_BOUNCE, {"blocks": (manual, bounce)}),
        (Reason.SUPPRESSED, {"blocks": (manual,)}),
        (Reason.OBJECTION, {"blocks": ()}),
        (Reason.WITHDRAWN, {"events": (yes(proven=False), no_more[1])}),
        (Reason.UNPROVEN, {"events": (yes(proven=False),)}),
    ]
    present = replace(facts(), **every)  # type: ignore[arg-type]
    for expected, change in mended:
        present = replace(present, **change)  # type: ignore[arg-type]
        assert reason("birthday", present) is expected
    assert isinstance(permit("birthday", replace(present, events=(yes(),)), POLICY, NOW), Permitted)


instants = st.integers(-30, 30).map(lambda days: NOW + days * DAY)
some_kinds = st.frozensets(st.sampled_from(sorted(ALL_KINDS)))
events_strategy = st.lists(
    st.builds(
        ConsentFact,
        id=st.integers(1, 50),
        state=st.sampled_from(list(ConsentState)),
        at=instants,
        kinds=some_kinds,
        wording=st.sampled_from(["wide", "narrow", "", "lost"]),
        proven=st.booleans(),
        own=st.booleans(),
    ),
    max_size=8,
)


@given(events_strategy, st.sampled_from(["objected", "withdrawn"]), some_kinds, st.sampled_from(sorted(ALL_KINDS)))
def test_nobody_whose_last_word_was_no_is_ever_written_to(
    events: list[ConsentFact], state: str, kinds: frozenset[str], kind: str
) -> None:
    last = max([event.at for event in events if event.at <= NOW], default=NOW)
    covering = kinds | {kind} if kinds else kinds
    said = permit(kind, facts(*events, no(state, last, kinds=covering)), POLICY, NOW)
    assert isinstance(said, Refused)


@given(events_strategy.flatmap(lambda events: st.tuples(st.just(events), st.permutations(events))))
def test_the_order_in_which_events_were_brought_does_not_matter(
    orders: tuple[list[ConsentFact], list[ConsentFact]],
) -> None:
    for kind in sorted(ALL_KINDS):
        renumbered = ([replace(event, id=number) for number, event in enumerate(order)] for order in orders)
        one, other = (permit(kind, facts(*order), POLICY, NOW) for order in renumbered)
        assert isinstance(one, Permitted) == isinstance(other, Permitted)


@given(events_strategy, st.sampled_from(sorted(ALL_KINDS)))
def test_who_is_permitted_has_a_confirmed_proven_own_consent_that_names_the_kind(
    events: list[ConsentFact], kind: str
) -> None:
    said = permit(kind, facts(*events), POLICY, NOW)
    if isinstance(said, Permitted):
        assert any(
            said.evidence == f"consent:{event.id}"
            and event.state == "confirmed"
            and event.proven
            and event.own
            and event.at <= NOW
            and kind in event.kinds
            and kind in POLICY.wordings.get(event.wording, ())
            for event in events
        )


@given(events_strategy, st.sampled_from(sorted(KINDS)), st.sampled_from([Reason.SUPPRESSED, Reason.HARD_BOUNCE]))
def test_a_suppressed_mailbox_gets_nothing_whatever_was_agreed(
    events: list[ConsentFact], kind: str, why: Reason
) -> None:
    given_facts = facts(*events, blocks=(block(why, "all"),), contract=CONTRACT)
    assert reason(kind, given_facts) is why


@given(some_kinds, st.sampled_from(sorted(ALL_KINDS)))
def test_a_withdrawal_covers_what_it_names_or_everything(kinds: frozenset[str], kind: str) -> None:
    assert Block(Reason.WITHDRAWN, withdrawal_scope(kinds), NOW).covers(kind) == (not kinds or kind in kinds)
