"""What a mail server's "no" means: the fault is the recipient's, the mail's, or the account's that hands it in.

The command it answers tells half of it, the enhanced status code (RFC 3463) and the words the rest. Servers use such
codes loosely (a spent quota of the sender comes as 5.2.0), so that plain words weigh as much as a code. Where two are
named, or a 5.7.x before the mail was read names nobody, nothing is decided: the mail did not leave and is tried again.
If every mail meets with it, the breaker leaves the server alone; if only one does, nobody else waits for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from engine.domain.bounces import CODE, Bounce, by_code
from engine.domain.words import NotSent, Refused

LONGEST_DETAIL = 500
_LONGEST_READ = 2000
_NO_LOGIN = {530, 534, 535, 538}
"""No login, or none that is good enough (RFC 4954, § 6)."""
_NOBODY = {550, 551, 553, 554, 556}
"""What comes with a code that says that there is no such mailbox, or no mail at this domain (RFC 5321, RFC 7504)."""
_STORAGE = {452, 552}
"""Too little storage (RFC 5321, § 4.2.3): before a mail is read it is the recipient's."""


class Stage(Enum):
    """The command a server answered; DOT is the end of the mail."""

    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    DOT = auto()


class _Whose(Enum):
    ACCOUNT = auto()
    RECIPIENT = auto()
    MAIL = auto()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said: the code of three digits and its text, of one or several lines."""

    code: int
    text: str

    @classmethod
    def of(cls, answer: tuple[int, bytes | str]) -> Answer:
        """Return it as smtplib gives it."""
        code, text = answer
        return cls(code, text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text))

    @property
    def said(self) -> str:
        """Return it in one piece, as the log shows it."""
        return f"{self.code} {self.text}"[:LONGEST_DETAIL]


_CODES = (
    (r"5\.2\.3|5\.3\.4|5\.6\.\d+", _Whose.MAIL),
    (r"[45]\.1\.[78]", _Whose.ACCOUNT),  # the sender's address
    (r"[45]\.4\.5", _Whose.ACCOUNT),  # "congestion"; Google says so of a limit that is spent
    (r"[45]\.7\.(?:3|8|9|1[1-4]|2\d|5\d\d|7\d\d)", _Whose.ACCOUNT),  # login, RFC 7372, and Microsoft's "banned sender"
    (r"[45]\.7\.(?:2|17|18|1[23]\d)", _Whose.RECIPIENT),  # lists, a mailbox that changed hands (RFC 7293), and groups
    (r"[45]\.(?:1\.(?:[1-69]|10)|2\.[124]|4\.\d+)", _Whose.RECIPIENT),
)
_ACCOUNT = re.compile(
    r"authenti[cf]|credential|relay(?! recipient)|submission|send ?as|sending|send limit|\bsender|client host|\bhelo\b"
    r"|(?:allowed|permitted|able|permissions?) to send|(?:may|can) ?not send|unauthori[sz]ed|unverified"
    r"|not (?:been )?(?:authori[sz]ed|verified)|\byou(?:'ve| have) (?:reached|exceeded)"
    r"|\byour (?:\w+ )?(?:account|credits?|domain|host|ip|limit|mailbox|network|plan|quota|server|subscription)\b"
    r"|\bcredits\b|\b(?:daily|hourly|monthly)\b|\bper (?:second|minute|hour|day)\b|\b(?:dmarc|dkim|spf|dnsbl)\b"
)
_RECIPIENT = re.compile(
    r"recipient(?!s\b| (?:count|limit|quota|rate))|(?<!your )mailbox|\binbox|addressee|over ?quota|gr[ae]ylist"
    r"|\buser's|user (?:policy|is full|over)"
)
_NOT_THERE = re.compile(
    r"\b(?:user|recipient|mailbox|addressee|address)(?: is)? (?:unknown|not found)|unknown (?:user|recipient|mailbox)"
    r"|no such (?:user|recipient|mailbox|address|person)|\b(?:user|recipient|mailbox) (?:does not|doesn't) exist"
)
"""Words, without a code, that leave no doubt that there is no such mailbox."""
_CONTENT = re.compile(
    r"\bspam(?:my)?\b|virus|malware|phish|unsolicited|content|attachment|\bsize|too (?:big|large|long)"
)
_EITHER = re.compile(r"quota|account")
"""Words of an account that may as well be the recipient's, where a recipient is answered."""
_COUNTED = re.compile(rf"{_EITHER.pattern}|limit|throttl|\brate\b|too many (?!hops)")
_POLICY = re.compile(r"5\.7\.\d+")
_NAMES = re.compile(r"\S+(?:@|://)\S+|\b[\w-]+(?:\.[\w-]+)+")
"""Addresses, links, hosts and numbers: a customer may be called `account@relay.example`."""
_EMPTY = re.compile(r"requested (?:mail )?action (?:not taken|aborted)(?:: *mailbox unavailable)?")
"""What RFC 5321 puts before every reason, and some before a reason that is the sender's."""


