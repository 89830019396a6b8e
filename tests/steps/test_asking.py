"""Double opt-in: what somebody asks for on a page, and the one click that counts."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from engine.app import Premises
from engine.domain.permission import ConsentState, Permitted, Refused, permit
from engine.domain.words import Reason
from engine.errors import UsageError
from engine.keys import Keyring
from engine.steps import subscribing, suppressing
from engine.steps.consent import asking, registering
from engine.steps.consent.asking import SignUp, Visitor
from engine.steps.privacy import forgetting, rights, subjects
from engine.steps.suppressing import ledger_of
from engine.store import consents, replies, wordings
from engine.store.database import Database
from engine.store.lawful_tables import LegalHold, Reply
from engine.store.lawful_tables import Wording as WordingRow
from engine.store.tables import Address, ConsentEvent, Customer, CustomerAddress
from engine.tokens import link_token, link_token_of, token_hash
from tests.people import NOW, add_consent, add_customer
from tests.steps.premises import open_shop

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
REPLIES: sa.Table = Reply.__table__  # type: ignore[attr-defined]
EVENTS: sa.Table = ConsentEvent.__table__  # type: ignore[attr-defined]
ADDRESSES: sa.Table = Address.__table__  # type: ignore[attr-defined]
WORDINGS: sa.Table = WordingRow.__table__  # type: ignore[attr-defined]
ANNA = SignUp("Anna@Example.com", "newsletter-2015", "https://radhaus.example.com/anmelden", "f0" * 32)
VISITOR = Visitor("203.0.113.7", "Mozilla/5.0", "de")


@pytest.fixture
def shop(tmp_path: Path, database: Database) -> Premises:
    home = tmp_path / "home"
    home.mkdir()
    return open_shop(home, database)


def rows(shop: Premises, table: sa.Table = REPLIES) -> list[sa.Row[tuple[object, ...]]]:
    with shop.database.read() as session:
        return list(session.connection().execute(sa.select(table).order_by(*table.primary_key.columns)))


def proof_of(shop: Premises, event: sa.Row[tuple[object, ...]]) -> str:
    """Return the proof that is kept beside an event."""
    with shop.database.read() as session:
        (entry,) = [one for one in consents.timeline(session, [event.address_id]) if one.id == event.id]
    return entry.proof


def asked(shop: Premises, ask: SignUp = ANNA, now: object = NOW) -> str:
    """Sign up and return the token that stands in the mail."""
    asking.sign_up(shop, ask, VISITOR, now)  # type: ignore[arg-type]
    return link_token(shop.keyring, str(rows(shop)[-1].message_id))


def verdict(shop: Premises, kind: str = "newsletter", now: object = NOW + DAY) -> Permitted | Refused:
    """Say whether Anna, who is customer 1, may be written to."""
    with shop.database.write() as session:
        found = session.execute(sa.select(Customer.id, Customer.address_id)).first() or (0, 0)
        if not found[0]:
            anna = add_customer(session, "1", "anna@example.com")
            found = (anna.id, anna.address_id)
        (facts,) = consents.permission_facts(session, shop.keyring, [(found[0], found[1], None)])
    return permit(kind, facts, subscribing.policy_of(shop.config), now)  # type: ignore[arg-type]


# -- asking ------------------------------------------------------------------------------------------------------------


def test_b11_a_request_is_recorded_with_what_was_shown_and_permits_nothing(shop: Premises) -> None:
    asked(shop)
    (event,) = rows(shop, EVENTS)
    (reply,) = rows(shop)
    (wording,) = rows(shop, WORDINGS)
    assert (event.state, event.wording, event.proven) == ("requested", "newsletter-2015", False)
    assert proof_of(shop, event) == reply.message_id
    assert event.at == NOW
    assert reply.wording_version == wording.sha256
    assert (reply.kind, reply.state, reply.email, reply.language) == (
        "doi_request",
        "waiting",
        "Anna@example.com",
        "de",
    )
    assert reply.expires_at == NOW + 7 * DAY
    assert verdict(shop) == Refused(Reason.NOT_CONFIRMED, f"requested at {NOW.isoformat()}, never confirmed")


def test_b11_what_is_said_of_a_request_is_split_into_what_stays_and_what_can_be_erased(shop: Premises) -> None:
    reply = asking.NewReply("m", "doi_request", "key", "anna@example.com", "t" * 64, NOW, NOW, "de", "w", "v")
    with shop.database.write() as session:
        wording = registering.register(session, shop.config, "newsletter-2015", NOW)
    assert wording is not None
    event = asking._requested(ANNA, VISITOR, 1, wording, reply)
    assert event.details == {
        "wording_version": "v", "message_id": "m", "token_sha256": "t" * 64, "locale": "de", "channel": "web",
        "form_url": ANNA.form_url, "form_hash": ANNA.form_hash,
    }  # fmt: skip
    assert event.personal == {"email": "Anna@Example.com", "ip": "203.0.113.7", "user_agent": "Mozilla/5.0"}


@pytest.mark.parametrize("ask", [{"checked_by_default": True}, {"action": ""}, {"action": " "}])
def test_b1_a_box_checked_beforehand_and_no_action_are_no_consent(shop: Premises, ask: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        asking.sign_up(shop, SignUp("anna@example.com", "newsletter-2015", **ask), VISITOR, NOW)  # type: ignore[arg-type]
    assert rows(shop) == []


@pytest.mark.parametrize("email", ["anna", "a@b@c.de", "anna@localhost", "müller@example.com", "a\r\nbcc: x@y.de", ""])
def test_what_is_no_address_is_refused_before_anything_is_kept(shop: Premises, email: str) -> None:
    with pytest.raises(UsageError):
        asking.sign_up(shop, SignUp(email, "newsletter-2015"), VISITOR, NOW)
    with pytest.raises(UsageError):
        asking.ask_for_data(shop, email, VISITOR, NOW)
    assert rows(shop) == []


def test_an_unknown_wording_is_refused(shop: Premises) -> None:
    with pytest.raises(UsageError, match="no wording"):
        asking.sign_up(shop, SignUp("anna@example.com", "nowhere"), VISITOR, NOW)


def test_b2_nobody_can_agree_to_a_text_without_a_product_scope_or_without_words(shop: Premises) -> None:
    (shop.home / "wording.txt").write_text("  \n", encoding="utf-8")
    with pytest.raises(UsageError, match="product_scope"):
        asking.sign_up(shop, ANNA, VISITOR, NOW)
    wording = shop.config.wording["newsletter-2015"].model_copy(update={"product_scope": " "})
    config = shop.config.model_copy(update={"wording": {"newsletter-2015": wording}})
    assert registering.content_of(config, "newsletter-2015") is None


def test_b5_one_mail_in_24_hours_and_three_in_30_days_and_nobody_is_told(shop: Premises) -> None:
    for day in range(40):
        for hour in (0, 5):
            asking.sign_up(shop, ANNA, VISITOR, NOW + day * DAY + hour * HOUR)
    times = [row.asked_at for row in rows(shop)]
    assert [(at - NOW) / DAY for at in times] == [0, 1, 2, 30, 31, 32]


def test_b5_an_alias_of_the_same_mailbox_counts_as_the_same(shop: Premises) -> None:
    for email in ("anna.meyer@gmail.com", "annameyer+news@googlemail.com", "AnnaMeyer@gmail.com"):
        asking.sign_up(shop, SignUp(email, "newsletter-2015"), VISITOR, NOW)
    assert len(rows(shop)) == 1


def test_b5_requests_are_counted_even_after_the_purge_and_under_an_older_key(shop: Premises) -> None:
    for day in range(3):
        asking.sign_up(shop, ANNA, VISITOR, NOW + day * DAY)
    assert asking.purge(shop, NOW + 17 * DAY) == 3
    newer = Premises(shop.config, shop.database, Keyring((b"n" * 64, *shop.keyring.keys)), shop.installation, shop.home)
    suppressing_seal(newer)
    asking.sign_up(newer, ANNA, VISITOR, NOW + 20 * DAY)
    assert len(rows(shop)) == 3
    asking.sign_up(newer, ANNA, VISITOR, NOW + 30 * DAY)
    assert len(rows(shop)) == 4


def suppressing_seal(shop: Premises) -> None:
    from engine.store import suppressions

    with shop.database.write() as session:
        suppressions.seal(session, shop.keyring)


def test_b5_two_who_enter_an_address_at_once_cause_one_mail(shop: Premises) -> None:
    threads = [threading.Thread(target=asking.sign_up, args=(shop, ANNA, VISITOR, NOW)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rows(shop)) == 1


def test_row_doi_request_an_objection_does_not_stop_the_persons_own_new_request(shop: Premises) -> None:
    verdict(shop)
    subscribing.object_from_any_channel(shop, "1", "called", NOW - DAY)
    asked(shop)
    assert len(rows(shop)) == 1


@pytest.mark.parametrize("reason", [Reason.HARD_BOUNCE, Reason.LEGAL_BLOCK, Reason.SUPPRESSED])
def test_row_doi_request_a_dead_mailbox_and_a_cease_and_desist_stop_it(shop: Premises, reason: Reason) -> None:
    with shop.database.write() as session:
        suppressing.block(session, ledger_of(shop), ["anna@example.com"], reason, "x", NOW - DAY)
    asking.sign_up(shop, ANNA, VISITOR, NOW)
    assert rows(shop) == []
    assert rows(shop, EVENTS) == []
    assert rows(shop, ADDRESSES) == []
    assert asking.enter(shop, ANNA, VISITOR, NOW) == reason.value


def test_row_doi_request_a_legal_block_of_the_person_stops_it_at_every_address(shop: Premises) -> None:
    with shop.database.write() as session:
        anna = add_customer(session, "1", "anna@example.com")
        other = add_customer(session, "2", "old@example.com")
        session.add(CustomerAddress(customer_id=anna.id, address_id=other.address_id))
        suppressing.block(session, ledger_of(shop), ["old@example.com"], Reason.LEGAL_BLOCK, "letter", NOW - DAY)
    asking.sign_up(shop, ANNA, VISITOR, NOW)
    assert rows(shop) == []


def test_row_doi_request_whoever_is_restricted_is_asked_nothing(shop: Premises) -> None:
    with shop.database.write() as session:
        add_customer(session, "1", "anna@example.com", restricted_at=NOW - DAY)
    assert asking.enter(shop, ANNA, VISITOR, NOW) == "restricted"


def test_a_key_that_does_not_fit_stops_every_request(shop: Premises) -> None:
    wrong = Premises(shop.config, shop.database, Keyring((b"x" * 64,)), shop.installation, shop.home)
    assert asking.enter(wrong, ANNA, VISITOR, NOW) == "key_broken"


# -- confirming --------------------------------------------------------------------------------------------------------


def test_b4_the_click_makes_a_proven_consent_for_what_was_shown(shop: Premises) -> None:
    token = asked(shop)
    shown = asking.confirm(shop, token, VISITOR, NOW + HOUR)
    assert shown is not None
    assert (shown.used, shown.expired, shown.email_masked) == (False, False, "A***@example.com")
    event = rows(shop, EVENTS)[-1]
    (reply,) = rows(shop)
    assert (event.state, event.at, event.requested_at) == ("confirmed", NOW + HOUR, NOW)
    assert (event.proven, event.actor) == (True, "subject")
    assert proof_of(shop, event) == reply.message_id
    assert verdict(shop) == Permitted(verdict(shop).basis, f"consent:{event.id}")  # type: ignore[union-attr]


def test_b8_looking_at_the_page_confirms_nothing(shop: Premises) -> None:
    token = asked(shop)
    for _ in range(3):
        shown = asking.pending(shop, token, NOW)
        assert shown is not None
        assert (shown.used, shown.expired, shown.wording) == (False, False, "newsletter-2015")
        assert shown.text.startswith("Ja, Radhaus Sommer darf mir")
    assert len(rows(shop, EVENTS)) == 1


def test_b9_a_token_is_stored_only_as_its_hash_and_is_256_bits(shop: Premises) -> None:
    token = asked(shop)
    (reply,) = rows(shop)
    assert reply.token_sha256 == token_hash(token)
    assert token not in str(reply)
    assert len(token) == 43
    assert link_token_of(shop.keyring, reply.message_id, reply.token_sha256) == token


def test_b9_a_token_works_once(shop: Premises) -> None:
    token = asked(shop)
    asking.confirm(shop, token, VISITOR, NOW + HOUR)
    again = asking.confirm(shop, token, VISITOR, NOW + 30 * DAY)
    assert again is not None
    assert (again.used, again.expired) == (True, False)
    assert [row.state for row in rows(shop, EVENTS)] == ["requested", "confirmed"]


def test_b9_two_clicks_at_once_are_one_confirmation(shop: Premises) -> None:
    token, start = asked(shop), threading.Barrier(4)
    found: list[object] = []

    def click() -> None:
        start.wait()
        found.append(asking.confirm(shop, token, VISITOR, NOW + HOUR))

    threads = [threading.Thread(target=click) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.used for one in found) == [False, True, True, True]  # type: ignore[attr-defined]
    assert [row.state for row in rows(shop, EVENTS)] == ["requested", "confirmed"]


def test_b9_a_token_expires(shop: Premises) -> None:
    token = asked(shop)
    late = asking.confirm(shop, token, VISITOR, NOW + 7 * DAY)
    assert late is not None
    assert late.expired
    assert [row.state for row in rows(shop, EVENTS)] == ["requested"]
    assert asking.confirm(shop, token, VISITOR, NOW + 7 * DAY - timedelta(seconds=1)) is not None
    assert [row.state for row in rows(shop, EVENTS)] == ["requested", "confirmed"]


@pytest.mark.parametrize("token", ["", "x", "é" * 43, "A" * 43, "A" * 10_000, "\x00", "' OR 1=1 --"])
def test_a_forged_token_is_nobodys(shop: Premises, token: str) -> None:
    asked(shop)
    assert asking.pending(shop, token, NOW) is None
    assert asking.confirm(shop, token, VISITOR, NOW) is None
    assert asking.data_pending(shop, token, NOW) is None
    assert asking.open_data(shop, token, VISITOR, NOW) is None


def test_a_token_of_one_purpose_is_none_of_the_other(shop: Premises) -> None:
    token = asked(shop)
    assert asking.data_pending(shop, token, NOW) is None
    assert asking.open_data(shop, token, VISITOR, NOW) is None
    assert asking.pending(shop, token, NOW) is not None


def test_b3_an_edited_text_is_a_new_version_and_the_old_request_confirms_the_old_one(shop: Premises) -> None:
    token = asked(shop)
    (shop.home / "wording.txt").write_text("Radhaus Sommer darf mehr. Ich kann das beenden.\n", encoding="utf-8")
    registering.register_all(shop, NOW + HOUR)
    assert len(rows(shop, WORDINGS)) == 2
    shown = asking.confirm(shop, token, VISITOR, NOW + 2 * HOUR)
    assert shown is not None
    assert shown.text.startswith("Ja, Radhaus Sommer darf mir")
    with shop.database.read() as session:
        newest = wordings.current(session, "newsletter-2015")
    assert newest is not None
    assert newest.text.startswith("Radhaus Sommer darf mehr")


def test_b3_a_consent_covers_the_kinds_of_the_version_that_was_shown(shop: Premises) -> None:
    token = asked(shop)
    wording = shop.config.wording["newsletter-2015"]
    wider = wording.model_copy(update={"kinds": (*wording.kinds, "vip_offer")})
    config = shop.config.model_copy(update={"wording": {"newsletter-2015": wider}})
    later = Premises(config, shop.database, shop.keyring, shop.installation, shop.home)
    asking.confirm(later, token, VISITOR, NOW + HOUR)
    assert isinstance(verdict(later, "newsletter"), Permitted)
    assert verdict(later, "vip_offer") == Refused(Reason.CONSENT_NOT_FOR_KIND, verdict(later, "vip_offer").detail)  # type: ignore[union-attr]


def test_c6_a_fresh_confirmation_lifts_an_objection_for_its_kinds_only(shop: Premises) -> None:
    verdict(shop)
    subscribing.object_from_any_channel(shop, "1", "called", NOW - DAY)
    asking.confirm(shop, asked(shop), VISITOR, NOW + HOUR)
    assert isinstance(verdict(shop, "newsletter"), Permitted)
    assert isinstance(verdict(shop, "vip_offer"), Refused)


def test_c6_an_objection_after_the_click_wins(shop: Premises) -> None:
    asking.confirm(shop, asked(shop), VISITOR, NOW + HOUR)
    verdict(shop)
    subscribing.object_from_any_channel(shop, "1", "called", NOW + 2 * HOUR)
    assert isinstance(verdict(shop, "newsletter"), Refused)


def test_b14_a_consent_is_good_at_its_own_address_only(shop: Premises) -> None:
    with shop.database.write() as session:
        anna = add_customer(session, "1", "anna@example.com")
        other = add_customer(session, "2", "anna.new@example.com")
        session.add(CustomerAddress(customer_id=anna.id, address_id=other.address_id))
    asking.confirm(shop, asked(shop), VISITOR, NOW + HOUR)
    with shop.database.read() as session:
        there = [(anna.id, anna.address_id, None), (anna.id, other.address_id, None)]
        facts = consents.permission_facts(session, shop.keyring, there)
    policy = subscribing.policy_of(shop.config)
    assert [type(permit("newsletter", one, policy, NOW + DAY)) for one in facts] == [Permitted, Refused]


def test_a_consent_without_a_customer_waits_for_the_customer_list_and_invents_nobody(shop: Premises) -> None:
    asking.confirm(shop, asked(shop), VISITOR, NOW + HOUR)
    with shop.database.read() as session:
        assert session.execute(sa.select(sa.func.count()).select_from(Customer)).scalar() == 0
    assert isinstance(verdict(shop), Permitted)  # which enters her in the list


# -- the purge ---------------------------------------------------------------------------------------------------------


def test_where_an_address_was_given_decides_what_its_mail_says(shop: Premises) -> None:
    """A page's mail names the page; only what was asked for by hand was "given" to the shop."""
    asked(shop)
    asked(shop, replace(ANNA, email="ben@example.com", evidence="form 7"))
    asked(shop, SignUp("cleo@example.com", "newsletter-2015", evidence="paper of 3 May"))
    assert [row.evidence for row in rows(shop)] == ["", "", "paper of 3 May"]


