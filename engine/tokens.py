"""Signed links: each token is bound to its purpose and to one message, carries no address, and never expires.

Old keys stay valid for reading: a link in a mail must work as long as the mail lies in somebody's inbox.
"""

from __future__ import annotations

import hmac
from functools import lru_cache
from hashlib import sha256
from json.encoder import encode_basestring_ascii
from typing import Any

from itsdangerous import BadData, HMACAlgorithm, Signer, URLSafeSerializer
from itsdangerous.encoding import base64_encode

from engine.keys import Keyring

_LONGEST = 200
UNSUBSCRIBE = "unsubscribe"
_LINKS = "confirm"


def unsubscribe_token(keyring: Keyring, message_id: str) -> str:
    """Return the token of one message's unsubscribe link."""
    return _write(keyring, UNSUBSCRIBE, message_id)


def read_unsubscribe_token(keyring: Keyring, token: str) -> str | None:
    """Return the message a token belongs to; None for anything that is not one of ours."""
    return _read(keyring, UNSUBSCRIBE, token)


def link_token(keyring: Keyring, message_id: str) -> str:
    """Return the token of the one link in a mail somebody asked for: 256 bits nobody can guess without the key.

    It is made from the mail's random id, so that the mail can be written later and the store keeps only its hash.
    """
    return _links(keyring, message_id)[0]


def link_token_of(keyring: Keyring, message_id: str, token_sha256: str) -> str | None:
    """Return the token that was promised when the mail was asked for, under whichever key that was."""
    return next((token for token in _links(keyring, message_id) if token_hash(token) == token_sha256), None)


def token_hash(token: str) -> str:
    """Return what the store keeps of a token; empty for what cannot be one."""
    plausible = len(token) <= _LONGEST and token.isascii()
    return sha256(token.encode()).hexdigest() if plausible else ""


def _links(keyring: Keyring, message_id: str) -> list[str]:
    marks = (bytes.fromhex(mark) for mark in keyring.hmacs(_LINKS, message_id))
    return [base64_encode(mark).decode("ascii") for mark in marks]


class _Signer(Signer):
    """A signer that derives each key once, and not again for every mail."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._derived: dict[str | bytes | None, bytes] = {}

    def derive_key(self, secret_key: str | bytes | None = None) -> bytes:
        """Return the key that is derived from one of the shop's."""
        found = self._derived.get(secret_key)
        if found is None:
            found = self._derived[secret_key] = super().derive_key(secret_key)
        return found


class _Hash(HMACAlgorithm):
    """The same signature in one call."""

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        """Return the HMAC-SHA-256 of a value."""
        return hmac.digest(key, value, "sha256")


@lru_cache(maxsize=8)
def _signing(keyring: Keyring, purpose: str) -> tuple[URLSafeSerializer, Signer]:
    serializer: URLSafeSerializer = URLSafeSerializer(
        keyring.signing(purpose),
        salt=purpose,
        signer=_Signer,
        signer_kwargs={"digest_method": sha256, "key_derivation": "hmac", "algorithm": _Hash(sha256)},
    )
    return serializer, serializer.make_signer(purpose)


def _write(keyring: Keyring, purpose: str, value: str) -> str:
    # As the serializer writes it, but for its attempt to compress an id.
    return _signing(keyring, purpose)[1].sign(base64_encode(encode_basestring_ascii(value))).decode("ascii")


def _read(keyring: Keyring, purpose: str, token: str) -> str | None:
    if len(token) > _LONGEST or not token.isascii():
        return None
    try:
        value = _signing(keyring, purpose)[0].loads(token)
    except BadData:
        return None
    return value if isinstance(value, str) else None
