"""From pydantic's list of errors to findings an owner can act on: the place, what is allowed, and what was meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from engine.domain.grammar import GrammarError, quoted
from engine.domain.permission import KINDS
from engine.errors import Finding
from engine.toml.faults import Loc, Say
from engine.toml.mistakes import describe
from engine.toml.model_keys import fields_at, tables_with
from engine.toml.source import TomlSource, nearest, suggest


@dataclass(frozen=True, slots=True)
class Reader:
    """What is needed to say what is wrong with one file: the file, its model, and what is kept for later versions.

    `data` is what was validated: the file's own data, with the environment's values put in.
    """

    source: TomlSource
    data: Mapping[str, object]
    model: type[BaseModel]
    say: Say
    reserved: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    reserved_values: Mapping[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)
    prefix: str = ""


def find_mistakes(reader: Reader, error: ValidationError) -> list[Finding]:
    """Return a finding for each mistake, in the order of the file."""
    details = error.errors(include_url=False)
    meant = _meant(reader, details)
    found = [_finding(reader, detail) for detail in details if _missing_key(reader, detail) not in meant]
    unique = {(finding.line, finding.column, finding.code, finding.message): finding for finding in found}
    return sorted(unique.values(), key=lambda finding: (finding.line, finding.column))


def _meant(reader: Reader, details: list[ErrorDetails]) -> set[Loc]:
    """Return the keys that unknown ones were probably meant to be: naming these as missing, too, would confuse."""
    unknown = [detail["loc"] for detail in details if detail["type"] == "extra_forbidden"]
    named = [(loc[:-1], nearest(str(loc[-1]), fields_at(reader.model, loc[:-1]))) for loc in unknown]
    return {(*settle(reader.data, table), key) for table, key in named if key}


def _missing_key(reader: Reader, detail: ErrorDetails) -> Loc | None:
    loc = detail["loc"]
    return (*settle(reader.data, loc[:-1]), loc[-1]) if detail["type"] == "missing" else None


def _finding(reader: Reader, detail: ErrorDetails) -> Finding:
    loc = detail["loc"]
    place = settle(reader.data, loc)
    if detail["type"] == "union_tag_invalid":
        place = (*place, "on")
    if detail["type"] == "extra_forbidden":
        return _unknown_key(reader, loc, (*settle(reader.data, loc[:-1]), loc[-1]))
    if _is_reserved_value(reader, place):
        return _not_yet(reader, place, quoted(str(_at(reader, place))), key=False)
    if detail["type"] == "missing":
        return _missing(reader, settle(reader.data, loc[:-1]), str(loc[-1]))
    return _wrong_value(reader, detail, place)


def _unknown_key(reader: Reader, loc: Loc, place: Loc) -> Finding:
    key = str(place[-1])
    reserved = _reserved(reader, place)
    if reserved:
        return _not_yet(reader, place, reserved, key=True)
    if not _in_file(reader, place):
        return _unknown_in_environment(reader, loc, place)
    return _misplaced(reader, place) or _unknown(reader, key, place, _allowed(reader, loc[:-1], place))


def _misplaced(reader: Reader, place: Loc) -> Finding | None:
    """Say of a key that is right elsewhere where it belongs; the likeliest slip is a top key below a [table]."""
    say, key = reader.say, str(place[-1])
    table = ".".join(str(part) for part in place[:-1] if isinstance(part, str))
    if table and key in fields_at(reader.model, ()):
        message = say("%(key)s stands below [%(table)s] and so belongs to it", key=key, table=table)
        remedy = say("move the line up, before the first line with a [bracket]")
        return reader.source.finding("E106", message, place, key=True, help=remedy)
    homes = tables_with(reader.model, key)
    if not homes or table in homes:
        return None
    message = say("%(key)s belongs below [%(table)s]", key=key, table=homes[0])
    return reader.source.finding("E106", message, place, key=True)


def _unknown(reader: Reader, key: str, place: Loc, allowed: list[str]) -> Finding:
    say = reader.say
    meant = suggest(key, allowed, say) if key == key.strip() else say("remove the blanks around the key")
    remedy = meant or (say("allowed here: %(keys)s", keys=", ".join(allowed)) if allowed else "")
    return reader.source.finding("E101", say("unknown key `%(key)s`", key=key), place, key=True, help=remedy)


def _unknown_in_environment(reader: Reader, loc: Loc, place: Loc) -> Finding:
    allowed = _allowed(reader, loc[:-1], place)
    name = reader.prefix + "__".join(str(part) for part in place).upper()
    meant = nearest(str(place[-1]), allowed)
    message = reader.say("the environment sets %(name)s, which names no key of the config", name=name)
    remedy = reader.say('did you mean "%(word)s"?', word=meant) if meant else ""
    return Finding(reader.source.file, 0, 0, "E101", message, remedy)


def _allowed(reader: Reader, loc: Loc, place: Loc) -> list[str]:
    """Return the keys of the table, reserved ones left out."""
    return [key for key in fields_at(reader.model, loc) if not _reserved(reader, (*place[:-1], key))]


def _missing(reader: Reader, table: Loc, key: str) -> Finding:
    say = reader.say
    name = ".".join(str(part) for part in table if isinstance(part, str))
    if not table and key == "kind":
        return _no_kind(reader)
    if not table:
        return reader.source.finding("E102", say("`%(key)s` is missing", key=key))
    if not _in_file(reader, table):
        message = say("the table [%(table)s] is missing; it needs `%(key)s`", table=name, key=key)
        return reader.source.finding("E102", message)
    message = say("`%(key)s` is missing in [%(table)s]", key=key, table=name)
    return reader.source.finding("E102", message, table, key=True)


def _no_kind(reader: Reader) -> Finding:
    """Ask what the mail is before the law, with the answers that are likely for its trigger."""
    say, trigger = reader.say, _at(reader, ("trigger", "on"))
    if trigger == "service_due":
        remedy = say('kind = "contract_appointment" (the customer has a contract) or "service_reminder" (advertising)')
    else:
        likely = {"birthday": "birthday", "lapsed": "winback", "purchase": "thank_you"}.get(str(trigger))
        remedy = f'kind = "{likely}"' if likely else say("allowed: %(words)s", words=", ".join(KINDS))
    return reader.source.finding("L101", say("what is this mail before the law? `kind` is missing"), help=remedy)


def _wrong_value(reader: Reader, detail: ErrorDetails, place: Loc) -> Finding:
    fault = detail.get("ctx", {}).get("error")
    key = ".".join(str(part) for part in place if isinstance(part, str))
    if isinstance(fault, GrammarError):
        code, message, remedy = "E105", reader.say(fault.pattern, **fault.values), ""
    else:
        code, message, remedy = describe(detail, reader.say)
    if not _in_file(reader, place):
        name = reader.prefix + key.replace(".", "__").upper()
        return Finding(reader.source.file, 0, 0, code, f"{name}: {message}", remedy)
    return reader.source.finding(code, f"`{key}`: {message}" if key else message, place, help=remedy)


def _not_yet(reader: Reader, place: Loc, name: str, *, key: bool) -> Finding:
    message = reader.say("%(name)s is not in this version", name=name)
    return reader.source.finding("E108", message, place, key=key, help=reader.say("take it out for now"))


def _reserved(reader: Reader, place: Iterable[str | int]) -> str:
    return reader.reserved.get(tuple(str(part) for part in place if isinstance(part, str)), "")


def _is_reserved_value(reader: Reader, place: Loc) -> bool:
    path = [str(part) for part in place if isinstance(part, str)]
    words = next((words for key, words in reader.reserved_values.items() if _matches(key, path)), ())
    return _at(reader, place) in words


def _matches(pattern: tuple[str, ...], path: list[str]) -> bool:
    return len(pattern) == len(path) and all(want in {"*", got} for want, got in zip(pattern, path, strict=True))


def _in_file(reader: Reader, place: Loc) -> bool:
    return _at(reader, place) is not None


def _at(reader: Reader, place: Loc) -> Any:
    """Return what stands at a place of the file, or None: TOML has no empty value."""
    here: Any = reader.source.data
    for part in place:
        try:
            here = here[part]
        except (KeyError, IndexError, TypeError):
            return None
    return here


def settle(data: Any, loc: Loc) -> Loc:
    """Return the part of pydantic's `loc` that names places in the file: without the tags of unions."""
    return tuple(_steps(data, loc))


def _steps(here: Any, loc: Loc) -> Iterator[str | int]:
    for part in loc:
        within = isinstance(here, dict) and part in here
        if within or (isinstance(here, list) and isinstance(part, int) and part < len(here)):
            here = here[part]
            yield part
