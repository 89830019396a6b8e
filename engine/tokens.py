"""Signed links: each token is bound to its purpose and to one message, carries no address, and never expires.

Old keys stay valid for reading: a link in a mail must work as long as the mail lies in somebody's inbox.
"""

from __future__ import annotations

from hashlib import sha256

from itsdangerous import BadData, URLSafeSerializer

from engine.keys import Keyring

_LONGEST = 200
UNSUBSCRIBE = "unsubscribe"


def unsubscribe_token(keyring: Keyring, message_id: str) -> str:
    """Return the token of one message's unsubscribe link."""
    return _write(keyring, UNSUBSCRIBE, message_id)


def read_unsubscribe_token(keyring: Keyring, token: str) -> str | None:
    """Return the message a token belongs to; None for anything that is not one of ours."""
    return _read(keyring, UNSUBSCRIBE, token)


def _signer(keyring: Keyring, purpose: str) -> URLSafeSerializer:
    return URLSafeSerializer(
        keyring.signing(purpose), salt=purpose, signer_kwargs={"digest_method": sha256, "key_derivation": "hmac"}
    )


def _write(keyring: Keyring, purpose: str, value: str) -> str:
    return str(_signer(keyring, purpose).dumps(value))


def _read(keyring: Keyring, purpose: str, token: str) -> str | None:
    if len(token) > _LONGEST or not token.isascii():
        return None
    try:
        value = _signer(keyring, purpose).loads(token)
    except BadData:
        return None
    return value if isinstance(value, str) else None
