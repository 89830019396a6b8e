"""The sandbox templates run in. It knows nothing, calls nothing and reads no file.

What keeps an author's slip (or a stranger's campaign file) harmless:
- attributes exist only on the context's own records and on `loop`; there are no methods, so `__class__`, `format`,
  `mro` and their kin have nothing to stand on;
- no global functions, no loader, a closed list of filters, tests and constructs (engine/rendering/checking.py);
- arithmetic only on numbers, so nothing can be multiplied into memory;
- an absent value is falsy and refuses to be printed, so "None" never reaches a customer.
Values are never compiled: `{{7*7}}` as somebody's name is printed as it stands.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from jinja2 import TemplateRuntimeError, Undefined, UndefinedError
from jinja2.exceptions import SecurityError
from jinja2.runtime import LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.tests import TESTS
from markupsafe import Markup

from engine.rendering.context import Record
from engine.rendering.filters import filters, format_day, format_number, web_link

KNOWN_TESTS = ("defined", "undefined", "none", "odd", "even", "in", "eq", "ne", "lt", "le", "gt", "ge")
LOOP_FIELDS = frozenset({"index", "index0", "first", "last", "length", "revindex", "revindex0"})
URL_FILTER = "web_link "  # the blank keeps authors from naming it


class AbsentValue(UndefinedError):
    """A template wants to print something that is not there."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is absent")
        self.name = name


class Absent(Undefined):
    """A value that is not there: falsy, equal to nothing, empty in loops; printing it is an error."""

    __slots__ = ()

    def __str__(self) -> str:
        raise AbsentValue(self._undefined_name or "…")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Undefined)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = Undefined.__hash__


class Sandbox(ImmutableSandboxedEnvironment):
    """One language's environment: HTML escapes, text does not, by the template's name."""

    intercepted_binops = frozenset({"+", "-", "*", "/"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return a record's field, `loop`'s counters, or refuse."""
        if type(obj) is Record:
            found = obj.values.get(attribute)
            if found is None:
                found = obj.field(attribute)
            return Absent(name=f"{obj.name}.{attribute}") if found is None else found
        if isinstance(obj, Undefined):
            return Absent(name=f"{obj._undefined_name}.{attribute}")  # noqa: SLF001  (Jinja keeps the name there)
        if isinstance(obj, LoopContext) and attribute in LOOP_FIELDS:
            return getattr(obj, attribute)
        raise SecurityError(f"nothing is called `{attribute}` here")

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return an entry of a list by its number; everything else is a field."""
        if isinstance(obj, tuple) and isinstance(argument, int):
            return obj[argument] if -len(obj) <= argument < len(obj) else Absent(name=f"entry {argument}")
        return self.getattr(obj, str(argument))

    def is_safe_callable(self, obj: Any) -> bool:
        """Allow nothing but macros."""
        return isinstance(obj, Macro)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Reckon with numbers only."""
        if not (isinstance(left, int | Decimal) and isinstance(right, int | Decimal)):
            raise TemplateRuntimeError(f"`{operator}` works on numbers only")
        return super().call_binop(context, operator, left, right)


def sandbox(language: str, currency: str) -> Sandbox:
    """Return the environment for one language."""

    def printable(value: object) -> object:
        kind = type(value)
        if kind is str or kind is Markup:
            return value
        if isinstance(value, bool) or value is None:
            raise TemplateRuntimeError("yes or no cannot be printed; use it in an {% if %}")
        if isinstance(value, int | Decimal):
            return format_number(value, language)
        if isinstance(value, date):
            return format_day(value, "long", language)
        if isinstance(value, str | Undefined):
            return value
        raise TemplateRuntimeError("a whole list or record cannot be printed; name one of its fields, or use `| list`")

    environment = Sandbox(
        undefined=Absent,
        autoescape=lambda name: name is not None and name.endswith(".html"),
        finalize=printable,
        auto_reload=False,
        cache_size=0,
        keep_trailing_newline=False,
    )
    environment.globals.clear()
    environment.filters = dict(filters(language, currency)) | {URL_FILTER: web_link}
    environment.tests = {name: TESTS[name] for name in KNOWN_TESTS}
    return environment
