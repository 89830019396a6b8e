"""How long it takes to find who is due, in a store of a million customers, beside hand-written SQL.

Each trigger's SELECT is asked for one day, every due row fetched into Python: alone (`select`), and as planning asks
it, together with the comparison with what is planned already (`with plan`). The limit beside the latter is a bare
sqlite3 cursor with SQL written by hand for that one question and that comparison, in the same run, alternately.

What a question costs however few are due is told apart: `nobody` where nobody is due, `first` where nobody is due and
the statement is put together anew, as once a day. `asked again` is every later tick of a day on which all are planned.
Enrolment is measured apart, on a copy, with its commits.
"""

from __future__ import annotations

import argparse
import gc
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from time import process_time

from bench import scan_store
from engine.clock import stopwatch
from engine.domain.grammar import When
from engine.domain.words import DayRange, OnDoubt
from engine.store import enrolments
from engine.store.database import Database
from engine.store.enrolments import Due, Plan
from engine.triggers import Birthday, Lapsed, PurchaseTrigger, ServiceDue, contract
from engine.triggers.contract import Occasions, Scope, Timing, TriggerModel

TODAY = scan_store.TODAY
NEVER = date(2040, 2, 1)
ROUNDS = 7
Watch = Callable[[], float]


@dataclass(frozen=True)
class Question:
    """One trigger, and the SQL somebody would write by hand for the same question."""

    name: str
    campaign: str
    trigger: TriggerModel
    sql: str
    values: Callable[[date], tuple[object, ...]]
    nobody: date = NEVER


def _number(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def _not_enrolled(campaign: str, key: str) -> str:
    return (
        f"AND NOT EXISTS (SELECT 1 FROM enrolment e WHERE e.campaign = '{campaign}' AND e.customer_uid = c.uid"
        f" AND e.occasion = {key} AND e.rehearsal = 0)"
    )


def _instants(day: date) -> tuple[str, str]:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=2)
    return tuple(f"{at:%Y-%m-%d %H:%M:%S}.000000" for at in (start, start + timedelta(days=1)))  # type: ignore[return-value]


_PERSON = "c.id, c.uid, c.timezone, c.address_id"
_HERE = "AND c.timezone || '' = ''"
_ITEM_KEY = "s.service_item_id || ':' || s.cycle"

