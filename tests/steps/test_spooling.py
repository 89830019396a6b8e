from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.steps.importing.spooling import FirstSeen, Numbers, Rows, Spool


@given(st.lists(st.text(max_size=3), max_size=200))
def test_the_first_line_of_every_key_is_remembered(keys: list[str]) -> None:
    seen, expected = FirstSeen(), dict[str, int]()
    for line, key in enumerate(keys, 1):
        assert seen.note(key, line) == expected.get(key, 0)
        expected.setdefault(key, line)


def test_many_keys_outgrow_the_first_table() -> None:
    seen = FirstSeen()

    assert all(seen.note(f"key {number}", number) == 0 for number in range(1, 5000))
    assert all(seen.note(f"key {number}", 9) == number for number in range(1, 5000))


@given(st.sets(st.integers(0, 5000)))
def test_numbers_are_a_set_in_order(numbers: set[int]) -> None:
    kept = Numbers()
    for number in numbers:
        kept.add(number)

    assert list(kept) == sorted(numbers)
    assert all((number in kept) == (number in numbers) for number in range(5010))


def test_batches_come_back_as_they_were_laid_aside() -> None:
    spool: Spool[dict[str, int]] = Spool()
    spool.put([{"a": 1}, {"a": 2}])
    spool.put([{"a": 3}])

    assert list(spool.batches()) == [[{"a": 1}, {"a": 2}], [{"a": 3}]]
    spool.close()


def test_a_long_list_of_rows_is_shown_by_its_beginning() -> None:
    rows = Rows()
    for line in range(2, 32):
        rows.add(line)

    assert str(rows).startswith("2, 3, 4")
    assert str(rows).endswith("21 and 10 more")