def test_g4_whoever_was_erased_has_no_link_any_more(shop: Premises) -> None:
    token = asked(shop)
    forgetting.erase(shop, subjects.find(shop, "anna@example.com"), forgetting.Order("petra", patience=0), NOW)
    assert asking.pending(shop, token, NOW + HOUR) is None
    assert asking.confirm(shop, token, VISITOR, NOW + HOUR) is None
    assert [(row.email, row.token_sha256) for row in rows(shop)] == [("", "")]
    assert [event.state for event in rows(shop, EVENTS)] == ["requested"]
    assert [address.email for address in rows(shop, ADDRESSES) if "@" in address.email or not address.email] == []


def test_g4_a_click_that_an_erasure_overtakes_confirms_nothing(shop: Premises) -> None:
    """The click has read its request, then waits for the address that the erasure holds."""
    token = asked(shop)
    with shop.database.read() as session:
        row = replies.find(session, token_hash(token), replies.CONFIRMATION)
    assert row is not None
    forgetting.erase(shop, subjects.find(shop, "anna@example.com"), forgetting.Order("petra", patience=0), NOW)
    with shop.database.write() as session:
        assert not replies.use(session, row, NOW + HOUR)


def test_g4_a_request_under_an_older_key_is_erased_however_it_was_spelled(shop: Premises) -> None:
    asked(shop, replace(ANNA, email="ANNA@example.com"))
    with shop.database.write() as session:
        session.connection().execute(sa.update(ADDRESSES).values(email="Anna@example.com"))
    newer = replace(shop, keyring=Keyring((b"n" * 64, *shop.keyring.keys)))
    forgetting.erase(newer, subjects.find(newer, "anna@example.com"), forgetting.Order("petra", patience=0), NOW)
    assert [row.email for row in rows(shop)] == [""]


