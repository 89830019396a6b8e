"""The one table."""

from __future__ import annotations

from collections.abc import Iterable

from tests.chaos.judging import Verdict

COUNTS = ("kills", "restarts", "freezes", "messages", "mailed twice", "forgotten", "unknown", "once in doubt")
HEAD = ("fault", "sender", *COUNTS, "first mail", "at rest", "took", "")


def table(verdicts: Iterable[Verdict]) -> str:
    """Return a line per fault, and below it what was broken."""
    verdicts = list(verdicts)
    lines = [HEAD, *(_cells(verdict) for verdict in verdicts)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(HEAD))]
    text = [
        "  ".join(_placed(cell, widths[place], place) for place, cell in enumerate(line)).rstrip() for line in lines
    ]
    text.insert(1, "  ".join("-" * width for width in widths).rstrip())
    text += [f"BROKEN  {verdict.fault}: {what}" for verdict in verdicts for what in verdict.broken]
    return "\n".join(text)


def _cells(verdict: Verdict) -> tuple[str, ...]:
    if verdict.skipped:
        return (verdict.fault, verdict.sender, *([""] * 11), f"SKIPPED: {verdict.skipped}")
    counts = (verdict.kills, verdict.restarts, verdict.freezes, verdict.messages)
    found = (verdict.twice, verdict.forgotten, verdict.unknown, verdict.doubts)
    times = (_seconds(verdict.first), _seconds(verdict.rest), _seconds(verdict.took))
    kept = "BROKEN" if verdict.broken else f"ok {verdict.note}".strip()
    return (verdict.fault, verdict.sender, *map(str, counts + found), *times, kept)


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.1f} s"


def _placed(cell: str, width: int, place: int) -> str:
    return cell.ljust(width) if place in {0, 1, len(HEAD) - 1} else cell.rjust(width)
