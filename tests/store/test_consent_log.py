"""The consent log shows every change made behind the program's back, and can be erased from without one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from itertools import permutations
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from engine.domain.permission import ConsentState, Policy, permit
from engine.keys import Keyring
from engine.store import addresses, consent_check, consent_log, consents
from engine.store.checkpoints import Checkpoint
from engine.store.consent_check import Walk
from engine.store.consents import NewConsent, permission_facts
from engine.store.database import Database
from engine.store.tuples import DRIVER
from tests.people import INSTALLATION, NOW, add_customer

KEYS = Keyring((b"k" * 40,))
KINDS = frozenset({"birthday", "winback"})
POLICY = Policy(ZoneInfo("Europe/Berlin"), {"laden": KINDS})
MINUTE = timedelta(minutes=1)


def event(address: int, number: int, state: ConsentState = ConsentState.CONFIRMED, **more: object) -> NewConsent:
    return NewConsent(
        address_id=address,
        state=state,
        at=NOW - timedelta(days=30) + number * MINUTE + timedelta(microseconds=number % 2 * 17),
        kinds=KINDS,
        wording="laden",
        requested_at=NOW - timedelta(days=31) if number % 3 else None,
        source=f"Formular Nr. {number}",
        proof="Scan „Müller“",
        proven=True,
        **{"details": {"channel": "web", "no": number}, "personal": {"ip": "198.51.100.7"}} | more,  # type: ignore[arg-type]
    )


def fill(database: Database, count: int, emails: Sequence[str] = ("anna@example.com", "ben@example.com")) -> list[int]:
    with database.write() as session:
        ids = list(addresses.find_or_add(session, emails, NOW).values())
        said = [event(ids[number % len(ids)], number) for number in range(count)]
        assert consents.append(session, said, NOW, "web") == count
        return ids


def walk(database: Database, *checkpoints: Checkpoint) -> Walk:
    with database.read() as session:
        return consent_check.walk(session, {one.size: one for one in checkpoints})


def checkpoint(database: Database) -> Checkpoint:
    with database.read() as session:
        end = consent_log.head(session)
    return Checkpoint(INSTALLATION, end.size, end.hash, NOW)


@contextmanager
def unguarded(database: Database, *, keep: bool = True) -> Iterator[Session]:
    """Write into the store as somebody does who has its file, or the server's own rights."""
    with database.connection() as connection:
        if database.sqlite:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            for (name,) in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").all():
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
        else:
            connection.exec_driver_sql("SET session_replication_role = replica")
        session = Session(connection)
        if database.sqlite:
            session.info[DRIVER] = connection.connection.driver_connection
        yield session
        (connection.commit if keep else connection.rollback)()
        connection.invalidate()


def change(database: Database, *statements: str) -> None:
    with unguarded(database) as session:
        for statement in statements:
            session.connection().exec_driver_sql(statement)


def first_bad(database: Database, *checkpoints: Checkpoint) -> int | None:
    faults = walk(database, *checkpoints).faults
    return faults[0].seq if faults else None


# -- what is appended ------------------------------------------------------------------------------------------------


def test_a_thousand_events_are_a_gapless_chain(database: Database) -> None:
    fill(database, 1000)
    with database.read() as session:
        rows = session.connection().execute(sa.select(consent_log.EVENT).order_by(consent_log.EVENT.c.seq)).all()
    assert [row.seq for row in rows] == list(range(1, 1001))
    assert [row.prev_hash for row in rows[1:]] == [row.hash for row in rows[:-1]]
    seen = walk(database)
    assert (seen.size, seen.hash, seen.faults, seen.erased) == (1000, rows[-1].hash, [], 0)
    assert checkpoint(database).size == 1000


def test_an_empty_log_has_no_fault(database: Database) -> None:
    assert (walk(database).size, walk(database).faults) == (0, [])


def test_what_is_personal_stands_beside_the_chain_only(database: Database) -> None:
    [anna, _] = fill(database, 1)
    with database.read() as session:
        [row] = session.connection().execute(sa.select(consent_log.EVENT)).mappings().all()
        [entry] = consents.timeline(session, [anna])
    chained = " ".join(str(value) for value in row.values())
    assert not any(word in chained for word in ("Formular", "Müller", "198.51", "anna"))
    assert (entry.source, entry.proof) == ("Formular Nr. 0", "Scan „Müller“")
    assert (entry.personal, entry.details) == ({"ip": "198.51.100.7"}, {"channel": "web", "no": 0})
    assert (entry.seq, entry.hash, entry.erased) == (1, row["hash"], False)