def test_b10_what_nobody_confirmed_is_erased_and_its_counter_stays(shop: Premises) -> None:
    token = asked(shop)
    assert asking.purge(shop, NOW + 14 * DAY - HOUR) == 0
    assert asking.purge(shop, NOW + 14 * DAY) == 1
    assert asking.purge(shop, NOW + 15 * DAY) == 0
    (reply,) = rows(shop)
    assert (reply.email, reply.token_sha256, reply.evidence, reply.state) == ("", "", "", "expired")
    assert len(reply.address_key) == 64
    (address,) = rows(shop, ADDRESSES)
    assert "anna" not in str(address)
    assert "example.com" not in str(address)
    assert asking.pending(shop, token, NOW) is None


def test_b10_a_confirmed_request_and_a_known_address_stay(shop: Premises) -> None:
    asking.confirm(shop, asked(shop), VISITOR, NOW + HOUR)
    with shop.database.write() as session:
        add_customer(session, "2", "ben@example.com")
    asking.sign_up(shop, SignUp("ben@example.com", "newsletter-2015"), VISITOR, NOW)
    assert asking.purge(shop, NOW + 20 * DAY) == 1
    assert [row.email for row in rows(shop)] == ["Anna@example.com", ""]
    assert {row.email for row in rows(shop, ADDRESSES)} == {"Anna@example.com", "ben@example.com"}


