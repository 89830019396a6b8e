"""A TOML file with the place of everything in it, so that every mistake can be named at file:line:column.

The standard library parses; tree-sitter only tells where things stand, and only once something has to be pointed at.
Lines and columns count from 1, columns in characters (tree-sitter counts bytes: an umlaut is two).
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

import tree_sitter_toml
from tree_sitter import Language as Syntax
from tree_sitter import Node, Parser

from engine.errors import Finding, Invalid
from engine.toml.faults import Loc, Place, Repeat, Say, explain_fault, plainly, visible

_START: Place = (1, 1, 1)
_LARGEST = 1_000_000


@dataclass(frozen=True, slots=True)
class Positions:
    """Where each key and each value of a file stands."""

    keys: dict[Loc, Place] = field(default_factory=dict)
    values: dict[Loc, Place] = field(default_factory=dict)
    repeated: list[Repeat] = field(default_factory=list)


class TomlSource:
    """One TOML file: its text, its data, and where everything in it stands."""

    def __init__(self, file: str, text: str, data: dict[str, object]) -> None:
        self.file = file
        self.text = text
        self.data = data
        self._positions: Positions | None = None

    @classmethod
    def read(cls, path: Path, say: Say = plainly) -> TomlSource:
        """Read a file; raise Invalid with the place and the remedy where it is not TOML."""
        file = shown_path(path)
        text = _text(path, file, say)
        try:
            return cls(file, text, tomllib.loads(text))
        except (ValueError, RecursionError) as fault:
            raise Invalid([explain_fault(file, text, fault, _repeats(text), say)]) from fault

    def position(self, loc: Sequence[str | int], *, key: bool = False) -> Place:
        """Return where the value at `loc` stands, or its key; the nearest table around it when it is not there."""
        places = self._located()
        path = tuple(loc)
        while path:
            found = (places.keys.get(path) if key else None) or places.values.get(path) or places.keys.get(path)
            if found:
                return found
            path = path[:-1]
            key = True
        return _START

    def finding(
        self,
        code: str,
        message: str,
        loc: Sequence[str | int] = (),
        *,
        key: bool = False,
        help: str = "",  # noqa: A002  (the finding's own word)
        level: str = "error",
    ) -> Finding:
        """Return a finding at the place of `loc`."""
        line, column, length = self.position(loc, key=key)
        return Finding(self.file, line, column, code, visible(message), visible(help), level, length)

    def _located(self) -> Positions:
        if self._positions is None:
            self._positions = locate(self.text)
        return self._positions


def nearest(word: str, allowed: Iterable[str]) -> str:
    """Return the allowed word that `word` was probably meant to be, or an empty string."""
    by_plain = {candidate.lower(): candidate for candidate in allowed}
    found = get_close_matches(word.strip().lower(), by_plain, n=1, cutoff=0.6)
    return by_plain[found[0]] if found else ""


def suggest(word: str, allowed: Iterable[str], say: Say = plainly) -> str:
    """Return `did you mean "birthday"?`, or an empty string when nothing is near."""
    found = nearest(word, allowed)
    return say('did you mean "%(word)s"?', word=found) if found else ""


def shown_path(path: Path) -> str:
    """Return the path as the owner would type it: relative where it lies below the present folder."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def locate(text: str) -> Positions:
    """Return where every key and value of a TOML text stands."""
    positions = Positions()
    parser = Parser(Syntax(tree_sitter_toml.language()))
    lines = text.split("\n")
    encoded = [line.encode() for line in lines]
    _Walk(positions, encoded).document(parser.parse(text.encode()).root_node)
    return positions


