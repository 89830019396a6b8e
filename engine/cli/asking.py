"""The nine questions of `init`: each with a default, each answerable by a flag instead."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date

import typer

from engine.cli.opening import Translate
from engine.cli.output import say
from engine.cli.starter import Answers
from engine.cli.trades import TRADES
from engine.config.providers import PROVIDERS
from engine.errors import UsageError

_COMPANIES = ("gmbh", "ug", "ag", "ohg", "kg", "e.k", "ek")
_CRAFTS = ("plumbing", "bikes", "bakery")
_DEFAULTS: dict[str, object] = {
    "trade": "other",
    "name": "Mein Laden",
    "address": "Musterstraße 1, 12345 Musterstadt",
    "legal_form": "Einzelunternehmen",
    "address_form": "Sie",
    "holidays": "",
    "provider": "outbox",
}

_YES, _NO = frozenset({"y", "yes", "j", "ja"}), frozenset({"n", "no", "nein"})

Check = Callable[[str], bool]


def confirmed(question: str, _: Translate, *, default: bool = False, err: bool = False) -> bool:
    """Ask until the answer is yes or no: j and ja as well as y and yes."""
    shown = _("Y/n") if default else _("y/N")
    while True:
        answer = typer.prompt(f"{question} [{shown}]", default="", show_default=False, err=err).strip().casefold()
        if answer in _YES | _NO or not answer:
            return answer in _YES if answer else default
        say(f"  {shown}", err=err)


class Questions:
    """Asks what no flag has answered; without a person at the keyboard it takes the defaults."""

    def __init__(self, given: Mapping[str, object], _: Translate, *, interactive: bool) -> None:
        self.answers = dict(given)
        self._ = _
        self._interactive = interactive

    def text(self, key: str, question: str, *, allowed: tuple[str, ...] = (), check: Check | None = None) -> str:
        """Return a text: from its flag, from the keyboard, or by default."""
        default = str(_DEFAULTS.get(key, ""))
        asks = key not in self.answers and self._interactive
        while True:
            answer = self._prompt(question, allowed, default) if asks else str(self.answers.get(key, default))
            if (not allowed or answer in allowed) and (not answer or check is None or check(answer)):
                self.answers[key] = answer
                return answer
            example = self._("For example %(default)s", default=default or "…")
            hint = ", ".join(map(self._ if asks else str, allowed)) if allowed else example
            if not asks:
                raise UsageError(f'--{key.replace("_", "-")} "{answer}" is not possible.', hint)
            say(f"  {hint}")

    def yes(self, key: str, question: str, *, default: bool = False) -> bool:
        """Return yes or no: from its flag, from the keyboard, or by default."""
        if key not in self.answers:
            self.answers[key] = confirmed(question, self._, default=default) if self._interactive else default
        return bool(self.answers[key])

    def _prompt(self, question: str, allowed: tuple[str, ...], default: str) -> str:
        """Ask, with the choices in the shop's language; return the choice by its own name."""
        names = {self._(choice).casefold(): choice for choice in allowed} | {word.casefold(): word for word in allowed}
        choices = f" ({' · '.join(self._(word) for word in allowed)})" if allowed else ""
        shown = self._(default) if allowed else default
        answer = str(typer.prompt(question + choices, default=shown, show_default=bool(shown))).strip()
        return names.get(answer.casefold(), answer)


def ask(given: Mapping[str, object], _: Translate, *, interactive: bool) -> Answers:
    """Ask the nine questions and return what was said."""
    questions = Questions(given, _, interactive=interactive)
    trade = questions.text("trade", "1. " + _("What kind of business is it?"), allowed=tuple(TRADES))
    _ask_imprint(questions, trade, _)
    questions.text("address_form", "3. " + _("Do you address your customers as Sie or du?"), allowed=("Sie", "du"))
    questions.text("holidays", "4. " + _("In which state (for holidays, like DE-BY)?"), check=_is_region)
    _ask_provider(questions, _)
    _ask_permission(questions, _)
    _ask_contracts(questions, trade, _)
    questions.text("customers", "9. " + _("Where is the customer list (a file; Enter for later)?"))
    return replace(Answers(), **questions.answers)  # type: ignore[arg-type]


def _ask_imprint(questions: Questions, trade: str, _: Translate) -> None:
    """Ask only for what this legal form must name below a mail."""
    questions.text("name", "2. " + _("The shop's name?"))
    questions.text("address", "   " + _("Street, postcode, town?"))
    questions.text("phone", "   " + _("Phone?"))
    questions.text("email", "   " + _("E-mail?"), check=_is_mailbox)
    form = questions.text("legal_form", "   " + _("Legal form?"))
    if any(word in form.lower() for word in _COMPANIES):
        questions.text("represented_by", "   " + _("Represented by?"))
        questions.text("register_entry", "   " + _("Register court and number?"))
    if trade in _CRAFTS:
        questions.text("chamber", "   " + _("Which chamber?"))


def _ask_provider(questions: Questions, _: Translate) -> None:
    provider = questions.text(
        "provider", "5. " + _("Who will carry the mails (outbox = nobody yet)?"), allowed=tuple(PROVIDERS)
    )
    if provider == "smtp":
        questions.text("base_url", "   " + _("The mail server, like smtp://user@smtp.your-host.de:587?"))
    if provider != "outbox":
        question = _("Have you concluded the data processing agreement there? On which day (2026-11-01)?")
        questions.text("dpa_signed_at", "   " + question, check=_is_day)


def _ask_permission(questions: Questions, _: Translate) -> None:
    consented = _("Has anybody agreed by a click in a confirmation mail (double opt-in)?")
    if "wording" not in questions.answers and questions.yes("consented", "6. " + consented):
        questions.text("wording", "   " + _("The text beside the box, word for word:"))
    questions.answers.pop("consented", None)
    notice = _(
        "Does a sentence beside the e-mail field on order, invoice or till say that one may object to advertising?"
    )
    questions.yes("has_notice", "7. " + notice)


def _ask_contracts(questions: Questions, trade: str, _: Translate) -> None:
    has_any = "service_due" in TRADES[trade].triggers
    if questions.yes("has_contracts", "8. " + _("Are there service contracts?"), default=has_any):
        questions.text("contract_column", "   " + _("In which column is the contract's number (Enter: none yet)?"))


def _is_mailbox(text: str) -> bool:
    return re.fullmatch(r"[^@\s<>]+@[^@\s<>]+\.[^@\s<>]+", text) is not None


def _is_region(text: str) -> bool:
    return re.fullmatch(r"[A-Z]{2}(-[A-Z0-9]{1,3})?", text) is not None


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
