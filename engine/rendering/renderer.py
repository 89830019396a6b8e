"""Compiles every campaign's mails once, at load, and then makes one mail after another from plain data.

Loading finds what is wrong with a template before anybody is due; rendering one mail is four small Jinja templates
(subject, preview, HTML, text), nothing read, nothing compiled, nothing inlined.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import escape

from engine.config.loading import Config
from engine.errors import Finding, Invalid, NothingFound, TemplateError
from engine.language import Language
from engine.rendering.authored import CampaignText, StepText
from engine.rendering.context import MailContext, Record, clean, item_records, purchase_record
from engine.rendering.filters import LANGUAGES
from engine.rendering.footer import Footer
from engine.rendering.greeting import greet
from engine.rendering.loading import Letter, Loader
from engine.rendering.samples import samples
from engine.toml.faults import Say

_GAPS = re.compile(r"\n\n\n+")
_LONGEST_SUBJECT = 255


@dataclass(frozen=True, slots=True)
class Rendered:
    """One mail's words, before it gets an envelope."""

    subject: str
    preview: str
    html: str
    text: str
    template_hash: str
    language: str


class Renderer:
    """Every mail of every campaign, compiled. `warnings` tells what may go wrong for customers with gaps."""

    def __init__(self, config: Config, templates_folder: Path, campaigns: Sequence[CampaignText]) -> None:
        self._config = config
        self._shop = config.shop
        self._say = Language(config.shop.language).gettext
        self._letters: dict[tuple[str, str], dict[str, Letter]] = {}
        self.warnings: list[Finding] = []
        loader = Loader(config, templates_folder)
        for campaign in campaigns:
            for step in campaign.steps:
                self._letters[campaign.id, step.id] = loader.load(campaign, step)
        if loader.findings:
            raise Invalid(loader.findings)
        self._try_out(campaigns)

    def _try_out(self, campaigns: Sequence[CampaignText]) -> None:
        """Render every mail with full data (which must work) and with gaps (which is a warning, once per place)."""
        broken: list[Finding] = []
        told: set[str] = set()
        for campaign, step, language in self._each(campaigns):
            for sample in samples(campaign.trigger.on, language):
                try:
                    self.render(campaign, step, sample.context, language)
                except TemplateError as error:
                    if error.message not in told:
                        told.add(error.message)
                        finding = _finding(campaign, error, sample.gaps, self._say)
                        (self.warnings if sample.gaps else broken).append(finding)
        if broken:
            raise Invalid(broken)

    def _each(self, campaigns: Sequence[CampaignText]) -> Iterator[tuple[CampaignText, StepText, str]]:
        for campaign in campaigns:
            for step in campaign.steps:
                for language in self.languages(campaign, step):
                    yield campaign, step, language

    def languages(self, campaign: CampaignText, step: StepText) -> tuple[str, ...]:
        """Return the languages a mail can be written in."""
        return tuple(self._letters.get((campaign.id, step.id), ()))

    def language_for(self, campaign: CampaignText, step: StepText, customer_language: str = "") -> str:
        """Return the language a mail will be in: the customer's, else the shop's, else the one there is."""
        return self._letter(campaign, step, customer_language).language

    def template_hash(self, campaign: CampaignText, step: StepText, customer_language: str = "") -> str:
        """Return the mark of the template a mail would be made from now."""
        return self._letter(campaign, step, customer_language).hash

    def _letter(self, campaign: CampaignText, step: StepText, wish: str) -> Letter:
        letters = self._letters.get((campaign.id, step.id))
        if not letters:
            raise NothingFound(f'campaign "{campaign.id}" has no step "{step.id}" any more')
        if wish and (found := letters.get(wish[:2].lower())):
            return found
        return letters.get(self._shop.language) or next(
            letters[language] for language in LANGUAGES if language in letters
        )

    def render(self, campaign: CampaignText, step: StepText, context: MailContext, language: str = "") -> Rendered:
        """Make one mail; raise TemplateError at file:line where the template or the data do not allow it."""
        letter = self._letter(campaign, step, language or context.customer.language)
        form = _FORMS.get(context.customer.address_form.strip().lower(), self._shop.address_form)
        known = self._known(context, letter, form)
        shared = letter.html.template.new_context(known, shared=True)
        subject = _one_line(letter.subject.render(shared))
        if not subject:
            raise TemplateError(f'{campaign.file}: the subject of "{campaign.id}" is empty for this customer')
        preview = _one_line(letter.preview.render(shared)) if letter.preview else ""
        reason, rights = letter.footer.sentences(context.because, form)
        own = {"subject": subject, "preview": preview, "reason": reason, "rights": rights}
        known["mail"] = Record("mail", None, {name: words for name, words in own.items() if words})
        html = letter.html.render(shared)
        text = _tidy(letter.text.render(shared))
        _require_footer(letter.footer, context.links.unsubscribe, html, text, letter.html.name)
        return Rendered(subject, preview, html, text, letter.hash, letter.language)

    def _known(self, context: MailContext, letter: Letter, form: str) -> dict[str, object]:
        spoken: dict[str, object] = {"address_form": form, "language": letter.language}
        known: dict[str, object] = {
            "greeting": greet(context.customer, form, letter.language),
            "customer": Record("customer", context.customer, spoken),
            "shop": letter.shop,
            "campaign": letter.campaign,
            "occasion": Record("occasion", context.occasion),
            "links": Record("links", context.links),
            "today": context.today,
            "items": item_records(context.items) if context.items else (),
        }
        if context.purchase is not None:
            known["purchase"] = purchase_record(context.purchase, self._shop.currency)
        if context.item is not None:
            known["item"] = Record("item", context.item)
        if context.visit is not None:
            known["visit"] = Record("visit", context.visit)
        return known


def _one_line(text: str) -> str:
    line = clean(" ".join(text.split()))
    return line if len(line) <= _LONGEST_SUBJECT else line[: _LONGEST_SUBJECT - 1].rstrip() + "…"


def _tidy(text: str) -> str:
    """Close the gaps that statements leave behind, so that paragraphs stand one empty line apart."""
    return _GAPS.sub("\n\n", text).strip("\n") + "\n"


def _require_footer(footer: Footer, link: str, html: str, text: str, name: str) -> None:
    """Refuse a mail that does not name its sender, or advertising without a way out."""
    for proof, escaped in footer.proofs:
        if html.rfind(escaped) < 0 or text.rfind(proof) < 0:  # from the end, where the footer is
            raise TemplateError(f"{name}: the mail does not name its sender ({proof!r} is missing)", _LAYOUT_HINT)
    if footer.advertises and (not link or text.rfind(link) < 0 or html.rfind(str(escape(link))) < 0):
        raise TemplateError(f"{name}: this mail is advertising and has no unsubscribe link", _LAYOUT_HINT)


_FORMS = {"du": "du", "sie": "Sie"}
_LAYOUT_HINT = "The shipped layout adds the footer by itself; keep its block `footer`."


def _finding(campaign: CampaignText, error: TemplateError, gaps: str, say: Say) -> Finding:
    found = re.match(r"(.+?):(\d+): (.*)", error.message, re.DOTALL)
    file, line, said = (found[1], int(found[2]), found[3]) if found else (campaign.file, 0, error.message)
    message = (
        say("%(said)s: a customer without %(gaps)s would get no mail", said=said, gaps=say(gaps)) if gaps else said
    )
    return Finding(file, line, 1 if line else 0, "T110", message, error.hint, "warning")
