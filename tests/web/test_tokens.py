"""Forged links: none is taken for one of ours, whatever was done to it (a million tries, with TREUEPOST_LONG)."""

from __future__ import annotations

import os
import secrets

import pytest

from engine.keys import Keyring
from engine.tokens import _write, read_unsubscribe_token, unsubscribe_token

KEYS = Keyring((b"k" * 64, b"o" * 64))
MESSAGE = "0f8a7c1e-9a55-5d7b-8a44-5a1b1c2d3e4f"
TRIES = 1_000_000 if os.environ.get("TREUEPOST_LONG") else 100_000
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."


def forgeries(true: str) -> list[str]:
    """Return forged tokens: random ones, and the true one with something wrong with it."""
    made = []
    message, _, signature = true.partition(".")
    for number in range(TRIES // 5):
        place, letter = number % len(true), secrets.choice(LETTERS)
        made.append(secrets.token_urlsafe(60))
        made.append(f"{message}.{secrets.token_urlsafe(32)}")
        made.append(true[:place] + letter + true[place + 1 :])
        made.append(true[: place or 1])
        made.append(f"{secrets.token_urlsafe(40)}.{signature}")
    return made


def test_no_forged_token_is_accepted() -> None:
    true = unsubscribe_token(KEYS, MESSAGE)
    tried = [one for one in forgeries(true) if one != true]
    assert len(tried) > TRIES * 0.9
    # The last letter of a signature carries bits that are padding: such a spelling says the same, for the same mail.
    accepted = [one for one in tried if read_unsubscribe_token(KEYS, one) is not None]
    assert {read_unsubscribe_token(KEYS, one) for one in accepted} <= {MESSAGE}
    assert all(one[:-1] == true[:-1] for one in accepted)


def test_every_flipped_bit_is_seen() -> None:
    true = unsubscribe_token(KEYS, MESSAGE)
    for place in range(len(true) - 1):
        for bit in range(7):
            forged = true[:place] + chr(ord(true[place]) ^ 1 << bit) + true[place + 1 :]
            assert read_unsubscribe_token(KEYS, forged) is None


@pytest.mark.parametrize("purpose", ["confirm", "data", "survey", "review", ""])
def test_a_token_of_another_purpose_is_none(purpose: str) -> None:
    assert read_unsubscribe_token(KEYS, _write(KEYS, purpose or "x", MESSAGE)) is None


def test_another_shops_token_is_none_and_an_old_keys_is_ours() -> None:
    assert read_unsubscribe_token(KEYS, unsubscribe_token(Keyring((b"z" * 64,)), MESSAGE)) is None
    assert read_unsubscribe_token(KEYS, unsubscribe_token(Keyring((b"o" * 64,)), MESSAGE)) == MESSAGE


@pytest.mark.parametrize("token", ["", ".", "..", "a.b", "x" * 1_000_000, "../../etc/passwd", "\x00", "ä.ö", "\ud800"])
def test_nonsense_is_none(token: str) -> None:
    assert read_unsubscribe_token(KEYS, token) is None
