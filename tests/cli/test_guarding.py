"""`treuepost db adopt`, and what waits for the owner's word, as they are typed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from engine.cli import sentences
from engine.clock import system_clock
from engine.domain.breaker import THRESHOLD
from engine.domain.guard import FROM_BACKUP, Answer, Suspicion
from engine.domain.words import InDoubt, Reason, State
from engine.language import Language
from engine.steps import breaking
from engine.steps.watching import telling
from engine.store.database import Database
from engine.store.messages import TABLE
from engine.store.sidecar import ENDING
from engine.store.tables import Customer, Installation
from tests.cli.typed import document, lay_out, lines, opened, typed
from tests.conftest import CONFIG
from tests.store.rows import add_messages

NOBODY = 'use = "brevo"\nbase_url = "http://127.0.0.1:9"\napi_key_file = "key"'


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Lay out a shop that has really mailed, with a provider that cannot be reached."""
    folder = lay_out(tmp_path / "laden", config=CONFIG.replace('use = "outbox"', NOBODY))
    (folder / "key").write_text("xkeysib-1", encoding="utf-8")
    (folder / "key").chmod(0o600)
    assert typed(folder, "tick").exit_code == 0
    _add(folder, 1, state=State.SENT, first_call_at=system_clock())
    return folder


def _add(home: Path, count: int, **columns: object) -> list[int]:
    now = system_clock()
    times = {"send_after": now - timedelta(minutes=5), "expires_at": now + timedelta(days=3), "due": now.date()}
    with opened(home) as session:
        anna = session.execute(sa.select(Customer)).scalars().first()
        return add_messages(session, count, anna, **times | columns)


def _set(home: Path, **values: object) -> None:
    with opened(home) as session:
        session.connection().execute(sa.update(Installation.__table__).values(**values))  # type: ignore[attr-defined]


def _states(home: Path, ids: list[int]) -> set[tuple[State, Reason | None]]:
    database = Database(f"sqlite:///{home / 'store.db'}")
    with database.read() as session:
        found = session.connection().execute(sa.select(TABLE.c.state, TABLE.c.reason).where(TABLE.c.id.in_(ids)))
        states = {(row.state, row.reason) for row in found}
    database.close()
    return states


@pytest.fixture
def restored(home: Path) -> Iterator[Path]:
    """Let the shop's store be a backup that was put back, with three mails due in the time that was lost."""
    _add(home, 3)
    _set(home, place=FROM_BACKUP, last_tick_at=system_clock() - timedelta(hours=2))
    return home


def test_a_store_in_doubt_ends_the_pass_with_the_three_answers(restored: Path) -> None:
    result = typed(restored, "tick")
    assert result.exit_code == 5
    assert "Es wurde eine Sicherung zurückgespielt." in result.stderr
    for answer in Answer:
        assert f"treuepost db adopt {answer.value}" in result.stderr
    assert "Traceback" not in result.output


def test_a_machine_reads_why_nothing_was_sent(restored: Path) -> None:
    result = typed(restored, "tick", "--json")
    assert result.exit_code == 5
    assert '"guarded": "restored"' in result.stdout


@pytest.mark.parametrize("words", [["plan"], ["log"], ["messages", "list"], ["suppress", "add", "x@example.com"]])
def test_everything_else_goes_on(restored: Path, words: list[str]) -> None:
    more = ["--because", "by phone"] if "suppress" in words else []
    assert typed(restored, *words, *more).exit_code == 0


def test_restored_holds_what_may_have_been_sent(restored: Path) -> None:
    done = document(restored, "db", "adopt", "restored")
    assert isinstance(done, dict)
    assert (done["answer"], done["held"], done["unknown"]) == ("restored", 3, 0)
    assert done["budget"] > 0
    assert done["lost_until"] is not None
    assert typed(restored, "tick").exit_code == 0
    shown = typed(restored, "messages", "list").stdout
    assert "3 Mails" in shown
    assert "store_restored" in shown
    assert len(shown.splitlines()) == 2
    assert len(lines(restored, "messages", "list", "--state", "held")) == 3


def test_the_owner_is_answered_in_german(restored: Path) -> None:
    said = typed(restored, "db", "adopt", "restored").stdout
    assert "3 Mails warten auf Ihr Wort" in said
    assert "wird nicht von selbst noch einmal verschickt" in said