def test_the_same_event_again_leaves_the_chain_as_it_is(database: Database) -> None:
    [anna, _] = fill(database, 3)
    before = checkpoint(database)
    with database.write() as session:
        again = [event(anna, 0), event(anna, 0, personal={"ip": "203.0.113.9"})]
        assert consents.append(session, again, NOW + MINUTE, "import") == 0
    assert checkpoint(database) == before
    with database.write() as session:
        assert consents.append(session, [event(anna, 0, details={"channel": "shop"})] * 2, NOW, "import") == 1
    assert (checkpoint(database).size, first_bad(database)) == (4, None)


def test_a_transaction_that_is_rolled_back_leaves_no_gap(database: Database) -> None:
    [anna, _] = fill(database, 2)
    with database.pretend() as session:
        consents.append(session, [event(anna, 7)], NOW, "web")
    with database.write() as session:
        consents.append(session, [event(anna, 8)], NOW, "web")
    assert (checkpoint(database).size, first_bad(database)) == (3, None)


def test_many_who_write_at_once_leave_one_chain_without_gaps(database: Database) -> None:
    ids = fill(database, 0, [f"k{number}@example.com" for number in range(6)])

    def write(address: int) -> int:
        added = 0
        for number in range(8):
            with database.write() as session:
                added += consents.append(session, [event(address, number)], NOW, "web")
        return added

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(write, ids)) == 48
    assert (walk(database).size, walk(database).faults) == (48, [])


# -- erasure ---------------------------------------------------------------------------------------------------------


def test_one_person_is_erased_and_the_chain_still_fits(database: Database) -> None:
    [anna, ben] = fill(database, 1000)
    before = checkpoint(database)
    with database.write() as session:
        assert consent_log.forget(session, [anna]) == 500
        assert consent_log.forget(session, [anna]) == 0
    seen = walk(database, before)
    assert (seen.size, seen.faults, seen.erased) == (1000, [], 500)
    with database.read() as session:
        entry, other = consents.timeline(session, [anna])[0], consents.timeline(session, [ben])[0]
    assert (entry.source, entry.proof, entry.personal, entry.erased) == ("", "", {}, True)
    assert (other.source, other.erased) == ("Formular Nr. 1", False)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE consent_pii SET content = '{}'", "UPDATE consent_event SET wording = 'x'", "DELETE FROM consent_event"],
)
def test_the_database_itself_refuses_to_change_the_log(database: Database, statement: str) -> None:
    fill(database, 2)
    with pytest.raises(DBAPIError, match=r"append-only|never changed"), database.write() as session:
        session.connection().exec_driver_sql(statement)


def test_postgresql_refuses_to_empty_the_log(postgres_database: Database) -> None:
    fill(postgres_database, 2)
    with pytest.raises(DBAPIError, match="append-only"), postgres_database.write() as session:
        session.connection().exec_driver_sql("TRUNCATE consent_event CASCADE")


# -- what was changed behind the program's back ----------------------------------------------------------------------

_TEXTS = ("fingerprint", "state", "kinds", "wording", "actor", "details", "pii_commit", "prev_hash", "hash")
CHANGED = [f"{name} = replace({name}, 'i', 'j')" for name in ("state", "kinds")]
CHANGED += [f"{name} = {name} || 'x'" for name in _TEXTS]
CHANGED += [f"{name} = {name} + 1" for name in ("address_id", "after_attempt")]
CHANGED = [" ".join(("UPDATE consent_event SET", change, "WHERE seq = 500")) for change in CHANGED]
CHANGED += [
    "UPDATE consent_event SET proven = NOT proven WHERE seq = 500",
    "UPDATE consent_event SET customer_id = 1 WHERE seq = 500",
    "UPDATE consent_event SET id = 5000 WHERE seq = 500",
    "UPDATE consent_event SET requested_at = NULL WHERE seq = 500",
    "UPDATE consent_event SET at = '2026-11-01 10:00:00.000000+00:00' WHERE seq = 500",
    "UPDATE consent_event SET recorded_at = at WHERE seq = 500",
    "UPDATE consent_pii SET content = replace(content, 'Formular', 'formular') WHERE event_id = 500",
    "UPDATE consent_pii SET salt = upper(salt) WHERE event_id = 500",
    # The salt is by chance: a sign that is sure to be another one.
    "UPDATE consent_pii SET salt = CASE substr(salt, 1, 1) WHEN '0' THEN '1' ELSE '0' END || substr(salt, 2) "
    "WHERE event_id = 500",
    "UPDATE consent_pii SET salt = '' WHERE event_id = 500",
]


