"""What `plan`, `explain`, `log`, `messages` and `demo` say to a German shop is German."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.cli import sentences, trail
from engine.domain.gates import CHECKS
from engine.domain.words import State
from engine.language import Language
from tests.cli.typed import AT, lay_out, typed

ENGLISH = re.compile(r"\b(the|sent|skipped|planned|claimed|within|days|due|not|would|next|mails|held|skip|send|none)\b")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = lay_out(tmp_path_factory.mktemp("spoken") / "laden")
    assert typed(folder, "tick", "--at", AT).exit_code == 0
    return folder


@pytest.mark.parametrize(
    "words",
    [
        ["plan", "--days", "7", "--list", "--at", AT],
        ["explain", "1", "--at", AT],
        ["explain", "2", "--at", "2026-11-20T10:00:00+01:00"],
        ["explain", "3", "--at", AT],
        ["log", "--rehearsal"],
        ["messages", "list", "--state", "sent"],
        ["tick", "--at", AT],
    ],
    ids=" ".join,
)
def test_a_german_shop_reads_german(home: Path, words: list[str]) -> None:
    said = typed(home, *words)
    assert said.exit_code == 0
    assert said.stdout
    assert ENGLISH.findall(re.sub(r"\([a-z_]+\)", "", said.stdout)) == []


def test_every_state_check_and_answer_has_its_german_word() -> None:
    german = Language("de").gettext
    words = [*sentences.STATES.values(), *trail.CHECKS.values(), *trail.RESULTS.values(), *trail.DUE.values()]
    assert [word for word in words if german(word) == word] == []


def test_every_state_and_every_gate_has_a_sentence() -> None:
    assert set(sentences.STATES) == set(State)
    assert {name for name, _gate in CHECKS} <= set(trail.CHECKS)