def test_b10_what_is_held_for_a_case_is_not_purged(shop: Premises) -> None:
    asked(shop)
    key = str(rows(shop)[0].address_key)
    with shop.database.write() as session:
        session.add(LegalHold(address_key=key, case_ref="12 O 3/26", operator="x", at=NOW))
    assert asking.purge(shop, NOW + 20 * DAY) == 0


def test_b10_an_address_that_was_erased_can_ask_again(shop: Premises) -> None:
    asked(shop)
    asking.purge(shop, NOW + 14 * DAY)
    token = asked(shop, now=NOW + 15 * DAY)
    asking.confirm(shop, token, VISITOR, NOW + 15 * DAY)
    assert isinstance(verdict(shop, now=NOW + 16 * DAY), Permitted)


# -- my data -----------------------------------------------------------------------------------------------------------


def test_g6_a_link_to_ones_data_goes_only_to_an_address_that_is_known(shop: Premises) -> None:
    asking.ask_for_data(shop, "nobody@example.com", VISITOR, NOW)
    assert rows(shop) == []
    assert rows(shop, ADDRESSES) == []
    with shop.database.write() as session:
        add_customer(session, "1", "anna@example.com")
    asking.ask_for_data(shop, "ANNA@example.com", VISITOR, NOW)
    asking.ask_for_data(shop, "anna@example.com", VISITOR, NOW + HOUR)
    (reply,) = rows(shop)
    assert (reply.kind, reply.state, reply.expires_at) == ("dsr_response", "waiting", NOW + 2 * DAY)


