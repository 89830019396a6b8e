"""The short form of the race; `python -m tests.chaos.race` runs the long one."""

from __future__ import annotations

from engine.store.database import Database
from tests.chaos import race

ROUNDS = 60


def test_nothing_is_released_after_a_committed_no(database_url: str) -> None:
    verdict = race.run(database_url, ROUNDS)
    assert (verdict.violations, verdict.found) == (0, [])
    assert verdict.released, "nobody was quick enough: this race proves nothing"
    assert verdict.refused, "nobody came before the sender: this race proves nothing"


def test_a_program_that_trusts_what_it_read_at_the_claim_is_caught(sqlite_database: Database) -> None:
    with race.trusting():
        verdict = race.run(sqlite_database.url.render_as_string(), ROUNDS)
    assert verdict.violations > 0
    assert any(line.startswith("no ") for line in verdict.found), "the audit must see it too"
