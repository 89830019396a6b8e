"""The daemon's log: readable lines on a terminal, JSON lines elsewhere, and no e-mail address in either.

Structlog and the standard library's loggers end in the same handler, so that a library's line is masked as ours are;
exceptions are turned into text before the masking.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from engine.domain.addresses import masked

_ADDRESS = re.compile(r"[^\s@<>\"'`(),;:=\[\]{}|/\\]+(?:@|%40)[^\s@<>\"'`(),;:=\[\]{}|/\\]+", re.IGNORECASE)
_CHATTY = {
    "apscheduler": logging.ERROR,  # that a long tick lets the next one pass is meant
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "alembic": logging.WARNING,
}


def set_up(stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Send every logger's lines to `stream` (stderr): masked, and shaped for whoever reads them."""
    out = stream or sys.stderr
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_shared(),
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_last(out)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, quiet in _CHATTY.items():
        logging.getLogger(name).setLevel(max(level, quiet))
    structlog.configure(
        processors=[*_shared(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _last(out: TextIO) -> Iterable[Processor]:
    yield structlog.processors.format_exc_info
    yield mask_addresses
    if out.isatty():
        yield structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    else:
        yield structlog.processors.JSONRenderer(ensure_ascii=False, default=str)


def mask_addresses(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Mask every e-mail address in every value of a log line, exceptions included."""
    return {key: _masked(value) for key, value in event.items()}


def _masked(value: object) -> object:
    if isinstance(value, dict):
        return {key: _masked(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(inner) for inner in value]
    if isinstance(value, bool | int | float | None):
        return value
    return _ADDRESS.sub(_mask, str(value))


def _mask(found: re.Match[str]) -> str:
    return masked(found[0].replace("%40", "@"))
