"""What makes one version of a text: the hash of all that was said with it, so that no later hand can change it."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping


def version(content: Mapping[str, object]) -> tuple[str, str]:
    """Return the hash and the canonical JSON of a content: sorted keys, no blanks, NFC (equal to RFC 8785 for text)."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    canonical = unicodedata.normalize("NFC", text)
    return hashlib.sha256(canonical.encode()).hexdigest(), canonical