def test_g6_the_link_works_once_and_for_48_hours(shop: Premises, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rights, "export_document", lambda _shop, email, _now: {"address": email})
    with shop.database.write() as session:
        add_customer(session, "1", "anna@example.com")
    asking.ask_for_data(shop, "anna@example.com", VISITOR, NOW)
    token = link_token(shop.keyring, str(rows(shop)[0].message_id))
    assert asking.open_data(shop, token, VISITOR, NOW + 2 * DAY) is None
    assert asking.open_data(shop, token, VISITOR, NOW + HOUR) == {"address": "anna@example.com"}
    assert asking.open_data(shop, token, VISITOR, NOW + HOUR) is None
    shown = asking.data_pending(shop, token, NOW + HOUR)
    assert shown is not None
    assert shown.used


def test_row_dsr_response_a_cease_and_desist_does_not_stop_the_answer_and_a_dead_mailbox_does(shop: Premises) -> None:
    with shop.database.write() as session:
        for number, reason in enumerate((Reason.LEGAL_BLOCK, Reason.HARD_BOUNCE)):
            add_customer(session, str(number), f"k{number}@example.com")
            suppressing.block(session, ledger_of(shop), [f"k{number}@example.com"], reason, "x", NOW - DAY)
    for number in range(2):
        asking.ask_for_data(shop, f"k{number}@example.com", VISITOR, NOW)
    assert [row.email for row in rows(shop)] == ["k0@example.com"]


