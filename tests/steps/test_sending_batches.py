"""Batches of a provider that takes a call whole or not at all: one bad mail sinks no other, whoever sends them next."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from engine.clock import stopped_at
from engine.domain.words import NotSent
from engine.steps import planning, sending
from engine.store.message_tables import ProviderCall
from tests.conftest import CONFIG, MakeApp
from tests.doubles.http import Double, serving
from tests.people import NOW, add_consent, add_customer
from tests.steps.sending_shop import ATTEMPTS, BIRTHDAY, add_birthdays, later, rows, send, states, tick
from tests.steps.soundness import assert_sound
from tests.steps.test_sending_faults import Scripted

if TYPE_CHECKING:
    from engine.app import App

GOOD = 9
ALL_DAY = f'{BIRTHDAY}[send]\nbetween = "00:00-24:00"\n'
CALLS: sa.Table = ProviderCall.__table__  # type: ignore[attr-defined]


@dataclass
class Shop:
    """A shop and Brevo: ten mails a call, and every address is taken but one."""

    app: App
    double: Double
    make_app: MakeApp
    config: str

    def begin_anew(self, minutes: int) -> None:
        """Let the process end and another one begin, as `treuepost tick` in a crontab does."""
        self.app.provider.close()
        self.app = self.make_app(config=self.config, now=later(minutes))

    def plan_with_a_bad_mail(self) -> None:
        """Plan ten mails that make one batch."""
        self.add("bad", "refused@example.com")
        planning.plan(self.app, NOW)

    def add(self, name: str, address: str) -> None:
        """Add a customer whose birthday is today."""
        with self.app.database.write() as session:
            born = NOW.date().replace(year=1980)
            add_consent(session, add_customer(session, name, address, birthday=born))

    @property
    def sizes(self) -> list[int]:
        """Return how many mails each request had, in order."""
        documents = [json.loads(request["raw"]) for request in self.double.requests]
        return [len(document.get("messageVersions", [document])) for document in documents]


@pytest.fixture
def shop(make_app: MakeApp, tmp_path: Path) -> Iterator[Shop]:
    """Give a shop with nine customers who can be written to."""
    double = Double(tmp_path / "book.jsonl", "brevo", sync=False, clock=stopped_at(NOW))
    key = tmp_path / "api.key"
    key.write_text("a-key", encoding="utf-8")
    key.chmod(0o600)
    with serving(double) as url:
        lines = f'use = "brevo"\nbase_url = "{url}"\napi_key_file = "{key}"\nbatch = 10'
        web = '[web]\npublic_url = "https://post.radhaus-sommer.example.com"\n\n[wording.'
        config = CONFIG.replace('use = "outbox"', lines).replace("[wording.", web, 1)
        app = make_app(config=config, campaigns={"birthday": ALL_DAY})
        add_birthdays(app, GOOD)
        made = Shop(app, double, make_app, config)
        yield made
        made.app.provider.close()
    assert_sound(made.app)
    assert double.twice() == {}


class AfterFirstCall:
    """Ends a run once the provider has been called."""

    def __init__(self, double: Double) -> None:
        self._double = double

    def is_set(self) -> bool:
        return bool(self._double.requests)


def test_one_bad_mail_ends_alone_and_the_others_go_at_once(shop: Shop) -> None:
    shop.plan_with_a_bad_mail()
    send(shop.app)
    assert states(shop.app) == {"sent": GOOD, "rejected": 1}
    assert shop.sizes == [GOOD + 1] + [1] * (GOOD + 1)
    assert Counter(attempt.result for attempt in rows(shop.app, ATTEMPTS)) == {
        "not_sent": GOOD + 1,
        "accepted": GOOD,
        "refused": 1,
    }


def test_a_batch_that_was_refused_for_one_of_its_mails_burns_no_attempt(shop: Shop) -> None:
    shop.plan_with_a_bad_mail()
    sending.send_due(shop.app, stopped_at(NOW), stop=AfterFirstCall(shop.double))
    assert {(row.state.value, row.attempts) for row in rows(shop.app)} == {("retrying", 0)}
    send(shop.app)
    assert {row.attempts for row in rows(shop.app)} == {1}


def test_a_process_that_begins_anew_knows_whose_batch_was_refused(shop: Shop) -> None:
    shop.plan_with_a_bad_mail()
    for minutes in (0, 61, 122):
        sending.send_due(shop.app, stopped_at(later(minutes)), stop=AfterFirstCall(shop.double))
        shop.begin_anew(minutes + 1)
        if minutes == 0:
            assert shop.sizes == [GOOD + 1]
            shop.double.requests.clear()
    send(shop.app, later(183))
    assert set(shop.sizes) == {1}
    assert states(shop.app) == {"sent": GOOD, "rejected": 1}


def test_it_goes_alone_until_it_was_judged_alone(shop: Shop) -> None:
    shop.plan_with_a_bad_mail()
    sending.send_due(shop.app, stopped_at(NOW), stop=AfterFirstCall(shop.double))
    shop.double.switch("throttle")
    send(shop.app, later(1))
    shop.double.switch("accept")
    send(shop.app, later(2))
    assert set(shop.sizes[1:]) == {1}
    assert states(shop.app) == {"sent": GOOD, "rejected": 1}


def test_others_go_in_batches_beside_those_that_go_alone(shop: Shop) -> None:
    shop.plan_with_a_bad_mail()
    sending.send_due(shop.app, stopped_at(NOW), stop=AfterFirstCall(shop.double))
    for number in range(10):
        shop.add(f"n{number}", f"n{number}@example.com")
    tick(shop.app, later(1))
    assert sorted(shop.sizes[1:]) == [1] * (GOOD + 1) + [10]
    assert states(shop.app) == {"sent": GOOD + 10, "rejected": 1}


def test_what_goes_alone_is_released_only_for_a_sender_that_is_free(shop: Shop) -> None:
    shop.plan_with_a_bad_mail()
    sending.send_due(shop.app, stopped_at(NOW), stop=AfterFirstCall(shop.double))
    shop.double.switch("slow=0.6")  # with four senders the last of ten would begin too late after a common release
    send(shop.app, later(1))
    assert "not_begun" not in {attempt.result for attempt in rows(shop.app, ATTEMPTS)}
    assert states(shop.app) == {"sent": GOOD, "rejected": 1}


@pytest.mark.parametrize("mode", ["throttle", "no_credits", "bad_sender"])
def test_a_fault_of_the_account_turns_no_batch_into_single_calls(shop: Shop, mode: str) -> None:
    shop.double.switch(mode, 1)
    tick(shop.app)
    send(shop.app, later(61))
    assert shop.sizes == [GOOD] * 2
    assert states(shop.app) == {"sent": GOOD}


def test_a_batch_that_did_not_leave_for_no_mails_sake_stays_a_batch(make_app: MakeApp) -> None:
    class Counting(Scripted):
        batch = 5
        sizes: list[int] = []  # noqa: RUF012

        def send(self, call: Any) -> Any:
            self.sizes.append(len(call.emails))
            return super().send(call)

    provider = Counting(NotSent("busy"))
    app = replace(make_app(campaigns={"birthday": ALL_DAY}), provider=provider)
    add_birthdays(app, 5)
    tick(app)
    send(app, NOW + timedelta(minutes=2))
    assert provider.sizes == [5, 5]
    assert {row.attempts for row in rows(app)} == {2}
    assert not any(call.closed for call in rows(app, CALLS))
