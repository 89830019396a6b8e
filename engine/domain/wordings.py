"""What a text that people agree to has to say: who writes, and that one can stop it (law.md B2)."""

from __future__ import annotations

import re
import unicodedata

_LEGAL_FORM = re.compile(r"(?i)[\s,]+(gmbh( & co\. ?kg)?|ug( \(haftungsbeschränkt\))?|ag|kg|ohg|e\. ?k\.|gbr|ltd\.?)$")
_STOPS = re.compile(
    r"(?i)widerruf|abbestell|abmeld|austrag|beenden|widersprech"
    r"|withdraw|unsubscribe|opt out|stop (this|it|these)|revoke"
)


def says_how_to_withdraw(text: str) -> bool:
    """Say whether a text tells that and how consent can be taken back (Art. 7(3) sentence 3 GDPR)."""
    return _STOPS.search(text) is not None


def names_firm(text: str, firm: str) -> bool:
    """Say whether a text names who will write; the legal form may be left out."""
    return _plain(_LEGAL_FORM.sub("", firm.strip())) in _plain(text)


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())
