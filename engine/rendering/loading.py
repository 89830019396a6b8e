"""Reads the words of a campaign's mails and makes a letter of them per language: four templates that run."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.config.loading import Config
from engine.errors import Finding, TemplateError
from engine.language import Language
from engine.rendering.assembling import Assembly, Folder
from engine.rendering.authored import CampaignText, MailText, StepText
from engine.rendering.compiling import Compiled, Faulty, compile_template, link_fault, syntax_fault
from engine.rendering.context import CAMPAIGN_FIELDS, SHOP_FIELDS, Record, constants
from engine.rendering.environment import sandbox
from engine.rendering.filters import LANGUAGES
from engine.rendering.footer import Footer
from engine.rendering.markdown import Body, read_markdown
from engine.rendering.masking import Revealed

Texts = Mapping[str, str]
_LAYOUTS_OWN = re.compile(r"\{[{%][^}]*?\b(mail)\.")


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail in one language, ready to be rendered."""

    language: str
    subject: Compiled
    preview: Compiled | None
    html: Compiled
    text: Compiled
    footer: Footer
    shop: Record
    campaign: Record
    hash: str


@dataclass(frozen=True, slots=True)
class Draft:
    """One mail in one language, on its way to becoming a letter."""

    campaign: CampaignText
    step: StepText
    language: str

    @property
    def name(self) -> str:
        """Return the name its templates go by."""
        return f"{self.campaign.id}/{self.step.id}.{self.language}"


def mark_of(sources: Sequence[str], known: Mapping[str, object], footer: Sequence[str]) -> str:
    """Return what recognises a letter in the log: its templates, what is the same in each mail, and its footer."""
    return hashlib.sha256("\0".join([*sources, repr(known), *footer]).encode()).hexdigest()[:16]


class Lines:
    """Finds on which line of a campaign file a text begins, from the step it belongs to on."""

    def __init__(self, file: str) -> None:
        self.file = file
        try:
            self._text = Path(file).read_text(encoding="utf-8-sig").replace("\r\n", "\n")
        except (OSError, UnicodeDecodeError):
            self._text = ""

    def of(self, words: str, step: str) -> int:
        """Return the line; 1 where the text cannot be found as it stands."""
        quoted = re.search(rf"^\s*id\s*=\s*[\"']{re.escape(step)}[\"']", self._text, re.MULTILINE)
        found = self._text.find(words, quoted.start() if quoted else 0)
        return self._text.count("\n", 0, found) + 1 if found >= 0 else 1


