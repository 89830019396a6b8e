"""Puts a mail's template together as text, once at load: layout, author's words, button and parts become one document.

`{% extends %}`, `{% include %}` and `{% from … import … %}` are resolved here and nowhere else, so the sandbox needs no
loader: no template can name a file while it runs, and rendering one mail is one flat template.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import css_inline

from engine.errors import TemplateError
from engine.rendering.masking import Mask, Revealed, Tag

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*(/[a-z0-9][a-z0-9_-]*)*(\.(de|en))?\.(html|txt)")
_QUOTED = re.compile(r"[\"']([^\"']*)[\"']\s*(?:(?:with|without)\s+context\s*)?(import\s+[\w\s,]+)?")
_DEEPEST = 5
_LARGEST = 200_000
_PACKAGE = Path(__file__).parents[1]
_TO_INLINE = re.compile(r"<style data-inline>(.*?)</style>\n?", re.DOTALL)


def shipped_folder(what: str) -> Path:
    """Return the templates or campaigns that come with the program: inside the package, or beside it in a clone."""
    packed = _PACKAGE / "shipped" / what
    return packed if packed.is_dir() else _PACKAGE.parent / what


class Folder:
    """The shop's templates; what is not there comes from those the program ships."""

    def __init__(self, folder: Path) -> None:
        self._folders = [folder, shipped_folder("templates")]

    def has(self, name: str) -> bool:
        """Say whether a template of this name exists."""
        return any((folder / name).is_file() for folder in self._folders)

    def read(self, name: str) -> tuple[str, str]:
        """Return a template's path and text; refuse every name that could lead out of `templates/`."""
        if not _NAME.fullmatch(name):
            raise _outside(name)
        for folder in self._folders:
            path = folder / name
            if path.exists():
                return str(path), _text_of(path, folder, name)
        raise TemplateError(
            f'the template "{name}" is not in {self._folders[0]}',
            f"Templates there: {', '.join(self.names()) or 'none'}",
        )

    def names(self) -> list[str]:
        """Return the names of the shop's own templates, for messages."""
        root = self._folders[0]
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.suffix in (".html", ".txt"))


def _outside(name: str) -> TemplateError:
    return TemplateError(
        f"{name[:60]!r} is not a template's name: a template must lie inside templates/",
        "Allowed are small letters, digits, - and _, and / for folders: birthday.html, seasons/winter.en.html",
    )


def _text_of(path: Path, folder: Path, name: str) -> str:
    if not path.resolve().is_relative_to(folder.resolve()):
        raise _outside(name)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateError(f"{path} cannot be read: {error}", "Save it as UTF-8.") from error
    if len(text) > _LARGEST:
        raise TemplateError(f"{path} is larger than {_LARGEST // 1000} kB", "A mail should be well below 100 kB.")
    return text


