"""Erasure: what names a person goes from everywhere, what must stay is nameless, and no backup brings them back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import SQLModel

from engine.app import App, assemble
from engine.clock import stopped_at
from engine.config.loading import load_config
from engine.domain.news import DeliveryNews, NewsKind
from engine.domain.words import Reason, State
from engine.errors import NothingFound, UsageError
from engine.providers import incoming
from engine.sources.options import ReadOptions
from engine.steps import planning, receiving, sending, subscribing
from engine.steps.consent import asking, choosing, replying
from engine.steps.consent.asking import SignUp, Visitor
from engine.steps.importing.files import import_file
from engine.steps.privacy import correcting, forgetting, retaining, subjects
from engine.steps.privacy.forgetting import Order
from engine.steps.watching import checkpointing
from engine.store import backups, legal_holds, people, purchases, scrubbing, suppressions
from engine.store.database import Database
from engine.store.lawful_tables import PrivacyEvent, Reply
from engine.store.legal_holds import NewHold
from engine.store.message_tables import MessageBody, MessageEvent
from engine.store.tables import Address, Customer, Purchase, ServiceItem
from engine.tokens import link_token
from tests.conftest import MakeApp
from tests.people import NOW, add_address, add_consent, add_customer, add_purchase, add_service_item
from tests.providers.conftest import Served
from tests.steps.mortal import Died, Mortal
from tests.steps.sending_shop import BIRTHDAY, put_state, real_config, rows, tick
from tests.steps.soundness import assert_sound

ANNA = "Anna.Roeschen@Vergissmeinnicht.example.com"
ORDER = Order("petra", "letter of 2 November from Anna", patience=0)
PEOPLE = "customer_id,email,first_name\n1,{email},Anna\n"

THANKS = """
id = "thanks"
name = "Danke"
kind = "thank_you"

[trigger]
on = "purchase"
when = "2 days after"

[start]
from = 2026-11-01

