"""The shop's secret keys: they turn addresses into hashes nobody can reverse, and sign links.

The file holds one key a line, the current one first. Old keys stay below it: what was suppressed under an old key must
be found for ever, because its address may be gone and cannot be hashed again.
"""

from __future__ import annotations

import hmac
import os
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from engine.errors import ConfigError

_SHORTEST = 32
_CANARY = "treuepost"


@dataclass(frozen=True, slots=True)
class Keyring:
    """All keys, the current one first; never printed."""

    keys: tuple[bytes, ...] = field(repr=False)

    @classmethod
    def load_or_create(cls, path: Path) -> Keyring:
        """Read the keys, or make the first one; a file that others can read is refused."""
        if not path.exists():
            _create(path)
        return cls._load(path)

    @classmethod
    def _load(cls, path: Path) -> Keyring:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise ConfigError(f"{path}: other users of this machine can read the keys.", f"chmod 600 {path}")
        lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
        keys = tuple(line.encode() for line in lines if line and not line.startswith("#"))
        if not keys or any(len(key) < _SHORTEST for key in keys):
            raise ConfigError(
                f"{path}: needs one key a line, each at least {_SHORTEST} characters long.",
                "Put back the file from your backup: without its keys nobody who objected can be recognised.",
            )
        return cls(keys)

    def hmac(self, purpose: str, text: str) -> str:
        """Return the text's hash under the current key: for what is written now."""
        return _hash(self.keys[0], purpose, text)

    def hmacs(self, purpose: str, text: str) -> tuple[str, ...]:
        """Return the text's hash under every key, the current one first: for what is looked up."""
        return tuple([_hash(key, purpose, text) for key in self.keys])

    @property
    def canary(self) -> str:
        """Return the current key's mark: the store keeps it, to notice a wrong key."""
        return self.hmac("canary", _CANARY)

    def fits(self, marks: str) -> bool:
        """Say whether every key that left a mark in a store is still here; marks are separated by blanks."""
        return set(marks.split()) <= set(self.hmacs("canary", _CANARY))

    def signing(self, purpose: str) -> list[str]:
        """Return the keys for one purpose's signatures, the current one last, as itsdangerous wants them."""
        return [_hash(key, "signing", purpose) for key in reversed(self.keys)]


@lru_cache(maxsize=8192)
def _hash(key: bytes, purpose: str, text: str) -> str:
    """Hash once what is asked for twice in a row: when a mail is claimed, and again when it is released."""
    return hmac.digest(key, f"{purpose}\0{text}".encode(), "sha256").hex()


def _create(path: Path) -> None:
    """Write the first key whole or not at all: a second process starting now reads the same one."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32) + "\n")
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()
