"""A store and its keys: a wrong key refuses, old keys still find, a restored store with a new key refuses."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.app import Premises, key_file, open_premises
from engine.clock import stopped_at
from engine.domain.words import Reason
from engine.errors import StoreError
from engine.keys import Keyring
from engine.steps import suppressing
from engine.store import suppressions
from engine.store.consents import permission_facts
from engine.tokens import read_unsubscribe_token, unsubscribe_token
from tests.conftest import CONFIG, MakeApp
from tests.people import NOW, add_customer

ANNA = "anna@example.com"


Reopen = Callable[[], Premises]


@pytest.fixture
def reopen(shop: Premises) -> Iterator[Reopen]:
    """Lend what opens the store as the next start does."""
    opened: list[Premises] = []

    def again() -> Premises:
        opened.append(open_premises(shop.config, stopped_at(NOW)))
        return opened[-1]

    yield again
    for one in opened:
        one.database.close()


def _is_blocked(shop: Premises) -> bool:
    with shop.database.read() as session:
        marks = suppressions.address_marks(shop.keyring, ANNA, ANNA)
        return any(suppressions.blocks(session, marks).values())


def _rotate(file: Path) -> None:
    """Begin a new key as the documents say."""
    file.write_text(secrets.token_hex(32) + "\n" + file.read_text(encoding="utf-8"), encoding="utf-8")


@pytest.fixture
def shop(make_app: MakeApp) -> Premises:
    app = make_app(config=CONFIG)
    suppressing.suppress(app, ANNA, "by phone", NOW)
    return app


@pytest.fixture
def file(shop: Premises) -> Path:
    return key_file(shop.config, shop.database)


@pytest.mark.parametrize("content", ["f" * 64 + "\n", None])
def test_f4_a_wrong_or_missing_key_refuses_to_start(
    shop: Premises, file: Path, content: str | None, reopen: Reopen
) -> None:
    if content:
        file.write_text(content, encoding="utf-8")
    else:
        file.unlink()
    with pytest.raises(StoreError) as refused:
        reopen()
    assert "objected" in refused.value.hint
    assert content or not file.exists()


def test_f4_with_a_wrong_key_every_mail_is_refused(shop: Premises) -> None:
    wrong = Keyring((b"f" * 64,))
    with shop.database.write() as session:
        anna = add_customer(session)
    with shop.database.read() as session:
        assert not suppressions.keys_hold(session, wrong)
        assert not permission_facts(session, wrong, [(anna.id, anna.address_id, None)], NOW)[0].keys_hold


def test_f5_after_a_rotation_what_was_kept_under_the_old_key_is_still_found(
    shop: Premises, file: Path, reopen: Reopen
) -> None:
    _rotate(file)
    again = reopen()
    assert len(again.keyring.keys) == 2
    assert again.keyring.canary != shop.keyring.canary
    assert _is_blocked(again)
    assert suppressing.unsuppress(again, ANNA, NOW).lifted[0].reason is Reason.SUPPRESSED
    suppressing.suppress(again, ANNA, "again", NOW)
    assert _is_blocked(reopen())


def test_f5_a_daemon_that_still_has_the_old_key_alone_sends_nothing_after_a_rotation(
    shop: Premises, file: Path, reopen: Reopen
) -> None:
    _rotate(file)
    reopen()
    with shop.database.read() as session:
        assert not suppressions.keys_hold(session, shop.keyring)


@pytest.mark.parametrize("kept", ["old", "new"])
def test_f5_no_key_the_store_was_written_with_may_go(shop: Premises, file: Path, kept: str, reopen: Reopen) -> None:
    _rotate(file)
    reopen()
    new, old = file.read_text(encoding="utf-8").splitlines()
    file.write_text((new if kept == "new" else old) + "\n", encoding="utf-8")
    with pytest.raises(StoreError, match="other keys"):
        reopen()


def test_f4_a_restored_store_with_a_new_key_alone_refuses_and_with_both_finds_everybody(
    shop: Premises, file: Path, tmp_path: Path, reopen: Reopen
) -> None:
    if not shop.database.sqlite:
        pytest.skip("a backup that is one file")
    old = file.read_text(encoding="utf-8")
    shop.database.checkpoint()
    shutil.copy(shop.database.path or "", tmp_path / "backup.db")
    _rotate(file)
    reopen().database.close()
    shop.database.close()
    shutil.copy(tmp_path / "backup.db", shop.database.path or "")
    both = file.read_text(encoding="utf-8")
    file.write_text(both.replace(old, ""), encoding="utf-8")
    with pytest.raises(StoreError, match="other keys"):
        reopen()
    file.write_text(both, encoding="utf-8")
    assert _is_blocked(reopen())


def test_f5_links_signed_before_a_rotation_still_open(shop: Premises, file: Path, reopen: Reopen) -> None:
    mail = "0f8a7c1e-9a55-5d7b-8a44-5a1b1c2d3e4f"
    before = unsubscribe_token(shop.keyring, mail)
    _rotate(file)
    again = reopen().keyring
    assert read_unsubscribe_token(again, before) == mail
    assert unsubscribe_token(again, mail) != before


def test_f5_the_line_in_the_documents_begins_a_key(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.startswith("umask 077"))
    first = Keyring.load_or_create(tmp_path / "secret.key")
    subprocess.run(["sh", "-c", line], cwd=tmp_path, check=True)
    both = Keyring.load_or_create(tmp_path / "secret.key")
    assert both.keys[1:] == first.keys
    assert len(both.keys[0]) == 64