[message]
subject = "Danke!"
body = "{{ greeting }}, danke."
"""


@pytest.fixture
def app(make_app: MakeApp) -> App:
    """Give a shop in which Anna, and others, have their birthday today and agreed to be written to."""
    app = make_app(campaigns={"birthday": BIRTHDAY})
    with app.database.write() as session:
        anna = add_customer(
            session, "1", ANNA, first_name="Anna", last_name="Röschen", birthday=date(1980, 11, 23), tags=("vip",)
        )
        add_consent(session, anna)
        add_purchase(session, anna, "B-1", NOW - timedelta(days=30), items=";Hollandrad Annabell;")
        add_service_item(session, anna, "T-1", date(2027, 3, 1), name="Therme Röschen", contract_ref="Röschen 12")
        for number in range(2, 12):
            other = add_customer(session, str(number), f"k{number}@example.com", birthday=date(1980, 11, 23))
            add_consent(session, other)
    return app


def erase(app: App, who: str = "1", order: Order = ORDER, now: datetime = NOW) -> forgetting.Erased:
    return forgetting.erase(app, subjects.find(app, who), order, now)


def everything(app: App) -> Iterator[tuple[str, str]]:
    """Yield every text in every column of the store, in lower case, with the name of the table."""
    with app.database.read() as session:
        for table in SQLModel.metadata.sorted_tables:
            for row in session.connection().execute(sa.select(table)):
                yield from ((table.name, str(value).lower()) for value in row if isinstance(value, str))


def naming(app: App, *words: str) -> list[tuple[str, str]]:
    return [(table, text) for table, text in everything(app) for word in words if word.lower() in text]


def files_naming(app: App, word: str) -> list[str]:
    """Return what `grep -a -i` finds in the shop's files and in the store's own."""
    roots = {app.home, app.database.path.parent if app.database.path else app.home}
    found = []
    for root in roots:
        for file in root.rglob("*"):
            holds = file.is_file() and word.lower().encode() in file.read_bytes().lower()
            found += [file.name] if holds else []
    return sorted(set(found))


def one(app: App, model: Any, key: str, value: object) -> Any:
    table = model.__table__
    with app.database.read() as session:
        return session.connection().execute(sa.select(table).where(table.c[key] == value)).one()


def test_nothing_in_the_store_and_in_its_files_names_an_erased_person(app: App) -> None:
    tick(app)
    assert naming(app, ANNA)
    assert "anna.roeschen" in " ".join(path.read_text().lower() for path in (app.home / "outbox").glob("*.eml"))
    before = len(list((app.home / "outbox").glob("*.eml")))
    done = erase(app)
    assert naming(app, "roeschen", "röschen", "Annabell", "anna ") == []
    assert files_naming(app, "roeschen") == []
    assert (done.files, done.in_doubt, done.traces, done.emptied) == (1, 0, (), True)
    assert len(list((app.home / "outbox").glob("*.eml"))) == before - 1
    if app.database.path:
        copy = backups.back_up(app.database, NOW)
        assert b"roeschen" not in copy.path.read_bytes().lower()


def test_g4_whoever_has_used_every_page_is_named_nowhere_after_it(make_app: MakeApp, brevo: Served) -> None:
    """Signed up, confirmed, mailed, left by the page, bounced, complained of; then erased."""
    app = make_app(config=real_config(brevo), campaigns={"birthday": BIRTHDAY})
    reply = _signed_up(app)
    tick(app, NOW + timedelta(minutes=10))
    (mail,) = rows(app)
    assert mail.state is State.SENT
    told = f"<{ANNA}>: mailbox of Röschen unknown"
    news = [
        DeliveryNews(kind, f"{kind}{number}", message_id=name, at=NOW, detail=f"550 5.1.1 {told}")
        for number, name in enumerate((mail.message_id, reply.message_id, "0f8a7c1e-9a55-5d7b-8a44-5a1b1c2d3e4f"))
        for kind in (NewsKind.BOUNCED, NewsKind.COMPLAINED)
    ]
    receiving.take(app, "brevo", [_as_read(one) for one in news], NOW + timedelta(hours=1))
    asking.ask_for_data(app, ANNA, AGENT, NOW + timedelta(hours=1))
    choosing.choose(app, mail.message_id, ["birthday"], NOW + timedelta(days=30), NOW + timedelta(hours=2))
    choosing.unsubscribe(app, mail.message_id, NOW + timedelta(hours=2), "page")
    subscribing.object_from_any_channel(app, "1", f"call of {ANNA}", NOW + timedelta(hours=3))
    correcting.restrict(app, "1", "letter of Röschen", "petra", NOW + timedelta(hours=3))
    checkpointing.checkpoint(app, NOW + timedelta(hours=3))
    assert naming(app, "roeschen", "203.0.113.77")
    app.provider.close()
    done = erase(app, now=NOW + timedelta(hours=4))
    assert (done.traces, done.in_doubt) == ((), 0)
    assert naming(app, "roeschen", "röschen", "203.0.113.77") == []
    found = {name for word in ("roeschen", "203.0.113.77") for name in files_naming(app, word)}
    assert found - {brevo.double.book.name} == set()
    assert_sound(app)


AGENT = Visitor("203.0.113.77", "Roeschen-Browser/7", "de")


def _signed_up(app: App) -> Any:
    """Let Anna ask, confirm, and become a customer; return her request."""
    ask = SignUp(ANNA, "newsletter-2015", "https://radhaus.example.com/anmelden", "f0" * 32)
    asking.sign_up(app, ask, AGENT, NOW)
    replying.send_replies(app, stopped_at(NOW))
    (reply,) = rows(app, Reply.__table__)  # type: ignore[attr-defined]
    shown = asking.confirm(app, link_token(app.keyring, reply.message_id), AGENT, NOW + timedelta(minutes=5))
    assert shown is not None
    file = app.home / "in.csv"
    file.write_text(f"customer_id,email,first_name,birthday\n1,{ANNA},Röschen,1980-11-23\n", encoding="utf-8")
    import_file(app, "customers", file, ReadOptions(), NOW + timedelta(minutes=6))
    file.unlink()
    return reply


def _as_read(one: DeliveryNews) -> DeliveryNews:
    return replace(one, detail=incoming.detail(one.detail))


def test_every_table_an_erasure_writes_to_is_overwritten_in_the_files(app: App) -> None:
    tick(app)
    written: set[str] = set()

    @sa.event.listens_for(app.database._engine, "before_cursor_execute")
    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        words = statement.replace('"', "").split()
        written.update(words[1:2] if words[0] == "UPDATE" else words[2:3] if words[0] == "DELETE" else ())

    erase(app)
    counted = {"message_event", "budget", "installation", "erasure", "purge_permit", "enrolment"}
    assert written - counted <= {table.name for table in scrubbing.TOUCHED}
    assert "consent_pii" in written


def test_of_a_thousand_events_one_persons_go_and_the_others_stay(app: App) -> None:
    with app.database.write() as session:
        for number in range(100, 1100):
            add_consent(session, add_customer(session, str(number), f"p{number}@many.example.com"))
    counted = len([1 for table, text in everything(app) if "@many.example.com" in text])
    erase(app, "500")
    assert naming(app, "p500@") == []
    assert files_naming(app, "p500@many") == []
    assert len([1 for table, text in everything(app) if "@many.example.com" in text]) == counted - 3
    with app.database.read() as session:
        assert session.connection().execute(sa.text("SELECT count(*) FROM consent_event")).scalar_one() == 1011


def test_what_was_sent_stays_proven_without_a_name_and_the_audit_is_content(app: App) -> None:
    tick(app)
    (mail,) = [row for row in rows(app) if row.customer_id == 1]
    erase(app)
    (after,) = [row for row in rows(app) if row.customer_id == 1]
    assert (after.state, after.message_id, after.evidence, after.basis) == (
        State.SENT,
        mail.message_id,
        mail.evidence,
        mail.basis,
    )
    body = one(app, MessageBody, "message", mail.id)
    assert (len(body.sha256), body.html, body.text, body.recipient) == (64, "", "", "")
    assert_sound(app)


def test_an_erased_customer_is_found_by_nothing_and_counted_in_nothing(app: App) -> None:
    erase(app)
    for who in ("1", ANNA, "Anna Röschen", "Röschen"):
        with pytest.raises(NothingFound):
            subjects.find(app, who)
    row = one(app, Customer, "id", 1)
    assert (row.first_name, row.customer_id, row.address_id, row.birth_md, row.tags) == ("", None, None, None, "")
    assert (row.uid.startswith("erased:"), row.erased_at) == (True, NOW)
    assert (row.last_purchase_on, row.purchase_count) == (None, 0)
    assert planning.plan(app, NOW).planned == 10
    with app.database.read() as session:
        assert sum(len(page) for page in people.everybody(session, 100)) == 10


def test_a_tombstone_gets_no_figures_and_no_thanks_again(make_app: MakeApp) -> None:
    app = make_app(campaigns={"thanks": THANKS})
    with app.database.write() as session:
        anna = add_customer(session, "1", ANNA)
        add_consent(session, anna)
        add_purchase(session, anna, "B-1", NOW - timedelta(days=2))
    assert planning.plan(app, NOW).planned == 1
    with app.database.write() as session:
        for table in ("message_event", "message", "enrolment"):  # as if nobody had planned before the erasure
            if table == "message_event":
                session.connection().execute(sa.text("INSERT INTO purge_permit SELECT id FROM message"))
            session.connection().execute(sa.delete(SQLModel.metadata.tables[table]))
    erase(app)
    with app.database.write() as session:
        purchases.count_again(session, [1])
    row = one(app, Customer, "id", 1)
    assert (row.last_purchase_on, row.purchase_count) == (None, 0)
    assert planning.plan(app, NOW).planned == 0


def test_a_name_that_an_import_wrote_onto_a_tombstone_goes_with_the_next_purge(app: App) -> None:
    erase(app)
    with app.database.write() as session:
        session.connection().execute(
            sa.text("UPDATE customer SET first_name = 'Röschen', customer_id = '1' WHERE id = 1")
        )
    assert retaining.purge(app, NOW, "petra", dry_run=True).erasures == 1
    assert retaining.purge(app, NOW, "petra").erasures == 1
    assert naming(app, "röschen") == []


def test_the_sale_that_a_mail_relied_on_stays_without_what_was_bought(app: App) -> None:
    erase(app)
    purchase = one(app, Purchase, "purchase_id", "B-1")
    assert (purchase.status, purchase.items, purchase.amount_minor) == ("concluded", "", None)
    item = one(app, ServiceItem, "service_item_id", "T-1")
    assert (item.name, item.contract_ref, item.due_on) == ("", "", None)


def test_whoever_is_imported_again_stays_suppressed_and_is_listed(app: App, tmp_path: Path) -> None:
    tick(app)
    erase(app)
    file = tmp_path / "again.csv"
    file.write_text(PEOPLE.format(email=ANNA.lower()), encoding="utf-8")
    report = import_file(app, "customers", file, ReadOptions(), NOW)
    assert report.created == 1
    assert any("suppressed (rows 2)" in warning for warning in report.warnings)
    with app.database.write() as session:
        back = session.execute(sa.select(Customer).where(Customer.customer_id == "1")).scalar_one()  # type: ignore[arg-type]
        add_consent(session, back, at=NOW - timedelta(days=9))  # an older "yes" that was imported again lifts nothing
        back.birth_md = 1123
        session.add(back)
    next_year = NOW + timedelta(days=365)
    planning.plan(app, next_year)
    sending.send_due(app, stopped_at(next_year))
    (mail,) = [row for row in rows(app) if row.customer_id == back.id]
    assert (mail.state, mail.reason) == (State.SKIPPED, Reason.ERASED)
    assert len([row for row in rows(app) if row.customer_id == 1]) == 1


def test_a_new_address_of_the_same_customer_number_is_not_written_to_either(app: App, tmp_path: Path) -> None:
    erase(app)
    file = tmp_path / "again.csv"
    file.write_text(PEOPLE.format(email="neu@example.com"), encoding="utf-8")
    import_file(app, "customers", file, ReadOptions(), NOW)
    uid = one(app, Customer, "customer_id", "1").uid
    with app.database.read() as session:
        marks = suppressions.person_marks(app.keyring, uid)
        assert [found.reason for found in suppressions.standing(session, marks)] == [Reason.ERASED]


def reopened(app: App) -> App:
    return assemble(load_config(app.config.file, {}), stopped_at(NOW + timedelta(days=1)))


def test_an_older_backup_brings_neither_the_person_nor_their_mails_back(app: App) -> None:
    if app.database.path is None:
        pytest.skip("PostgreSQL is put back by its own tools; the replay is the same")
    tick(app)
    copy = backups.back_up(app.database, NOW).path
    kept = copy.with_name("kept.db")
    shutil.copy(copy, kept)
    erase(app)
    app.database.close()
    store = app.database.path
    for ending in ("-wal", "-shm"):
        store.with_name(store.name + ending).unlink(missing_ok=True)
    shutil.copy(kept, store)
    copy.unlink()
    kept.unlink()
    assert b"roeschen" in store.read_bytes().lower()
    again = reopened(app)
    assert naming(again, "roeschen", "röschen") == []
    assert files_naming(again, "roeschen") == []
    assert one(again, Customer, "id", 1).erased_at is not None
    with again.database.read() as session:
        marks = suppressions.address_marks(again.keyring, ANNA.lower(), ANNA.lower())
        assert {found.reason for found in suppressions.standing(session, marks)} == {Reason.ERASED}
    again.database.close()


def test_the_replay_finds_whom_a_restored_store_has_again_on_either_database(app: App) -> None:
    """What a restored store looks like: the person is there, and the ledger knows nothing."""
    erase(app)
    with app.database.write() as session:
        session.connection().execute(sa.text("DELETE FROM erasure"))
        anna = add_customer(session, "1", ANNA, first_name="Anna")
        add_consent(session, anna, at=NOW - timedelta(days=9))
    assert forgetting.replay(app, NOW + timedelta(days=1)) == 1
    assert naming(app, "roeschen") == []
    assert forgetting.replay(app, NOW + timedelta(days=2)) == 0


def test_a_person_who_came_back_after_the_erasure_is_not_erased_at_the_next_start(app: App, tmp_path: Path) -> None:
    erase(app)
    file = tmp_path / "again.csv"
    file.write_text(PEOPLE.format(email=ANNA), encoding="utf-8")
    import_file(app, "customers", file, ReadOptions(), NOW)
    assert forgetting.replay(app, NOW + timedelta(days=1)) == 0
    assert one(app, Customer, "customer_id", "1").erased_at is None


def test_a_second_erasure_says_no_anew_to_what_was_agreed_in_between(app: App) -> None:
    erase(app)
    with app.database.write() as session:
        anna = add_customer(session, "1", ANNA)
        add_consent(session, anna, at=NOW + timedelta(days=10))
    later = NOW + timedelta(days=20)
    erase(app, now=later)
    with app.database.read() as session:
        marks = suppressions.address_marks(app.keyring, ANNA.lower(), ANNA.lower())
        assert sorted(found.at for found in suppressions.standing(session, marks)) == [NOW, later]


def test_erasures_log_names_nobody(app: App) -> None:
    erase(app)
    (line,) = (_log(app)).read_text(encoding="utf-8").splitlines()
    content = json.loads(line)
    assert set(content) == {"at", "uid", "number", "addresses"}
    assert all(len(key) == 64 for key in (content["uid"], content["number"], *content["addresses"]))


def _log(app: App) -> Path:
    return (app.database.path.parent if app.database.path else app.home) / "erasures.log"


class Killed(Exception):
    """The process died here."""


@pytest.mark.parametrize("where", ["wait_for_mails", "_take_out", "_note", "overwrite"])
def test_an_erasure_that_was_killed_is_finished_by_the_next_start(
    app: App, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tick(app)

    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(forgetting, where, die)
        with pytest.raises(Killed):
            erase(app)
    forgetting.replay(app, NOW + timedelta(hours=1))
    assert naming(app, "roeschen", "röschen") == []
    assert one(app, Customer, "id", 1).erased_at is not None
    assert forgetting.replay(app, NOW + timedelta(hours=2)) == 0


def blocked(app: App, email: str) -> set[Reason]:
    """Return why nothing goes to an address, as its hash alone tells."""
    with app.database.read() as session:
        marks = suppressions.address_marks(app.keyring, email, email)
        return {found.reason for found in suppressions.standing(session, marks)}


def test_wherever_it_dies_the_next_start_finishes_what_was_begun(app: App) -> None:
    tick(app)
    died = 0
    for left in range(10):
        who, later = str(left + 2), NOW + timedelta(minutes=left)
        mortal = replace(app, database=Mortal(app.database, left))
        try:
            erase(mortal, who, now=later)
        except Died:
            died += 1
        forgetting.replay(app, later)
        assert naming(app, f"k{who}@example.com") == []
        assert files_naming(app, f"k{who}@example.com") == []
        assert blocked(app, f"k{who}@example.com") == {Reason.ERASED}
        assert forgetting.replay(app, later) == 0
    assert 3 <= died < 10
    assert_sound(app)


def test_an_erasure_that_was_killed_can_be_asked_for_again(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(forgetting, "wait_for_mails", die)
        with pytest.raises(Killed):
            erase(app)
    erase(app, now=NOW + timedelta(minutes=5))
    assert naming(app, "roeschen") == []
    assert forgetting.replay(app, NOW + timedelta(hours=1)) == 0


def test_a_case_forbids_an_erasure_until_it_is_over(app: App) -> None:
    subject = subjects.find(app, "1")
    with app.database.write() as session:
        legal_holds.place(session, NewHold(1, "", "Az 12 C", "petra", NOW))
    with pytest.raises(UsageError, match="Az 12 C"):
        forgetting.erase(app, subject, ORDER, NOW)
    assert naming(app, "roeschen")
    with app.database.read() as session:
        assert suppressions.listing(session) == []


def test_a_mail_in_doubt_keeps_its_bytes_until_it_is_settled(app: App) -> None:
    tick(app)
    with app.database.write() as session:
        session.connection().execute(sa.text("DROP TRIGGER message_edges" + _on_message(app)))
        session.connection().execute(sa.text("UPDATE message SET state = 'in_doubt' WHERE customer_id = 1"))
    done = erase(app)
    assert done.in_doubt == 1
    body = one(app, MessageBody, "message", next(row.id for row in rows(app) if row.customer_id == 1))
    assert body.recipient == ANNA
    assert {table for table, _ in naming(app, "roeschen")} == {"message_body"}
    put_state(app, [body.message], [State.UNKNOWN])
    assert forgetting.finish(app, NOW)[0] == 1
    assert forgetting.finish(app, NOW)[0] == 0
    assert naming(app, "roeschen") == []


def _on_message(app: App) -> str:
    return "" if app.database.sqlite else " ON message"


def test_an_erasure_waits_for_a_mail_that_is_just_being_sent(app: App) -> None:
    planning.plan(app, NOW)
    (mine,) = [row.id for row in rows(app) if row.customer_id == 1]
    put_state(app, [mine], [State.CLAIMED, State.SENDING])
    found: list[forgetting.Erased] = []
    order = Order("petra", patience=60)
    waiting = Thread(target=lambda: found.append(erase(app, order=order)))
    waiting.start()
    waiting.join(0.5)
    assert waiting.is_alive()
    put_state(app, [mine], [State.SENT], sent_at=NOW)
    waiting.join(30)
    assert [done.in_doubt for done in found] == [0]


def test_what_waits_is_struck_out_with_the_reason(app: App) -> None:
    planning.plan(app, NOW)
    assert erase(app).skipped == 1
    (mail,) = [row for row in rows(app) if row.customer_id == 1]
    assert (mail.state, mail.reason) == (State.SKIPPED, Reason.ERASED)


def test_who_shares_the_address_keeps_it_and_everything_else(app: App) -> None:
    with app.database.write() as session:
        ben = add_customer(session, "77", ANNA, first_name="Ben", birthday=date(1970, 11, 23))
        number = ben.id
    tick(app)
    done = erase(app)
    assert done.shared == 1
    ben = one(app, Customer, "id", number)
    assert (ben.first_name, ben.erased_at) == ("Ben", None)
    assert one(app, Address, "id", ben.address_id).email == ANNA
    assert [row.address_id for row in rows(app) if row.customer_id == 1] == [None]
    assert_sound(app)


def test_a_bare_address_is_erased_as_well(app: App) -> None:
    with app.database.write() as session:
        add_address(session, "frei@bare.example.com")
    erase(app, "frei@bare.example.com")
    assert naming(app, "bare.example.com") == []
    with pytest.raises(NothingFound):
        subjects.find(app, "frei@bare.example.com")


def test_the_deed_is_noted_without_naming_the_person(app: App) -> None:
    erase(app)
    (deed,) = rows(app, PrivacyEvent.__table__)  # type: ignore[attr-defined]
    assert (deed.operator, deed.action, deed.at) == ("petra", "erase", NOW)
    assert deed.detail == "letter of 2 November from ***"
    assert len(deed.subject) == 64


def test_no_history_is_shortened_without_a_permit(app: App) -> None:
    planning.plan(app, NOW)
    for statement in (
        "DELETE FROM message_event",
        "UPDATE message_event SET detail = ''",
        "UPDATE message_event SET reason = 'x'",
    ):
        with pytest.raises(Exception, match="append-only"), app.database.write() as session:
            session.connection().execute(sa.text(statement))


def test_a_permit_lets_details_go_and_nothing_else_change(app: App) -> None:
    planning.plan(app, NOW)
    (mine, other) = [row.id for row in rows(app)][:2]
    for statement in (
        "UPDATE message_event SET reason = '' , actor = 'x' WHERE message = :mine",
        "UPDATE message_event SET detail = 'new' WHERE message = :mine",
        "UPDATE message_event SET detail = '' WHERE message = :other",
        "DELETE FROM message_event WHERE message = :other",
    ):
        with pytest.raises(Exception, match="append-only"), app.database.write() as session:
            session.connection().execute(sa.text("INSERT INTO purge_permit (message) VALUES (:mine)"), {"mine": mine})
            named = {"mine": mine} if ":mine" in statement else {"other": other}
            session.connection().execute(sa.text(statement), named)
    events: sa.Table = MessageEvent.__table__  # type: ignore[attr-defined]
    with app.database.write() as session:
        scrubbing.texts(session, [mine])
        assert session.connection().execute(sa.text("SELECT count(*) FROM purge_permit")).scalar_one() == 0
    assert [row.detail for row in rows(app, events) if row.message == mine] == [""]


def test_the_store_is_written_anew_where_an_older_program_left_traces(app: App) -> None:
    if app.database.path is None:
        pytest.skip("PostgreSQL has no such setting")
    store = app.database.path
    with app.database.write() as session:
        session.connection().execute(sa.text("PRAGMA secure_delete=OFF"))
        session.connection().execute(sa.text("CREATE TABLE old (text)"))
        session.connection().execute(sa.text("INSERT INTO old VALUES (:email)"), {"email": ANNA.lower()})
        session.connection().execute(sa.text("DROP TABLE old"))
        session.connection().execute(sa.text("PRAGMA secure_delete=ON"))
    app.database.overwrite([])
    assert ANNA.lower().encode() in store.read_bytes()
    assert erase(app).traces == ()
    assert ANNA.lower().encode() not in store.read_bytes().lower()


def test_a_log_that_somebody_reads_is_not_called_empty(sqlite_database: Database) -> None:
    hasty = Database(sqlite_database.url.render_as_string(), wait_seconds=0.05)
    with sqlite_database.write() as session:
        add_customer(session, "1", ANNA)
    with sqlite_database.read() as session:
        session.connection().execute(sa.text("SELECT count(*) FROM customer")).scalar_one()
        assert hasty.overwrite([]) is False
    assert hasty.overwrite([]) is True
    hasty.close()


def test_a_start_does_not_work_while_a_mail_in_doubt_keeps_a_rest(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    planning.plan(app, NOW)
    (mine,) = [row.id for row in rows(app) if row.customer_id == 1]
    put_state(app, [mine], [State.CLAIMED, State.SENDING, State.IN_DOUBT])
    assert erase(app).in_doubt == 1
    calls: list[object] = []
    monkeypatch.setattr(forgetting, "overwrite", lambda *words: (calls.append(words), (True, []))[1])
    forgetting.replay(app, NOW)
    assert calls == []
    put_state(app, [mine], [State.UNKNOWN])
    forgetting.replay(app, NOW)
    assert len(calls) == 1


def test_the_evidence_of_a_mail_is_kept_to_the_end_of_the_third_year(app: App) -> None:
    tick(app)
    assert forgetting.evidence_until(app, subjects.find(app, "1")) == date(2029, 12, 31)
