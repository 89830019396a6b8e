"""The documents are held to the program: what it can say and understand stands in them."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
import typer
import typer.main

from engine.cli import build
from engine.domain.permission import KINDS
from engine.domain.words import Reason, State
from engine.rendering.context import FIELDS

ROOT = Path(__file__).parents[1]
DOCS = {path.name: path.read_text(encoding="utf-8") for path in [*(ROOT / "docs").glob("*.md"), ROOT / "README.md"]}


def _commands(command: click.Command, name: str = "") -> dict[str, click.Command]:
    found = {name: command} if name else {}
    for word, child in getattr(command, "commands", {}).items():
        found |= _commands(child, f"{name} {word}".strip())
    return found


COMMANDS = _commands(typer.main.get_command(build()))


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_is_documented_and_has_help(name: str) -> None:
    assert f"`treuepost {name}" in DOCS["commands.md"]
    assert COMMANDS[name].help


@pytest.mark.parametrize("state", list(State))
def test_every_state_is_explained(state: State) -> None:
    assert f"| `{state}` |" in DOCS["flow.md"]


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_explained(reason: Reason) -> None:
    assert f"| `{reason}` |" in DOCS["glossary.md"]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_is_listed(kind: str) -> None:
    assert f"`{kind}`" in DOCS["campaigns.md"]


def _variables() -> list[str]:
    return DOCS["campaigns.md"].split("### Variables")[1].splitlines()


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_every_variable_is_listed_with_its_fields(name: str) -> None:
    line = next(line for line in _variables() if line.startswith(f"| `{name}` |"))
    assert [field for field in FIELDS[name] if f"`{field}`" not in line] == []


def test_the_documents_speak_of_no_machine_of_ours() -> None:
    roots = re.compile(r"(?<![\w.~])/(?:work|root|tmp|mnt)/")
    assert {name: roots.findall(text) for name, text in DOCS.items() if roots.search(text)} == {}
