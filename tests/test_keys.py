"""The shop's secret keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import ConfigError
from engine.keys import Keyring


def test_the_first_start_makes_a_key_only_the_owner_can_read(tmp_path: Path) -> None:
    file = tmp_path / "secret.key"
    made = Keyring.load_or_create(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert Keyring.load_or_create(file) == made
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]


def test_a_key_is_never_printed(tmp_path: Path) -> None:
    file = tmp_path / "secret.key"
    keyring = Keyring.load_or_create(file)
    assert file.read_text().strip() not in repr(keyring)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_file_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "secret.key"
    Keyring.load_or_create(file)
    file.chmod(mode)
    with pytest.raises(ConfigError, match="other users") as refused:
        Keyring.load_or_create(file)
    assert "chmod 600" in refused.value.hint


@pytest.mark.parametrize("content", ["", "\n# only a remark\n", "short\n", f"{'k' * 40}\nshort\n"])
def test_a_file_without_whole_keys_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "secret.key"
    file.write_text(content)
    file.chmod(0o600)
    with pytest.raises(ConfigError, match="at least 32"):
        Keyring.load_or_create(file)


def test_hashes_differ_by_purpose_and_by_key() -> None:
    keyring = Keyring((b"n" * 40, b"o" * 40))
    assert keyring.hmac("one", "x") != keyring.hmac("two", "x")
    assert keyring.hmacs("one", "x") == (keyring.hmac("one", "x"), Keyring((b"o" * 40,)).hmac("one", "x"))


def test_signatures_use_the_newest_key_last_and_never_the_key_itself() -> None:
    keyring = Keyring((b"n" * 40, b"o" * 40))
    assert keyring.signing("unsubscribe")[-1] == Keyring((b"n" * 40,)).signing("unsubscribe")[0]
    assert not {"n" * 40, "o" * 40} & set(keyring.signing("unsubscribe"))


def test_a_store_fits_only_if_every_key_it_was_written_with_is_here() -> None:
    old, new = Keyring((b"o" * 40,)), Keyring((b"n" * 40, b"o" * 40))
    assert new.fits(old.canary)
    assert new.fits("")
    assert not old.fits(f"{old.canary} {new.canary}")
