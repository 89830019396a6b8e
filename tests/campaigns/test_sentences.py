"""Whatever is found in a config or a campaign can be said in German."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.language import Language

ENGINE = Path(__file__).parents[2] / "engine"
MODULES = [
    *(ENGINE / name for name in ("domain/grammar.py", "steps/foresight/checking.py", "cli/check.py")),
    *(path for room in ("toml", "config", "campaigns", "triggers") for path in sorted((ENGINE / room).glob("*.py"))),
]
SAYERS = {"say", "_say", "_", "gettext", "ngettext", "GrammarError", "_no_text"}
TABLES = {"_TYPES", "_LIMITS", "_NAMES", "_STOPS", "_CONTRACTS"}
WRITTEN_ALIKE = {"Mail %(number)s", "%(value)s"}


def _texts(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _texts(node.body)
        yield from _texts(node.orelse)
    elif isinstance(node, ast.Dict):
        for value in node.values:
            yield from _texts(value)


def _sentences(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            arguments = node.args[:2] if name == "_no_text" else node.args[:1]
            for argument in arguments if name in SAYERS else ():
                yield from _texts(argument)
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in TABLES:
            yield from _texts(node.value)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ENGINE)))
def test_every_sentence_has_a_german_form(path: Path) -> None:
    german = Language("de")
    spoken = {text for text in _sentences(path) if text and text not in WRITTEN_ALIKE}
    assert sorted(text for text in spoken if german.gettext(text) == text and " " in text) == []


def test_the_sentences_are_really_found() -> None:
    found = {text for path in MODULES for text in _sentences(path)}
    assert len(found) > 120
    assert "unknown key `%(key)s`" in found
    assert "a whole number without quotes" in found
