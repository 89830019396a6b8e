"""Reads a template's syntax tree before it may run: a closed list of constructs, filters, tests and names.

What is not on the lists is refused with its place. Time and memory are bounded here too, without a stopwatch: loops go
over the context's own lists and at most two deep, macros cannot call themselves or what follows them, and there is
nothing that makes a value longer than its parts (no `*` on text, no `~`, no `range`, no `join`, no block `set`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from jinja2 import nodes

from engine.rendering.context import FIELDS, LISTS, NOT_YET, ONLY_IN
from engine.rendering.environment import KNOWN_TESTS
from engine.rendering.filters import filters
from engine.toml.faults import Say, plainly
from engine.toml.source import suggest

KNOWN_FILTERS = tuple(filters("en", "EUR"))
ENGINE_FIELDS = frozenset(
    {
        "subject",
        "preview",
        "language",
        "reason",
        "rights",
        "stop",
        "choose",
        "privacy",
        "address",
        "contact",
        "register",
    }
)
"""Fields of `mail`, which only the layout uses."""

_PERMITTED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Const, nodes.Name, nodes.Getattr, nodes.Getitem,
    nodes.Filter, nodes.Test, nodes.If, nodes.For, nodes.CondExpr, nodes.And, nodes.Or, nodes.Not, nodes.Compare,
    nodes.Operand, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.Neg, nodes.Pos, nodes.List, nodes.Tuple,
    nodes.Assign, nodes.Macro, nodes.Call, nodes.Keyword,
)  # fmt: skip
_SPOKEN = {
    "Concat": "`~` is not allowed; write the pieces one after another: {{ a }}{{ b }}",
    "Pow": "`**` is not allowed",
    "Mod": "`%` is not allowed; use the filters number, money and date",
    "FloorDiv": "`//` is not allowed",
    "AssignBlock": "{% set … %} … {% endset %} is not allowed; use a macro",
    "Include": "include needs a quoted name",
    "Scope": "{% autoescape %} is not allowed: what customers are called is always escaped",
    "Dict": "{ … } is not allowed in a template",
    "Slice": "slices are not allowed",
}
_MOST_WORK = 20_000
_LOOP_WORK = 30


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing a template must not do, with the line of the finished template it stands on."""

    line: int
    code: str
    message: str
    help: str = ""