def test_every_single_change_is_found_with_its_number(database: Database) -> None:
    fill(database, 1000)
    overlooked = []
    for statement in CHANGED:
        with unguarded(database, keep=False) as session:
            session.connection().exec_driver_sql(statement)
            faults = consent_check.walk(session).faults
            if not faults or faults[0].seq != 500:
                overlooked.append((statement, faults[:2]))
    assert overlooked == []
    assert first_bad(database) is None


def test_one_flipped_byte_in_the_file_is_found_with_its_number(sqlite_database: Database) -> None:
    fill(sqlite_database, 1000)
    path = sqlite_database.path
    assert path is not None
    sqlite_database.checkpoint()
    with sqlite_database.read() as session:
        select = sa.select(consent_log.EVENT).where(consent_log.EVENT.c.seq == 400)
        row = session.connection().execute(select).mappings().one()
    sqlite_database.close()
    whole = path.read_bytes()
    record = whole.index(row["fingerprint"].encode())
    places = list(range(record - 40, record + 200))
    found = 0
    for place in places:
        torn = bytearray(whole)
        torn[place] ^= 0x01
        if torn[place : place + 1] == whole[place : place + 1]:
            continue
        path.write_bytes(bytes(torn))
        found += _is_found_at(path, 400)
    assert found > len(places) * 0.8  # the rest is the page's own bookkeeping, or a neighbour's row
    path.write_bytes(whole)
    assert first_bad(sqlite_database) is None


def _is_found_at(path: object, number: int) -> bool:
    database = Database(f"sqlite:///{path}")
    try:
        return first_bad(database) == number
    except Exception:  # noqa: BLE001  (a page that cannot be read at all is found too)
        return True
    finally:
        database.close()


@pytest.mark.parametrize(
    "bad",
    [
        "UPDATE consent_event SET wording = CAST(x'ff' AS TEXT) WHERE seq = 5",
        "UPDATE consent_event SET wording = x'00' WHERE seq = 5",
    ],
)
def test_what_is_no_text_any_more_is_told_with_its_number(sqlite_database: Database, bad: str) -> None:
    fill(sqlite_database, 10)
    change(sqlite_database, bad)
    assert [fault.seq for fault in walk(sqlite_database).faults] == [5]


MOVED = {
    "removed": (["DELETE FROM consent_event WHERE seq = 5"], 5),
    "several removed": (["DELETE FROM consent_event WHERE seq BETWEEN 5 AND 7"], 5),
    "removed and closed up": (
        ["DELETE FROM consent_event WHERE seq = 5", "UPDATE consent_event SET seq = seq - 1 WHERE seq = 6"],
        5,
    ),
    "swapped": (
        [
            "UPDATE consent_event SET seq = -1 WHERE seq = 5",
            "UPDATE consent_event SET seq = 5 WHERE seq = 8",
            "UPDATE consent_event SET seq = 8 WHERE seq = -1",
        ],
        5,
    ),
    "the first is gone": (["DELETE FROM consent_event WHERE seq = 1"], 1),
    "the last is gone": (["DELETE FROM consent_event WHERE seq = 10"], 10),
    "the head is gone": (["DELETE FROM chain_head"], 1),
    "the head lies": (["UPDATE chain_head SET hash = (SELECT hash FROM consent_event WHERE seq = 9)"], 10),
}


@pytest.mark.parametrize("how", MOVED)
def test_what_was_removed_or_moved_is_found_with_its_number(database: Database, how: str) -> None:
    fill(database, 10)
    statements, number = MOVED[how]
    change(database, "DELETE FROM consent_pii WHERE event_id IN (1, 5, 6, 7, 10)", *statements)
    assert first_bad(database) == number


def _forged(session: Session, place: int, before: str) -> str:
    """Return an INSERT of an event somebody made up, with hashes that fit the event before it."""
    names = [column.name for column in consent_log.EVENT.columns]
    row = dict(
        session.connection().execute(sa.select(consent_log.EVENT).where(consent_log.EVENT.c.seq == 1)).mappings().one()
    )
    row |= {"id": 5000, "seq": place, "fingerprint": "f" * 64, "prev_hash": before, "pii_commit": ""}
    row["hash"] = consent_log.chain.link(before, consent_log.body_of(row[name] for name in consent_log.CHAINED))
    session.connection().execute(sa.insert(consent_log.EVENT), [row])
    assert set(row) == set(names)
    return str(row["hash"])


