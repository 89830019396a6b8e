"""The outbox: a rehearsal. Every mail becomes a file a mail program opens; nobody is mailed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from engine.config.loading import Config
from engine.domain.words import Accepted, Call, CannotTell, Email, Finding, NotSent, Result
from engine.providers import mime
from engine.providers.contract import Recovery

FOLDER = "outbox"


def build(config: Config) -> Outbox:
    """Return the outbox beside the config file."""
    return Outbox(config.home / FOLDER)


def discard(home: Path, message_ids: Iterable[str]) -> int:
    """Take mails of a rehearsal out of the outbox again: their time is over, or the person was erased."""
    folder, gone = home / FOLDER, 0
    for message_id in message_ids:
        for name in (f"{message_id}.eml", f".{message_id}.eml.tmp"):
            with suppress(FileNotFoundError):
                (folder / name).unlink()
                gone += name.endswith(".eml")
    return gone


class Outbox:
    """A folder with one `.eml` per mail, named by our own id: writing one again replaces it by itself."""

    name = "outbox"
    rehearsal = True
    senders = 1
    batch = 50
    recovery = Recovery(replays=timedelta(days=3650))  # writing a file again replaces it by itself

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def send(self, call: Call) -> list[Result]:
        """Write each mail and make the folder durable once."""
        emails = call.emails
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            results = [self._put(email) for email in emails]
            _sync_folder(self.folder)
        except OSError as error:
            return [NotSent(_sentence(error), account=True) for _ in emails]
        return results

    def look_up(self, emails: Sequence[Email], since: datetime) -> list[Finding]:  # noqa: ARG002  (every provider is asked alike)
        """Say that nobody can tell: what is in doubt is written again."""
        return [CannotTell("a rehearsal is written again") for _ in emails]

    def close(self) -> None:
        """Nothing is held."""

    def _put(self, email: Email) -> Result:
        name = f"{email.message_id}.eml"
        unfinished = self.folder / f".{name}.tmp"
        try:
            with unfinished.open("wb") as file:
                file.write(mime.build(email, utf8_headers=not email.to.isascii()))
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(self.folder / name)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            return NotSent(_sentence(error), account=True)
        return Accepted(name)


def _sentence(error: OSError) -> str:
    return f"the outbox cannot be written: {error.strerror or error}"


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
