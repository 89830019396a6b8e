"""Compiles every campaign's mails once, at load, and then makes one mail after another from plain data.

Loading finds what is wrong with a template before anybody is due; rendering one mail is four small Jinja templates
(subject, preview, HTML, text), nothing read, nothing compiled, nothing inlined.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import escape

from engine.config import Config
from engine.errors import Finding, Invalid, NothingFound, TemplateError
from engine.rendering.authored import CampaignText, StepText
from engine.rendering.compiling import Compiled
from engine.rendering.context import FIELDS, MailContext, Record, clean, purchase_record, record
from engine.rendering.filters import LANGUAGES
from engine.rendering.footer import Footer
from engine.rendering.greeting import greet
from engine.rendering.loading import Letter, Loader
from engine.rendering.samples import samples

_GAPS = re.compile(r"[ \t]+\n|\n{3,}")
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
        """Render every mail with full data (which must work) and with gaps (which is a warning)."""
        broken: list[Finding] = []
        for campaign in campaigns:
            for step in campaign.steps:
                for language in self._letters[campaign.id, step.id]:
                    for sample in samples(campaign.trigger.on, language):
                        try:
                            self.render(campaign, step, sample.context, language)
                        except TemplateError as error:
                            told = _finding(campaign, error, sample.gaps)
                            (broken if not sample.gaps else self.warnings).append(told)
        if broken:
            raise Invalid(broken)

    def language_for(self, campaign: CampaignText, step: StepText, customer_language: str = "") -> str:
        """Return the language a mail will be in: the customer's, else the shop's, else the one there is."""
        letters = self._letter_set(campaign, step)
        wishes = (customer_language[:2].lower(), self._shop.language, *LANGUAGES)
        return next(language for language in wishes if language in letters)

    def template_hash(self, campaign: CampaignText, step: StepText, customer_language: str = "") -> str:
        """Return the mark of the template a mail would be made from now."""
        return self._letter_set(campaign, step)[self.language_for(campaign, step, customer_language)].hash

    def _letter_set(self, campaign: CampaignText, step: StepText) -> dict[str, Letter]:
        try:
            return self._letters[campaign.id, step.id]
        except KeyError:
            raise NothingFound(f'campaign "{campaign.id}" has no step "{step.id}" any more') from None

    def render(self, campaign: CampaignText, step: StepText, context: MailContext, language: str = "") -> Rendered:
        """Make one mail; raise TemplateError at file:line where the template or the data do not allow it."""
        chosen = self.language_for(campaign, step, language or context.customer.language)
        letter = self._letter_set(campaign, step)[chosen]
        known = self._known(context, letter)
        subject = _one_line(letter.subject.render(known))
        if not subject:
            raise TemplateError(f'{campaign.file}: the subject of "{campaign.id}" is empty for this customer')
        preview = _one_line(letter.preview.render(known)) if letter.preview else ""
        known["mail"] = self._mail(letter.footer, context, subject, preview, _form(context, self._shop.address_form))
        html = letter.html.render(known)
        text = _tidy(letter.text.render(known))
        _require_footer(letter.footer, context, html, text, letter.html)
        return Rendered(subject, preview, html, text, letter.hash, chosen)

    def _known(self, context: MailContext, letter: Letter) -> dict[str, object]:
        form = _form(context, self._shop.address_form)
        customer = record("customer", context.customer, FIELDS["customer"])
        customer.values["address_form"] = form
        customer.values["language"] = letter.language
        known: dict[str, object] = {
            "greeting": greet(context.customer, form, letter.language),
            "customer": customer,
            "shop": letter.shop,
            "campaign": letter.campaign,
            "occasion": record("occasion", context.occasion, FIELDS["occasion"]),
            "links": record("links", context.links, FIELDS["links"]),
            "today": context.today,
            "items": tuple(record("item", item, FIELDS["item"]) for item in context.items),
        }
        if context.purchase is not None:
            known["purchase"] = purchase_record(context.purchase, self._shop.currency)
        if context.item is not None:
            known["item"] = record("item", context.item, FIELDS["item"])
        if context.visit is not None:
            known["visit"] = record("visit", context.visit, FIELDS["visit"])
        return known

    @staticmethod
    def _mail(footer: Footer, context: MailContext, subject: str, preview: str, form: str) -> Record:
        values: dict[str, object] = {
            "subject": subject,
            "preview": preview,
            "reason": footer.reason(context.because, form),
            "rights": footer.rights(context.because, form),
        }
        return Record("mail", {name: value for name, value in values.items() if value})


def _form(context: MailContext, of_the_shop: str) -> str:
    own = context.customer.address_form.strip().lower()
    return {"du": "du", "sie": "Sie"}.get(own, of_the_shop)


def _one_line(text: str) -> str:
    line = clean(" ".join(text.split()))
    return line if len(line) <= _LONGEST_SUBJECT else line[: _LONGEST_SUBJECT - 1].rstrip() + "…"


def _tidy(text: str) -> str:
    """Close the gaps that statements leave behind, so that paragraphs stand one empty line apart."""
    return _GAPS.sub(lambda gap: "\n" if gap[0][0] in " \t" else "\n\n", text).strip("\n") + "\n"


def _require_footer(footer: Footer, context: MailContext, html: str, text: str, at: Compiled) -> None:
    """Refuse a mail that does not name its sender, or advertising without a way out."""
    for proof in footer.proofs():
        if escape(proof) not in html or proof not in text:
            raise TemplateError(f"{at.name}: the mail does not name its sender ({proof!r} is missing)", _LAYOUT_HINT)
    link = context.links.unsubscribe
    if footer.advertises and not (link and escape(link) in html and link in text):
        raise TemplateError(f"{at.name}: this mail is advertising and has no unsubscribe link", _LAYOUT_HINT)


_LAYOUT_HINT = "The shipped layout adds the footer by itself; keep its block `footer`."


def _finding(campaign: CampaignText, error: TemplateError, gaps: str) -> Finding:
    found = re.match(r"(.+?):(\d+): (.*)", error.message, re.DOTALL)
    file, line, said = (found[1], int(found[2]), found[3]) if found else (campaign.file, 0, error.message)
    message = f"{said} (a customer without {gaps} would get no mail)" if gaps else said
    return Finding(file, line, 1 if line else 0, "T110", message, error.hint, "warning" if gaps else "error")