def meaning(stage: Stage, answer: Answer, to: str) -> Refused | NotSent:
    """Return what a "no" to a mail for this address means; an address is dead only where that is certain.

    Of three mistakes the cheapest is made: a person is not struck off for the account's fault, nor a whole shop stopped
    for one recipient's; a mail that is tried again in vain costs neither.
    """
    if answer.code in _NO_LOGIN:
        return NotSent(answer.said, account=True, credentials=True)
    whose = _whose(stage, answer, to)
    if whose == {_Whose.ACCOUNT}:
        return NotSent(answer.said, account=True)
    if answer.code < 500 or len(whose) > 1 or (not whose and _is_policy(stage, answer)):
        return NotSent(answer.said)
    return Refused(answer.said, hard_bounce=stage is Stage.RCPT and _Whose.RECIPIENT in whose and _is_dead(answer))


def _whose(stage: Stage, answer: Answer, to: str) -> set[_Whose]:
    """Return whose fault it is: by code and words; without a code that tells, by less certain signs as well."""
    words = _words(answer)
    coded = _of_code(answer)
    whose = coded | _of_words(stage, words)
    if stage is Stage.MAIL and _Whose.MAIL not in whose and answer.code >= 500:
        return {_Whose.ACCOUNT}  # nobody else has been named yet
    if not coded and _Whose.MAIL not in whose:
        whose |= _perhaps(stage, answer, words, to, vague=not whose)
    return whose


def _of_code(answer: Answer) -> set[_Whose]:
    code = _code(answer)
    found = next((whose for pattern, whose in _CODES if re.fullmatch(pattern, code)), None)
    return {found} if found else set()


def _of_words(stage: Stage, words: str) -> set[_Whose]:
    whose = set()
    if _ACCOUNT.search(words):
        whose.add(_Whose.ACCOUNT)
    if _RECIPIENT.search(words) or _NOT_THERE.search(words):
        whose.add(_Whose.RECIPIENT)
    if stage is Stage.DOT and _CONTENT.search(words):  # before that no content was seen
        whose.add(_Whose.MAIL)
    return whose


def _perhaps(stage: Stage, answer: Answer, words: str, to: str, *, vague: bool) -> set[_Whose]:
    """Return whose fault it may be too; `vague` where no plainer word has said whose it is."""
    whose = set()
    if _COUNTED.search(words):
        whose.add(_Whose.ACCOUNT)
    if to.lower() in answer.text.lower() and "relay" not in words:  # "no relay to them" names them, and means us
        whose.add(_Whose.RECIPIENT)
    if vague and stage is not Stage.MAIL and answer.code in _STORAGE:
        whose.add(_Whose.RECIPIENT)
    if vague and stage is Stage.RCPT and _EITHER.search(words):
        whose.add(_Whose.RECIPIENT)
    return whose


def _is_policy(stage: Stage, answer: Answer) -> bool:
    """Say whether a rule forbids it that may be anybody's; after the dot nothing is new but the mail itself."""
    return stage is not Stage.DOT and _POLICY.fullmatch(_code(answer)) is not None


def _is_dead(answer: Answer) -> bool:
    if answer.code not in _NOBODY:
        return False
    if _code(answer):
        return by_code(answer.text) is Bounce.DEAD
    return _NOT_THERE.search(_words(answer)) is not None


def _code(answer: Answer) -> str:
    """Return the enhanced status code; "" where there is none."""
    found = CODE.search(answer.text)
    return found[0] if found else ""


def _words(answer: Answer) -> str:
    """Return the words alone, small."""
    text = answer.text[:_LONGEST_READ].lower()
    return _EMPTY.sub(" ", " ".join(_NAMES.sub(" ", text).split()))