def test_a_store_without_its_sidecar_goes_on_when_it_was_moved(home: Path) -> None:
    (home / f"store.db{ENDING}").unlink()
    assert typed(home, "tick").exit_code == 5
    assert document(home, "db", "adopt", "moved") == {
        "answer": "moved",
        "lost_until": None,
        "held": 0,
        "unknown": 0,
        "budget": 0,
    }
    assert typed(home, "tick").exit_code == 0


def test_doctor_names_a_store_that_waits_and_a_provider_that_is_silent(home: Path) -> None:
    with opened(home) as session:
        breaking.note(session, "brevo", [InDoubt("no answer within 30 s")] * THRESHOLD, system_clock())
    (home / f"store.db{ENDING}").unlink()
    said = typed(home, "doctor").stdout
    assert "treuepost db adopt moved|restored|copy" in said
    assert "10 Mails in Folge ohne klare Antwort: no answer within 30 s" in said
    typed(home, "resume", "--all")
    typed(home, "db", "adopt", "moved")
    said = typed(home, "doctor").stdout
    assert "adopt" not in said
    assert "in Folge" not in said


def test_a_copy_never_sends(home: Path) -> None:
    assert "Kopie" in typed(home, "db", "adopt", "copy").stdout
    assert typed(home, "tick").exit_code == 5


@pytest.mark.parametrize(
    "words",
    [["moved"], ["stolen"], ["restored", "--lost-until", "yesterday"], ["restored", "--lost-until", "2999-01-01"]],
)
def test_an_answer_that_cannot_be_is_usage(restored: Path, words: list[str]) -> None:
    assert typed(restored, "db", "adopt", *words).exit_code == 2
    assert typed(restored, "tick").exit_code == 5


# -- lots ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("word", "after"), [("release", State.PLANNED), ("cancel", State.CANCELLED)])
def test_one_word_moves_a_whole_lot(home: Path, word: str, after: State) -> None:
    ids = _add(home, 4, state=State.HELD, reason=Reason.CONFIRM_ABOVE, detail="4 for 2026-11-23, above 3")
    shown = typed(home, "messages", "list").stdout
    assert "4 am 2026-11-23, mehr als die 3, die ungefragt hinausgehen" in shown
    assert "birthday: 4" in typed(home, "messages", word, "birthday").stdout
    assert {state for state, _reason in _states(home, ids)} == {after}


def test_a_lot_is_told_message_by_message_to_machines(home: Path) -> None:
    _add(home, 2, state=State.HELD, reason=Reason.UNUSUALLY_MANY)
    done = document(home, "messages", "release", "birthday")
    assert isinstance(done, list)
    assert [(one["before"], one["state"]) for one in done] == [("held", "planned")] * 2


def test_of_two_reasons_one_must_be_named(home: Path) -> None:
    many = _add(home, 2, state=State.HELD, reason=Reason.CONFIRM_ABOVE)
    lost = _add(home, 3, state=State.HELD, reason=Reason.STORE_RESTORED)
    result = typed(home, "messages", "release", "birthday")
    assert result.exit_code == 2
    assert "confirm_above (2)" in result.stderr
    assert typed(home, "messages", "release", "birthday", "--reason", "too_late").exit_code == 2
    assert typed(home, "messages", "release", "birthday", "--reason", "confirm_above").exit_code == 0
    assert _states(home, many) == {(State.PLANNED, None)}
    assert _states(home, lost) == {(State.HELD, Reason.STORE_RESTORED)}


def test_what_is_held_beside_a_lot_is_still_listed(home: Path) -> None:
    _add(home, 2, state=State.HELD, reason=Reason.CONFIRM_ABOVE)
    _add(home, 1, state=State.HELD)
    shown = typed(home, "messages", "list").stdout.splitlines()
    assert len(shown) == 3
    assert shown[-1].rstrip().endswith("wartet auf Sie")


def test_a_campaign_of_which_nothing_is_held_is_not_found(home: Path) -> None:
    assert typed(home, "messages", "release", "birthday").exit_code == 7


def test_every_sentence_of_the_guard_has_its_german() -> None:
    german = Language("de").gettext
    said = [*telling.SUSPICIONS.values(), *telling.ANSWERS.values()]
    said += [sentences.SENTENCES[why] for why in (Reason.CONFIRM_ABOVE, Reason.UNUSUALLY_MANY, Reason.STORE_RESTORED)]
    assert [text for text in said if german(text) == text] == []
    assert set(telling.SUSPICIONS) == set(Suspicion)
    assert set(telling.ANSWERS) == set(Answer)