def test_an_inserted_event_is_found_even_where_its_own_hash_fits(database: Database) -> None:
    fill(database, 10)
    with unguarded(database) as session:
        for seq in range(10, 4, -1):
            moved = sa.update(consent_log.EVENT).where(consent_log.EVENT.c.seq == seq).values(seq=seq + 1)
            session.connection().execute(moved)
        before = session.connection().execute(sa.select(consent_log.EVENT.c.hash).where(consent_log.EVENT.c.seq == 4))
        _forged(session, 5, before.scalar_one())
    assert first_bad(database) == 6


def test_an_event_put_at_the_end_past_the_head_is_found(database: Database) -> None:
    fill(database, 10)
    end = checkpoint(database)
    with unguarded(database) as session:
        _forged(session, 11, end.hash)
    assert first_bad(database) == 11


def test_a_tail_that_was_cut_off_with_its_head_shows_only_against_a_checkpoint(database: Database) -> None:
    fill(database, 10)
    kept = checkpoint(database)
    change(
        database,
        "DELETE FROM consent_pii WHERE event_id > 7",
        "DELETE FROM consent_event WHERE seq > 7",
        "UPDATE chain_head SET size = 7, hash = (SELECT hash FROM consent_event WHERE seq = 7)",
    )
    assert first_bad(database) is None
    [fault] = walk(database, kept).faults
    assert fault.seq == 8
    assert "10 events at the checkpoint of 2026-11-23 08:30Z" in fault.told


def test_a_log_that_was_written_anew_shows_against_a_checkpoint(database: Database) -> None:
    [anna, _] = fill(database, 4)
    kept = checkpoint(database)
    change(database, "DELETE FROM consent_pii", "DELETE FROM consent_event", "DELETE FROM chain_head")
    with database.write() as session:
        consents.append(session, [event(anna, number) for number in range(6)], NOW, "web")
    assert first_bad(database) is None
    assert first_bad(database, kept) == 4


# -- what the events mean --------------------------------------------------------------------------------------------

SAID = st.lists(
    st.tuples(
        st.sampled_from([ConsentState.CONFIRMED, ConsentState.WITHDRAWN, ConsentState.OBJECTED, ConsentState.CLAIMED]),
        st.integers(0, 20),
        st.sampled_from([frozenset({"birthday"}), frozenset({"winback"}), KINDS]),
    ),
    max_size=6,
)


@pytest.fixture(scope="module")
def scratch(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    path = tmp_path_factory.mktemp("scratch") / "store.db"
    shutil.copy(sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    yield database
    database.close()


@given(said=SAID, chance=st.randoms(use_true_random=False))
def test_permission_is_a_fold_over_the_events_whatever_their_order_and_however_often(
    scratch: Database, said: list[tuple[ConsentState, int, frozenset[str]]], chance: object
) -> None:
    with scratch.pretend() as session:
        anna = add_customer(session)
        session.flush()
        made = [
            NewConsent(anna.address_id or 0, state, NOW - timedelta(hours=30 - hour), kinds, "laden", proven=True)
            for state, hour, kinds in said
        ]
        shuffled = [*made, *made]
        chance.shuffle(shuffled)  # type: ignore[attr-defined]
        for part in (shuffled[:3], shuffled[3:]):
            consents.append(session, part, NOW, "web")
        [facts] = permission_facts(session, KEYS, [(anna.id or 0, anna.address_id, None)])
        allowed = type(permit("birthday", facts, POLICY, NOW)).__name__ == "Permitted"
        assert allowed == _fold(said)
        assert consent_log.head(session).size == len({one.fingerprint for one in made})
        assert consent_check.walk(session).faults == []


def _fold(said: list[tuple[ConsentState, int, frozenset[str]]]) -> bool:
    """Say whether the latest word on birthday mails is a yes; of two at the same instant the no counts."""
    yes = [hour for state, hour, kinds in said if state is ConsentState.CONFIRMED and "birthday" in kinds]
    noes = [hour for state, hour, _ in said if state is ConsentState.OBJECTED]
    noes += [hour for state, hour, kinds in said if state is ConsentState.WITHDRAWN and "birthday" in kinds]
    return bool(yes) and max(yes) > max(noes, default=-1)


def test_every_order_of_the_same_events_permits_the_same(database: Database) -> None:
    states = [ConsentState.CONFIRMED, ConsentState.WITHDRAWN, ConsentState.CONFIRMED]
    found = set()
    for order in permutations(range(3)):
        with database.pretend() as session:
            anna = add_customer(session)
            session.flush()
            events = [event(anna.address_id or 0, number, states[number]) for number in range(3)]
            consents.append(session, [events[number] for number in order], NOW, "web")
            [facts] = permission_facts(session, KEYS, [(anna.id or 0, anna.address_id, None)])
            found.add(type(permit("birthday", facts, POLICY, NOW)).__name__)
    assert found == {"Permitted"}
