"""Whatever stands in a file, reading it ends in a campaign or in findings, never in a traceback."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config.loading import examine_config
from tests.campaigns.files import SERVICE, examine
from tests.campaigns.test_campaigns import FULL

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "config.example.toml").read_text(encoding="utf-8")
VALUES = [
    "",
    "1",
    "-1",
    "nan",
    "inf",
    "1e400",
    "true",
    '""',
    '"x"',
    "[]",
    "[[]]",
    "{}",
    "{ a = 1 }",
    '["a", 1]',
    "'''",
    "„x“",
    "ö",
]
VALUES += [
    "2026-12-01",
    "25:00",
    "2026-12-01T00:00:00Z",
    "9" * 30,
    "{ de = 1 }",
    '{ "" = "x" }',
    '[{ id = "a" }]',
    '"\\u0000"',
]


TABLES = ["[trigger]", "[[step]]", "[a.b]", "[[trigger]]", "[shop]", "[]", "[step]"]


def _changed(line: str) -> st.SearchStrategy[list[str]]:
    """Give what may stand in a line's stead: nothing, itself twice, another value, another key, noise."""
    key, _, value = line.partition("=")
    return st.one_of(
        st.just([]),
        st.just([line, line]),
        st.sampled_from(VALUES).map(lambda other: [f"{key}= {other}"]),
        st.text(max_size=8).map(lambda other: [f"{other} ={value}"]),
        st.integers(0, len(line)).map(lambda end: [line[:end]]),
        st.sampled_from(TABLES).map(lambda table: [table, line]),
        st.text(max_size=20).map(lambda noise: [noise]),
    )


@st.composite
def spoilt(draw: st.DrawFn, text: str) -> str:
    """Give a right file with one to three lines changed or moved."""
    lines = text.splitlines()
    for _ in range(draw(st.integers(1, 3))):
        here = draw(st.integers(0, len(lines) - 1))
        changed = draw(_changed(lines.pop(here)))
        there = draw(st.just(here) | st.integers(0, len(lines)))
        lines[there:there] = changed
    return "\n".join(lines)


@settings(deadline=None, max_examples=300)
@given(spoilt(SERVICE) | spoilt(FULL) | st.text(max_size=60))
def test_any_campaign_file_is_read_or_found_fault_with(text: str) -> None:
    with TemporaryDirectory() as folder:
        campaigns, findings = examine(Path(folder), text.encode("utf-8", "surrogatepass"))
    assert campaigns or any(finding.level == "error" for finding in findings)
    assert all(finding.message and "%(" not in finding.message for finding in findings)
    assert all(finding.line <= text.count("\n") + 1 for finding in findings)


@settings(deadline=None, max_examples=150)
@given(spoilt(EXAMPLE))
def test_any_config_is_read_or_found_fault_with(text: str) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "config.toml"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        config, findings = examine_config(path, {})
    assert config or any(finding.level == "error" for finding in findings)
    assert all(finding.message and "%(" not in finding.message for finding in findings)
