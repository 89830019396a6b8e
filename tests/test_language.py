"""The catalogue: German where there is a German sentence, English where there is none."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from engine.cli import consents, reasons
from engine.domain.permission import KINDS, is_advertising
from engine.language import Language
from engine.web.topics import TOPICS

ROOT = Path(__file__).parents[1] / "engine"
MODULES = sorted(ROOT.rglob("*.py"))
PLACEHOLDERS = re.compile(r"%\((\w+)\)s")
PRINTS = re.compile(r"from engine\.cli\.output import .*\bsay\b")
"""In these modules `say` prints what is said already."""
SAYERS = {"say", "_say", "_", "gettext", "ngettext", "GrammarError", "_no_text"}
TABLES = {"_TYPES", "_LIMITS", "_NAMES", "_STOPS", "_CONTRACTS"}
PAGES = sorted((ROOT / "web" / "pages").glob("*.html"))
IN_A_PAGE = re.compile(r'\b_\("([^"]+)"')
ALIKE = {"Mail %(number)s", "%(value)s"}
"""The same in every language."""
ONLY_AN_EXAMPLE = {"%(number)s customer"}


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
    assert missing | set(consents.STATES.values()) - set(catalogue()) == set()


def _texts(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from (*_texts(node.body), *_texts(node.orelse))
    elif isinstance(node, ast.Dict):
        yield from (text for value in node.values for text in _texts(value))


def _said(path: Path) -> Iterator[str]:
    """Yield the sentences a module says in the shop's language: arguments of a translation, values of a table."""
    text = path.read_text(encoding="utf-8")
    sayers = SAYERS - ({"say"} if PRINTS.search(text) else set())
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            arguments = node.args[:2] if name == "_no_text" else node.args[:1]
            yield from (said for argument in arguments if name in sayers for said in _texts(argument))
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in TABLES:
            yield from _texts(node.value)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_sentence_that_is_said_is_in_the_catalogue(path: Path) -> None:
    assert {text for text in _said(path) if text} - ALIKE - set(catalogue()) == set()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_sentence_of_a_page_is_in_the_catalogue(path: Path) -> None:
    said = set(IN_A_PAGE.findall(path.read_text(encoding="utf-8")))
    assert said - set(catalogue()) == set()


def test_every_kind_of_advertising_has_a_name_for_those_who_get_it() -> None:
    assert set(TOPICS) == {kind for kind in KINDS if is_advertising(kind)}
    assert set(TOPICS.values()) - set(catalogue()) == set()


def test_the_sentences_are_really_found() -> None:
    found = {text for path in MODULES for text in _said(path)}
    assert len(found) > 300
    assert {"unknown key `%(key)s`", "a whole number without quotes", "%(names)s will get no more advertising, "
            "from this moment on."} <= found  # fmt: skip


def test_every_sentence_of_the_catalogue_is_said_somewhere() -> None:
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in MODULES]
    constants = {
        node.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    shown = {said for path in PAGES for said in IN_A_PAGE.findall(path.read_text(encoding="utf-8"))}
    assert set(catalogue()) - constants - shown - ONLY_AN_EXAMPLE == set()
