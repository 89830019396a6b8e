"""SMTP submission, driven command by command: only then is it known at which one a mail failed.

Until the final dot has been written, nothing was sent. Once it may have been, silence is doubt.
"""

from __future__ import annotations

import re
import smtplib
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote, urlsplit

from engine.clock import stopwatch
from engine.config.loading import Config
from engine.domain.words import Accepted, Call, CannotTell, Email, Finding, InDoubt, NotSent, Refused, Result
from engine.providers import mime
from engine.providers.contract import Recovery
from engine.providers.smtp_answers import Answer, Stage, meaning

WAIT_SECONDS = 30.0
IDLE_SECONDS = 20.0
_NO_ASCII = "the user or the password of the mail server holds a sign that is not ASCII"
_WANTED = {Stage.MAIL: {250, 251, 252}, Stage.RCPT: {250, 251, 252}, Stage.DATA: {354}}


@dataclass(frozen=True, slots=True)
class Server:
    """Where mails are handed in: `smtp://user@host:587` (STARTTLS) or `smtps://user@host:465` (TLS)."""

    host: str
    port: int
    user: str
    tls: bool
    local: bool

    @classmethod
    def parse(cls, url: str, *, local: bool) -> Server:
        """Read a URL; a `local` server is on this machine and needs no encryption."""
        parts = urlsplit(url)
        tls = parts.scheme == "smtps"
        port = parts.port or (465 if tls else 587)
        return cls(parts.hostname or "", port, unquote(parts.username or ""), tls, local)


def build(config: Config) -> Smtp:
    """Return the server the config names."""
    key = config.provider.api_key
    return Smtp(
        Server.parse(config.provider.base_url, local=config.provider.on_loopback),
        password=key.get_secret_value() if key else "",
        senders=config.provider.senders,
    )


class Unable(Exception):
    """Nothing was sent, and `result` says why."""

    def __init__(self, result: Result) -> None:
        super().__init__()
        self.result = result


class Smtp:
    """A mail server, with one connection per sender thread."""

    name = "smtp"
    rehearsal = False
    batch = 1
    recovery = Recovery()  # SMTP knows no key, and a server no question

    def __init__(self, server: Server, *, password: str, senders: int, wait_seconds: float = WAIT_SECONDS) -> None:
        self.senders = senders
        self._server = server
        self._password = password
        self._wait = wait_seconds
        self._mine = threading.local()
        self._open: list[smtplib.SMTP] = []
        self._lock = threading.Lock()

    def send(self, call: Call) -> list[Result]:
        """Send each mail over this thread's connection."""
        return [self._send(email) for email in call.emails]

    def look_up(self, emails: Sequence[Email], since: datetime) -> list[Finding]:  # noqa: ARG002  (every provider is asked alike)
        """Say that nobody can tell: SMTP has no such question."""
        return [CannotTell("SMTP has no look-up") for _ in emails]

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            for line in self._open:
                line.close()
            self._open.clear()
            self._mine = threading.local()

    def _send(self, email: Email) -> Result:
        try:
            line = self._line()
            self._envelope(line, email)
            result = self._hand_over(line, email)
        except Unable as unable:
            result = unable.result
        except (OSError, smtplib.SMTPException, UnicodeError) as error:  # every stage before the final dot
            result = NotSent(_named(error))
        if not isinstance(result, Accepted):
            self._hang_up()  # the next mail begins on a line whose state is known
        return result

    def _line(self) -> smtplib.SMTP:
        """Return this thread's connection, made anew when it was idle for long or no longer answers."""
        line: smtplib.SMTP | None = getattr(self._mine, "line", None)
        if line is not None and stopwatch() - self._mine.used < IDLE_SECONDS and _answers(line):
            return line
        self._hang_up()
        try:
            line = self._connect()
        except (OSError, smtplib.SMTPException) as error:
            raise Unable(NotSent(f"not reachable: {_named(error)}", account=True)) from error
        self._mine.line, self._mine.used = line, stopwatch()
        with self._lock:
            self._open.append(line)
        return line

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        context = ssl.create_default_context()
        if server.tls:
            line: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=self._wait, context=context)
        else:
            line = smtplib.SMTP(server.host, server.port, timeout=self._wait)
        try:
            line.ehlo_or_helo_if_needed()
            if not server.tls:
                self._encrypt(line, context)
            self._log_in(line)
        except BaseException:
            line.close()
            raise
        return line

    def _encrypt(self, line: smtplib.SMTP, context: ssl.SSLContext) -> None:
        if line.has_extn("starttls"):
            if not self._server.local:
                line.starttls(context=context)
                line.ehlo()
        elif not self._server.local:
            raise Unable(NotSent(f"{self._server.host} offers no encryption (STARTTLS)", account=True))

    def _log_in(self, line: smtplib.SMTP) -> None:
        if not self._server.user:
            return
        try:
            line.login(self._server.user, self._password)
        except smtplib.SMTPAuthenticationError as error:
            answer = Answer.of((error.smtp_code, error.smtp_error))
            raise Unable(NotSent(answer.said, account=True, credentials=answer.code >= 500)) from error
        except UnicodeError:  # its own words would show a piece of the password
            raise Unable(NotSent(_NO_ASCII, account=True, credentials=True)) from None

    def _envelope(self, line: smtplib.SMTP, email: Email) -> None:
        options = () if email.to.isascii() else ("SMTPUTF8",)
        if options and not line.has_extn("smtputf8"):
            raise Unable(Refused("this server takes no addresses outside ASCII (SMTPUTF8)"))
        if options:
            line.command_encoding = "utf-8"
        _expect(Stage.MAIL, Answer.of(line.mail(email.sender, options)), email)
        _expect(Stage.RCPT, Answer.of(line.rcpt(email.to)), email)
        _expect(Stage.DATA, Answer.of(line.docmd("DATA")), email)

    def _hand_over(self, line: smtplib.SMTP, email: Email) -> Result:
        content = mime.build(email, utf8_headers=not email.to.isascii())
        quoted = re.sub(rb"(?m)^\.", b"..", content)
        line.send(quoted if quoted.endswith(b"\r\n") else quoted + b"\r\n")
        try:
            line.send(b".\r\n")
            answer = Answer.of(line.getreply())
        except (OSError, smtplib.SMTPException) as error:
            return InDoubt(f"no answer after the mail was handed over: {_named(error)}")
        self._mine.used = stopwatch()
        if answer.code == 250:
            return Accepted(answer.text[:200], answer.said)
        return meaning(Stage.DOT, answer, email.to) if answer.code >= 400 else InDoubt(answer.said)

    def _hang_up(self) -> None:
        line: smtplib.SMTP | None = getattr(self._mine, "line", None)
        if line is not None:
            self._mine.line = None
            line.close()
            with self._lock:
                self._open = [other for other in self._open if other is not line]


def _answers(line: smtplib.SMTP) -> bool:
    try:
        return line.rset()[0] == 250
    except (OSError, smtplib.SMTPException):
        return False


def _expect(stage: Stage, answer: Answer, email: Email) -> None:
    if answer.code not in _WANTED[stage]:
        raise Unable(meaning(stage, answer, email.to))


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
