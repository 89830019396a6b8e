"""How far the consent log has come is kept outside the store, and shows what was cut off or written anew."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from engine.app import App
from engine.domain.permission import ConsentState
from engine.errors import UsageError
from engine.steps import passing
from engine.steps.watching import alarming, auditing, checkpointing
from engine.store import consents
from engine.store.checkpoints import Checkpoint, CheckpointLog, standing
from engine.store.consents import NewConsent
from tests.conftest import CONFIG, MakeApp
from tests.people import NOW, add_address
from tests.store.test_consent_log import change

OWNER = '\n[owner]\nemail = "petra@radhaus-sommer.example.com"\n'
DAY = timedelta(days=1)


@pytest.fixture
def app(make_app: MakeApp) -> App:
    return make_app(config=CONFIG + OWNER)


def say(app: App, count: int, at: datetime) -> None:
    with app.database.write() as session:
        anna = add_address(session, "anna@example.com").id or 0
        said = [NewConsent(anna, ConsentState.OBJECTED, at + timedelta(seconds=n)) for n in range(count)]
        consents.append(session, said, at, "owner")


def sizes(app: App) -> list[int]:
    return [one.size for one in checkpointing.kept(app)]


def test_there_is_a_checkpoint_a_day_and_after_every_thousand_events(app: App) -> None:
    assert checkpointing.checkpoint(app, NOW) is None
    say(app, 3, NOW)
    assert checkpointing.checkpoint(app, NOW) is not None
    say(app, 2, NOW + timedelta(hours=1))
    assert checkpointing.checkpoint(app, NOW + timedelta(hours=1)) is None
    say(app, 1000, NOW + timedelta(hours=2))
    assert checkpointing.checkpoint(app, NOW + timedelta(hours=3)) is not None
    assert checkpointing.checkpoint(app, NOW + DAY) is None  # nothing was added
    say(app, 1, NOW + DAY)
    assert checkpointing.checkpoint(app, NOW + DAY) is not None
    assert sizes(app) == [3, 1005, 1006]


def test_a_pass_writes_the_checkpoint_and_an_imagined_one_does_not(app: App) -> None:
    say(app, 3, NOW)
    passing.one_pass(app, imagined=True)
    assert sizes(app) == []
    passing.one_pass(app)
    assert sizes(app) == [3]


def test_the_owner_is_mailed_the_line_once_a_day_when_the_log_has_grown(app: App) -> None:
    def told(now: datetime) -> int:
        return alarming.tell_owner(app, now).count("consent_checkpoint")

    assert told(NOW) == 0
    say(app, 3, NOW)
    made = checkpointing.checkpoint(app, NOW)
    assert [told(NOW), told(NOW + timedelta(hours=1)), told(NOW + DAY)] == [1, 0, 0]
    say(app, 1, NOW + DAY)
    checkpointing.checkpoint(app, NOW + 2 * DAY)
    assert [told(NOW + 2 * DAY), told(NOW + 2 * DAY)] == [1, 0]
    mails = "".join(path.read_text(encoding="utf-8") for path in (app.home / "outbox").rglob("*.eml"))
    assert made is not None
    assert made.hash[:30] in mails.replace("=\n", "").replace("=3D", "=")


def test_a_tail_that_was_cut_off_is_found_through_the_file_by_verify_and_by_the_audit(app: App) -> None:
    say(app, 10, NOW)
    checkpointing.checkpoint(app, NOW)
    assert checkpointing.verify(app.database, app.home).faults == ()
    change(
        app.database,
        "DELETE FROM consent_event WHERE seq > 7",
        "UPDATE chain_head SET size = 7, hash = (SELECT hash FROM consent_event WHERE seq = 7)",
    )
    found = checkpointing.verify(app.database, app.home)
    assert [fault.seq for fault in found.faults] == [8]
    ground = auditing.ground_of(app.config, (), app.provider)
    broken = [one.what for one in auditing.audit_store(app.database, ground) if one.check == "chain"]
    assert len(broken) == 1
    assert broken[0].startswith("event 8 is missing: the log had 10 events")
    assert checkpointing.checkpoint(app, NOW + DAY) is None  # what is shorter than it was is never attested


def test_lines_kept_elsewhere_are_compared_too(app: App) -> None:
    say(app, 4, NOW)
    made = checkpointing.checkpoint(app, NOW)
    assert made is not None
    elsewhere = app.home / "mails.txt"
    own = CheckpointLog.beside(app.database, app.home).path.read_text(encoding="utf-8")
    elsewhere.write_text("Guten Tag,\n\n" + own + "\nGrüße\n", encoding="utf-8")
    assert checkpointing.verify(app.database, app.home, elsewhere).checkpoints == 1
    elsewhere.write_text(own.replace(made.hash, "0" * 64), encoding="utf-8")
    assert [fault.seq for fault in checkpointing.verify(app.database, app.home, elsewhere).faults] == [4]
    elsewhere.write_text(own.replace(str(app.installation), "7e0e9d1c-0000-4a61-9f7e-0f4d3f3c2b1a"), encoding="utf-8")
    with pytest.raises(UsageError, match="no checkpoint of this store"):
        checkpointing.verify(app.database, app.home, elsewhere)


def test_a_backup_that_was_put_back_with_the_owners_word_is_no_fault(app: App) -> None:
    say(app, 10, NOW)
    checkpointing.checkpoint(app, NOW)
    change(
        app.database,
        "DELETE FROM consent_event WHERE seq > 7",
        "UPDATE chain_head SET size = 7, hash = (SELECT hash FROM consent_event WHERE seq = 7)",
    )
    checkpointing.note_restored(app, NOW + DAY)
    found = checkpointing.verify(app.database, app.home)
    assert (found.faults, [one.size for one in found.restored]) == ((), [7])
    say(app, 5, NOW + 2 * DAY)
    assert checkpointing.checkpoint(app, NOW + 3 * DAY) is not None
    assert checkpointing.verify(app.database, app.home).faults == ()
    assert sizes(app) == [10, 7, 12]


def test_a_torn_line_is_passed_over_and_the_next_stands_on_its_own(app: App) -> None:
    log = CheckpointLog.beside(app.database, app.home)
    one = Checkpoint(app.installation, 3, "a" * 64, NOW)
    log.append(one)
    with log.path.open("ab") as file:
        file.write(b'{"origin":"7e0e')
    log.append(Checkpoint(app.installation, 5, "b" * 64, NOW))
    assert [kept.size for kept in log.read(app.installation)] == [3, 5]
    assert log.path.stat().st_mode & 0o777 == 0o600
    assert json.loads(log.path.read_bytes().splitlines()[0])["hash"] == "a" * 64


def test_the_earliest_word_on_a_place_counts(app: App) -> None:
    first, second = (Checkpoint(app.installation, 3, sign * 64, NOW) for sign in "ab")
    assert standing([first, second]) == {3: first}
