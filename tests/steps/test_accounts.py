"""A doubt belongs to the account it came from: another account of the same provider is asked nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from engine.app import reassemble
from engine.clock import stopped_at
from engine.domain.words import Reason
from engine.store.message_tables import ProviderCall
from tests.conftest import CONFIG, MakeApp
from tests.doubles.http import Double, serving
from tests.people import NOW
from tests.steps.sending_shop import BIRTHDAY, add_birthdays, later, rows, send, states, tick
from tests.steps.soundness import assert_sound

if TYPE_CHECKING:
    from engine.app import App

PEOPLE = 3
CAMPAIGN = f'{BIRTHDAY}[send]\nbetween = "00:00-24:00"\n'
CALLS: sa.Table = ProviderCall.__table__  # type: ignore[attr-defined]


@dataclass
class Account:
    """An account at a provider: where it answers, and the double behind it."""

    url: str
    double: Double

    @property
    def key(self) -> Path:
        """Return the file with its key."""
        return self.double.path.with_suffix(".key")


@dataclass
class Accounts:
    """A shop in doubt, the account it has called, and another one of the same provider that knows nothing of it."""

    app: App
    own: Account
    other: Account

    def move_to(self, account: Account, stream: str = "broadcast") -> None:
        """Let the owner put the account's address, key and stream in, and the daemon read them."""
        file = self.app.config.file
        text = re.sub('base_url = ".*"', f'base_url = "{account.url}"', file.read_text(encoding="utf-8"))
        text = re.sub('api_key_file = ".*"', f'api_key_file = "{account.key}"', text)
        text = re.sub('stream = ".*"', f'stream = "{stream}"', text)
        file.write_text(text, encoding="utf-8")
        self.app.provider.close()
        self.app = reassemble(self.app, {})

    def wait(self, *minutes: int) -> None:
        """Let the shop look at its doubts at these minutes; the providers' clocks go with its own."""
        for minute in minutes:
            self.own.double.desk.clock = self.other.double.desk.clock = stopped_at(later(minute))
            send(self.app, later(minute))


def _config(account: Account, name: str) -> str:
    lines = f'use = "{name}"\nbase_url = "{account.url}"\napi_key_file = "{account.key}"\nbatch = {PEOPLE}'
    lines += '\nstream = "broadcast"' if name == "postmark" else ""
    web = '[web]\npublic_url = "https://post.radhaus-sommer.example.com"\n\n[wording.'
    return CONFIG.replace('use = "outbox"', lines).replace("[wording.", web, 1)


@pytest.fixture(params=["resend", "brevo", "postmark"])
def accounts(request: pytest.FixtureRequest, make_app: MakeApp, tmp_path: Path) -> Iterator[Accounts]:
    """Give a batch in doubt whose mails the first account has taken."""
    name = request.param
    with ExitStack() as open_doors:
        own, other = (
            Account(open_doors.enter_context(serving(double)), double)
            for double in (
                Double(tmp_path / "own.jsonl", name, "accept_then_500", sync=False, clock=stopped_at(NOW)),
                Double(tmp_path / "other.jsonl", name, sync=False, clock=stopped_at(NOW)),
            )
        )
        for account in (own, other):
            account.key.write_text(f"key of {account.double.path.stem}", encoding="utf-8")
            account.key.chmod(0o600)
        app = make_app(config=_config(own, name), campaigns={"birthday": CAMPAIGN})
        made = Accounts(app, own, other)
        made.move_to(own)  # its key comes from the file, as an owner's does
        add_birthdays(app, PEOPLE)
        tick(made.app)
        own.double.switch("accept")
        assert states(app) == {"in_doubt": PEOPLE}
        assert len(own.double.mails()) == PEOPLE
        yield made
        made.app.provider.close()
    assert_sound(app)


def test_another_account_is_neither_called_again_nor_asked(accounts: Accounts) -> None:
    accounts.move_to(accounts.other)
    accounts.wait(1, 10, 20, 45)
    assert accounts.other.double.asked == 0
    assert accounts.other.double.mails() == []
    assert states(accounts.app) == {"in_doubt": PEOPLE}


@pytest.mark.parametrize("accounts", ["postmark"], indirect=True)
def test_another_stream_of_the_account_is_not_asked_either(accounts: Accounts) -> None:
    asked = accounts.own.double.asked
    accounts.move_to(accounts.own, stream="outbound")
    accounts.wait(1, 10, 20, 45)
    assert accounts.own.double.asked == asked
    assert states(accounts.app) == {"in_doubt": PEOPLE}


@pytest.mark.parametrize("accounts", ["postmark"], indirect=True)
def test_the_usual_stream_is_the_same_whether_it_is_written_out_or_not(accounts: Accounts) -> None:
    accounts.move_to(accounts.own, stream="")
    accounts.wait(20, 40, 60)
    assert states(accounts.app) == {"sent": PEOPLE}


def test_a_rehearsal_settles_no_real_doubt(accounts: Accounts, make_app: MakeApp) -> None:
    with_resend = CAMPAIGN.replace('kind = "birthday"\n', 'kind = "birthday"\non_doubt = "resend"\n', 1)
    rehearsing = make_app(campaigns={"birthday": with_resend})
    for minute in (1, 2):
        send(rehearsing, later(minute))
    send(rehearsing, NOW + timedelta(hours=50))
    assert states(accounts.app) == {"in_doubt": PEOPLE}
    accounts.wait(5, 20, 40, 60)
    assert states(accounts.app) == {"sent": PEOPLE}
    assert accounts.own.double.twice() == {}


def test_after_two_days_in_another_account_nobody_knows(accounts: Accounts) -> None:
    accounts.move_to(accounts.other)
    send(accounts.app, NOW + timedelta(hours=49))
    assert accounts.other.double.asked == 0
    found = [(row.state.value, row.reason) for row in rows(accounts.app)]
    assert found == [("unknown", Reason.NO_PROOF)] * PEOPLE


def test_a_key_that_was_put_in_by_mistake_costs_no_doubt_its_end(accounts: Accounts) -> None:
    accounts.move_to(accounts.other)
    accounts.wait(2)
    accounts.move_to(accounts.own)
    accounts.wait(6, 20, 40, 60)
    assert states(accounts.app) == {"sent": PEOPLE}
    assert accounts.own.double.twice() == {}


def test_a_call_of_an_older_version_bears_no_mark_and_goes_on_as_before(accounts: Accounts) -> None:
    with accounts.app.database.write() as session:
        session.connection().execute(sa.update(CALLS).values(account=""))
    accounts.wait(6, 20, 40, 60)
    assert states(accounts.app) == {"sent": PEOPLE}


def test_the_store_holds_a_mark_of_the_key_and_not_the_key(accounts: Accounts) -> None:
    (call,) = rows(accounts.app, CALLS)
    assert re.fullmatch("[0-9a-f]{32}", call.account)
    assert accounts.app.config.provider.secret not in call.account
