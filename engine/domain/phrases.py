"""How the campaign language is said back in German and English, for `check -v`."""

from __future__ import annotations

SHORT_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAYS = {
    "de": ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
_UNITS = {
    "hours": ("Stunde", "Stunden", "Stunden"),
    "days": ("Tag", "Tage", "Tagen"),
    "weeks": ("Woche", "Wochen", "Wochen"),
    "months": ("Monat", "Monate", "Monaten"),
    "years": ("Jahr", "Jahre", "Jahren"),
}
_MASCULINE = frozenset({"days", "months", "years"})


def amount(count: int, unit: str, language: str) -> str:
    """Say `3 Tage`, `1 year`."""
    if language == "de":
        return f"{count} {_UNITS[unit][0 if count == 1 else 1]}"
    return f"{count} {unit[:-1] if count == 1 else unit}"


def around(span: str, direction: str, language: str) -> str:
    """Say `am Tag selbst`, `3 Tage vorher`, `2 hours after`."""
    if direction == "on":
        return "am Tag selbst" if language == "de" else "on the day"
    if language == "de":
        return f"{span} {'vorher' if direction == 'before' else 'danach'}"
    return f"{span} {direction}"


def multiple(number: str, language: str) -> str:
    """Say `das 2,5-fache des üblichen Abstands`."""
    if language == "de":
        return f"das {number.replace('.', ',')}-fache des üblichen Abstands"
    return f"{number} times the usual interval"


def cap(count: int, length: int, unit: str, language: str) -> str:
    """Say `höchstens 1 Mail in 30 Tagen`."""
    if language != "de":
        return f"at most {count} {'mail' if count == 1 else 'mails'} in {amount(length, unit, language)}"
    mails = "1 Mail" if count == 1 else f"{count} Mails"
    if length == 1:
        return f"höchstens {mails} in {'einem' if unit in _MASCULINE else 'einer'} {_dative(unit)}"
    return f"höchstens {mails} in {length} {_UNITS[unit][2]}"


def hours(start: str, end: str, language: str) -> str:
    """Say `von 09:00 bis 18:00 Uhr`."""
    return f"von {start} bis {end} Uhr" if language == "de" else f"from {start} to {end}"


def weekdays(days: list[int], language: str) -> str:
    """Say `Montag bis Samstag`, `Montag, Mittwoch`, `täglich`."""
    if len(days) == 7:
        return "täglich" if language == "de" else "every day"
    names = _DAYS["de" if language == "de" else "en"]
    between = " bis " if language == "de" else " to "
    return _runs(days, names, between, ", ")


def short_weekdays(days: list[int]) -> str:
    """Write `Mon-Sat` as a campaign file would."""
    return _runs(days, SHORT_DAYS, "-", ",")


def _dative(unit: str) -> str:
    return _UNITS[unit][0]


def _runs(days: list[int], names: tuple[str, ...], between: str, separator: str) -> str:
    runs: list[list[int]] = []
    for day in days:
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return separator.join(_run(run, names, between, separator) for run in runs)


def _run(run: list[int], names: tuple[str, ...], between: str, separator: str) -> str:
    if len(run) > 2:
        return f"{names[run[0]]}{between}{names[run[-1]]}"
    return separator.join(names[day] for day in run)
