"""The documents are held to the program: what it can say and understand stands in them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer
import typer.main

from engine.cli import build
from engine.config.sections import Config, Section
from engine.domain.permission import KINDS
from engine.domain.words import Reason, State
from engine.errors import TreuepostError
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


def _sections() -> Iterator[tuple[str, type[Section]]]:
    """Yield each table of config.toml as the document names it, with its model."""
    for name, field in Config.model_fields.items():
        inside = getattr(field.annotation, "__args__", ())
        model = inside[1] if inside else field.annotation
        placeholder = {"wording": ".ID", "notice": ".ID", "source": ".NAME"}.get(name, "")
        yield f"[{name}{placeholder}]", model


@pytest.mark.parametrize(("table", "model"), list(_sections()), ids=lambda one: one if isinstance(one, str) else "")
def test_every_key_of_the_config_is_documented(table: str, model: type[Section]) -> None:
    chapter = DOCS["configuration.md"].split(f"## {table}")[1].split("\n## ")[0]
    keys = [field.alias or name for name, field in model.model_fields.items()]
    assert [key for key in keys if f"`{key}`" not in chapter] == []


def test_the_example_shows_every_key_but_the_secret() -> None:
    text = (ROOT / "config.example.toml").read_text(encoding="utf-8")
    keys = {field.alias or name for _, model in _sections() for name, field in model.model_fields.items()}
    assert {key for key in keys if not re.search(rf"(?m)^#?\s*{key}\s*=", text)} == {
        "api_key",
        "webhook_secret",
        "similarity",
    }


def _typed() -> list[tuple[str, str]]:
    """Return every `treuepost …` in a block or a cell, with the document it stands in."""
    commands = re.compile(r"(?m)(?:^|`|&& |/bin/|\t| )treuepost(?: --config \S+)? ([a-z][a-z-]+(?: [a-z-]+)?)")
    return [(name, found) for name, text in DOCS.items() for found in commands.findall(_code(text))]


def _code(text: str) -> str:
    return "\n".join([*re.findall(r"```sh\n(.*?)```", text, re.DOTALL), *re.findall(r"(`treuepost [^`]*`)", text)])


@pytest.mark.parametrize(("document", "words"), sorted(set(_typed())))
def test_every_command_the_documents_type_exists(document: str, words: str) -> None:
    first, _, second = words.partition(" ")
    assert first in COMMANDS, document
    if first in {"db", "messages", "consent", "suppress", "privacy", "wording"} and second:
        assert f"{first} {second}" in COMMANDS, document


def test_the_documents_type_commands_at_all() -> None:
    assert {"init", "check", "plan", "run"} <= {words.split()[0] for name, words in _typed() if name == "README.md"}


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"(?m)^#+ (.+)$", text)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_within_the_documents_leads_somewhere() -> None:
    lost = []
    for path in [*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md")]:
        for target in re.findall(r"\]\(([^)]+)\)", path.read_text(encoding="utf-8")):
            file, _, anchor = target.partition("#")
            if "://" in target:
                continue
            there = (path.parent / file).resolve() if file else path
            if not there.exists() or (anchor and anchor not in _anchors(there.read_text(encoding="utf-8"))):
                lost.append(f"{path.name}: {target}")
    assert lost == []


@pytest.mark.parametrize("document", ["README.md", "campaigns.md", "quickstart.md"])
def test_every_toml_block_is_toml(document: str) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", DOCS[document], re.DOTALL)
    assert blocks
    for block in blocks:
        assert tomllib.loads(block)


def test_every_exit_code_is_listed() -> None:
    codes = {error.exit_code for error in _errors(TreuepostError)} | {0, 3, 10, 130}
    assert [code for code in sorted(codes) if f"| {code} |" not in DOCS["commands.md"]] == []


def _errors(error: type[TreuepostError]) -> Iterator[type[TreuepostError]]:
    yield error
    for child in error.__subclasses__():
        yield from _errors(child)


def test_every_file_of_the_engine_that_is_named_exists() -> None:
    named = re.compile(r"(?<!tests/)\b((?:steps|domain|providers|store|triggers)/[\w/]+(?:\.py|/))")
    to_be_written = {"NAME.py", "anniversary.py"}
    named_in = {(path, name) for name, text in DOCS.items() for path in named.findall(text)}
    lost = {(path, name) for path, name in named_in if not (ROOT / "engine" / path).exists()}
    assert named_in
    assert {one for one in lost if Path(one[0]).name not in to_be_written} == set()
