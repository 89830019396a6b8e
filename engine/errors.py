"""Every error Treuepost raises on purpose, and the exit code each one ends a command with.

    TreuepostError                1   a file refused whole, a command that could not do its work
    ├── UsageError                2   a word, flag or argument the command cannot use
    ├── ConfigError               4   config.toml, a campaign or a template is not valid
    │   ├── Invalid               4   … with one finding per mistake, each at file:line:column
    │   └── TemplateError         4   … a template that cannot be loaded or rendered
    ├── StoreError                5   the store cannot be used
    │   ├── StoreBusy             5   … another program holds it
    │   ├── StoreFull             5   … no space is left on the device
    │   ├── SchemaMismatch        5   … its schema is older or newer than this program
    │   └── AlreadyRunning        5   … another process is sending from it
    ├── ProviderRefused           6   the provider refused the credentials
    └── NothingFound              7   the thing asked for does not exist

A message says where, what, what is allowed and how to mend it. `hint` is the mending, on its own line.
"""

from __future__ import annotations

from dataclasses import dataclass


class TreuepostError(Exception):
    """Something went wrong that the person at the keyboard can understand and mend."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(TreuepostError):
    """The command cannot use what it was given."""

    exit_code = 2


class ConfigError(TreuepostError):
    """config.toml, a campaign or a template is not valid."""

    exit_code = 4


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake in one file.

    `line` and `column` count from 1; 0 means the file as a whole. `code` is stable and can be looked up in the
    docs; `level` is "error" or "warning". `length` is how many characters the caret line underlines.
    """

    file: str
    line: int
    column: int
    code: str
    message: str
    help: str = ""
    level: str = "error"
    length: int = 1

    @property
    def place(self) -> str:
        """Return `file:line:column`, or the file alone where no position is known."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class Invalid(ConfigError):
    """One or more files are not valid; `findings` says where and how to mend each."""

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = findings
        first = findings[0]
        more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        super().__init__(f"{first.place}: {first.message}{more}", first.help)


class TemplateError(ConfigError):
    """A template cannot be loaded or rendered."""


class StoreError(TreuepostError):
    """The store cannot be used."""

    exit_code = 5


class StoreBusy(StoreError):
    """Another program holds the store."""


class StoreFull(StoreError):
    """No space is left where the store lies."""


class SchemaMismatch(StoreError):
    """The store's schema is older or newer than this program."""


class AlreadyRunning(StoreError):
    """Another process is sending from this store."""


class ProviderRefused(TreuepostError):
    """The provider refused the credentials."""

    exit_code = 6


class NothingFound(TreuepostError):
    """The thing asked for does not exist."""

    exit_code = 7
