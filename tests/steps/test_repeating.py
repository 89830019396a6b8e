"""A batch in doubt of which one mail was proved since: the identical call, that mail in it, tells of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from engine.clock import stopped_at, stopwatch
from engine.domain.words import Call, InDoubt, Reason, Result, State
from engine.steps import guarding, receiving, recording, recovering, resolving, subscribing
from engine.steps.calling import Landed
from engine.steps.privacy import forgetting, subjects
from engine.steps.privacy.forgetting import Order
from engine.steps.releasing import Outgoing
from engine.store import calls, messages, scrubbing
from engine.store.message_tables import ProviderCall
from engine.store.messages import Move
from tests.conftest import CONFIG, MakeApp
from tests.doubles.book import Line
from tests.doubles.http import Double, serving
from tests.doubles.webhooks import SECRETS, hook
from tests.people import NOW, add_customer
from tests.steps.sending_shop import ATTEMPTS, BIRTHDAY, EVENTS, add_birthdays, later, rows, send, tick
from tests.steps.soundness import assert_sound

if TYPE_CHECKING:
    from engine.app import App

CALLS: sa.Table = ProviderCall.__table__  # type: ignore[attr-defined]
PROVED, OTHERS = 1, (0, 2)
"""The place of the mail that is proved, and those of the mails it leaves in doubt."""


@dataclass
class Batch:
    """A shop and Resend: three mails in one call, all of them taken, and no answer."""

    app: App
    double: Double

    def mail(self, place: int) -> Line:
        return self.double.mails()[place]

    def tell(self, kind: str, place: int = PROVED, now: datetime | None = None) -> None:
        """Let Resend tell of one of the mails."""
        at = now or later(1)
        told = hook("resend", kind, self.mail(place), NOW, SECRETS["resend"], at)
        receiving.receive(self.app, "resend", told.headers, told.raw, at, secret=SECRETS["resend"])

    def row(self, place: int = PROVED) -> Any:
        number = self.mail(place)["mid"]
        return next(row for row in rows(self.app) if row.message_id == number)

    def states(self) -> list[tuple[str, Reason | None]]:
        """Return where the mails stand, in the order of the call."""
        return [(row.state.value, row.reason) for row in map(self.row, range(3))]

    def results(self, fence: int) -> list[str]:
        """Return the results of one round of the call, in its order."""
        return [attempt.result for attempt in rows(self.app, ATTEMPTS) if attempt.fence == fence]

    @property
    def bodies(self) -> list[bytes]:
        return [request["raw"] for request in self.double.requests]


@pytest.fixture
def batch(make_app: MakeApp, tmp_path: Path) -> Iterator[Batch]:
    """Give a batch in doubt."""
    double = Double(tmp_path / "book.jsonl", "resend", "accept_then_500", sync=False, clock=stopped_at(NOW))
    key = tmp_path / "api.key"
    key.write_text("a-key", encoding="utf-8")
    key.chmod(0o600)
    with serving(double) as url:
        lines = f'use = "resend"\nbase_url = "{url}"\napi_key_file = "{key}"\nbatch = 3'
        web = '[web]\npublic_url = "https://post.radhaus-sommer.example.com"\n\n[wording.'
        config = CONFIG.replace('use = "outbox"', lines).replace("[wording.", web, 1)
        app = make_app(config=config, campaigns={"birthday": f'{BIRTHDAY}[send]\nbetween = "00:00-24:00"\n'})
        add_birthdays(app, 3)
        tick(app)
        double.switch("accept")
        made = Batch(app, double)
        assert made.states() == [("in_doubt", Reason.NO_ANSWER)] * 3
        yield made
    assert_sound(app)
    assert double.twice() == {}


def test_the_others_are_told_by_the_identical_call_and_nobody_is_mailed_twice(batch: Batch) -> None:
    batch.tell("delivered")
    before = batch.row()
    assert [state for state, _ in batch.states()] == ["in_doubt", "sent", "in_doubt"]
    send(batch.app, later(2))
    first, again = batch.bodies
    assert again == first
    assert len({request["headers"]["idempotency-key"] for request in batch.double.requests}) == 1
    assert batch.states() == [("sent", Reason.PROVED)] * 3
    assert [batch.row(place).provider_id for place in range(3)] == [mail["id"] for mail in batch.double.mails()]
    assert batch.row()._asdict() == before._asdict() | {"fence": 2}  # its number rises with each call it is in


def test_the_proved_mail_has_its_part_in_the_log_of_the_repeat(batch: Batch) -> None:
    batch.tell("delivered")
    send(batch.app, later(2))
    (call,) = rows(batch.app, CALLS)
    assert (call.members, call.made) == (3, 2)
    parts = [(attempt.position, attempt.fence, attempt.call_id) for attempt in rows(batch.app, ATTEMPTS)]
    assert parts == [(position, fence, call.id) for fence in (1, 2) for position in range(3)]
    assert (batch.results(1), batch.results(2)) == (["in_doubt"] * 3, ["accepted"] * 3)
    event = next(one for one in reversed(rows(batch.app, EVENTS)) if one.message == batch.row().id)
    assert (event.before, event.after, event.reason) == ("sent", "sent", "repeated")


@pytest.mark.parametrize("kind", ["complained", "bounced"])
def test_a_call_whose_proved_mail_was_answered_with_a_no_is_never_repeated(batch: Batch, kind: str) -> None:
    batch.tell(kind)
    for minute in (2, 3):
        send(batch.app, later(minute))
    assert len(batch.bodies) == 1
    assert batch.states() == [("unknown", Reason.NO_PROOF), ("sent", Reason.PROVED), ("unknown", Reason.NO_PROOF)]


def test_a_call_whose_proved_mail_goes_to_somebody_who_has_objected_since_is_never_repeated(batch: Batch) -> None:
    batch.tell("delivered")
    who = batch.mail(PROVED)["to"].removeprefix("k").partition("@")[0]
    subscribing.object_from_any_channel(batch.app, who, "am Telefon", later(1))
    for minute in (2, 3):
        send(batch.app, later(minute))
    assert len(batch.bodies) == 1
    assert batch.states() == [("unknown", Reason.NO_PROOF), ("sent", Reason.PROVED), ("unknown", Reason.NO_PROOF)]
    assert [call.closed for call in rows(batch.app, CALLS)] == [True]


def test_a_call_is_never_repeated_once_the_bytes_of_its_proved_mail_are_gone(batch: Batch) -> None:
    batch.tell("delivered")
    with batch.app.database.write() as session:
        scrubbing.bodies(session, [batch.row().id])
    for minute in (2, 3):
        send(batch.app, later(minute))
    assert len(batch.bodies) == 1
    assert batch.states() == [("unknown", Reason.NO_PROOF), ("sent", Reason.PROVED), ("unknown", Reason.NO_PROOF)]


def test_a_mail_that_ended_without_a_proof_keeps_the_others_from_being_repeated(batch: Batch) -> None:
    with batch.app.database.write() as session:
        (row,) = messages.by_ids(session, [batch.row().id])
        messages.transition(session, [Move(row, State.UNKNOWN, Reason.NO_PROOF)], now=later(1), actor="recovery")
    send(batch.app, later(2))
    assert len(batch.bodies) == 1
    assert batch.states() == [("unknown", Reason.NO_PROOF)] * 3


def test_a_repeat_that_brings_no_answer_leaves_the_proved_mail_sent_and_goes_again(batch: Batch) -> None:
    batch.tell("delivered")
    batch.double.switch("500", 1)
    send(batch.app, later(2))
    assert [state for state, _ in batch.states()] == ["in_doubt", "sent", "in_doubt"]
    send(batch.app, later(3))
    assert [batch.results(fence) for fence in (1, 2, 3)] == [["in_doubt"] * 3, ["in_doubt"] * 3, ["accepted"] * 3]
    assert batch.states() == [("sent", Reason.PROVED)] * 3
    assert len(set(batch.bodies)) == 1


def test_an_answer_that_is_silent_about_some_is_not_asked_for_again_and_again(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "_ENOUGH", 1)
    batch.tell("delivered")
    with batch.app.database.write() as session:
        named = sa.update(ATTEMPTS).where(ATTEMPTS.c.message == batch.row().id)
        session.connection().execute(named.values(result="accepted", provider_id=batch.mail(PROVED)["id"]))
    for minute in (2, 3):
        send(batch.app, later(minute))
    assert len(batch.bodies) == 1
    assert batch.states() == [("unknown", Reason.NO_PROOF), ("sent", Reason.PROVED), ("unknown", Reason.NO_PROOF)]


def test_a_mail_that_is_proved_left_with_the_last_call_that_was_made_for_it(batch: Batch) -> None:
    batch.double.switch("500", 1)
    send(batch.app, later(2))
    batch.tell("delivered", now=later(3))
    assert batch.row().sent_at == later(2)
    send(batch.app, later(4))


def test_a_store_that_was_backed_up_in_the_middle_of_the_repeat_leaves_no_call_open(batch: Batch) -> None:
    batch.tell("delivered")
    _begin(batch)
    with batch.app.database.write() as session:
        guarding._give_up_calls(session, later(30))
    assert batch.results(2) == ["store_restored"] * 3
    assert batch.row().state is State.SENT


def _begin(batch: Batch) -> Outgoing:
    """Write the intent of the repeat, as a process does that gets no further."""
    (call,) = resolving.resolve(batch.app, stopped_at(later(2)), look_up=False).repeats
    with batch.app.database.write() as session:
        outgoing = resolving.repeat(session, batch.app, call, now=later(2), owner="elsewhere:17:abc")
    assert outgoing is not None
    assert [mail.goes_along for mail in outgoing.mails] == [False, True, False]
    return outgoing


def _record(batch: Batch, outgoing: Outgoing, results: Sequence[Result] | None) -> Counter[str]:
    with batch.app.database.write() as session:
        landed = [Landed(outgoing, results)]
        return recording.record(session, batch.app, landed, now=later(20), owner="elsewhere:17:abc").counts


def test_a_process_that_dies_in_the_repeat_leaves_the_proved_mail_sent(batch: Batch) -> None:
    batch.tell("delivered")
    _begin(batch)
    assert [state for state, _ in batch.states()] == ["sending", "sent", "sending"]
    assert recovering.recover(batch.app, later(10)) == 2
    assert batch.states() == [("in_doubt", Reason.OWNER_DIED), ("sent", Reason.PROVED), ("in_doubt", Reason.OWNER_DIED)]
    assert batch.results(2) == ["owner_died"] * 3
    send(batch.app, later(20))
    assert batch.states() == [("sent", Reason.PROVED)] * 3
    assert batch.results(3) == ["accepted"] * 3
    assert len(set(batch.bodies)) == 1


def test_a_repeat_whose_turn_came_too_late_leaves_the_proved_mail_sent(batch: Batch) -> None:
    batch.tell("delivered")
    assert _record(batch, _begin(batch), None) == {"in_doubt": 2}
    assert [state for state, _ in batch.states()] == ["in_doubt", "sent", "in_doubt"]
    assert batch.results(2) == ["not_begun"] * 3
    send(batch.app, later(30))
    assert batch.states() == [("sent", Reason.PROVED)] * 3


def test_an_answer_that_comes_after_its_process_was_taken_for_dead_moves_no_proved_mail(batch: Batch) -> None:
    batch.tell("delivered")
    outgoing = _begin(batch)
    results = batch.app.provider.send(Call(outgoing.key, tuple(mail.email for mail in outgoing.mails)))
    batch.app.provider.close()
    recovering.recover(batch.app, later(10))
    assert _record(batch, outgoing, results) == {"late": 3}
    assert batch.states() == [("sent", Reason.PROVED)] * 3
    told = [one.detail for one in rows(batch.app, EVENTS) if one.message == batch.row().id][-1]
    assert told.startswith("late result of attempt 1 (fence 2): accepted")


def test_what_goes_along_on_the_next_day_is_no_mail_of_that_day(batch: Batch) -> None:
    batch.tell("delivered")
    with batch.app.database.write() as session:
        add_customer(session, "twin", batch.mail(PROVED)["to"], birthday=date(1984, 11, 24))
    tomorrow = 19 * 60
    send(batch.app, later(tomorrow))
    assert batch.states() == [("sent", Reason.PROVED)] * 3
    tick(batch.app, later(tomorrow + 6 * 60))
    assert [row.state for row in rows(batch.app)] == [State.SENT] * 4


def test_an_erasure_waits_for_the_repeat_in_which_the_proved_mail_goes_along(batch: Batch) -> None:
    batch.tell("delivered")
    who = subjects.find(batch.app, batch.mail(PROVED)["to"])
    outgoing = _begin(batch)
    began = stopwatch()
    forgetting.wait_for_mails(batch.app, who, 0.2)
    assert stopwatch() - began >= 0.2
    _record(batch, outgoing, [InDoubt("silence")] * 3)
    forgetting.wait_for_mails(batch.app, who, 600.0)
    assert stopwatch() - began < 600.0


def test_what_the_answer_says_of_somebody_who_was_erased_meanwhile_is_not_kept(batch: Batch) -> None:
    batch.tell("delivered")
    to = batch.mail(PROVED)["to"]
    outgoing = _begin(batch)
    forgetting.erase(batch.app, subjects.find(batch.app, to), Order("petra", "by letter", patience=0), later(3))
    _record(batch, outgoing, [InDoubt(f"no answer about {mail['to']}") for mail in batch.double.mails()])
    told = [one.detail for table in (ATTEMPTS, EVENTS) for one in rows(batch.app, table)]
    assert not any(to in detail for detail in told)
    assert any(batch.mail(0)["to"] in detail for detail in told)
    for minute in (30, 31):
        send(batch.app, later(minute))
    assert len(batch.bodies) == 1
    assert [batch.row(place).state for place in OTHERS] == [State.UNKNOWN] * 2