@dataclass(slots=True)
class Checker:
    """Walks one template for one trigger."""

    trigger: str
    say: Say = plainly
    faults: list[Fault] = field(default_factory=list)
    locals: set[str] = field(default_factory=set)
    macros: dict[str, int] = field(default_factory=dict)
    items: set[str] = field(default_factory=set)
    line: int = 1

    def check(self, tree: nodes.Template) -> list[Fault]:
        """Return every fault of a template, in the order of its lines."""
        work = self._work(tree.body, depth=0)
        if work > _MOST_WORK and not self.faults:
            self._fault(
                tree, "T104", self.say("this template would take too long: too many loops and macros within each other")
            )
        return sorted(set(self.faults), key=lambda fault: fault.line)

    def _fault(self, node: nodes.Node, code: str, message: str, help: str = "") -> None:  # noqa: A002
        self.faults.append(Fault(self._line_of(node), code, message, help))

    def _line_of(self, node: nodes.Node) -> int:
        below = (child.lineno for child in node.find_all(nodes.Node) if child.lineno)
        return node.lineno or next(below, self.line)

    def _work(self, body: list[nodes.Node], depth: int) -> int:
        return sum(self._node(node, depth) for node in body)

    def _node(self, node: nodes.Node, depth: int) -> int:
        self.line = node.lineno or self.line  # some nodes do not know theirs
        if not isinstance(node, _PERMITTED):
            kind = type(node).__name__
            spoken = self.say(_SPOKEN[kind]) if kind in _SPOKEN else self.say("%(what)s is not allowed here", what=kind)
            self._fault(node, "T103", spoken)
            return 1
        handler = getattr(self, f"_on_{type(node).__name__.lower()}", None)
        if handler is not None:
            return int(handler(node, depth))
        return 1 + self._work(list(node.iter_child_nodes()), depth)

    def _on_for(self, node: nodes.For, depth: int) -> int:
        if node.recursive:
            self._fault(node, "T103", self.say("a loop cannot call itself"))
        if depth >= 2:
            self._fault(node, "T104", self.say("loops can be two deep at most"))
        path = dotted(node.iter)
        if path not in LISTS and path.split(".")[0] not in self.items:
            self._fault(node, "T105", self.say("cannot loop over `%(what)s`", what=path or "…"), self._list(LISTS))
        targets = {name.name for name in node.target.find_all(nodes.Name)} | _names(node.target)
        before, items = set(self.locals), set(self.items)
        self.locals |= targets | {"loop"}
        if path == "items":
            self.items |= targets
        work = self._work([*node.body, *([node.test] if node.test else [])], depth + 1)
        self.locals, self.items = before, items
        return work * _LOOP_WORK + self._work(node.else_, depth) + 1

    def _on_macro(self, node: nodes.Macro, depth: int) -> int:
        before = set(self.locals)
        self.locals |= {argument.name for argument in node.args}
        self.macros.pop(node.name, None)
        work = self._work([*node.body, *node.defaults], depth)
        self.locals = before
        self.macros[node.name] = work + 1
        return 1

    def _on_assign(self, node: nodes.Assign, depth: int) -> int:
        names = _names(node.target)
        if taken := names & FIELDS.keys():
            self._fault(node, "T103", self.say("`%(name)s` cannot be given a new value", name=min(taken)))
        work = 1 + self._node(node.node, depth)
        self.locals |= names
        return work

    def _on_call(self, node: nodes.Call, depth: int) -> int:
        name = node.node.name if isinstance(node.node, nodes.Name) else ""
        if name not in self.macros or node.dyn_args or node.dyn_kwargs:
            called = name or dotted(node.node) or "…"
            shipped = '{% from "parts.html" import button %}'
            self._fault(node, "T103", self.say("`%(name)s()` cannot be called", name=called), shipped)
            return 1
        return self.macros[name] + self._work([*node.args, *node.kwargs], depth)

    def _on_filter(self, node: nodes.Filter, depth: int) -> int:
        if node.name not in KNOWN_FILTERS:
            self._unknown(
                node, "T106", self.say("there is no filter `%(name)s`", name=node.name), node.name, KNOWN_FILTERS
            )
        return 1 + self._work(list(node.iter_child_nodes()), depth)

    def _on_test(self, node: nodes.Test, depth: int) -> int:
        if node.name not in KNOWN_TESTS:
            self._unknown(node, "T106", self.say("there is no test `%(name)s`", name=node.name), node.name, KNOWN_TESTS)
        return 1 + self._work(list(node.iter_child_nodes()), depth)

    def _on_name(self, node: nodes.Name, _depth: int) -> int:
        name = node.name
        if name in self.locals or name == "mail":
            return 1
        if name in NOT_YET:
            self._fault(node, "T102", self.say("`%(name)s` is not in this version", name=name))
        elif name not in FIELDS:
            known = [*FIELDS, *sorted(self.locals)]
            self._unknown(node, "T101", self.say("there is nothing called `%(what)s`", what=name), name, known)
        elif name in ONLY_IN and self.trigger not in ONLY_IN[name]:
            where = ", ".join(sorted(ONLY_IN[name]))
            told = self.say("`%(name)s` is known only in campaigns with the trigger %(where)s", name=name, where=where)
            self._fault(node, "T102", told)
        return 1

    def _on_getattr(self, node: nodes.Getattr, depth: int) -> int:
        self._field(node, dotted(node.node), node.attr)
        return 1 + self._node(node.node, depth)

    def _on_getitem(self, node: nodes.Getitem, depth: int) -> int:
        if not isinstance(node.arg, nodes.Const) or not isinstance(node.arg.value, int | str):
            self._fault(node, "T103", self.say("[…] needs a number: items[0]"))
        elif isinstance(node.arg.value, str):
            self._field(node, dotted(node.node), node.arg.value)
        return 1 + self._node(node.node, depth)

    def _field(self, node: nodes.Node, owner: str, attribute: str) -> None:
        root = re.split(r"[.[]", owner)[0]
        if root and root not in FIELDS and root not in self.items and root not in ("loop", "mail"):
            return  # a name of the template's own, or one that is told as unknown itself
        known = self._fields(owner)
        if attribute not in known:
            what = f"{owner}.{attribute}" if owner else attribute
            told = self.say("there is nothing called `%(what)s`", what=what)
            self._unknown(node, "T101", told, attribute, sorted(known))

    def _fields(self, owner: str) -> frozenset[str]:
        if owner in self.items or owner.startswith("items["):
            return frozenset(FIELDS["item"])
        if owner == "loop" and "loop" in self.locals:
            return frozenset({"index", "index0", "first", "last", "length", "revindex", "revindex0"})
        if owner == "mail":
            return ENGINE_FIELDS
        return frozenset(FIELDS.get(owner, ()))

    def _unknown(self, node: nodes.Node, code: str, message: str, word: str, known: Collection[str]) -> None:
        meant = suggest(word, known, self.say)
        self._fault(node, code, message + (f"; {meant}" if meant else ""), self._list(known))

    def _list(self, known: Collection[str]) -> str:
        return self.say("known here: %(known)s", known=", ".join(sorted(known))) if known else ""


def dotted(node: nodes.Node) -> str:
    """Return `purchase.items` for such an expression, `items[0]` for an entry, and nothing for anything else."""
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr) and (owner := dotted(node.node)):
        return f"{owner}.{node.attr}"
    if isinstance(node, nodes.Getitem) and (owner := dotted(node.node)) and isinstance(node.arg, nodes.Const):
        return f"{owner}[{node.arg.value}]"
    return ""


def _names(target: nodes.Node) -> set[str]:
    return set(_each_name(target))


def _each_name(target: nodes.Node) -> Iterator[str]:
    if isinstance(target, nodes.Name):
        yield target.name
    for child in target.iter_child_nodes():
        yield from _each_name(child)
