"""Markdown bodies: the same words once as HTML and once as plain text, with Jinja's tags left in place.

A line break in the file is a line break in the mail, as in every mail program. HTML inside Markdown is shown as text,
never passed through. A line that holds nothing but `{% … %}` stands between paragraphs; around a list it goes inside
the list, so that a loop makes one list and not many.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_block import StateBlock
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from engine.rendering.masking import Mask

_LISTS = ("bullet_list_open", "ordered_list_open")
_LIST_ENDS = ("bullet_list_close", "ordered_list_close")


@dataclass(frozen=True, slots=True)
class Body:
    """A body in its two forms, its tags still masked."""

    html: str
    text: str
    links: tuple[tuple[int, str], ...] = ()
    """Every link's target, with the line of the body it stands on (counting from 0)."""


def read_markdown(masked: str, mask: Mask) -> Body:
    """Turn masked Markdown into masked HTML and masked text."""
    parser = _parser(mask)
    tokens = _loops_inside_lists(parser.parse(masked), mask)
    return Body(parser.renderer.render(tokens, parser.options, {}), _Text().write(tokens), tuple(_links(tokens)))


def _links(tokens: list[Token]) -> Iterator[tuple[int, str]]:
    for token in tokens:
        for child in token.children or []:
            target = child.attrs.get("href") or child.attrs.get("src")
            if target:
                yield (token.map or [0])[0], str(target)


def _parser(mask: Mask) -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True})
    parser.disable(["code", "fence", "html_block", "html_inline", "reference", "lheading"])

    def statement(state: StateBlock, start: int, end: int, silent: bool) -> bool:
        line = state.src[state.bMarks[start] + state.tShift[start] : state.eMarks[start]]
        tag = mask.tag(line)
        if tag is None or not tag.is_statement:
            return False
        if not silent:
            token = state.push("jinja", "", 0)
            token.content = line.strip()
            token.map = [start, min(start + 1, end)]
            state.line = start + 1
        return True

    alternatives = ["paragraph", "reference", "blockquote", "list"]
    parser.block.ruler.before("hr", "jinja", statement, {"alt": alternatives})
    parser.add_render_rule("jinja", _print_statement)
    return parser


def _print_statement(
    renderer: RendererHTML,  # noqa: ARG001  (the signature of a render rule)
    tokens: Sequence[Token],
    index: int,
    options: OptionsDict,  # noqa: ARG001
    env: EnvType,  # noqa: ARG001
) -> str:
    return tokens[index].content + "\n"


def _loops_inside_lists(parsed: list[Token], mask: Mask) -> list[Token]:
    """Swap `{% for %}` with the list it stands before, and `{% endfor %}` with the list's end."""
    tokens = list(parsed)
    for index in range(len(tokens) - 1):
        if not _is_loop(tokens[index], mask, "for") or tokens[index + 1].type not in _LISTS:
            continue
        end = _end_of_list(tokens, index + 1)
        if end + 1 < len(tokens) and _is_loop(tokens[end + 1], mask, "endfor"):
            tokens[index : index + 2] = reversed(tokens[index : index + 2])
            tokens[end : end + 2] = reversed(tokens[end : end + 2])
    return tokens


def _is_loop(token: Token, mask: Mask, word: str) -> bool:
    tag = mask.tag(token.content) if token.type == "jinja" else None
    return tag is not None and tag.statement[0] == word


def _end_of_list(tokens: list[Token], start: int) -> int:
    depth = 0
    for index in range(start, len(tokens)):
        depth += (tokens[index].type in _LISTS) - (tokens[index].type in _LIST_ENDS)
        if depth == 0:
            return index
    return len(tokens)


class _Text:
    """Writes Markdown's tokens as a letter in plain text."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self.numbers: list[int | None] = []
        self.quoted = 0

    def write(self, tokens: list[Token]) -> str:
        """Return the text; blocks are set apart by an empty line."""
        for token in tokens:
            handler = getattr(self, f"_on_{token.type}", None)
            if handler is not None:
                handler(token)
        return "".join(self.out).strip("\n") + "\n"

    def _on_jinja(self, token: Token) -> None:
        self.out.append(token.content)

    def _on_inline(self, token: Token) -> None:
        text = write_inline(token.children or [])
        prefix = "> " * self.quoted
        self.out.append(prefix + text.replace("\n", f"\n{prefix}{'  ' * len(self.numbers)}"))

    def _on_paragraph_close(self, token: Token) -> None:
        self.out.append("\n" if token.hidden else "\n\n")

    def _on_heading_close(self, _token: Token) -> None:
        self.out.append("\n\n")

    def _on_hr(self, _token: Token) -> None:
        self.out.append("* * *\n\n")

    def _on_blockquote_open(self, _token: Token) -> None:
        self.quoted += 1

    def _on_blockquote_close(self, _token: Token) -> None:
        self.quoted -= 1

    def _on_bullet_list_open(self, _token: Token) -> None:
        self.numbers.append(None)

    def _on_ordered_list_open(self, token: Token) -> None:
        self.numbers.append(int(token.attrs.get("start", 1)))

    def _on_bullet_list_close(self, _token: Token) -> None:
        self.numbers.pop()
        self.out.append("\n")

    _on_ordered_list_close = _on_bullet_list_close

    def _on_list_item_open(self, _token: Token) -> None:
        number = self.numbers[-1]
        self.out.append("  " * (len(self.numbers) - 1) + ("- " if number is None else f"{number}. "))
        self.numbers[-1] = None if number is None else number + 1


def write_inline(children: Sequence[Token]) -> str:
    """Return the words of a paragraph; a link as `words (address)`, a picture as its description."""
    out: list[str] = []
    opened: list[tuple[int, str]] = []
    alone = bool(children) and children[0].type == "link_open" and children[-1].type == "link_close"
    for child in children:
        if child.type == "link_open":
            opened.append((len(out), str(child.attrs.get("href", ""))))
        elif child.type == "link_close":
            start, target = opened.pop()
            out[start:] = [_link("".join(out[start:]), target, alone=alone)]
        elif child.type in ("softbreak", "hardbreak"):
            out.append("\n")
        else:
            out.append(child.content)
    return "".join(out)


def _link(words: str, target: str, *, alone: bool) -> str:
    bare = target.removeprefix("mailto:").removeprefix("tel:")
    if words in (target, bare):
        return bare
    return f"{words}: {bare}" if alone else f"{words} ({bare})"