class Loader:
    """Loads letters; collects what is wrong with them in `findings`."""

    def __init__(self, config: Config, templates_folder: Path) -> None:
        self._shop = config.shop
        self._say = Language(config.shop.language).gettext
        self._folder = Folder(templates_folder)
        self._sandboxes = {language: sandbox(language, config.shop.currency) for language in LANGUAGES}
        self.findings: list[Finding] = []
        self._lines = Lines("")

    def load(self, campaign: CampaignText, step: StepText) -> dict[str, Letter]:
        """Return the letters of one step, by language."""
        if self._lines.file != campaign.file:
            self._lines = Lines(campaign.file)
        letters: dict[str, Letter] = {}
        languages = self._languages(step.message)
        if not languages:
            message = self._say('step "%(step)s": subject and body have no language in common', step=step.id)
            self._add(Finding(campaign.file, 1, 1, "T111", message))
        for language in languages:
            try:
                letters[language] = self._letter(Draft(campaign, step, language))
            except Faulty as faulty:
                for finding in faulty.findings:
                    self._add(finding)
            except TemplateError as error:
                self._add(_placed(campaign.file, self._line(step), error))
        return letters

    def _line(self, step: StepText) -> int:
        return self._lines.of(step.message.template or next(iter(step.message.subject.values()), ""), step.id)

    def _add(self, finding: Finding) -> None:
        if finding not in self.findings:
            self.findings.append(finding)

    def _per_language(self, texts: Texts | str | None) -> dict[str, str]:
        """Return texts by language; one given without a language is in the shop's own."""
        if isinstance(texts, str):
            texts = {"": texts}
        return {language or self._shop.language: text for language, text in (texts or {}).items()}

    def _languages(self, message: MailText) -> list[str]:
        subjects = self._per_language(message.subject)
        if message.template:
            with_body = {language for language in LANGUAGES if self._folder.has(f"{message.template}.{language}.html")}
            with_body.add(self._shop.language)
        else:
            with_body = set(self._per_language(message.body))
        return [language for language in LANGUAGES if language in subjects and language in with_body]

    def _letter(self, draft: Draft) -> Letter:
        footer = Footer(self._shop, draft.campaign.kind, draft.language)
        shop, campaign = constants(self._shop, SHOP_FIELDS), constants(draft.campaign, CAMPAIGN_FIELDS)
        known = {"shop": shop, "campaign": campaign, "mail": footer.constants()}
        sources: list[str] = []

        def compiled(kind: str, revealed: Revealed) -> Compiled:
            sources.append(revealed.source)
            return compile_template(
                self._sandboxes[draft.language],
                f"{draft.name}.{kind}",
                revealed,
                draft.campaign.trigger.on,
                known,
                self._say,
            )

        message = draft.step.message
        subject = self._line_of(draft, "subject", message.subject, compiled)
        if subject is None:
            raise TemplateError(f'step "{draft.step.id}" has no subject')
        preview = self._line_of(draft, "preview", message.preview, compiled)
        html, text = self._from_files(draft) if message.template else self._from_markdown(draft)
        compiled_html, compiled_text = compiled("html", html), compiled("txt", text)
        return Letter(
            draft.language,
            subject,
            preview,
            compiled_html,
            compiled_text,
            footer,
            Record("shop", None, shop),
            Record("campaign", None, campaign),
            mark_of(sources, known, footer.words()),
        )

    def _line_of(
        self, draft: Draft, kind: str, texts: Texts | None, compiled: Callable[[str, Revealed], Compiled]
    ) -> Compiled | None:
        text = self._per_language(texts).get(draft.language, "")
        if not text:
            return None
        assembly = Assembly(self._folder)
        return compiled(kind, assembly.text(self._hidden(assembly, draft, text)))

    def _hidden(self, assembly: Assembly, draft: Draft, words: str) -> str:
        """Return an author's words masked, each tag knowing its line in the campaign file."""
        line = self._lines.of(words, draft.step.id)
        fault = syntax_fault(self._sandboxes[draft.language], words, draft.campaign.file, line)
        if fault is None and (used := _LAYOUTS_OWN.search(words)):
            at = line + words.count("\n", 0, used.start())
            fault = Finding(
                draft.campaign.file, at, 1, "T101", self._say("`%(name)s` belongs to the layout", name=used[1])
            )
        if fault is not None:
            raise Faulty([fault])
        return assembly.mask.hide(words, draft.campaign.file, line)

    def _from_markdown(self, draft: Draft) -> tuple[Revealed, Revealed]:
        body = self._per_language(draft.step.message.body)[draft.language]
        assembly = Assembly(self._folder)
        written = read_markdown(self._hidden(assembly, draft, body), assembly.mask)
        self._require_links(draft, body, written)
        words, target = self._button(assembly, draft)
        button = assembly.macro("button", text=_escaped(words), url=_escaped(target)) if words else ""
        html = assembly.in_layout("html", {"body": written.html, "button": button})
        text = assembly.in_layout("txt", {"body": written.text, "button": f"{words}: {target}\n" if words else ""})
        return assembly.html(html), assembly.text(text)

    def _require_links(self, draft: Draft, body: str, written: Body) -> None:
        file, first = draft.campaign.file, self._lines.of(body, draft.step.id)
        faults = [link_fault(target, file, first + line, self._say) for line, target in written.links]
        if found := [fault for fault in faults if fault is not None]:
            raise Faulty(found)

    def _button(self, assembly: Assembly, draft: Draft) -> tuple[str, str]:
        button = draft.step.message.button
        if button is None:
            return "", ""
        words = self._per_language(button.text).get(draft.language, "")
        target = self._per_language(button.url)
        url = target.get(draft.language) or next(iter(target.values()), "")
        return self._hidden(assembly, draft, words), self._hidden(assembly, draft, url)

    def _from_files(self, draft: Draft) -> tuple[Revealed, Revealed]:
        name = draft.step.message.template or ""
        html = Assembly(self._folder)
        text = Assembly(self._folder)
        page = self._file(html, draft, name, "html")
        letter = self._file(text, draft, name, "txt")
        return html.html(_with_footer(html, page, "html")), text.text(_with_footer(text, letter, "txt"))

    def _file(self, assembly: Assembly, draft: Draft, name: str, kind: str) -> str:
        own = f"{name}.{draft.language}.{kind}"
        chosen = own if self._folder.has(own) else f"{name}.{kind}"
        path, source = self._folder.read(chosen)
        fault = syntax_fault(self._sandboxes[draft.language], source, path, 1)
        if fault is not None:
            raise Faulty([fault])
        return assembly.resolved(assembly.mask.hide(source, path))


def _with_footer(assembly: Assembly, masked: str, kind: str) -> str:
    """Give a document that is built without the layout the layout's footer: no author can leave it out."""
    if any(tag.expression == "mail.reason" for _, tag in assembly.mask.words(masked)):
        return masked
    footer = assembly.block("footer", f"layout.{kind}")
    if kind == "txt":
        return f"{masked.rstrip()}\n\n{footer}"
    end = masked.lower().rfind("</body>")
    return masked + footer if end < 0 else masked[:end] + footer + masked[end:]


def _escaped(masked: str) -> str:
    return masked.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def _placed(file: str, line: int, error: TemplateError) -> Finding:
    found = re.match(r"(.+?):(\d+): (.*)", error.message, re.DOTALL)
    if found:
        return Finding(found[1], int(found[2]), 1, "T112", found[3], error.hint)
    return Finding(file, line, 1, "T112", error.message, error.hint)