QUESTIONS = (
    Question(
        "birthday",
        "birthday",
        Birthday(on="birthday"),
        f"SELECT {_PERSON}, ?, 0, ?, NULL, NULL, NULL FROM customer c WHERE c.birth_md = ? "
        f"{_HERE} {_not_enrolled('birthday', '?')}",
        lambda day: (str(day.year), _number(day), day.month * 100 + day.day, str(day.year)),
        # Nobody in the generated store was born on 29 February.
        nobody=date(2028, 2, 29),
    ),
    Question(
        "lapsed, 90 days",
        "lapsed",
        Lapsed.model_validate({"on": "lapsed", "after": "90 days"}),
        f"SELECT {_PERSON}, c.last_purchase_id, 0, c.last_purchase_on + 90, NULL, NULL, NULL FROM customer c "
        f"WHERE c.last_purchase_on = ? {_HERE} {_not_enrolled('lapsed', 'c.last_purchase_id')}",
        lambda day: (_number(day) - 90,),
    ),
    Question(
        "lapsed, 2.5 x usual interval",
        "usual",
        Lapsed.model_validate({"on": "lapsed", "after": "2.5 x usual interval", "not_before": "60 days"}),
        "WITH RECURSIVE u(d) AS (SELECT min(usual_days) FROM customer WHERE usual_days IS NOT NULL UNION ALL "
        "SELECT (SELECT min(usual_days) FROM customer WHERE usual_days > u.d) FROM u WHERE u.d IS NOT NULL) "
        f"SELECT {_PERSON}, c.last_purchase_id, 0, ?, NULL, NULL, NULL FROM u JOIN customer c "
        "ON c.usual_days = u.d AND c.last_purchase_on = ? - max(60, (u.d * 5 + 1) / 2) "
        f"{_HERE} {_not_enrolled('usual', 'c.last_purchase_id')}",
        lambda day: (_number(day), _number(day)),
    ),
    Question(
        "service_due, 30 days before",
        "service",
        ServiceDue(on="service_due").for_kind("service_reminder"),
        f"SELECT {_PERSON}, s.service_item_id || ':' || s.cycle, 0, s.due_on - 30, NULL, NULL, s.id "
        "FROM service_item s JOIN customer c ON c.id = s.customer_id WHERE s.due_on = ? "
        "AND (s.booked_for IS NULL OR s.booked_for <= s.last_service_on) "
        "AND (s.contract_ref = '' OR s.contract_until < s.due_on) "
        f"{_HERE} {_not_enrolled('service', _ITEM_KEY)}",
        lambda day: (_number(day) + 30,),
    ),
    Question(
        "purchase, 2 days after",
        "thanks",
        PurchaseTrigger(on="purchase", when=When.parse("2 days after")),
        f"SELECT {_PERSON}, p.purchase_id, 0, p.local_on + 2, NULL, p.id, NULL FROM purchase p "
        "JOIN customer c ON c.id = p.customer_id WHERE p.status = 'concluded' AND p.local_on = ? "
        f"{_HERE} {_not_enrolled('thanks', 'p.purchase_id')}",
        lambda day: (_number(day) - 2,),
    ),
    Question(
        "purchase, 2 hours after",
        "thanks",
        PurchaseTrigger(on="purchase", when=When.parse("2 hours after")),
        f"SELECT {_PERSON}, p.purchase_id, 0, p.local_on, p.purchased_at, p.id, NULL FROM purchase p "
        "JOIN customer c ON c.id = p.customer_id WHERE p.status = 'concluded' "
        "AND p.purchased_at >= ? AND p.purchased_at < ? "
        f"{_HERE} {_not_enrolled('thanks', 'p.purchase_id')}",
        _instants,
    ),
)


