"""Where everything stands in a TOML file, counted as an editor counts."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.toml.source import TomlSource, nearest, shown_path, suggest

FILE = """id = "grüße"                 # Ü
"straße nr" = { "größe" = [1, "zwölf"], tief.er = true }

[send]
days = "Mon-Sat"
[[step]]
id = "eins"
[[step]]
id = "zwei"
subject.de = "Öl"
[[step.part]]
x = 1
[legal.similarity]
y = [
  1, # eins
  2,
]
text = '''
mehrere
Zeilen'''
"""


@pytest.fixture
def source(tmp_path: Path) -> TomlSource:
    path = tmp_path / "x.toml"
    path.write_text(FILE, encoding="utf-8")
    return TomlSource.read(path)


@pytest.mark.parametrize(
    ("loc", "place"),
    [
        (("id",), (1, 6, 7)),
        (("straße nr", "größe"), (2, 27, 12)),
        (("straße nr", "größe", 1), (2, 31, 7)),
        (("straße nr", "tief", "er"), (2, 51, 4)),
        (("send", "days"), (5, 8, 9)),
        (("step", 0, "id"), (7, 6, 6)),
        (("step", 1, "id"), (9, 6, 6)),
        (("step", 1, "subject", "de"), (10, 14, 4)),
        (("step", 1, "part", 0, "x"), (12, 5, 1)),
        (("legal", "similarity", "y", 1), (16, 3, 1)),
        (("legal", "similarity", "text"), (18, 8, 3)),
    ],
)
def test_a_value_is_found_at_its_place(
    source: TomlSource, loc: tuple[str | int, ...], place: tuple[int, int, int]
) -> None:
    assert source.position(loc) == place


@pytest.mark.parametrize(
    ("loc", "place"),
    [
        (("id",), (1, 1, 2)),
        (("straße nr",), (2, 1, 11)),
        (("straße nr", "größe"), (2, 17, 7)),
        (("send",), (4, 2, 4)),
        (("step", 1), (8, 3, 4)),
        (("step", 1, "subject"), (10, 1, 10)),
        (("legal",), (13, 2, 16)),
    ],
)
def test_a_key_is_found_at_its_place(
    source: TomlSource, loc: tuple[str | int, ...], place: tuple[int, int, int]
) -> None:
    assert source.position(loc, key=True) == place


def test_what_is_not_there_is_sought_in_the_table_around_it(source: TomlSource) -> None:
    assert source.position(("send", "between")) == (4, 2, 4)
    assert source.position(("nowhere", "at", "all")) == (1, 1, 1)


keys = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=12)


@settings(deadline=None)
@given(st.lists(st.tuples(keys, keys), min_size=1, max_size=6, unique_by=lambda pair: pair[0]))
def test_every_value_stands_where_its_text_does(pairs: list[tuple[str, str]]) -> None:
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    lines = [f"{quoted(key)} = {quoted(value)}" for key, value in pairs]
    source = TomlSource("x.toml", "\n".join(lines), {})
    for key, value in pairs:
        line, column, length = source.position((key,))
        assert lines[line - 1][column - 1 : column - 1 + length] == quoted(value)


def test_a_near_word_is_found_and_a_far_one_is_not() -> None:
    assert nearest("subjekt", ["subject", "preview"]) == "subject"
    assert nearest("SUBJECT", ["subject"]) == "subject"
    assert nearest("xyz", ["subject", "preview"]) == ""
    assert suggest("subjekt", ["subject"]) == 'did you mean "subject"?'
    assert suggest("xyz", ["subject"]) == ""
    assert nearest("x", []) == ""


def test_a_path_is_shown_as_the_owner_would_type_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown_path(tmp_path / "campaigns" / "a.toml") == "campaigns/a.toml"
    assert shown_path(Path("/etc/treuepost/config.toml")) == "/etc/treuepost/config.toml"