class _Walk:
    """Walks a syntax tree and writes down where each key and each value stands."""

    def __init__(self, positions: Positions, lines: list[bytes]) -> None:
        self._positions = positions
        self._lines = lines
        self._counts: dict[Loc, int] = {}

    def document(self, root: Node) -> None:
        for node in root.named_children:
            if node.type == "pair":
                self._pair(node, ())
            elif node.type in {"table", "table_array_element"}:
                self._table(node)

    def _table(self, node: Node) -> None:
        header, *members = node.named_children
        path = self._within_arrays(_names(header))
        self._note_above(path, 0, header)
        if node.type == "table_array_element":
            index = self._counts.get(path, 0)
            self._counts[path] = index + 1
            self._positions.keys.setdefault(path, self._place(header))
            path = (*path, index)
            self._positions.keys[path] = self._place(header)
        else:
            self._note(path, header)
        for member in members:
            if member.type == "pair":
                self._pair(member, path)

    def _within_arrays(self, names: Loc) -> Loc:
        """Return the path of a table header: inside an array of tables it means the latest one."""
        path: Loc = ()
        for position, name in enumerate(names):
            path = (*path, name)
            if position < len(names) - 1 and path in self._counts:
                path = (*path, self._counts[path] - 1)
        return path

    def _pair(self, node: Node, above: Loc) -> None:
        if len(node.named_children) < 2:
            return
        key, value = node.named_children[0], node.named_children[1]
        path = (*above, *_names(key))
        self._note_above(path, len(above), key)
        self._note(path, key)
        self._value(value, path)

    def _note_above(self, path: Loc, known: int, node: Node) -> None:
        """Note that `[legal.similarity]` is also where `legal` stands, unless it has a line of its own above."""
        for length in range(known + 1, len(path)):
            self._positions.keys.setdefault(path[:length], self._place(node))

    def _note(self, path: Loc, node: Node) -> None:
        place = self._place(node)
        first = self._positions.keys.setdefault(path, place)
        if first != place:
            self._positions.repeated.append((path, first, place))

    def _value(self, node: Node, path: Loc) -> None:
        self._positions.values.setdefault(path, self._place(node))
        if node.type == "inline_table":
            for member in node.named_children:
                if member.type == "pair":
                    self._pair(member, path)
        elif node.type == "array":
            members = (child for child in node.named_children if child.type != "comment")
            for index, member in enumerate(members):
                self._value(member, (*path, index))

    def _place(self, node: Node) -> Place:
        row, start = node.start_point
        end_row, end = node.end_point
        line = self._lines[row]
        column = len(line[:start].decode(errors="replace"))
        until = end if end_row == row else len(line)
        return (row + 1, column + 1, max(1, len(line[start:until].decode(errors="replace"))))


def _names(key: Node) -> Loc:
    return tuple(_name(part) for part in _parts(key))


def _parts(key: Node) -> Iterator[Node]:
    if key.type == "dotted_key":
        for child in key.named_children:
            yield from _parts(child)
    else:
        yield key


def _name(key: Node) -> str:
    text = (key.text or b"").decode(errors="replace")
    if key.type != "quoted_key":
        return text
    try:
        return str(next(iter(tomllib.loads(f"{text} = 0"))))
    except tomllib.TOMLDecodeError:
        return text.strip("\"'")


def _repeats(text: str) -> Callable[[], list[Repeat]]:
    return lambda: locate(text).repeated


def _text(path: Path, file: str, say: Say) -> str:
    """Return the file's text without a byte order mark; say which line is not UTF-8."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(_LARGEST + 1)
    except OSError as fault:
        message = say("cannot read this file: %(why)s", why=fault.strerror or fault)
        raise Invalid([Finding(file, 0, 0, "E001", message)]) from fault
    if len(raw) > _LARGEST:
        raise Invalid([Finding(file, 0, 0, "E001", say("this file is larger than 1 MB; is it the right one?"))])
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as fault:
        raise Invalid([_not_utf8(file, raw, fault.start, say)]) from fault


def _not_utf8(file: str, raw: bytes, offset: int, say: Say) -> Finding:
    if raw[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return Finding(file, 1, 1, "E002", say("this file is UTF-16; save it as UTF-8"))
    before = raw[:offset]
    line = before.count(b"\n") + 1
    column = len(before[before.rfind(b"\n") + 1 :].decode(errors="replace")) + 1
    return Finding(
        file,
        line,
        column,
        "E002",
        say("line %(line)s is not UTF-8", line=line),
        say("it looks like Latin-1 (Windows-1252); save the file as UTF-8 in your editor"),
    )
