"""The form of a chained event is frozen: these bytes and hashes must come out the same for ever."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain import chain

BERLIN = timezone(timedelta(hours=1))
VALUES = st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.text())
VECTORS = [
    ({}, "{}"),
    ({"b": 1, "a": None, "c": True, "d": False}, '{"a":null,"b":1,"c":true,"d":false}'),
    ({"wording": "Müller & Söhne"}, '{"wording":"Müller & Söhne"}'),
    ({"wording": normalize("NFD", "Müller & Söhne")}, '{"wording":"Müller & Söhne"}'),
    ({normalize("NFD", "ä"): "é"}, '{"ä":"é"}'),
    ({"text": 'a"b\\c\n\t\x1f/ \u2028🎂'}, '{"text":"a\\"b\\\\c\\n\\t\\u001f/ \u2028🎂"}'),
]


@pytest.mark.parametrize(("content", "text"), VECTORS)
def test_content_has_one_form(content: dict[str, chain.Value], text: str) -> None:
    assert chain.canonical(content) == text


@pytest.mark.parametrize("value", [1.0, [1], {"a": 1}, b"a", datetime(2026, 1, 1, tzinfo=UTC)])
def test_what_could_be_written_in_two_ways_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="canonical"):
        chain.canonical({"a": value})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (None, None),
        (datetime(2026, 11, 23, 8, 30, tzinfo=UTC), "2026-11-23T08:30:00Z"),
        (datetime(2026, 11, 23, 9, 30, tzinfo=BERLIN), "2026-11-23T08:30:00Z"),
        (datetime(2026, 11, 23, 8, 30, 5, 120, tzinfo=UTC), "2026-11-23T08:30:05.000120Z"),
    ],
)
def test_an_instant_has_one_form(at: datetime | None, text: str | None) -> None:
    assert chain.instant(at) == text


def test_the_hashes_are_what_they_were_on_the_first_day() -> None:
    first = chain.link(chain.GENESIS, '{"seq":1,"wording":"Müller"}')
    assert first == "a9ae4ab9208989c1102e94c7175edc568d481f7194a2b4f518dc5ea7c732bcc9"
    assert (
        chain.link(first, '{"seq":2,"wording":null}')
        == "fc0738bfcfec67573367d763ab9bcde17eada18731fabb52cba20920cd5fdc3b"
    )
    salt = "01" * 32
    assert (
        chain.commitment(salt, chain.canonical({"source": "Straße", "proof": "Anruf"}))
        == "9f9e545c13409f204ed44381fd2d08e21da4cf2fccfa5714b965152f1657da86"
    )


@given(st.dictionaries(st.text(), VALUES))
def test_the_fast_way_writes_the_same(content: dict[str, chain.Value]) -> None:
    if len({chain.text(name) for name in content}) < len(content):
        return  # two names that are the same name
    plain = {chain.text(name): value for name, value in content.items()}
    values = [plain[name] for name in sorted(plain)]
    frame = chain.frame(name.replace("%", "") for name in plain)
    if not any("%" in name for name in plain):
        assert frame % tuple(map(chain.written, values)) == chain.canonical(content)
    assert json.loads(chain.canonical(content)) == {name: _read(value) for name, value in plain.items()}


def _read(value: chain.Value) -> chain.Value:
    return chain.text(value) if isinstance(value, str) else value