# -- the register ------------------------------------------------------------------------------------------------------


def test_b2_a_version_holds_everything_that_belongs_to_the_text(shop: Premises) -> None:
    versions = registering.register_all(shop, NOW)
    registering.register_all(shop, NOW + DAY)
    (row,) = rows(shop, WORDINGS)
    assert versions == {"newsletter-2015": row.sha256}
    with shop.database.read() as session:
        kept = wordings.find(session, str(row.sha256))
    assert kept is not None
    assert kept.content == {
        "id": "newsletter-2015",
        "language": "de",
        "text": "Ja, Radhaus Sommer darf mir per E-Mail schreiben. Ich kann das jederzeit beenden.",
        "controller": {"name": "Radhaus Sommer", "address": "Lindenallee 4, 80331 München"},
        "product_scope": "Fahrräder und Zubehör",
        "channel": "email",
        "kinds": sorted(shop.config.wording["newsletter-2015"].kinds),
        "withdrawal": True,
        "privacy": "https://radhaus-sommer.example.com/datenschutz",
        "title": "",
        "special_categories": [],
    }


def test_b2_a_version_cannot_be_changed_in_the_store(shop: Premises) -> None:
    registering.register_all(shop, NOW)
    with pytest.raises(Exception, match=r"(?i)append|wording"), shop.database.write() as session:
        session.connection().execute(sa.update(WORDINGS).values(content="{}"))