def main(arguments: Sequence[str] = ()) -> None:
    """Print one line per trigger."""
    parser = argparse.ArgumentParser(prog="python -m bench scan", description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--cpu", action="store_true", help="count processor time: where others use the machine too")
    parser.add_argument("--store", type=Path, help="an own store instead of a generated one")
    options = parser.parse_args(arguments)
    customers = options.customers
    path = options.store or scan_store.prepared(customers)
    print(f"{customers:,} customers, {4 * customers:,} purchases, {customers * 3 // 2:,} messages; {path}")
    print(
        f"{'trigger':<30}{'due':>7}{'select':>8}{'/1,000':>8}{'with plan':>11}{'/1,000':>8}{'limit':>8}{'ratio':>7}"
        f"{'nobody':>8}{'first':>7}{'asked again':>13}"
    )
    watch = process_time if options.cpu else stopwatch
    database = Database(f"sqlite:///{path}")
    raw = sqlite3.connect(path)
    for question in QUESTIONS:
        _print_line(database, raw, question, watch)
    raw.close()
    database.close()
    _print_enrolment(path)


def _print_line(database: Database, raw: sqlite3.Connection, question: Question, watch: Watch) -> None:
    def ask(day: date) -> int:
        return sum(map(len, _unplanned(database, question, day)))

    def limit(day: date) -> int:
        return len(raw.execute(question.sql, question.values(day)).fetchall())

    due = ask(TODAY)
    assert due == limit(TODAY) == _select(database, question), (question.name, due, limit(TODAY))
    assert ask(question.nobody) == 0
    alone, ours, theirs = _alternately(
        watch, lambda: _select(database, question), lambda: ask(TODAY), lambda: limit(TODAY)
    )
    nobody, first = _alternately(watch, lambda: ask(question.nobody), lambda: _anew(lambda: ask(question.nobody)))
    with _all_enrolled(database, question) as again:
        (repeated,) = _alternately(watch, again)
    print(
        f"{question.name:<30}{due:>7,}{alone:>8.2f}{1000 * alone / due:>8.2f}{ours:>11.2f}{1000 * ours / due:>8.2f}"
        f"{theirs:>8.2f}{theirs / ours:>7.2f}{nobody:>8.2f}{first:>7.2f}{repeated:>13.2f}"
    )


def _occasions(question: Question, day: date) -> Occasions:
    step = Timing(0, When.parse("30 days before")) if question.campaign == "service" else Timing(0)
    return question.trigger.occasions(DayRange(day, day), [step], Scope(zone=""))


def _select(database: Database, question: Question) -> int:
    """Ask the trigger's SELECT alone and return how many are due."""
    with database.read() as session:
        asked = enrolments._asked(_occasions(question, TODAY))  # noqa: SLF001
        return sum(len(list(part)) for part in asked.chunks(session.connection(), enrolments.ROWS_AT_ONCE))


def _unplanned(database: Database, question: Question, day: date) -> list[list[Due]]:
    with database.read() as session:
        occasions = _occasions(question, day)
        return list(enrolments.unplanned(session, occasions, _plan(question), "message", follows=False))


def _anew(work: Callable[[], object]) -> None:
    """Forget every statement that was put together, then work."""
    for kept in (contract._put_together, enrolments._unplanned, enrolments._asked):  # noqa: SLF001
        kept.cache_clear()
    work()


@contextmanager
def _all_enrolled(database: Database, question: Question) -> Iterator[Callable[[], object]]:
    """Enrol everybody who is due, ask again, and roll back: what every later tick of the day costs."""
    select = _occasions(question, TODAY)
    with database.pretend() as session:
        plan = _plan(question)
        for part in list(enrolments.unplanned(session, select, plan, "message", follows=False)):
            enrolments.plan_messages(session, plan, [_new(due, index, question) for index, due in enumerate(part)])
        yield lambda: list(enrolments.unplanned(session, select, plan, "message", follows=False))


def _print_enrolment(path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="treuepost-bench-") as folder:
        copy = Path(folder) / "store.db"
        shutil.copy(path, copy)
        database = Database(f"sqlite:///{copy}")
        question = QUESTIONS[0]
        parts = _unplanned(database, question, TODAY)
        took = []
        for part in parts:
            new = [_new(due, index, question) for index, due in enumerate(part)]
            started = stopwatch()
            with database.write() as session:
                enrolments.plan_messages(session, _plan(question), new)
            took.append(1000 * (stopwatch() - started))
        database.close()
    rows = sum(map(len, parts))
    print(
        f"enrolment with commits: {rows:,} customers, {1000 * sum(took) / max(rows, 1):.1f} ms per 1,000, "
        f"the writer held {median(took):.0f} ms at a time ({max(took):.0f} at most)"
    )


def _new(due: Due, index: int, question: Question) -> enrolments.NewMessage:
    noon = datetime(TODAY.year, TODAY.month, TODAY.day, 12, tzinfo=UTC)
    key = f"{question.campaign}-{due.uid}-{due.occasion}-{index}"
    return enrolments.NewMessage(due, key, "message", due.due, noon, noon + timedelta(days=7))


def _plan(question: Question) -> Plan:
    now = datetime(TODAY.year, TODAY.month, TODAY.day, 9, tzinfo=UTC)
    return Plan(question.campaign, False, "birthday", OnDoubt.HOLD, "hash", now)


def _alternately(watch: Watch, *works: Callable[[], object]) -> list[float]:
    """Return the median milliseconds of each, measured in turns."""
    times = [[_timed(watch, work) for work in works] for _ in range(ROUNDS)]
    return [median(column) for column in zip(*times, strict=True)]


def _timed(watch: Watch, work: Callable[[], object]) -> float:
    gc.collect()
    started = watch()
    work()
    return 1000 * (watch() - started)


if __name__ == "__main__":
    main(sys.argv[1:])
