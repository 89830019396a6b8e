"""The proof: everything about one person in one folder, or that nobody ever wrote to an address."""

from __future__ import annotations

import email
import json
from dataclasses import replace
from datetime import timedelta
from email.policy import default
from pathlib import Path

import pytest
import sqlalchemy as sa

from engine.app import App
from engine.cli import proof_page
from engine.domain.permission import ConsentState
from engine.domain.words import Accepted, Reason
from engine.errors import NothingFound, UsageError
from engine.language import Language
from engine.rendering import document
from engine.steps import subscribing, suppressing
from engine.steps.privacy import forgetting, proving, subjects
from engine.steps.privacy.forgetting import Order
from engine.steps.privacy.proving import Finding, Proof
from engine.steps.watching import checkpointing
from engine.store import consent_log, consents, suppressions
from engine.store.consents import NewConsent
from engine.store.lawful_tables import NoticeVersion, PrivacyEvent, Reply, Wording
from engine.store.message_tables import Message, MessageBody
from tests.conftest import MakeApp
from tests.people import NOW, add_address, add_customer, add_purchase, add_service_item
from tests.steps.sending_shop import BIRTHDAY, tick
from tests.steps.test_sending_faults import Scripted

TEXT = "Ja, Radhaus Sommer darf mir Neuigkeiten zu <b>Fahrrädern</b> schicken."
HINT = "Sie können der Werbung jederzeit widersprechen: laden@radhaus-sommer.example.com"
ANNA = "anna@example.com"


@pytest.fixture
def app(make_app: MakeApp) -> App:
    """Give a shop in which Anna agreed, bought, has a contract, was mailed on her birthday and then objected."""
    shop = replace(make_app(campaigns={"birthday": BIRTHDAY}), provider=Scripted(Accepted("provider-1")))
    with shop.database.write() as session:
        anna = add_customer(
            session, "1", ANNA, birthday=NOW.date().replace(year=1980), first_name="Anna", last_name="<Meyer>"
        )
        asked = NOW - timedelta(days=20)
        session.add(Wording(sha256="a" * 64, name="newsletter-2015", content=json.dumps({"text": TEXT}), seen_at=asked))
        session.add(NoticeVersion(sha256="b" * 64, name="kasse", content=json.dumps({"text": HINT}), seen_at=asked))
        add_purchase(session, anna, "R-1", asked, notice="kasse", notice_version="b" * 64, email_from_sale=True)
        add_service_item(session, anna, "H-1", NOW.date(), contract_ref="W-17")
        said = NewConsent(
            anna.address_id or 0, ConsentState.CONFIRMED, asked + timedelta(minutes=5),
            frozenset({"birthday", "newsletter"}), "newsletter-2015", asked, "web", "Klick", proven=True,
            details={"wording_version": "a" * 64}, personal={"ip": "198.51.100.7"},
        )  # fmt: skip
        consents.append(session, [said], asked, "web")
        session.add(reply(shop, asked))
    tick(shop)
    with shop.database.write() as session:  # as if it had been in earnest
        session.execute(sa.update(Message).values(rehearsal=False))
    subscribing.object_from_any_channel(shop, "1", "Anruf 14:05", NOW + timedelta(minutes=3))
    checkpointing.checkpoint(shop, NOW + timedelta(minutes=4))
    return shop


def reply(shop: App, asked: object) -> Reply:
    return Reply(
        message_id="5f3a", kind="doi_request", state="sent", email="", token_sha256="c" * 64, asked_at=asked,
        address_key=suppressions.address_hashes(shop.keyring, ANNA).exact, expires_at=asked, called_at=asked,
        ended_at=asked, body_sha256="d" * 64, wording="newsletter-2015",
    )  # type: ignore[arg-type]  # fmt: skip


def prove(app: App, who: str) -> Proof:
    return proving.prove(app, who, "Petra", NOW + timedelta(hours=1))


def page(app: App, proof: Proof) -> str:
    return document.render(proof_page.page(proof, app.config, Language(app.config.shop.language).gettext))


