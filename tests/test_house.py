"""The house: what a reader may rely on without asking."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "engine").rglob("*.py"))
BUCKETS = {"utils", "util", "helpers", "helper", "common", "manager", "service", "base", "misc", "tools"}
REGISTRIES = {"triggers", "providers"}


def _named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=_named)
def test_a_file_fits_on_a_few_screens(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 350


@pytest.mark.parametrize("path", MODULES, ids=_named)
def test_a_function_fits_on_one_screen(path: Path) -> None:
    functions = (
        node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef)
    )
    long = {node.name: (node.end_lineno or 0) - node.lineno + 1 for node in functions}
    assert {name: lines for name, lines in long.items() if lines > 40} == {}


@pytest.mark.parametrize("path", MODULES, ids=_named)
def test_a_file_is_named_for_what_is_in_it(path: Path) -> None:
    assert path.stem not in BUCKETS


@pytest.mark.parametrize("path", [path for path in MODULES if path.name == "__init__.py"], ids=_named)
def test_a_package_re_exports_nothing_but_the_two_registries(path: Path) -> None:
    if path.parent.name in REGISTRIES:
        return
    imported = {
        alias.asname or alias.name
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    tree = ast.parse(path.read_text(encoding="utf-8"))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert imported - used - {"annotations"} == set()


@pytest.mark.parametrize("path", MODULES, ids=_named)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_the_steps_of_a_message_are_files() -> None:
    steps = {path.stem for path in (ROOT / "engine" / "steps").iterdir()}
    assert {"importing", "planning", "sending", "recovering", "subscribing"} <= steps


def test_the_lock_file_pins_by_hash_and_names_no_host() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pins = [line for line in text.splitlines() if re.match(r"^[a-z0-9]", line)]
    assert pins
    assert all("==" in line and line.rstrip().endswith("\\") for line in pins)
    assert "://" not in text