def test_b2_a_text_that_goes_back_to_what_it_was_is_the_old_version(shop: Premises) -> None:
    before = registering.register_all(shop, NOW)
    text = (shop.home / "wording.txt").read_text(encoding="utf-8")
    (shop.home / "wording.txt").write_text("Radhaus Sommer darf. Abmelden geht immer.", encoding="utf-8")
    assert registering.register_all(shop, NOW + DAY) != before
    (shop.home / "wording.txt").write_text(text.replace("\n", "\r\n"), encoding="utf-8")
    assert registering.register_all(shop, NOW + 2 * DAY) == before
    assert len(rows(shop, WORDINGS)) == 2


def test_importing_consents_registers_the_text_they_name(shop: Premises, tmp_path: Path) -> None:
    from tests.steps.desk import Desk

    Desk(shop, tmp_path).bring(
        "consents",
        "email,state,at,kinds,wording,requested_at,source,proof\n"
        "anna@example.com,confirmed,2026-01-02T10:00:00Z,newsletter,newsletter-2015,2026-01-01T10:00:00Z,shop,log\n",
    )
    assert [row.name for row in rows(shop, WORDINGS)] == ["newsletter-2015"]


def test_the_state_of_an_earlier_consent_is_not_touched_by_a_new_request(shop: Premises) -> None:
    with shop.database.write() as session:
        add_consent(session, add_customer(session, "1", "anna@example.com"))
    assert isinstance(verdict(shop), Permitted)
    asked(shop)
    assert isinstance(verdict(shop), Permitted)
    assert ConsentState.REQUESTED.value in [row.state for row in rows(shop, EVENTS)]
