"""What all senders of one provider share: a stop is as long as the longest of those that gave one."""

from __future__ import annotations

from datetime import timedelta

from engine.store import budgets
from engine.store.budgets import Stop
from engine.store.database import Database
from tests.people import NOW

MINUTE = timedelta(minutes=1)
REFUSED = Stop(NOW, NOW + 60 * MINUTE, "401 unauthorized", credentials=True)
LIMITED = Stop(NOW + MINUTE, NOW + 6 * MINUTE, "429 too many requests", credentials=False)


def after(database: Database, *stops: Stop) -> Stop | None:
    for stop in stops:
        with database.write() as session:
            budgets.stop(session, "brevo", stop)
    with database.read() as session:
        return budgets.find_stop(session, "brevo")


def test_a_shorter_stop_does_not_shorten_one_for_refused_credentials(database: Database) -> None:
    assert after(database, REFUSED, LIMITED) == REFUSED


def test_a_longer_stop_keeps_the_word_that_the_credentials_are_refused(database: Database) -> None:
    longer = Stop(NOW + MINUTE, NOW + 90 * MINUTE, "429 too many requests", credentials=False)
    assert after(database, REFUSED, longer) == Stop(NOW, longer.until, REFUSED.detail, credentials=True)


def test_refused_credentials_lengthen_a_stop(database: Database) -> None:
    later = Stop(NOW + 2 * MINUTE, NOW + 62 * MINUTE, REFUSED.detail, credentials=True)
    assert after(database, LIMITED, later) == later


def test_a_stop_that_is_over_says_nothing_of_the_next(database: Database) -> None:
    next_one = Stop(NOW + 60 * MINUTE, NOW + 65 * MINUTE, "429 too many requests", credentials=False)
    assert after(database, REFUSED, next_one) == next_one


def test_a_stop_that_a_wrong_clock_wrote_does_not_last(database: Database) -> None:
    day = timedelta(days=30)
    ahead = Stop(NOW + day, NOW + day + 60 * MINUTE, "401 unauthorized", credentials=True)
    assert after(database, ahead, LIMITED) == LIMITED
