"""Turns a finished template into one that runs: checked, its constants folded in, its links guarded, compiled once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from jinja2 import Template, TemplateSyntaxError, nodes
from jinja2 import TemplateError as JinjaError
from jinja2.runtime import Context

from engine.errors import Finding, TemplateError
from engine.rendering.checking import Checker
from engine.rendering.environment import URL_FILTER, AbsentValue, Sandbox
from engine.rendering.masking import Revealed
from engine.toml.faults import Say, plainly

_LINK_START = re.compile(r"(?:href|src|action|background)\s*=\s*[\"']?\s*$", re.IGNORECASE)
_LINK = re.compile(r"(?:href|src|action|background)\s*=\s*[\"']([^\"']*)[\"']", re.IGNORECASE)
_GOOD_LINK = re.compile(r"https?://|mailto:|tel:|\{\{|zqj\d+qz|#", re.IGNORECASE)
LONGEST_OUTPUT = 1_000_000


class Faulty(Exception):
    """A template has faults; each is a finding at the author's file and line."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__()
        self.findings = findings


@dataclass(frozen=True, slots=True)
class Compiled:
    """One template that runs, and where each of its lines comes from."""

    template: Template
    revealed: Revealed
    name: str
    escapes: bool
    say: Say = plainly

    def render(self, known: Context) -> str:
        """Render; tell an error at the author's file and line. A mail's templates share one context."""
        known.eval_ctx.autoescape = self.escapes
        if known.vars:  # what one template has set is nothing to the next
            known.vars.clear()
            known.exported_vars.clear()
        try:
            text = "".join(self.template.root_render_func(known))
        except (JinjaError, ArithmeticError, TypeError, ValueError, RecursionError, AttributeError) as error:
            raise self._told(error) from error
        if len(text) > LONGEST_OUTPUT:
            raise TemplateError(f"{self.name}: {self.say('the mail is larger than 1 MB')}")
        return text

    def _told(self, error: Exception) -> TemplateError:
        file, line = self.revealed.place(_failing_line(error, self.template))
        if isinstance(error, AbsentValue):
            instead = self.say("say what stands in its place: %(example)s", example=f"{{{{ {error.name} or '…' }}}}")
            return TemplateError(f"{file}:{line}: {self.say('%(name)s is absent', name=error.name)}", instead)
        return TemplateError(f"{file}:{line}: {error}")


def _failing_line(error: BaseException, template: Template) -> int:
    line, trace = 1, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == template.filename:
            line = template.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return line


def compile_template(
    environment: Sandbox,
    name: str,
    revealed: Revealed,
    trigger: str,
    constants: Mapping[str, Mapping[str, object]],
    say: Say = plainly,
) -> Compiled:
    """Check and compile one template; raise Faulty with a finding per fault."""
    try:
        tree = environment.parse(revealed.source, name, name)
        findings = _faults(Checker(trigger, say), tree, revealed, name)
        if not findings:
            _fold(tree, constants)
            _guard_links(tree)
            tree.set_environment(environment)
            code = environment.compile(tree, name, name)
    except (TemplateSyntaxError, ValueError) as error:
        raise Faulty([_syntax(revealed, error)]) from error
    except (RecursionError, SyntaxError, MemoryError) as error:  # what Python itself finds too deep to compile
        raise Faulty([_at(revealed, 1, "T104", say("this template is nested too deeply"), "")]) from error
    if findings:
        raise Faulty(findings)
    return Compiled(Template.from_code(environment, code, {}), revealed, name, name.endswith(".html"), say)


def _faults(checker: Checker, tree: nodes.Template, revealed: Revealed, name: str) -> list[Finding]:
    faults = checker.check(tree)
    found = [_at(revealed, fault.line, fault.code, fault.message, fault.help) for fault in faults]
    return found + (_bad_links(revealed, checker.say) if name.endswith(".html") else [])


def syntax_fault(environment: Sandbox, source: str, file: str, first_line: int) -> Finding | None:
    """Return the first mistake in a template's own syntax, at its own line: before it is put into the layout."""
    try:
        environment.parse(source)
    except TemplateSyntaxError as error:
        return Finding(file, first_line + error.lineno - 1, 1, "T100", error.message or "the template cannot be read")
    except (ValueError, RecursionError) as error:
        return Finding(file, first_line, 1, "T100", f"the template cannot be read: {error}")
    return None


def _syntax(revealed: Revealed, error: Exception) -> Finding:
    line = error.lineno if isinstance(error, TemplateSyntaxError) else 1
    return _at(revealed, line, "T100", str(getattr(error, "message", "") or error), "")


def _at(revealed: Revealed, line: int, code: str, message: str, help_: str) -> Finding:
    file, number = revealed.place(line)
    return Finding(file, number, 1 if number else 0, code, message, help_)


def link_fault(target: str, file: str, line: int, say: Say = plainly) -> Finding | None:
    """Return what is wrong with a link's target, if anything is."""
    if _GOOD_LINK.match(target.strip() or "#"):
        return None
    message = say("a link must begin with https://, http://, mailto: or tel:, not %(target)s", target=repr(target[:40]))
    return Finding(file, line, 1, "T107", message, say("in a mail there is no page a short link could start from"))


def _bad_links(revealed: Revealed, say: Say) -> list[Finding]:
    lines = ((match[1], revealed.source.count("\n", 0, match.start()) + 1) for match in _LINK.finditer(revealed.source))
    faults = (link_fault(target, *revealed.place(line), say) for target, line in lines)
    return [fault for fault in faults if fault is not None]


def _fold(tree: nodes.Node, constants: Mapping[str, Mapping[str, object]]) -> None:
    """Replace what is the same in every mail (`shop.name`) by its value, so that Jinja folds it into the text."""
    for holder in [*tree.find_all(nodes.Node), tree]:
        for key, value in holder.iter_fields():
            if isinstance(value, list):
                setattr(holder, key, [_folded(entry, constants) for entry in value])
            elif isinstance(value, nodes.Node):
                setattr(holder, key, _folded(value, constants))


def _folded(value: object, constants: Mapping[str, Mapping[str, object]]) -> object:
    if isinstance(value, nodes.Getattr) and isinstance(value.node, nodes.Name):
        known = constants.get(value.node.name, {})
        if known.get(value.attr):
            return nodes.Const(known[value.attr], lineno=value.lineno)
    return value


def _guard_links(tree: nodes.Template) -> None:
    """Let a value begin a link only if it is one: `href="{{ visit.report_url }}"` must not become javascript."""
    for output in tree.find_all(nodes.Output):
        before = ""
        for index, child in enumerate(output.nodes):
            if _LINK_START.search(before):
                output.nodes[index] = nodes.Filter(child, URL_FILTER, [], [], None, None, lineno=child.lineno)
            before = child.data if isinstance(child, nodes.TemplateData) else ""