def hand_out(app: App, who: str, folder: Path) -> tuple[list[str], dict[str, object], str]:
    proof = prove(app, who)
    files = proving.hand_out(app, proof, page(app, proof), folder)
    return files, json.loads((folder / "proof.json").read_bytes()), (folder / "proof.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("who", ["1", "Anna <Meyer>", "ANNA@example.com"])
def test_a_proof_holds_everything_about_one_person(app: App, tmp_path: Path, who: str) -> None:
    files, told, html = hand_out(app, who, tmp_path / "out")
    assert told["finding"] == "written_to"
    assert [one["state"] for one in told["consents"]] == ["confirmed", "objected"]  # type: ignore[attr-defined]
    yes = told["consents"][0]  # type: ignore[index]
    assert (yes["source"], yes["proof"], yes["personal"], yes["seq"]) == ("web", "Klick", {"ip": "198.51.100.7"}, 1)
    assert told["wordings"][0]["content"] == {"text": TEXT}  # type: ignore[index]
    assert told["notices"][0]["purchase_id"] == "R-1"  # type: ignore[index]
    assert told["notice_texts"][0]["content"] == {"text": HINT}  # type: ignore[index]
    assert told["contracts"][0]["ref"] == "W-17"  # type: ignore[index]
    assert {one["reason"] for one in told["suppressions"]} == {"objection"}  # type: ignore[attr-defined]
    assert [one["message_id"] for one in told["replies"]] == ["5f3a"]  # type: ignore[attr-defined]
    [mail] = told["mails"]  # type: ignore[misc]
    assert (mail["basis"], mail["evidence"], mail["provider_id"]) == ("consent", "consent:1", "provider-1")
    assert (len(mail["attempts"]), mail["file"] in files, len(mail["sha256"])) == (1, True, 64)
    assert mail["sent_at"] == "2026-11-23T08:30:00Z"
    log = told["consent_log"]
    assert (log["events"], log["whole"], log["checkpoint"]["size"]) == (2, True, 2)  # type: ignore[index]
    for word in (ANNA, "Klick", "W-17", "R-1", "provider-1", "Anruf 14:05", yes["hash"], HINT):
        assert word.replace("@", "@<wbr>") in html or word in html


def test_every_mail_is_there_as_it_was_sent(app: App, tmp_path: Path) -> None:
    _, told, _ = hand_out(app, "1", tmp_path / "out")
    message = email.message_from_bytes((tmp_path / "out" / told["mails"][0]["file"]).read_bytes(), policy=default)  # type: ignore[index]
    assert message["To"].addresses[0].addr_spec == ANNA
    with app.database.read() as session:
        text = session.execute(sa.select(MessageBody.text)).scalar_one()
    assert message.get_body(("plain",)).get_content().split() == text.split()  # type: ignore[union-attr]


def test_nothing_from_outside_is_markup_and_nothing_is_fetched(app: App, tmp_path: Path) -> None:
    _, _, html = hand_out(app, "1", tmp_path / "out")
    assert "<Meyer>" not in html
    assert "<b>Fahrrädern" not in html
    assert "&lt;b&gt;Fahrrädern" in html
    assert not any(word in html for word in ("<script", "src=", "href=", "url(", "@import"))
    assert "default-src 'none'" in html


def test_of_a_purged_mail_the_hash_is_told(app: App, tmp_path: Path) -> None:
    with app.database.write() as session:
        session.execute(sa.delete(MessageBody))
    files, told, html = hand_out(app, "1", tmp_path / "out")
    [mail] = told["mails"]  # type: ignore[misc]
    assert (files, mail["file"], len(mail["sha256"])) == (["proof.html", "proof.json"], None, 64)
    assert "erhalten ist sein Hashwert" in html
    assert mail["sha256"][:16] in html


def test_erased_evidence_is_told_as_erased(app: App) -> None:
    with app.database.write() as session:
        consent_log.forget(session, [add_address(session, ANNA).id or 0])
    proof = prove(app, "1")
    assert [event.erased for event in proof.events] == [True, True]
    assert proof.log.faults == []
    assert "die persönlichen Angaben dazu wurden gelöscht" in page(app, proof)


def test_an_address_nobody_knows_was_never_written_to(app: App, tmp_path: Path) -> None:
    files, told, html = hand_out(app, "stranger@example.org", tmp_path / "out")
    assert (told["finding"], told["mails"], told["consents"], told["people"]) == ("unknown_address", [], [], [])
    assert files == ["proof.html", "proof.json"]
    assert "stranger@example.org ist hier nicht bekannt, und dorthin wurde nie etwas versandt." in html
    assert told["consent_log"]["events"] == 2  # type: ignore[index]


def test_of_somebody_erased_the_nameless_evidence_is_found_by_the_address(app: App) -> None:
    forgetting.erase(app, subjects.find(app, "1"), Order("Petra", "Brief", patience=0), NOW + timedelta(minutes=5))
    proof = prove(app, ANNA)
    [mail] = proof.mails
    assert (proof.finding, proof.people, proof.emails) == (Finding.WRITTEN_TO, (), (ANNA,))
    assert (mail.entry.basis, mail.entry.evidence, mail.entry.email, mail.email) == ("consent", "consent:1", "", None)
    assert [event.erased for event in proof.events] == [True, True]
    html = page(app, proof)
    assert "wollte gelöscht werden" in html
    assert "erased:" not in html


def test_of_somebody_erased_it_is_never_said_that_nobody_wrote(app: App) -> None:
    with app.database.write() as session:
        add_customer(session, "2", "ben@example.com", first_name="Ben")
    forgetting.erase(app, subjects.find(app, "2"), Order("Petra", "Brief", patience=0), NOW)
    proof = prove(app, "ben@example.com")
    assert proof.finding is Finding.ERASED
    html = page(app, proof)
    assert "wurden gelöscht; von einer Mail dorthin ist nichts mehr erhalten" in html
    assert "nie" not in html


def test_an_unknown_address_that_is_blocked_by_its_hash_is_told_so(app: App) -> None:
    suppressing.suppress(app, "stranger@example.org", "Anwalt", NOW)
    [block] = prove(app, "stranger@example.org").suppressions
    assert (block.reason, block.source, block.email) == (Reason.SUPPRESSED, "Anwalt", "")


def test_a_known_person_who_got_nothing_was_never_written_to(app: App) -> None:
    with app.database.write() as session:
        add_customer(session, "2", "ben@example.com", first_name="Ben")
    proof = prove(app, "2")
    assert (proof.finding, proof.mails) == (Finding.NEVER_WRITTEN_TO, ())
    assert "An ben@example.com wurde nie eine E-Mail versandt." in page(app, proof)


def test_a_name_nobody_has_is_refused(app: App) -> None:
    with pytest.raises(NothingFound):
        prove(app, "Nobody")


def test_who_made_the_proof_is_written_down_without_a_name_or_an_address(app: App, tmp_path: Path) -> None:
    hand_out(app, "1", tmp_path / "one")
    hand_out(app, "stranger@example.org", tmp_path / "two")
    with app.database.read() as session:
        rows = session.execute(sa.select(PrivacyEvent.action, PrivacyEvent.operator, PrivacyEvent.subject)).all()
    assert [(action, operator) for action, operator, _ in rows] == [("proof", "Petra"), ("proof", "Petra")]
    assert not any("@" in subject or not subject for *_, subject in rows)


def test_what_was_handed_out_is_never_overwritten(app: App, tmp_path: Path) -> None:
    hand_out(app, "1", tmp_path / "out")
    before = (tmp_path / "out" / "proof.json").read_bytes()
    with pytest.raises(UsageError, match="not an empty folder"):
        hand_out(app, "1", tmp_path / "out")
    assert (tmp_path / "out" / "proof.json").read_bytes() == before
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "out" / "proof.json").stat().st_mode & 0o777 == 0o600


def test_the_page_speaks_english_too(app: App) -> None:
    proof = prove(app, "1")
    html = document.render(proof_page.page(proof, app.config, Language("en").gettext))
    assert "Proof of consent and mails" in html
    assert "agreed and confirmed it" in html
