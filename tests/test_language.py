"""The catalogue: German where there is a German sentence, English where there is none."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from engine.cli import consents, reasons
from engine.domain.permission import KINDS
from engine.language import Language

ROOT = Path(__file__).parents[1] / "engine"
PLACEHOLDERS = re.compile(r"%\((\w+)\)s")


def catalogue() -> dict[str, tuple[str, ...]]:
    with (ROOT / "locales" / "de.po").open("rb") as file:
        messages = [message for message in read_po(file, locale="de", abort_invalid=True) if message.id]
    return {
        one.id if isinstance(one.id, str) else one.id[0]: (one.string,) if isinstance(one.string, str) else one.string
        for one in messages
    }  # type: ignore[return-value,index]


def test_a_sentence_is_said_in_german_with_its_values() -> None:
    assert Language("de").gettext("This stays: %(reason)s.", reason="x") == "Es bleibt: x."


def test_a_sentence_without_a_translation_is_said_in_english() -> None:
    assert Language("de").gettext("100% unheard of") == "100% unheard of"
    assert Language("en").gettext("This stays: %(reason)s.", reason="x") == "This stays: x."


@pytest.mark.parametrize(("number", "said"), [(1, "1 Kunde"), (0, "0 Kunden"), (7, "7 Kunden")])
def test_german_counts_one_and_many(number: int, said: str) -> None:
    assert Language("de").ngettext("%(number)s customer", "%(number)s customers", number) == said


def test_english_counts_one_and_many() -> None:
    english = Language("en")
    assert [english.ngettext("%(number)s dog", "%(number)s dogs", n) for n in (1, 2)] == ["1 dog", "2 dogs"]


def test_every_translation_has_the_placeholders_of_its_sentence() -> None:
    differing = {
        english: german
        for english, forms in catalogue().items()
        for german in forms
        if german and set(PLACEHOLDERS.findall(english)) != set(PLACEHOLDERS.findall(german))
    }
    assert differing == {}


def test_every_sentence_is_in_the_catalogue_once() -> None:
    ids = re.findall(r'^msgid "(.+)"$', (ROOT / "locales" / "de.po").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted({one for one in ids if ids.count(one) > 1}) == []


def test_the_words_for_kinds_bases_and_reasons_are_all_there_and_translated() -> None:
    assert set(reasons.KINDS) == set(KINDS)
    sentences = [table.values() for table in (reasons.KINDS, reasons.BASES, reasons.REASONS, reasons.REMEDIES)]
    missing = {one for each in sentences for one in each} - set(catalogue())
    assert missing | set(consents._STATES.values()) - set(catalogue()) == set()


@pytest.mark.parametrize("file", ["consents", "suppress", "reach"])
def test_what_these_commands_say_is_translated(file: str) -> None:
    tree = ast.parse((ROOT / "cli" / f"{file}.py").read_text(encoding="utf-8"))
    said = {
        part.value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "_" and call.args
        for part in ast.walk(call.args[0])
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    }
    assert said - set(catalogue()) == set()