@dataclass(slots=True)
class Assembly:
    """One document in the making: its folder, its mask, and the files it was made from."""

    folder: Folder
    mask: Mask = field(default_factory=Mask)

    def read(self, name: str) -> str:
        """Return a template's text, masked."""
        path, text = self.folder.read(name)
        return self.mask.hide(text, path)

    def in_layout(self, kind: str, blocks: dict[str, str]) -> str:
        """Return the layout (`html` or `txt`) with its blocks filled."""
        return self.resolved(self.filled(self.read(f"layout.{kind}"), blocks))

    def resolved(self, masked: str, depth: int = 0) -> str:
        """Return a masked template with everything it extends, includes and imports put in its place."""
        if depth > _DEEPEST:
            raise TemplateError("templates include each other too deeply", "A template must not include itself.")
        words = self.mask.words(masked)
        parent = next((tag for _, tag in words if tag.statement[0] == "extends"), None)
        if parent is not None:
            blocks = self._own_blocks(masked, parent)
            return self.resolved(self.filled(self._wanted(parent), blocks), depth + 1)
        out, end = [], 0
        for found, tag in words:
            if tag.statement[0] in ("include", "from", "import"):
                out += [masked[end : found.start()], self.resolved(self._wanted(tag).strip(), depth + 1)]
                end = found.end()
        return "".join([*out, masked[end:]])

    def _wanted(self, tag: Tag) -> str:
        try:
            return self.read(_target(tag))
        except TemplateError as error:
            raise TemplateError(f"{tag.file}:{tag.line}: {error.message}", error.hint) from error

    def _own_blocks(self, masked: str, parent: Tag) -> dict[str, str]:
        blocks: dict[str, str] = {}
        outside = ""
        for name, text in self._segments(masked):
            if name is None:
                outside += text
            else:
                blocks[name] = text
        around = self.mask.words(outside)
        words = "".join(found[0] for found, tag in around if tag is not parent)
        loose = outside
        for found, _ in around:
            loose = loose.replace(found[0], "", 1)
        if loose.strip():
            raise TemplateError(
                f"{parent.file}:{parent.line}: text outside of every block is never shown: {loose.strip()[:40]!r}",
                "Put it inside {% block body %} … {% endblock %}; macros belong in a file of their own.",
            )
        return blocks | {"macros": words + blocks.get("macros", "")}

    def filled(self, masked: str, blocks: dict[str, str]) -> str:
        """Return a document with its blocks replaced; `{{ super() }}` stands for what the block held before."""
        out = []
        for name, text in self._segments(masked):
            mine = blocks.get(name, text) if name else text
            for found, tag in self.mask.words(mine):
                if tag.expression == "super()":
                    mine = mine.replace(found[0], text, 1)
            out.append(mine)
        return "".join(out)

    def _segments(self, masked: str) -> list[tuple[str | None, str]]:
        """Cut a document into what lies inside its blocks (with their names) and what lies between them."""
        segments: list[tuple[str | None, str]] = []
        name, end = None, 0
        for found, tag in self.mask.words(masked):
            word, rest = tag.statement
            if word not in ("block", "endblock"):
                continue
            if (word == "block") == (name is not None):
                raise TemplateError(f"{tag.file}:{tag.line}: blocks must be closed, and must not lie within each other")
            segments.append((name, masked[end : found.start()]))
            name, end = (rest.split()[0] if word == "block" else None), found.end()
        return [*segments, (None, masked[end:])]

    def block(self, name: str, of: str) -> str:
        """Return one block of a shipped or own template, masked."""
        return next((text for own, text in self._segments(self.read(of)) if own == name), "")

    def macro(self, name: str, **values: str) -> str:
        """Return the text of one of the shipped macros with its arguments (masked text) put in."""
        parts = self.read("parts.html")
        words = self.mask.words(parts)
        start = next(i for i, (_, tag) in enumerate(words) if tag.statement[1].startswith(f"{name}("))
        stop = next(i for i, (_, tag) in enumerate(words) if i > start and tag.statement[0] == "endmacro")
        text = parts[words[start][0].end() : words[stop][0].start()]
        for found, tag in words[start + 1 : stop]:
            text = text.replace(found[0], values.get(tag.expression, found[0]))
        return text

    def html(self, masked: str) -> Revealed:
        """Return a finished HTML template: its CSS inlined once, its tags back in place."""
        rules = "\n".join(_TO_INLINE.findall(masked))
        inliner = css_inline.CSSInliner(
            keep_style_tags=True, extra_css=rules, minify_css=True, load_remote_stylesheets=False
        )
        try:
            inlined = inliner.inline(self.mask.as_markup(_TO_INLINE.sub("", masked)))
        except css_inline.InlineError as error:
            raise TemplateError(f"the styles of this template cannot be read: {error}") from error
        return self.mask.reveal(inlined)

    def text(self, masked: str) -> Revealed:
        """Return a finished text template, without blanks at the ends of its lines."""
        return self.mask.reveal(re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t]+\n", "\n", masked)))


def _target(tag: Tag) -> str:
    found = _QUOTED.fullmatch(tag.statement[1])
    if found is None or (tag.statement[0] == "from") != (found[2] is not None):
        raise TemplateError(
            f"cannot read {tag.source}",
            'Write {% extends "layout.html" %}, {% include "address.html" %} or {% from "parts.html" import button %}.',
        )
    return found[1]
