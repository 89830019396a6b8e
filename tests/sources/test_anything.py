"""Whatever a file holds: a sentence comes back, or rows and refusals; never an accident."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import TreuepostError
from engine.sources.files import read
from engine.sources.options import ReadOptions
from engine.sources.preview import propose
from engine.sources.rows import ROWS, Row, fields_of
from engine.sources.tables import Refusal
from engine.sources.validating import validated
from tests.sources.reading import SHOP, settled, write

NASTY = st.sampled_from(
    [
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "--13-40", "0.0.0000", "1/2/3", "99999"),
        *("1e400", "-", "€", "1.2,3.4", "1,5 %", "9" * 40, "''", "12 months", "0 days"),
        *("@", "x@", "@x.de", "a@b@c.de", "a@" + "b" * 300 + ".de"),
    ]
)
CELL = st.one_of(NASTY, st.text(st.characters(codec="utf-8", exclude_characters='\r\n"|\0'), max_size=20))


@pytest.mark.parametrize("what", sorted(ROWS))
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_row_is_taken_or_refused(what: str, data: st.DataObject) -> None:
    names = fields_of(what)
    rows = data.draw(st.lists(st.lists(CELL, min_size=len(names), max_size=len(names)), min_size=1, max_size=3))
    text = "|".join(names) + "\n" + "".join("|".join(f'"{cell}"' for cell in row) + "\n" for row in rows)
    with TemporaryDirectory() as folder:
        path = write(Path(folder), text)
        found: list[Row | Refusal] = []
        with suppress(TreuepostError):  # a whole file may be refused; nothing else may happen
            table = read(path, ReadOptions(encoding="utf-8", delimiter="|"))
            found = list(validated(table, settled(table, what)))
        assert all(isinstance(row, Row) or row.reason for row in found)


@settings(max_examples=200, deadline=None)
@given(content=st.binary(max_size=400))
def test_any_bytes_give_a_table_or_a_sentence(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = write(Path(folder), content)
        command = "treuepost import"
        with suppress(TreuepostError):
            command = propose(read(path, ReadOptions()), "customers", ReadOptions(), SHOP).command()
        assert command.startswith("treuepost import")
